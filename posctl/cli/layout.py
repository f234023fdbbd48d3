"""Help and messages laid out in cells (posctl/model/cells.py).

click counts characters and breaks at blanks only, so its formatter is overridden
where it measures.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from typing import TextIO

import click

from posctl.cli.text.messages import _
from posctl.model.cells import cells, padded, wrap

WIDEST = 100
"""Longer lines are hard to read; a wider terminal is not filled."""
NARROWEST = 40
_IN_A_PIPE = 80


def joined(head: str, text: str) -> str:
    """A heading and what follows: after a Chinese colon stands no blank."""
    return f"{head}{text}" if head.endswith("：") else f"{head} {text}"


def terminal_width(stream: TextIO | None = None) -> int:
    """Columns of the terminal behind ``stream``; 80 where there is none."""
    import os
    import shutil

    try:
        found = os.get_terminal_size((stream or sys.stderr).fileno()).columns
    except (OSError, ValueError, AttributeError):
        found = 0
    columns = found or shutil.get_terminal_size((_IN_A_PIPE, 24)).columns
    return max(NARROWEST, min(columns, WIDEST))


def wrap_lines(text: str, width: int) -> str:
    """Each line on its own, continued two columns deeper than it began."""
    return "\n".join(_hanging(line, width) for line in text.split("\n"))


def _hanging(line: str, width: int) -> str:
    if cells(line) <= width:
        return line
    indent = " " * (len(line) - len(line.lstrip()))
    column = re.match(r"\s*\S+(\s{2,})", line)  # a label and its value
    later = " " * cells(column[0]) if column else indent + "  "
    head = column[0] if column else indent
    return wrap(line[len(head) :], width, first=head, later=later)


class Formatter(click.HelpFormatter):
    """click's help, measured in cells."""

    def __init__(
        self,
        indent_increment: int = 2,
        width: int | None = None,
        max_width: int | None = None,
    ) -> None:
        columns = width or min(terminal_width(sys.stdout), max_width or WIDEST) - 1
        super().__init__(indent_increment, columns, max_width)

    def write_usage(self, prog: str, args: str = "", prefix: str | None = None) -> None:
        from gettext import gettext

        begin = joined(prefix or gettext("Usage:"), f"{prog} ")
        self.write(wrap(args, self.width, first=begin, later="    ").rstrip() + "\n")

    def write_heading(self, heading: str) -> None:
        self.write(f"{'':>{self.current_indent}}{heading}{_('word.colon')}\n")

    def write_text(self, text: str) -> None:
        indent = " " * self.current_indent
        paragraphs = (" ".join(p.split("\n")) for p in text.split("\n\n"))
        wrapped = (wrap(p, self.width, first=indent, later=indent) for p in paragraphs)
        self.write("\n\n".join(wrapped) + "\n")

    def write_dl(
        self,
        rows: Iterable[tuple[str, str]],
        col_max: int = 30,
        col_spacing: int = 2,
    ) -> None:
        """Terms and texts; a text begins a line below a term that is too wide."""
        pairs = list(rows)
        limit = min(col_max, self.width // 3)
        column = min(max(cells(term) for term, _text in pairs), limit) + col_spacing
        indent = " " * self.current_indent
        later = indent + " " * column
        for term, text in pairs:
            first = indent + padded(term, column)
            if cells(term) > column - col_spacing:
                self.write(f"{indent}{term}\n")
                first = later
            self.write(wrap(text, self.width, first=first, later=later).rstrip() + "\n")
