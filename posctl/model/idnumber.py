"""Resident identity numbers, GB 11643-1999."""

from __future__ import annotations

import unicodedata
from datetime import date

from stdnum.iso7064 import mod_11_2

from posctl.model.errors import CheckFailed

_DIGITS = 18


class IdNumber:
    """A valid number; its repr shows the last two places only.

    Eighteen places: area, date of birth, sequence, check character (MOD 11-2). The area
    is information, no check; one that begins with 9 is a foreigner's.

    Raises:
        CheckFailed: ``id.form``, ``id.check_digit``, ``id.birth``.
    """

    __slots__ = ("_text", "birth")

    def __init__(self, text: str, *, today: date) -> None:
        plain = "".join(unicodedata.normalize("NFKC", text).split()).upper()
        body = plain[:-1]
        if len(plain) != _DIGITS or not (body.isascii() and body.isdigit()):
            raise CheckFailed("id.form", count=_DIGITS)
        if not mod_11_2.is_valid(plain):
            raise CheckFailed("id.check_digit")
        self._text = plain
        self.birth = _birth(plain, today)

    def reveal(self) -> str:
        return self._text

    def age(self, on: date) -> int:
        """Whole years, on that day."""
        had = (on.month, on.day) >= (self.birth.month, self.birth.day)
        return on.year - self.birth.year - (not had)

    def __repr__(self) -> str:
        return f"IdNumber({'*' * 16}{self._text[-2:]})"


def _birth(plain: str, today: date) -> date:
    try:
        birth = date(int(plain[6:10]), int(plain[10:12]), int(plain[12:14]))
    except ValueError:
        raise CheckFailed("id.birth") from None
    if birth > today:
        raise CheckFailed("id.birth")
    return birth
