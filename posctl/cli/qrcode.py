"""A short text as a QR code beside it: on the screen, or as a picture in a file."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from posctl.cli.layout import terminal_width
from posctl.cli.options import NewFile
from posctl.cli.progress import echo_err
from posctl.cli.text.messages import _
from posctl.model.errors import UsageError

if TYPE_CHECKING:
    from segno import QRCode

    from posctl.cli.console import Console

SCREEN = Path("-")
_KINDS = {".png": "png", ".svg": "svg"}
_ERROR_LEVEL = "l"
"""7 % may be spoilt: nothing on a screen is, and 400 characters fit 80 columns."""
_MARGIN = 4
"""Modules that stay white around the code (ISO/IEC 18004, 5.3.8)."""
_SCALE = 8
"""Pixels of a module."""
_HALVES = " ▄▀█"
"""By the two modules that a character stands for, the upper one counting 2."""

qr_option = click.option(
    "--qr",
    "qr",
    metavar="FILE",
    type=NewFile(dash=True),
    help=_("option.qr"),
)


def check_qr(where: Path | None) -> None:
    """Before anything is done for it.

    Raises:
        UsageError: ``qr.kind``, ``qr.screen``.
    """
    if where is None:
        return
    if where != SCREEN and where.suffix.casefold() not in _KINDS:
        raise UsageError("qr.kind", path=str(where))
    if where == SCREEN and not _can_draw():
        raise UsageError("qr.screen")


def show_qr(console: Console, text: str, where: Path | None) -> dict[str, str]:
    """Beside the text; the part of the result: the file, if it is in one.

    Raises:
        LinkFailed: ``file.unwritable``.
    """
    if where is None:
        return {}
    import segno

    code = segno.make(text, error=_ERROR_LEVEL, micro=False)
    if where == SCREEN:
        _draw(console, code)
        return {}
    from posctl.store.files import write_private

    write_private(where, _picture(code, _KINDS[where.suffix.casefold()]))
    return {"qr": str(where)}


def _picture(code: QRCode, kind: str) -> bytes:
    made = io.BytesIO()
    code.save(made, kind=kind, scale=_SCALE, border=_MARGIN)
    return made.getvalue()


def _can_draw() -> bool:
    try:
        _HALVES.encode(sys.stderr.encoding or "utf-8")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def _draw(console: Console, code: QRCode) -> None:
    """Black on white where colours are; otherwise light modules are drawn, as most
    terminals are dark. A window too narrow for it takes nothing from the text.
    """
    colored = console.colored(sys.stderr)
    lines = half_blocks(code, inked=colored)
    columns, needed = terminal_width(sys.stderr), len(lines[0])
    if sys.stderr.isatty() and columns < needed:
        console.tell("qr.narrow", columns=columns, needed=needed)
        return
    console.working().spoke()
    for line in lines:
        echo_err(click.style(line, fg="black", bg="bright_white"), color=colored)


def half_blocks(code: QRCode, *, inked: bool) -> list[str]:
    """A character for two modules, one above the other.

    Args:
        inked: dark modules are drawn, not the light ones.
    """
    rows = [[bool(m) is inked for m in row] for row in code.matrix_iter(border=_MARGIN)]
    if len(rows) % 2:
        rows.append([not inked] * len(rows[0]))
    pairs = zip(rows[::2], rows[1::2], strict=True)
    return ["".join(_HALVES[2 * u + d] for u, d in zip(*p, strict=True)) for p in pairs]
