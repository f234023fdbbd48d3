"""Both sides of a POSLink exchange as machines: bytes in, bytes to send out.

No clock here: the caller keeps the deadline.
"""

from __future__ import annotations

from protocols.errors import RemoteError
from protocols.poslink.commands import CANCEL
from protocols.poslink.frames import (
    ACK,
    EOT,
    NAK,
    Control,
    Event,
    Feeder,
    Frame,
    frame,
)
from protocols.poslink.messages import Request, Response, answer_name

MAX_TRIES = 3


REFUSED = "request refused 3 times"
"""The reason of an exchange in which the terminal never took the request."""


class Ended(RemoteError):
    """The exchange ended without an answer; ``farewell`` is still to be sent."""

    def __init__(self, reason: str, farewell: bytes = b"") -> None:
        super().__init__(reason)
        self.farewell = farewell


class Asking:
    """The asking side of one exchange.

    ``start`` gives the first bytes to send, ``receive`` more of them; after each,
    look at ``response``. One EOT before anything else is a leftover of the last
    exchange and is skipped.
    """

    def __init__(self, request: Request) -> None:
        self.response: Response | None = None
        self.acknowledged = False
        self._expected = answer_name(request.command)
        self._frame = frame(request.to_bytes())
        self._feeder = Feeder()
        self._sent = self._spoilt = 0
        self._heard = False

    @property
    def skipped(self) -> int:
        return self._feeder.skipped

    def start(self) -> bytes:
        self._sent = 1
        return self._frame

    def receive(self, data: bytes) -> bytes:
        """What to send now, maybe nothing.

        Raises:
            Ended: the session is over without an answer; holds bytes to send.
            RemoteError: an intact answer that no rule allows.
        """
        out = b""
        for event in self._feeder.feed(data):
            if self.response is None:
                out += self._on(event)
                self._heard = True
        return out

    def _on(self, event: Event) -> bytes:
        if isinstance(event, Frame):
            return self._on_frame(event)
        if event is Control.NAK:
            return self._repeat()
        if event is Control.EOT and self._heard:
            raise Ended("terminal ended the session")
        self.acknowledged |= event is Control.ACK
        return b""

    def _repeat(self) -> bytes:
        if self._sent == MAX_TRIES:
            raise Ended(REFUSED, farewell=bytes([EOT]))
        self._sent += 1
        return self._frame

    def _on_frame(self, arrived: Frame) -> bytes:
        if not arrived.intact:
            self._spoilt += 1
            if self._spoilt == MAX_TRIES:
                raise Ended("answer spoilt 3 times", farewell=bytes([EOT]))
            return bytes([NAK])
        response = Response.from_bytes(arrived.payload)
        if response.command != self._expected:
            raise RemoteError("answer to another command", field="command")
        self.response = response
        return bytes([ACK])


class Answering:
    """The terminal's side of a line, for exchange after exchange.

    ``receive`` gives bytes to send and, at most, one request to work on; hand its
    answer to ``respond``. While a request is worked on, further ones get NAK; A14
    (cancel) is acknowledged and has no answer.
    """

    def __init__(self) -> None:
        self._feeder = Feeder()
        self._busy = False
        self._waiting: bytes | None = None
        self._sent = self._spoilt = 0

    def receive(self, data: bytes) -> tuple[bytes, Request | None]:
        out, asked = b"", None
        for event in self._feeder.feed(data):
            if isinstance(event, Control):
                out += self._on_control(event)
                continue
            reply, request = self._on_frame(event)
            out += reply
            asked = asked or request
        return out, asked

    def respond(self, response: Response) -> bytes:
        """Bytes to send; they are repeated on NAK, up to 3 times in all."""
        self._busy, self._sent = False, 1
        self._waiting = frame(response.to_bytes())
        return self._waiting

    def _on_control(self, control: Control) -> bytes:
        if self._waiting is None:
            return b""
        if control is Control.NAK and self._sent < MAX_TRIES:
            self._sent += 1
            return self._waiting
        self._waiting = None
        return bytes([EOT]) if control is Control.NAK else b""

    def _on_frame(self, arrived: Frame) -> tuple[bytes, Request | None]:
        try:
            request = Request.from_bytes(arrived.payload) if arrived.intact else None
        except RemoteError:
            request = None
        if request is None:
            return self._spoilt_frame(), None
        self._spoilt = 0
        if request.command == CANCEL:
            return bytes([ACK]), None
        if self._busy:
            return bytes([NAK]), None
        self._busy, self._waiting = True, None
        return bytes([ACK]), request

    def _spoilt_frame(self) -> bytes:
        self._spoilt = (self._spoilt + 1) % MAX_TRIES
        return bytes([NAK if self._spoilt else EOT])
