"""A slip as text, narrow enough for the printer of a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import zip_longest

from posctl.model.cells import cells, cut, padded, wrap
from posctl.receipts.slip import TEST, Slip

WIDTH = 48
"""Cells a line: font A on paper of 80 mm."""
_WIDEST_LABEL = 14
"""Leaves 32 cells: half a hash."""
_GAP = 2
_RULE = "-" * WIDTH
_STARS = "*" * WIDTH


def render(slip: Slip) -> str:
    """Lines of at most ``WIDTH`` cells, the last one ended too."""
    title = map(_centred, _folded(slip.title, WIDTH))
    notes = [line for note in slip.notes for line in _folded(note, WIDTH)]
    test = _test(slip)
    lines = [*test, *title, _RULE, *_rows(slip), _RULE, *notes, *test]
    return "\n".join(lines) + "\n"


def _test(slip: Slip) -> list[str]:
    if slip.test is None:
        return []
    return [_STARS, _centred("  ".join(TEST)), *_folded(slip.test, WIDTH), _STARS]


def _rows(slip: Slip) -> Iterator[str]:
    widest = max(cells(name) for name, _value in slip.rows)
    label = min(widest, _WIDEST_LABEL)
    column = label + _GAP
    for name, value in slip.rows:
        names, values = _folded(name, label), _folded(value, WIDTH - column)
        for left, right in zip_longest(names, values, fillvalue=""):
            yield (padded(left, column) + right).rstrip()


def _centred(text: str) -> str:
    return " " * max(0, (WIDTH - cells(text)) // 2) + text


def _folded(text: str, width: int) -> list[str]:
    """Broken where a line may be, and a hash wherever it must be."""
    wrapped = wrap(text, width).split("\n")
    return [piece for line in wrapped for piece in cut(line, width)]
