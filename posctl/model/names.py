"""Names of people and companies, compared as banks and terminals write them (R26)."""

from __future__ import annotations

import re
import unicodedata
from enum import StrEnum

_DOTS = "\u00b7\u2022\u2027\u2219\u22c5\u30fb\u25cf\u2e31\u1427"
_DOT = "\u00b7"
_HAN = "\u2e80-\u2fdf\u3007\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_RARE = re.compile("[\ue000-\uf8ff\U00020000-\U0003ffff\U000f0000-\U0010ffff?*□\ufffd]")
_LOST = re.compile("[\ue000-\uf8ff\U000f0000-\U0010ffff?*□\ufffd]")
"""What stands for a character that was lost: two of them may stand for two."""
_LATIN = re.compile(r"[A-Za-z/ .'\-]+")
_VARIANTS = {"\u4dae": "\u9f91"}  # kept in place of each other by some banks

TYPED, SIGNED = "typed", "chip, signed"
UNSIGNED, JOINED = "chip, not signed", "chip, put together"
"""How the name of an account became known: of a chip, whether its proof covers it, or
it was put together of two of its objects."""


class Grade(StrEnum):
    """How two names agree; only the first two pass alone."""

    EQUAL = "EQUAL"
    EQUAL_AFTER_NORMALISATION = "EQUAL_AFTER_NORMALISATION"
    LATIN_VS_HAN = "LATIN_VS_HAN"
    RARE_CHAR = "RARE_CHAR"
    DIFFERENT = "DIFFERENT"

    @property
    def passes(self) -> bool:
        return self in (Grade.EQUAL, Grade.EQUAL_AFTER_NORMALISATION)


def normal(name: str) -> str:
    """NFKC; one form of the name dot and of brackets; no spaces between Han, single
    ones between Latin; Latin folded to one case."""
    text = unicodedata.normalize("NFKC", name)
    text = re.sub(f"[{_DOTS}]", _DOT, text)
    text = re.sub(f"(?<=[{_HAN}])\\.(?=[{_HAN}])", _DOT, text)
    text = re.sub(r"\s*([(\[〔【])\s*", r" (", text)
    text = re.sub(r"\s*([)\]〕】])\s*", r") ", text)
    text = " ".join(text.split())
    text = re.sub(f"(?<=[{_HAN}{_DOT}]) | (?=[{_HAN}{_DOT}])", "", text)
    return text.casefold()


def compare(one: str, other: str) -> Grade:
    """The grade of two names; an empty one is DIFFERENT."""
    if not one.strip() or not other.strip():
        return Grade.DIFFERENT
    left, right = normal(one), normal(other)
    if left == right:
        if _LOST.search(left):
            return Grade.RARE_CHAR
        return Grade.EQUAL if one == other else Grade.EQUAL_AFTER_NORMALISATION
    if _is_rare(left, right):
        return Grade.RARE_CHAR
    if bool(_LATIN.fullmatch(left)) != bool(_LATIN.fullmatch(right)):
        return Grade.LATIN_VS_HAN
    return Grade.DIFFERENT


def _is_rare(left: str, right: str) -> bool:
    """They differ only where one has a character that systems replace or lose."""
    if len(left) != len(right):
        return False
    pairs = [(a, b) for a, b in zip(left, right, strict=True) if a != b]
    return all(_may_stand_for(a, b) or _may_stand_for(b, a) for a, b in pairs)


def _may_stand_for(a: str, b: str) -> bool:
    return bool(_RARE.fullmatch(a)) or _VARIANTS.get(a) == b


def size(name: str) -> int:
    """Bytes in GB 18030, as devices count them."""
    return len(name.encode("gb18030"))
