"""The last frames on a line, for the moment it fails (R47, R48).

Whoever puts a frame in has masked it before: what is kept here may be shown, and is
written to the log when there is one.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from posctl.model.errors import LinkFailed

_MOST = 12
log = logging.getLogger("posctl.line")


class Recent:
    """At most the last 12 frames of one line, with the second each came."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._since = time.monotonic()
        self._frames: deque[str] = deque(maxlen=_MOST)

    def sent(self, masked: str) -> None:
        self._keep(">", masked)

    def got(self, masked: str) -> None:
        self._keep("<", masked)

    def _keep(self, direction: str, masked: str) -> None:
        log.debug("%s %s %s", self.name, direction, masked)
        seconds = time.monotonic() - self._since
        self._frames.append(f"{seconds:8.3f} s {direction} {masked}")

    @contextmanager
    def told(self) -> Iterator[None]:
        """A failure of the line leaves with the frames."""
        try:
            yield
        except LinkFailed as failure:
            failure.frames = failure.frames or tuple(self._frames)
            raise
