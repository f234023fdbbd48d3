"""Service windows: half-open intervals in the provider's time zone (R8)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from posctl.model.errors import ClosedNow

Interval = tuple[datetime, datetime]
_LONGEST_SEARCH = timedelta(days=60)


@dataclass(frozen=True)
class Windows:
    """Daily closed intervals, single closures, holidays. A job must be over before the
    next interval begins.

    Args:
        closed: local times of day; over midnight where the second is not later.
        estimated: how long a change takes.
        closures: local dates and times without a zone.
        holidays: first and last day: nothing is planned there.
    """

    zone: ZoneInfo
    closed: tuple[tuple[time, time], ...]
    estimated: timedelta
    closures: tuple[Interval, ...] = ()
    holidays: tuple[tuple[date, date], ...] = ()

    def check(self, now: datetime) -> None:
        """Raises ClosedNow ``window.closed`` with the next opening;
        ``window.closed_long``."""
        opens = self.next_opening(now)
        if opens != now:
            local = opens.astimezone(self.zone)
            raise ClosedNow("window.closed", opens=f"{local:%Y-%m-%d %H:%M %Z}")

    def next_opening(self, now: datetime) -> datetime:
        """``now``, or the first moment after it at which a change fits in.

        Raises:
            ClosedNow: ``window.closed_long``: there is none in sixty days.
        """
        start = now
        while start < now + _LONGEST_SEARCH:
            end = start + self.estimated
            around = self._closed_around(start)
            blocks = [b for a, b in around if start < b and end > a]
            if not blocks:
                return start
            start = max(blocks)
        raise ClosedNow("window.closed_long", days=_LONGEST_SEARCH.days)

    def next_slot(self, now: datetime) -> datetime:
        """As ``next_opening``, and not on a holiday."""
        start = self.next_opening(now)
        while (last := self.holiday_at(start)) is not None:
            after = datetime.combine(last + timedelta(days=1), time(), self.zone)
            start = self.next_opening(after.astimezone(UTC))
        return start

    def holiday_at(self, moment: datetime) -> date | None:
        """The last day of the holiday that ``moment`` falls in."""
        day = moment.astimezone(self.zone).date()
        return next((b for a, b in self.holidays if a <= day <= b), None)

    def next_holiday(self, now: datetime, days: int) -> tuple[date, date] | None:
        """The present one, or one that begins within ``days``."""
        today = now.astimezone(self.zone).date()
        ahead = [
            (first, last)
            for first, last in self.holidays
            if first <= today + timedelta(days) and today <= last
        ]
        return min(ahead, default=None)

    def _closed_around(self, now: datetime) -> list[Interval]:
        today = now.astimezone(self.zone).date()
        days = [today + timedelta(days=n) for n in (-1, 0, 1)]
        daily = [self._interval(day, a, b) for day in days for a, b in self.closed]
        return [*daily, *self._single()]

    def _single(self) -> Iterator[Interval]:
        for begins, ends in self.closures:
            yield self._utc(begins), self._utc(ends)

    def _interval(self, day: date, a: time, b: time) -> Interval:
        """From ``a`` to ``b``, over midnight when ``b`` is not later."""
        last = day if b > a else day + timedelta(days=1)
        start, end = datetime.combine(day, a), datetime.combine(last, b)
        return self._utc(start), self._utc(end)

    def _utc(self, local: datetime) -> datetime:
        return local.replace(tzinfo=self.zone).astimezone(UTC)
