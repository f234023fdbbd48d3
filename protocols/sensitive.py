"""Numbers that must not leak, and the one way to mask them.

Python cannot wipe a ``str``: what is promised here is that no text form, pickle or
traceback of these values shows more than the mask, and that ``reveal`` is the only
way to the digits.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import unicodedata
from typing import NoReturn, Self

_KEPT_HEAD = 6
_KEPT_TAIL = 4
_SHORTEST_FOR_HEAD = 14
_CARD_LENGTHS = range(13, 20)
_RUN = re.compile(r"[0-9](?:[\W_]{0,4}[0-9]){6,}")
"""Seven digits and more, also in groups that anything but a letter keeps apart."""


def mask(number: str) -> str:
    """Truncate to the first 6 and last 4 digits, length kept (PCI DSS 3.4, R48).

    Numbers of 13 digits and fewer show the last 4 only; of 4 and fewer, nothing.
    """
    if len(number) <= _KEPT_TAIL:
        return "*" * len(number)
    head = _KEPT_HEAD if len(number) >= _SHORTEST_FOR_HEAD else 0
    hidden = len(number) - head - _KEPT_TAIL
    return number[:head] + "*" * hidden + number[-_KEPT_TAIL:]


def masked_text(text: str) -> str:
    """A free text in which every longer run of digits is hidden, also one in groups
    or in full-width digits.

    Runs of 13 to 19 digits show what a card's number may show; all others nothing, as
    they may be a piece of one (first six, or some of the middle).
    """
    plain = text if text.isascii() else "".join(map(_plain_digit, text))
    return _RUN.sub(lambda run: _masked_run(run[0]), plain)


def _plain_digit(char: str) -> str:
    """Full-width, circled or of another script: as people read it. What has no width
    (a joiner, a soft hyphen) is dropped."""
    if unicodedata.category(char) == "Cf":
        return ""
    value = unicodedata.digit(char, None)
    return char if value is None else str(value)


def _masked_run(run: str) -> str:
    digits = "".join(c for c in run if c.isdigit())
    return mask(digits) if len(digits) in _CARD_LENGTHS else "*" * len(digits)


def clean_digits(text: str) -> str:
    """Typed or printed digits to plain ASCII ones: NFKC, spaces and hyphens dropped.

    Raises:
        ValueError: anything but digits is left; the message does not quote it.
    """
    digits = unicodedata.normalize("NFKC", text).translate(_BETWEEN_DIGITS)
    if not (digits.isascii() and digits.isdigit()):
        del text, digits  # a traceback may show this frame's names
        raise ValueError("only digits, spaces and hyphens are allowed")
    return digits


_BETWEEN_DIGITS = dict.fromkeys(map(ord, " -\u2010\u2011\u2013\t"))


class AccountNumber:
    """A bank account number of 6 to 40 digits that shows only its mask.

    Raises:
        ValueError: not digits, or of another length; the number is not quoted.
    """

    __slots__ = ("__digits",)
    _lengths = range(6, 41)

    def __init__(self, text: str) -> None:
        self.__digits = ""
        try:
            digits = clean_digits(text)
        finally:
            del text  # a traceback may show this frame's names
        if (size := len(digits)) not in self._lengths:
            del digits
            low, high = self._lengths[0], self._lengths[-1]
            raise ValueError(f"{size} digits: {low} to {high} are expected")
        self.__digits = digits

    def reveal(self) -> str:
        """The digits in clear: for sealing and for the wire, never for a person."""
        return self.__digits

    @property
    def masked(self) -> str:
        return mask(self.__digits)

    def keyed_hash(self, key: bytes) -> str:
        """HMAC-SHA-256 of the digits under ``key``, as 64 hexadecimal digits."""
        return hmac.new(key, self.__digits.encode(), hashlib.sha256).hexdigest()

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, AccountNumber):
            return NotImplemented
        return hmac.compare_digest(self.__digits, other.reveal())

    def __hash__(self) -> int:
        return hash((AccountNumber, self.__digits))

    def __str__(self) -> str:
        return self.masked

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.masked})"

    def __copy__(self) -> Self:
        return self  # it cannot change

    def __deepcopy__(self, memo: object) -> Self:
        return self

    def __getstate__(self) -> NoReturn:
        raise TypeError(f"{type(self).__name__} cannot be pickled")

    def __reduce__(self) -> NoReturn:
        raise TypeError(f"{type(self).__name__} cannot be pickled")


class CardNumber(AccountNumber):
    """A PAN: 13 to 19 digits (ISO/IEC 7812-1; UnionPay uses the whole range)."""

    __slots__ = ()
    _lengths = range(13, 20)


MASK = re.compile(r"([0-9]{6})?\*+([0-9]{4})?")
"""What a mask may be: more digits in clear than these are a number."""


def consistent(one: str, other: str) -> int | None:
    """Compare two masks digit by digit where both show one. Two masks that agree in no
    digit (0) do not contradict each other, and prove nothing.

    Returns:
        How many digits agree, or None when lengths or shown digits differ.
    """
    if len(one) != len(other):
        return None
    shown = [(a, b) for a, b in zip(one, other, strict=True) if "*" not in (a, b)]
    return len(shown) if all(a == b for a, b in shown) else None
