"""A result as text: lines of label and value, lists of objects as tables."""

from __future__ import annotations

import re
import sys
from typing import Any

import click

from posctl.cli.layout import cells, padded, terminal_width, wrap
from posctl.cli.text.messages import _, label, plain, value_text
from posctl.model.canonical import Json

_STAMP = re.compile(r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d).*Z")
_GAP = 2


def print_text(data: Json, *, colored: bool) -> None:
    """What ``--json`` would print, for people: None is left out, words translated."""
    single = {k: v for k, v in data.items() if v is not None and not _is_table(v)}
    for line in _lines(single):
        click.echo(line)
    for name, value in data.items():
        if _is_table(value):
            _print_table(name, value, colored)


def _is_table(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(row, dict) for row in value)


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
        return ", ".join(_shown(name, item) for item in value) or "-"
    if isinstance(value, dict):
        return " ".join(f"{key}={item}" for key, item in value.items()) or "-"
    return "-" if value in (None, "") else plain(value_text(name, str(value)))


def _in_a_cell(name: str, value: object) -> str:
    """Times to the minute: the seconds are in the JSON."""
    return _STAMP.sub(r"\1 \2Z", _shown(name, value))


def _print_table(name: str, rows: list[dict[str, Any]], colored: bool) -> None:
    if not rows:
        click.echo(_("table.empty", name=label(name)))
        return
    columns = [n for n in rows[0] if any(row[n] not in (None, "", []) for row in rows)]
    heads = [label(column) for column in columns]
    body = [[_in_a_cell(c, row[c]) for c in columns] for row in rows]
    widths = [max(map(cells, column)) for column in zip(heads, *body, strict=True)]
    fits = sum(widths) + _GAP * (len(widths) - 1) <= terminal_width(sys.stdout)
    if not fits and sys.stdout.isatty():
        _print_records(columns, rows)
        return
    click.echo(click.style(_row(heads, widths), bold=True), color=colored)
    for row in body:
        click.echo(_row(row, widths))


def _row(texts: list[str], widths: list[int]) -> str:
    parts = (padded(t, w) for t, w in zip(texts, widths, strict=True))
    return (" " * _GAP).join(parts).rstrip()


def _print_records(columns: list[str], rows: list[dict[str, Any]]) -> None:
    """Where a table is wider than the terminal: each row as a block."""
    for number, row in enumerate(rows):
        if number:
            click.echo()
        for line in _lines({c: _in_a_cell(c, row[c]) for c in columns}):
            click.echo(line)
