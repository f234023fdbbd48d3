"""A slip as one page of A4, with its QR code and the used part of a Chinese font."""

from __future__ import annotations

from fpdf import FPDF

from posctl.model.cells import wrap
from posctl.receipts import qr
from posctl.receipts.fonts import Font
from posctl.receipts.slip import TEST, Slip

_MARGIN = 20.0  # all sizes in mm, fonts in points
_LABEL = 42.0
_QR = 66.0
_QR_MARGIN = 4
"""Modules that stay white around the code (ISO/IEC 18004, 5.3.8)."""
_LINE = 6.4
_LINES = 6
"""More than a value has."""
_POINT = 0.3528
"""A Chinese character is as wide as its font is high; a cell is half of that. The
library breaks lines at blanks only."""
_TITLE, _ROW, _NOTE, _LARGE = 20, 10.5, 9.5, 54
_BLACK, _GREY, _RED = (0, 0, 0), (105, 105, 105), (200, 0, 0)


def render(slip: Slip, font: Font) -> bytes:
    """The same slip and font give the same bytes.

    Args:
        font: one that has every character of it (``fonts.find``).

    Raises:
        CheckFailed: ``receipt.long``.
    """
    code = qr.matrix(slip.code)
    page = FPDF(format="A4")
    page.set_creation_date(slip.moment)
    page.set_title(slip.title)
    page.set_margins(_MARGIN, _MARGIN)
    page.c_margin = 0  # text begins where the rules do
    page.set_auto_page_break(auto=True, margin=_MARGIN)
    page.add_page()
    page.add_font("slip", "", font.path, collection_font_number=font.face)
    _test(page, slip)
    _write(page, slip.title, _TITLE, _BLACK)
    _rule(page)
    _rows(page, slip)
    _rule(page)
    _proof(page, slip, code)
    return bytes(page.output())


def _test(page: FPDF, slip: Slip) -> None:
    if slip.test is None:
        return
    _write(page, TEST, _LARGE, _RED)
    _write(page, slip.test, _ROW, _RED)
    page.ln(_LINE / 2)


def _write(
    page: FPDF, text: str, size: float, color: tuple[int, int, int], width: float = 0
) -> None:
    """Lines from the left edge of what is left, the next one below."""
    page.set_font("slip", size=size)
    page.set_text_color(*color)
    room = width or page.w - _MARGIN - page.get_x()
    lines = text if text.isascii() else wrap(text, int(room / (size * _POINT / 2)))
    height = max(_LINE * 0.8, size * 0.45)
    page.multi_cell(room, height, lines, align="L", new_x="LEFT", new_y="NEXT")


def _rule(page: FPDF) -> None:
    page.ln(_LINE / 3)
    page.set_draw_color(*_GREY)
    page.line(_MARGIN, page.get_y(), page.w - _MARGIN, page.get_y())
    page.ln(_LINE / 3)


def _rows(page: FPDF, slip: Slip) -> None:
    for name, value in slip.rows:
        if page.will_page_break(_LINES * _LINE):  # label and value stay together
            page.add_page()
        top = page.get_y()
        _write(page, name, _ROW, _GREY, _LABEL - 2)
        below = page.get_y()
        page.set_xy(_MARGIN + _LABEL, top)
        _write(page, value, _ROW, _BLACK)
        page.set_xy(_MARGIN, max(below, page.get_y()))


def _proof(page: FPDF, slip: Slip, code: tuple[bytes, ...]) -> None:
    """The code, and beside it what it is for."""
    if page.will_page_break(_QR):
        page.add_page()
    left, top = page.get_x(), page.get_y()
    _draw(page, code, left, top)
    page.set_xy(left + _QR + 2, top + 4)
    for note in slip.notes:
        _write(page, note, _NOTE, _BLACK)
        page.ln(_LINE / 3)
        page.set_x(left + _QR + 2)


def _draw(page: FPDF, code: tuple[bytes, ...], left: float, top: float) -> None:
    """Modules as rectangles: they stay sharp on any printer."""
    size = _QR / (len(code) + 2 * _QR_MARGIN)
    page.set_fill_color(*_BLACK)
    for down, row in enumerate(code, _QR_MARGIN):
        for start, length in _runs(row):
            x, y = left + (start + _QR_MARGIN) * size, top + down * size
            page.rect(x, y, length * size, size, style="F")


def _runs(row: bytes) -> list[tuple[int, int]]:
    """Start and length of each run of dark modules."""
    runs, start = [], 0
    for part in row.split(b"\0"):
        if part:
            runs.append((start, len(part)))
        start += len(part) + 1
    return runs
