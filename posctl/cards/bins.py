"""What kind of card a number belongs to, by a BIN table (R20).

The shipped rows are published TEST cards: a table of real issuers is the user's to
bring, with its origin and date. No number is sent anywhere. A chip's word is stronger.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from posctl.model.errors import UsageError
from protocols.sensitive import CardNumber

KINDS = ("debit", "credit", "quasi-credit", "prepaid")
UNKNOWN = "unknown"
_SHORTEST, _LONGEST = 3, 15
_LARGEST = 16 * 1024 * 1024
_LONGEST_HEAD = 300
_ORIGIN = re.compile(r"#\s*origin:\s*(\S[^\x00-\x1f\x7f]{0,159})")
_DATE = re.compile(r"#\s*date:\s*([0-9]{4}-[0-9]{2}-[0-9]{2})")
_ABBREVIATED: Mapping[str, str] = {
    "DC": "debit",
    "CC": "credit",
    "SCC": "quasi-credit",
    "PC": "prepaid",
}
_TEST_CARDS = (
    ("621626", 19, "debit"),  # UnionPay's own sandbox persona
    ("62123456789012", 16, UNKNOWN),  # two kinds in one range: decided below
    ("621234567890126", 16, "debit"),
    ("621234567890123", 16, "credit"),
    ("621234567890000", 19, "debit"),
    ("620000000000004", 16, "debit"),
    ("620550000", 19, "debit"),
    ("622588001111", 16, "debit"),  # ChinaUMS's test environment
)


@dataclass(frozen=True)
class BinTable:
    """Longest prefix first, and only with the number's own length: three BINs change
    kind with it. ``origin`` is recorded with the order."""

    rows: Mapping[tuple[str, int], str]
    origin: str

    def kind_of(self, number: CardNumber) -> str:
        """``debit``, ``credit``, ``quasi-credit``, ``prepaid`` or ``unknown``."""
        digits = number.reveal()
        for size in range(_LONGEST, _SHORTEST - 1, -1):
            found = self.rows.get((digits[:size], len(digits)))
            if found is not None:
                return found
        return UNKNOWN


def test_cards() -> BinTable:
    """The published test numbers."""
    rows = {(prefix, size): kind for prefix, size, kind in _TEST_CARDS}
    return BinTable(rows, "published test cards")


def load(path: Path) -> BinTable:
    """A CSV with the columns bin, type, length (others are ignored), after two lines
    that say where it is from: ``# origin: …`` and ``# date: YYYY-MM-DD``.

    Raises:
        UsageError: ``bins.unreadable`` with the line.
    """
    try:
        if path.stat().st_size > _LARGEST:
            raise ValueError("larger than 16 MiB")
        with path.open(encoding="utf-8-sig", newline="") as file:
            origin = _origin(file.readline(_LONGEST_HEAD), file.readline(_LONGEST_HEAD))
            rows = _rows(csv.DictReader(file))
    except (OSError, ValueError, csv.Error) as error:
        reason = str(error) if isinstance(error, ValueError) else type(error).__name__
        raise UsageError("bins.unreadable", path=str(path), reason=reason) from None
    return BinTable(rows, origin)


def _origin(first: str, second: str) -> str:
    """Raises ValueError."""
    origin, day = _ORIGIN.fullmatch(first.strip()), _DATE.fullmatch(second.strip())
    if not origin or not day:
        raise ValueError("lines 1 and 2 are: # origin: …, # date: YYYY-MM-DD")
    return f"{origin[1]}, {date.fromisoformat(day[1])}"


def _rows(lines: Iterable[Mapping[str, str]]) -> dict[tuple[str, int], str]:
    rows: dict[tuple[str, int], str] = {}
    for number, line in enumerate(lines, 4):
        try:
            prefix, size = line["bin"].strip(), int(line["length"])
            kind = _ABBREVIATED.get(line["type"].strip(), line["type"].strip())
        except (KeyError, AttributeError, TypeError):
            raise ValueError("columns bin, type, length are needed") from None
        except ValueError:
            raise ValueError(f"line {number}: no length") from None
        good = prefix.isascii() and prefix.isdigit() and kind in KINDS
        if not good or not _SHORTEST <= len(prefix) <= _LONGEST:
            raise ValueError(f"line {number}: no such row")
        if rows.setdefault((prefix, size), kind) != kind:
            raise ValueError(f"line {number}: {prefix} with {size} digits is two kinds")
    return rows
