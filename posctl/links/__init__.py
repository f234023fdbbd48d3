"""Bytes with deadlines: serial, TCP, PC/SC, HTTPS.

Every read, write, connect and transmit takes a ``Deadline``; none can hang.
"""

from __future__ import annotations

from typing import Protocol

from posctl.links.recent import Recent
from posctl.model.deadline import Deadline


class ByteLink(Protocol):
    """A line to a terminal. Raises LinkFailed, LinkTimeout; NoDevice on opening."""

    name: str
    bytes_out: int
    bytes_in: int

    def write(self, data: bytes, deadline: Deadline) -> None: ...

    def read(self, deadline: Deadline) -> bytes:
        """At least one byte."""
        ...

    def drain(self) -> None:
        """Throw away what has arrived unasked."""
        ...

    def close(self) -> None: ...


class CardLink(Protocol):
    """A connected card. ``transmit`` gives data and SW1 SW2 of one APDU."""

    name: str
    atr: bytes
    apdus: int
    recent: Recent

    def transmit(self, apdu: bytes, deadline: Deadline) -> bytes: ...

    def close(self) -> None: ...
