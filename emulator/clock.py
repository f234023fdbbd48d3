"""The time on a bench: this machine's, set forward as one likes."""

from __future__ import annotations

import threading
import time
from datetime import datetime, timedelta, timezone

CHINA = timezone(timedelta(hours=8))


class BenchClock:
    """Of every host on a bench, so that fifteen days take no time; any thread may ask.

    Called it gives seconds, as ``time.monotonic`` does; ``now`` gives Beijing time.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ahead = timedelta()

    def __call__(self) -> float:
        return time.monotonic() + self.ahead.total_seconds()

    @property
    def ahead(self) -> timedelta:
        """How far it is set forward."""
        with self._lock:
            return self._ahead

    def now(self) -> datetime:
        return datetime.now(CHINA) + self.ahead

    def advance(self, by: timedelta | float) -> None:
        """By so much, or so many seconds.

        Raises:
            ValueError: backwards; no host's clock goes there by itself.
        """
        step = by if isinstance(by, timedelta) else timedelta(seconds=by)
        if step < timedelta():
            raise ValueError("the clock of a bench goes forward only")
        with self._lock:
            self._ahead += step
