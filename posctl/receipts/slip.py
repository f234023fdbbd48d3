"""What stands on a slip, in the reader's words."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

TEST = "TEST"
"""Large on everything that was made under a test root; the same in every language."""


@dataclass(frozen=True)
class Slip:
    """Masks only.

    Attributes:
        test: what TEST means; None under a root that counts.
        rows: label and value.
        code: the text in the QR code.
        moment: of the receipt or of the last event, aware; never that of printing, so
            that the same slip is the same bytes.
    """

    title: str
    test: str | None
    rows: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]
    code: str
    moment: datetime

    def text(self) -> str:
        """All that is printed, for whoever must know which characters occur."""
        words = [self.title, self.test or "", TEST, *self.notes]
        return " ".join([*words, *(word for row in self.rows for word in row)])
