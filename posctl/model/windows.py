"""Service windows: half-open intervals of a day in the provider's time zone (R8)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from posctl.model.errors import ClosedNow


@dataclass(frozen=True)
class Windows:
    """Daily closed intervals; a job must be over before the next one begins."""

    zone: ZoneInfo
    closed: tuple[tuple[time, time], ...]
    estimated: timedelta

    @classmethod
    def from_table(cls, table: dict[str, Any]) -> Windows:
        """From a profile. Raises KeyError or ValueError for what is not one."""
        pairs = tuple(
            (time.fromisoformat(a), time.fromisoformat(b)) for a, b in table["closed"]
        )
        minutes = timedelta(minutes=int(table["estimated_minutes"]))
        return cls(ZoneInfo(table["timezone"]), pairs, minutes)

    def check(self, now: datetime) -> None:
        """Raises ClosedNow ``window.closed`` with the next opening."""
        start, end = now, now + self.estimated
        for opens, closes in self._closed_around(now):
            if start < closes and end > opens:
                local = closes.astimezone(self.zone)
                raise ClosedNow("window.closed", opens=f"{local:%Y-%m-%d %H:%M %Z}")

    def _closed_around(self, now: datetime) -> list[tuple[datetime, datetime]]:
        today = now.astimezone(self.zone).date()
        days = [today + timedelta(days=n) for n in (-1, 0, 1)]
        return [self._interval(day, a, b) for day in days for a, b in self.closed]

    def _interval(self, day: date, a: time, b: time) -> tuple[datetime, datetime]:
        """From ``a`` to ``b``, over midnight when ``b`` is not later."""
        last = day if b > a else day + timedelta(days=1)
        start = datetime.combine(day, a, self.zone).astimezone(UTC)
        return start, datetime.combine(last, b, self.zone).astimezone(UTC)
