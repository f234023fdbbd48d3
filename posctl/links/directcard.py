"""The emulator's direct card link: the framing of vpcd over TCP, ``tcp:HOST:PORT``.

Each message is 2 bytes of length, most significant first, and a payload. This side
plays the reader: 04 asks for the ATR (empty: no card), all longer ones are APDUs.
The numbers of cards go over it in clear, so it never leaves this machine.
"""

from __future__ import annotations

import socket
from typing import TypeVar

from posctl.links.recent import Recent
from posctl.model.deadline import Deadline
from posctl.model.errors import LinkFailed, LinkTimeout, NoDevice, UsageError
from protocols.apdu import Steps, complete, run, shown, shown_answer

T = TypeVar("T")
PREFIX = "tcp:"
_GET_ATR = b"\x04"
_LOCAL = ("127.0.0.1", "localhost")


def _address(reader: str) -> tuple[str, int]:
    host, _, port = reader.removeprefix(PREFIX).rpartition(":")
    if host not in _LOCAL or not (port.isascii() and port.isdigit()):
        raise UsageError("reader.address", reader=reader)
    if not 0 < int(port) < 65536:
        raise UsageError("reader.address", reader=reader)
    return host, int(port)


class DirectCardLink:
    """A card of the emulator.

    Raises:
        UsageError: ``reader.address``: not ``tcp:127.0.0.1:PORT``.
        NoDevice: ``reader.missing`` (nobody listens), ``card.none``.
        LinkFailed: ``card.removed``; LinkTimeout: ``card.mute``.
    """

    def __init__(self, reader: str, deadline: Deadline) -> None:
        self.name = reader
        self.apdus = 0
        self.recent = Recent(reader)
        address = _address(reader)
        try:
            self._sock = socket.create_connection(
                address, timeout=max(deadline.remaining(), 0.001)
            )
        except OSError:
            raise NoDevice("reader.missing", reader=reader) from None
        try:
            self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.atr = self._ask(_GET_ATR, deadline)
        except BaseException:
            self.close()
            raise
        if not self.atr:
            self.close()
            raise NoDevice("card.none", reader=reader)

    def transmit(self, apdu: bytes, deadline: Deadline) -> bytes:
        """One APDU; data and SW1 SW2 of its answer.

        Raises:
            LinkFailed: ``card.removed``, ``card.garbled`` (no status word).
            LinkTimeout: ``card.mute``; the link can only be closed then.
        """
        self.apdus += 1
        self.recent.sent(shown(apdu))
        answer = self._ask(apdu, deadline)
        self.recent.got(shown_answer(answer))
        if not complete(answer):
            raise LinkFailed("card.garbled", reader=self.name)
        return answer

    def converse(self, steps: Steps[T], deadline: Deadline) -> T:
        """Raises what ``transmit`` raises, and what the conversation raises."""
        return run(steps, lambda raw: self.transmit(raw, deadline))

    def close(self) -> None:
        self._sock.close()

    def _ask(self, payload: bytes, deadline: Deadline) -> bytes:
        try:
            self._sock.settimeout(max(deadline.remaining(), 0.001))
            self._sock.sendall(len(payload).to_bytes(2, "big") + payload)
            size = int.from_bytes(self._exactly(2, deadline), "big")
            return self._exactly(size, deadline)
        except TimeoutError:
            raise LinkTimeout(
                "card.mute", reader=self.name, seconds=deadline.seconds
            ) from None
        except OSError:
            raise LinkFailed("card.removed", reader=self.name) from None

    def _exactly(self, size: int, deadline: Deadline) -> bytes:
        data = b""
        while len(data) < size:
            self._sock.settimeout(max(deadline.remaining(), 0.001))
            more = self._sock.recv(size - len(data))
            if not more:
                raise ConnectionResetError
            data += more
        return data
