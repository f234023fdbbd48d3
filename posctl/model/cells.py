"""Text in cells of a terminal: a Chinese character takes two, and lines break between
characters."""

from __future__ import annotations

import re
from collections.abc import Iterator

_OPENING = frozenset("（【《「『“‘([{<")
_CLOSING = frozenset("，。；：！？、）】》」』”’…)]}>,.;:!?")
_PIECES = "\\s+|[^\\s\u2e80-\uffef\U00020000-\U0003ffff]+|."
"""Blanks; a run of narrow characters (a word); one wide character."""


def cells(text: str) -> int:
    """How many columns of a terminal ``text`` takes."""
    if text.isascii():
        return len(text)
    import wcwidth

    return wcwidth.width(text)


def padded(text: str, width: int) -> str:
    """With blanks behind it, ``width`` cells wide."""
    return text + " " * (width - cells(text))


def cut(text: str, width: int) -> Iterator[str]:
    """Pieces of at most ``width`` cells (2 or more), wherever the edge falls."""
    piece = ""
    for character in text:
        if piece and cells(piece + character) > width:
            yield piece
            piece = ""
        piece += character
    yield piece


def wrap(text: str, width: int, *, first: str = "", later: str = "") -> str:
    """Lines of at most ``width`` cells; what cannot be broken stands out.

    Args:
        first, later: what the first and the following lines begin with.
    """
    lines, line = [], first
    empty = True
    for blank, unit in _units(text):
        if not empty and cells(line) + blank + cells(unit) > width:
            lines.append(line)
            line, empty = later, True
        line += unit if empty else " " * blank + unit
        empty = False
    return "\n".join([*lines, line])


def _units(text: str) -> Iterator[tuple[int, str]]:
    """What may not be broken, and whether a blank stands before it (0 or 1).

    Punctuation stays with what it closes or opens (GB/T 15834, 5.1).
    """
    if text.isascii():  # words only
        yield from ((int(number > 0), word) for number, word in enumerate(text.split()))
        return
    blank, held, glued = 0, "", False
    for piece in re.findall(_PIECES, text, re.DOTALL):
        if piece.isspace():
            if held:
                yield blank, held
            blank, held, glued = 1, "", False
        elif not held or glued or piece[0] in _CLOSING:
            held += piece
            glued = piece[-1] in _OPENING
        else:
            yield blank, held
            blank, held, glued = 0, piece, piece[-1] in _OPENING
    if held:
        yield blank, held
