"""The framing of vpcd: 2 bytes of length, most significant first, and a payload.

A payload of one byte from the reader's side is a control byte, all else an APDU.
"""

from __future__ import annotations

import socket
from collections.abc import Callable

POWER_OFF, POWER_ON, RESET, GET_ATR = b"\x00", b"\x01", b"\x02", b"\x04"


def send(sock: socket.socket, payload: bytes) -> None:
    sock.sendall(len(payload).to_bytes(2, "big") + payload)


def receive(
    sock: socket.socket, after_recv: Callable[[], None] = lambda: None
) -> bytes | None:
    """One payload, or None when the peer has closed or broken off."""
    head = _exactly(sock, 2, after_recv)
    return head and _exactly(sock, int.from_bytes(head, "big"), after_recv)


def _exactly(
    sock: socket.socket, size: int, after_recv: Callable[[], None]
) -> bytes | None:
    data = b""
    while len(data) < size:
        try:
            more = sock.recv(size - len(data))
        except OSError:
            return None
        if not more:
            return None
        after_recv()
        data += more
    return data
