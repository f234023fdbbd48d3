"""A result as text: lines of label and value, lists of objects as tables."""

from __future__ import annotations

import sys
from typing import Any

import click

from posctl.cli.layout import terminal_width
from posctl.cli.text.messages import _, label, local_times, plain, value_text
from posctl.model.canonical import Json
from posctl.model.cells import cells, padded, wrap

_GAP = 2
_SPARED = ("holder", "tid")
"""Columns to go first where a terminal is narrow: `show` and JSON have them."""
_TABLES = ("orders", "events", "ports", "readers", "settings", "profiles", "problems")
"""Of these even an empty one is told."""


def print_text(data: Json, *, colored: bool) -> None:
    """What ``--json`` would print, for people: None is left out, words translated.

    A ``text`` is all that is printed then, as it is."""
    if "text" in data:
        click.echo(data["text"], nl=False)
        return
    tables = {name: rows for name, rows in data.items() if _is_table(name, rows)}
    single = {n: v for n, v in data.items() if v is not None and n not in tables}
    for line in _lines(single):
        click.echo(line)
    for name, rows in tables.items():
        _print_table(name, rows, colored)


def _is_table(name: str, value: object) -> bool:
    if not isinstance(value, list):
        return False
    return isinstance(value[0], dict) if value else name in _TABLES


def _lines(data: Json) -> list[str]:
    if not data:
        return []
    width = max(cells(label(name)) for name in data) + _GAP
    return [_line(label(name), width, _shown(name, v)) for name, v in data.items()]


def _line(name: str, width: int, value: str) -> str:
    head = padded(name, width)
    if not sys.stdout.isatty():
        return head + value
    return wrap(value, terminal_width(sys.stdout), first=head, later=" " * width)


def _shown(name: str, value: object) -> str:
    if isinstance(value, bool):
        return _("value.yes") if value else _("value.no")
    if isinstance(value, list):
        return _("word.comma").join(_shown(name, item) for item in value) or "-"
    if isinstance(value, dict):
        parts = (
            _("word.part", name=label(k), value=_shown(k, v)) for k, v in value.items()
        )
        return plain(_("word.semicolon").join(parts)) or "-"
    text = value_text(name, "" if value is None else str(value))
    return plain(local_times(text)) or "-"


def _print_table(name: str, rows: list[dict[str, Any]], colored: bool) -> None:
    if not rows:
        click.echo(_("table.empty", name=label(name)))
        return
    columns = [n for n in rows[0] if any(row[n] not in (None, "", []) for row in rows)]
    fitting = _fitting(columns, rows) if sys.stdout.isatty() else columns
    if fitting is None:
        _print_records(columns, rows)
        return
    heads = [label(column) for column in fitting]
    body = [[_shown(c, row[c]) for c in fitting] for row in rows]
    widths = _widths(fitting, rows)
    click.echo(click.style(_row(heads, widths), bold=True), color=colored)
    for row in body:
        click.echo(_row(row, widths))


def _widths(columns: list[str], rows: list[dict[str, Any]]) -> list[int]:
    texts = ([label(c), *(_shown(c, row[c]) for row in rows)] for c in columns)
    return [max(map(cells, column)) for column in texts]


def _fitting(columns: list[str], rows: list[dict[str, Any]]) -> list[str] | None:
    """The columns that fit the terminal, the least wanted left out; None: too few."""
    left = list(columns)
    for spare in (None, *_SPARED):
        left = [column for column in left if column != spare]
        widths = _widths(left, rows)
        if sum(widths) + _GAP * (len(widths) - 1) < terminal_width(sys.stdout):
            return left
    return None


def _row(texts: list[str], widths: list[int]) -> str:
    parts = (padded(t, w) for t, w in zip(texts, widths, strict=True))
    return (" " * _GAP).join(parts).rstrip()


def _print_records(columns: list[str], rows: list[dict[str, Any]]) -> None:
    """Where a table is wider than the terminal: each row as a block."""
    for number, row in enumerate(rows):
        if number:
            click.echo()
        for line in _lines({c: _shown(c, row[c]) for c in columns}):
            click.echo(line)
