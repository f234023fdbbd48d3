"""F48 of a batch upload (0320), which follows a settlement whose totals differ.

A message holds up to eight transactions paid by magnetic stripe: their number n2, then
of each the kind n2, STAN n6, card number n20 with zeros on the left, amount n12 in fen.
The last message (60.3 is 202, or 207 after totals that agreed) holds the number of all
that were sent, n4.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from protocols.errors import LocalError, RemoteError

MOST = 8
"""Records in one message: 322 digits, the most that F48 can hold."""
DOMESTIC, FOREIGN = "00", "01"
_NUMBER, _RECORD = 20, 40


@dataclass(frozen=True)
class Record:
    """One transaction; ``repr`` hides the card number."""

    stan: str
    number: str = field(repr=False)
    amount: int
    kind: str = DOMESTIC

    def to_text(self) -> str:
        """40 digits. Raises LocalError: a part that has not its digits."""
        text = f"{self.kind}{self.stan}{self.number:0>{_NUMBER}}{self.amount:012}"
        if len(text) != _RECORD or not (text.isascii() and text.isdigit()):
            raise LocalError("F48: a record has not its 40 digits")
        return text


def write(records: Sequence[Record]) -> str:
    """Raises LocalError: none, or more than eight; or as ``Record.to_text``."""
    if not 1 <= len(records) <= MOST:
        raise LocalError(f"F48: {len(records)} records, 1 to {MOST} allowed")
    return f"{len(records):02}" + "".join(record.to_text() for record in records)


def messages(records: Sequence[Record]) -> Iterator[str]:
    """The F48 of each message that all of them take."""
    for start in range(0, len(records), MOST):
        yield write(records[start : start + MOST])


def read(text: str) -> list[Record]:
    """Raises RemoteError: not digits, or not as many as the first two announce."""
    if not (text.isascii() and text.isdigit()) or len(text) < 2:
        raise RemoteError("digits expected", field="F48")
    announced, rest = int(text[:2]), text[2:]
    if len(rest) != announced * _RECORD:
        found = f"{len(rest)} digits for {announced} records"
        raise RemoteError(found, field="F48")
    return [_record(rest[at : at + _RECORD]) for at in range(0, len(rest), _RECORD)]


def _record(text: str) -> Record:
    number = text[8 : 8 + _NUMBER].lstrip("0")
    return Record(text[2:8], number, int(text[28:]), text[:2])


def write_count(count: int) -> str:
    """F48 of the end. Raises LocalError: not 0 to 9999."""
    if not 0 <= count <= 9999:
        raise LocalError("F48: a count of 0 to 9999 expected")
    return f"{count:04}"


def read_count(text: str) -> int:
    """Raises RemoteError: not four digits."""
    if len(text) != 4 or not (text.isascii() and text.isdigit()):
        raise RemoteError("4 digits expected", field="F48")
    return int(text)
