"""Bytes with deadlines: serial, TCP, PC/SC, HTTPS.

Every read, write, connect and transmit takes a ``Deadline``; none can hang.
"""

from __future__ import annotations

from typing import Protocol, TypeVar

from posctl.links.recent import Recent
from posctl.model.deadline import Deadline
from protocols.apdu import Steps

T = TypeVar("T")


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
    """A connected card. A conversation is held whole, within one deadline."""

    name: str
    atr: bytes
    apdus: int
    recent: Recent

    def converse(self, steps: Steps[T], deadline: Deadline) -> T:
        """Raises LinkFailed, LinkTimeout; and what the conversation raises."""
        ...

    def close(self) -> None: ...
