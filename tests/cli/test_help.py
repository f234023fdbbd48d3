"""Help as people see it, held word for word: run this file to renew it."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent / "help"
LANGUAGES = ("en", "zh")
COLUMNS = 80


def text(lang: str) -> str:
    from cli_runs import all_help

    parts = all_help(lang, COLUMNS).items()
    return "\n".join(f"$ posctl {name} --help\n{shown}\n" for name, shown in parts)


@pytest.mark.parametrize("lang", LANGUAGES)
def test_help_is_what_it_was(lang: str) -> None:
    held = (FOLDER / f"{lang}.txt").read_text("utf-8")
    assert text(lang) == held, "if it is meant: make docs"


def test_every_command_says_what_it_does_and_ends_its_sentence() -> None:
    from cli_runs import all_help

    for name, shown in all_help("en", COLUMNS).items():
        told = shown.split("\n\n")[1]
        assert told.strip().endswith("."), name


def test_every_example_can_be_typed() -> None:
    from cli_runs import parse

    from posctl.cli.text.examples import EXAMPLES

    for command, lines in EXAMPLES.items():
        for line in lines:
            words = shlex.split(line, comments=True)
            start = words.index("posctl") if "posctl" in words else -1
            if start < 0:  # inside $(…)
                assert f"posctl {command}" in line
                continue
            found = parse([w for w in words[start + 1 :] if w not in "|>"])
            assert found == command, line


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    FOLDER.mkdir(exist_ok=True)
    for language in LANGUAGES:
        (FOLDER / f"{language}.txt").write_text(text(language), "utf-8")
