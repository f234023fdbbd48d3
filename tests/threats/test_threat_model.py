"""docs/threat-model.md names tests that there are, and every test of this folder."""

from __future__ import annotations

import ast
import re
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
PAGE = TESTS.parent / "docs" / "threat-model.md"
NODE = re.compile(r"`([\w/]+\.py::test_\w+)`")


def found_in(path: Path) -> set[str]:
    tree = ast.parse(path.read_text("utf-8"))
    name = path.relative_to(TESTS).as_posix()
    return {
        f"{name}::{node.name}"
        for node in tree.body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    }


def rows() -> list[list[str]]:
    """Of the table of attacks: its cells."""
    table = PAGE.read_text("utf-8").partition("\n## The attacks\n")[2]
    lines = table.partition("\n## ")[0].splitlines()
    return [line.strip("| ").split(" | ") for line in lines if line.startswith("| ")]


def named() -> set[str]:
    return set(NODE.findall(PAGE.read_text("utf-8")))


def test_every_test_that_is_named_exists() -> None:
    files = {TESTS / node.partition("::")[0] for node in named()}
    assert len(named()) > 60
    assert named() - set().union(*map(found_in, files)) == set()


def test_every_test_of_an_attack_is_named() -> None:
    files = set(Path(__file__).parent.glob("test_*.py")) - {Path(__file__)}
    assert set().union(*map(found_in, files)) - named() == set()


def test_every_attack_names_a_test() -> None:
    """And who, what stops it, what is left to him."""
    attacks = rows()[1:]
    assert len(attacks) >= 15
    for cells in attacks:
        assert len(cells) == 5 and all(cells), cells[0]
        assert NODE.search(cells[-1]), cells[0]


def test_every_file_that_is_named_exists() -> None:
    for cells in rows()[1:]:
        for name in re.findall(r"`((?:\w+/)+\w+\.py)`", cells[2]):
            inside = TESTS.parent / "posctl" / name
            assert inside.exists() or (TESTS.parent / name).exists(), name
