"""The papers agree with the code: the picture, the requirements, the examples."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import grimp
import pytest

from posctl.cli.root import COMMANDS
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


def test_the_list_of_requirements_is_the_marks() -> None:
    code = (
        "import runpy; m = runpy.run_path('docs/make_requirements.py');"
        "print(m['text'](), end='')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == (ROOT / "docs" / "requirements.md").read_text("utf-8"), (
        "run `make docs`"
    )


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
