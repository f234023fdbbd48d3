"""Writes docs/requirements.md: which tests prove which requirement.

The marks in the tests are the only source: ``@pytest.mark.req("R14")``.
"""

from __future__ import annotations

import ast
import sys
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "docs" / "requirements.md"
_HEAD = """# Requirements and the tests that prove them

Made by `make docs` from the tests' marks; a test holds it to them. A row that is not
here is not proven by any test yet.

| row | tests |
|---|---|
"""


def marked(path: Path) -> list[tuple[str, str]]:
    """Row and test name of every mark in a file."""
    found = []
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.FunctionDef):
            for mark in node.decorator_list:
                if isinstance(mark, ast.Call) and ast.unparse(mark.func).endswith(
                    "mark.req"
                ):
                    rows = [a.value for a in mark.args if isinstance(a, ast.Constant)]
                    found += [(str(row), node.name) for row in rows]
    return found


def text() -> str:
    proofs: dict[str, set[str]] = defaultdict(set)
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        place = path.relative_to(ROOT / "tests").as_posix()
        for row, name in marked(path):
            proofs[row].add(f"`{place}::{name}`")
    rows = sorted(proofs, key=lambda row: int(row[1:]))
    lines = [f"| {row} | {'<br>'.join(sorted(proofs[row]))} |" for row in rows]
    return _HEAD + "\n".join(lines) + "\n"


if __name__ == "__main__":
    TARGET.write_text(text(), "utf-8")
    sys.exit(0)
