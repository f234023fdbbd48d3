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
        self._frames: deque[tuple[float, str, str]] = deque(maxlen=_MOST)

    def sent(self, masked: str) -> None:
        self._keep(">", masked)

    def got(self, masked: str) -> None:
        self._keep("<", masked)

    def _keep(self, direction: str, masked: str) -> None:
        if log.isEnabledFor(logging.DEBUG):
            log.debug("%s %s %s", self.name, direction, masked)
        self._frames.append((time.monotonic() - self._since, direction, masked))

    @contextmanager
    def told(self) -> Iterator[None]:
        """A failure of the line leaves with the frames."""
        try:
            yield
        except LinkFailed as failure:
            failure.frames = failure.frames or tuple(map(_line, self._frames))
            raise


def _line(frame: tuple[float, str, str]) -> str:
    seconds, direction, masked = frame
    return f"{seconds:8.3f} s {direction} {masked}"
