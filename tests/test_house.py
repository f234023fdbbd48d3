"""The papers agree with the code: the picture, the requirements, the examples."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import grimp
import pytest

from posctl.cli.root import COMMANDS
from posctl.cli.settings import SETTINGS
from posctl.cli.text.errors import ERRORS
from posctl.store import profiles

ROOT = Path(__file__).resolve().parent.parent


def rooms() -> set[tuple[str, str]]:
    """Imports between rooms: the packages of posctl, protocols, emulator."""
    graph = grimp.build_graph("posctl", "protocols", "emulator", cache_dir=None)
    return {
        (room(one), room(other))
        for one in graph.modules
        for other in graph.find_modules_directly_imported_by(one)
        if room(one) != room(other) and "." in one
    }


def room(module: str) -> str:
    parts = module.split(".")
    return parts[1] if parts[0] == "posctl" and len(parts) > 1 else parts[0]


def test_the_picture_of_the_house_is_the_imports() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    drawn = set(re.findall(r"^    (\w+) --> (\w+)$", text, re.MULTILINE))
    measured = {(a, b) for a, b in rooms() if "posctl" not in (a, b)}
    assert drawn == measured - {("__main__", "cli")}


MADE = """
import json, runpy, sys
made = runpy.run_path(f"docs/make_{sys.argv[1]}.py")[sys.argv[2]]()
print(json.dumps(made))
"""


def made(what: str, function: str) -> Any:
    """What `make docs` would write now."""
    done = subprocess.run(
        [sys.executable, "-c", MADE, what, function],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


@pytest.mark.parametrize("what", ["requirements", "troubleshooting"])
def test_what_is_made_from_the_code_is_up_to_date(what: str) -> None:
    held = (ROOT / "docs" / f"{what}.md").read_text("utf-8")
    assert made(what, "text") == held, "run `make docs`"


def test_the_man_pages_are_the_help() -> None:
    held = {p.name: p.read_text("utf-8") for p in (ROOT / "docs" / "man").iterdir()}
    assert made("man", "pages") == held, "run `make docs`"


def test_man_pages_can_be_read() -> None:
    if shutil.which("mandoc") is None:
        assert os.environ.get("CI") != "true"
        pytest.skip("no mandoc: .ci/setup test installs it")
    pages = sorted((ROOT / "docs" / "man").iterdir())
    words = ["mandoc", "-T", "lint", "-W", "error", *map(str, pages)]
    done = subprocess.run(words, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")


def test_notes_on_failures_are_of_failures_that_there_are() -> None:
    notes = (ROOT / "docs" / "troubleshooting.toml").read_text("utf-8")
    assert set(tomllib.loads(notes)) - set(ERRORS) == set()


def test_the_documents_name_every_setting() -> None:
    text = (ROOT / "docs" / "command-line.md").read_text("utf-8")
    table = text.partition("| key | in a shop | is |")[2].partition("\n\n")[0]
    assert re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE) == list(SETTINGS)


def test_the_readme_names_every_command() -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    for name in COMMANDS:
        assert f"posctl {name}" in text


@pytest.mark.req("R4")
@pytest.mark.parametrize("name", ["chinaums", "emulator"])
def test_the_shipped_profiles_can_be_read(name: str) -> None:
    profile = profiles.parse(profiles.example(name), source=name)
    assert profile.name == name
    assert profile.pinned is None


REVEALS = {
    "cards/bins.py": 1,  # the longest prefix in the table
    "cards/reading.py": 1,  # check digit
    "cli/merchant.py": 1,  # an ID number, to its keyed hash
    "field/account.py": 4,  # check digit; typed twice; into the sealed box
    "office/account.py": 1,  # check digit
    "office/approve.py": 1,  # the last four that are typed
    "office/steps/elements.py": 1,  # to the verification service
    "office/steps/penny_drop.py": 1,  # to the verification service
    "providers/chinaums.py": 4,  # on the wire
}
"""File -> how often it takes a number out of its cover. protocols/ has three more:
comparing, the proof of the chip, WeChat Pay's sealed field."""


@pytest.mark.req("R48")
def test_numbers_are_revealed_in_named_places_only() -> None:
    found = {}
    for path in sorted((ROOT / "posctl").rglob("*.py")):
        if count := path.read_text("utf-8").count(".reveal()"):
            found[path.relative_to(ROOT / "posctl").as_posix()] = count
    assert found == REVEALS
    wires = [p.read_text("utf-8").count(".reveal()") for p in PROTOCOLS]
    assert sum(wires) == 3


PROTOCOLS = sorted((ROOT / "protocols").glob("*.py"))
