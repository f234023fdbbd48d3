"""The two kinds of protocol error, kept apart as h11 keeps them.

A ``RemoteError`` is the peer's fault: bytes that no rule allows. A ``LocalError`` is
the caller's: a message that cannot be sent. Neither ever carries sensitive bytes.
"""

from __future__ import annotations

from collections.abc import Iterable


class ProtocolError(Exception):
    """Base of both kinds. ``str()`` is safe to print."""


class RemoteError(ProtocolError):
    """The peer sent what its protocol does not allow.

    Args:
        reason: plain words, without payload bytes.
        position: offset in bytes where reading stopped, when known.
        field: the field or tag at fault, when known.
        read: numbers of the fields that were read before it, in order.
    """

    def __init__(
        self,
        reason: str,
        *,
        position: int | None = None,
        field: str | None = None,
        read: Iterable[int] = (),
    ) -> None:
        self.reason = reason
        self.position = position
        self.field = field
        self.read = tuple(read)
        where = [f"field {field}"] if field else []
        where += [f"byte {position}"] if position is not None else []
        where += ["after " + " ".join(f"F{n}" for n in self.read)] if self.read else []
        super().__init__(f"{reason} ({', '.join(where)})" if where else reason)


class LocalError(ProtocolError):
    """The caller asked for a message that the protocol does not allow."""
