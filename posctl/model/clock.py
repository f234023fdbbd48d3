"""The one clock. Tests set it; nothing else of posctl asks the system for the date."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    def now(self) -> datetime:
        """The date and time in UTC, aware."""
        ...

    def sleep(self, seconds: float) -> None: ...


class SystemClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


def stamp(moment: datetime) -> str:
    """``2026-11-23T01:02:03.004Z``: UTC, milliseconds."""
    text = moment.astimezone(UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def moment(text: str) -> datetime:
    """Back from ``stamp``.

    Raises:
        ValueError: another form.
    """
    if not text.endswith("Z"):
        raise ValueError("a time in UTC ends with Z")
    return datetime.fromisoformat(text)
