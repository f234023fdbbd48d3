"""Both sides of a ZVT exchange as machines: bytes in, bytes to send out.

A command is answered 80 00 or 84 xx; after an 80 00 the terminal (PT) leads: each
message of it is answered 80 00 by the till (ECR), until 06 0F or 06 1E gives the lead
back (PA00P016 5.1). No clock here: ``patience`` says how long to wait, ``expired`` what
to do then. On TCP nothing is repeated.
"""

from __future__ import annotations

from dataclasses import dataclass

from protocols.errors import LocalError, RemoteError
from protocols.zvt.apdu import Apdu
from protocols.zvt.frames import ACK, NAK, SERIAL, Control, Event, Frame, Transport
from protocols.zvt.messages import (
    ABORT,
    ABORTED,
    COMPLETION,
    INTERMEDIATE_STATUS,
    WITHOUT_COMPLETION,
    IntermediateStatus,
    accepted,
)

MAX_TRIES = 3
"""A message, and two repetitions (PA00P016 3.5)."""
MAX_MESSAGES = 10_000
"""More that is said before the end makes no sense."""
REFUSED = "request refused 3 times"
"""The reason of an exchange in which the terminal never took the command."""
_ENDS = frozenset({COMPLETION, ABORTED})


@dataclass(frozen=True)
class Timers:
    """Seconds (PA00P016 3.4, 5.2): ``t1`` between two bytes of a message, ``t2`` until
    ACK or NAK, ``t3`` until 80 00 or 84 xx, ``t4`` until the next word of a PT that
    leads."""

    t1: float = 0.2
    t2: float = 5.0
    t3: float = 5.0
    t4: float = 180.0


class Ended(RemoteError):
    """The exchange ended without an answer."""


class _Sending:
    """Our last message, until it is acknowledged: repeated on NAK, twice at most."""

    def __init__(self, transport: Transport) -> None:
        self.acknowledged = True
        self._transport = transport
        self._message = b""
        self._sent = 0

    def send(self, apdu: Apdu) -> bytes:
        self._message = self._transport.wrap(apdu.to_bytes())
        self._sent = 1
        self.acknowledged = not self._transport.acknowledged
        return self._message

    def again(self) -> bytes | None:
        """None when it was sent often enough."""
        if self._sent == MAX_TRIES:
            return None
        self._sent += 1
        return self._message


class _Hearing:
    """What arrives: acknowledges each message on a serial line, drops repetitions.

    A message that comes again while ours is not acknowledged is a repetition: its
    sender has not heard us.
    """

    def __init__(self, transport: Transport, sending: _Sending) -> None:
        self._feeder = transport.feeder()
        self._serial = transport.acknowledged
        self._sending = sending
        self._last: bytes | None = None
        self._spoilt = 0

    @property
    def skipped(self) -> int:
        return self._feeder.skipped

    @property
    def inside(self) -> bool:
        return self._feeder.inside

    def feed(self, data: bytes) -> list[Event]:
        return self._feeder.feed(data)

    def cut_off(self) -> bytes:
        """T1 is over in the middle of a message (PA00P016 3.4.1). Raises Ended."""
        self._feeder.drop()
        return self._refuse()

    def take(self, arrived: Frame) -> tuple[bytes, Apdu | None]:
        """What to send at once, and the APDU if it is a new one.

        Raises:
            Ended: spoilt three times in a row; on TCP nothing can be asked again.
        """
        apdu = _readable(arrived)
        if apdu is None:
            return self._refuse(), None
        self._spoilt = 0
        if self._is_repeated(arrived.apdu):
            return bytes([ACK]) + (self._sending.again() or b""), None
        self._last = arrived.apdu
        return bytes([ACK]) if self._serial else b"", apdu

    def _is_repeated(self, apdu: bytes) -> bool:
        return not self._sending.acknowledged and apdu == self._last

    def _refuse(self) -> bytes:
        self._spoilt += 1
        if self._spoilt == MAX_TRIES or not self._serial:
            self._spoilt = 0
            raise Ended("message spoilt 3 times" if self._serial else "message spoilt")
        return bytes([NAK])


def _readable(arrived: Frame) -> Apdu | None:
    try:
        return Apdu.from_bytes(arrived.apdu) if arrived.intact else None
    except RemoteError:
        return None


class Asking:
    """The ECR's side of one command.

    ``start`` gives the first bytes to send, ``receive`` more of them; after each, look
    at ``finished``, then at ``answer`` (80 00, 84 xx), ``said`` (what the PT said while
    it led) and ``end`` (06 0F, 06 1E; None where a command has none). What a PT says
    before the answer belongs to an earlier command: it is answered and dropped.
    """

    def __init__(
        self, command: Apdu, transport: Transport = SERIAL, timers: Timers | None = None
    ) -> None:
        self.command = command
        self.answer: Apdu | None = None
        self.said: list[Apdu] = []
        self.end: Apdu | None = None
        self.dropped = 0
        self._timers = timers or Timers()
        self._t4 = self._timers.t4
        self._sending = _Sending(transport)
        self._hearing = _Hearing(transport, self._sending)
        self._to_earlier = transport.wrap(accepted().to_bytes())

    @property
    def skipped(self) -> int:
        return self._hearing.skipped

    @property
    def finished(self) -> bool:
        return self.end is not None or (self.answer is not None and not self._led)

    @property
    def _led(self) -> bool:
        """Whether the PT leads after this answer."""
        if self.answer is None or self.answer.error:
            return False
        return self.command.control not in WITHOUT_COMPLETION

    @property
    def heard(self) -> bool:
        """Whether the PT has acknowledged what we sent last."""
        return self._sending.acknowledged

    @property
    def patience(self) -> float:
        """Seconds to wait for the next bytes before ``expired``."""
        if self._hearing.inside:
            return self._timers.t1
        if not self._sending.acknowledged:
            return self._timers.t2
        return self._timers.t3 if self.answer is None else self._t4

    def start(self) -> bytes:
        """Raises LocalError when the command cannot be sent."""
        return self._sending.send(self.command)

    def receive(self, data: bytes) -> bytes:
        """What to send now, maybe nothing.

        Raises:
            Ended: the exchange is over without an answer.
            RemoteError: an intact message that no rule allows.
        """
        out = b""
        for event in self._hearing.feed(data):
            out += self._on(event)
        return out

    def expired(self) -> bytes:
        """Nothing came within ``patience``: a NAK, or a message to repeat.

        Raises:
            Ended: it was repeated twice, or T3 or T4 is over.
        """
        if self._hearing.inside:
            return self._hearing.cut_off()
        if self._sending.acknowledged:
            raise Ended("no answer in time")
        return self._repeat("no acknowledgement in time")

    def _on(self, event: Event) -> bytes:
        if isinstance(event, Frame):
            reply, apdu = self._hearing.take(event)
            return reply if apdu is None else reply + self._take(apdu)
        if event is Control.NAK:
            return self._repeat(REFUSED)
        self._sending.acknowledged = True
        return b""

    def _repeat(self, reason: str) -> bytes:
        again = self._sending.again()
        if again is None:
            raise Ended(reason if self.answer is None else "terminal hears nothing")
        return again

    def _take(self, apdu: Apdu) -> bytes:
        if apdu.is_answer and self.answer is None:
            self.answer = apdu
        elif apdu.is_answer or self.finished or not self._led:
            self.dropped += 1
            return b"" if apdu.is_answer else self._to_earlier
        elif apdu.control in _ENDS:
            self.end = apdu
        else:
            self._note(apdu)
        self._sending.acknowledged = True  # who answers has heard us
        return b"" if apdu.is_answer else self._sending.send(accepted())

    def _note(self, apdu: Apdu) -> None:
        if len(self.said) == MAX_MESSAGES:
            raise Ended("terminal never comes to an end")
        self.said.append(apdu)
        if apdu.control == INTERMEDIATE_STATUS:
            minutes = IntermediateStatus.from_apdu(apdu).minutes
            self._t4 = self._timers.t4 if minutes is None else 60.0 * minutes


class Answering:
    """The PT's side of a line, for command after command.

    ``receive`` gives bytes to send and what the ECR said: a command to work on, or its
    reply to what was said before (``is_answer``). ``answer`` a command first; then
    ``lead`` with one APDU after another, each when the reply to the one before has
    come, the last being 06 0F or 06 1E. A command that comes while another is at work
    is answered ``busy``; an abort (06 B0) is taken then and changes nothing.
    """

    def __init__(
        self, busy: Apdu, transport: Transport = SERIAL, timers: Timers | None = None
    ) -> None:
        self._timers = timers or Timers()
        self._busy, self._taken = (
            transport.wrap(apdu.to_bytes()) for apdu in (busy, accepted())
        )
        self._sending = _Sending(transport)
        self._hearing = _Hearing(transport, self._sending)
        self._command: Apdu | None = None
        self._said: Apdu | None = None

    @property
    def patience(self) -> float | None:
        """Seconds to wait for the next bytes before ``expired``; None: for ever."""
        if self._hearing.inside:
            return self._timers.t1
        if not self._sending.acknowledged:
            return self._timers.t2
        return None if self._said is None else self._timers.t3

    def expired(self) -> bytes:
        """Nothing came within ``patience``: a NAK, or a message to repeat.

        Raises:
            Ended: it was repeated twice, or T3 is over: the command is given up.
        """
        if self._hearing.inside:
            return self._hearing.cut_off()
        again = None if self._sending.acknowledged else self._sending.again()
        if again is None:
            self._sending.acknowledged = True
            self.release()
            raise Ended("till does not answer")
        return again

    def receive(self, data: bytes) -> tuple[bytes, list[Apdu]]:
        out, got = b"", []
        for event in self._hearing.feed(data):
            reply, apdu = self._on(event)
            out += reply
            got += [] if apdu is None else [apdu]
        return out, got

    def answer(self, answer: Apdu) -> bytes:
        """80 00 keeps the lead where the command has a completion; 84 xx gives it
        back. Raises LocalError: no command is at work."""
        if self._command is None:
            raise LocalError("no command to answer")
        if answer.error or self._command.control in WITHOUT_COMPLETION:
            self.release()
        return self._sending.send(answer)

    def lead(self, apdu: Apdu) -> bytes:
        """Raises LocalError: no command is at work, or the ECR still owes a reply."""
        if self._command is None or self._said is not None:
            raise LocalError("not this side's turn")
        self._said = apdu
        return self._sending.send(apdu)

    @property
    def heard(self) -> bool:
        """Whether the ECR has acknowledged what was sent last: only then more."""
        return self._sending.acknowledged

    @property
    def inside(self) -> bool:
        """Whether a message has begun whose rest must come within T1."""
        return self._hearing.inside

    @property
    def at_work(self) -> bool:
        """Whether a command has come that is not done with."""
        return self._command is not None

    def release(self) -> None:
        """The command is done with, or given up: the ECR leads again."""
        self._command = self._said = None

    def _on(self, event: Event) -> tuple[bytes, Apdu | None]:
        if isinstance(event, Control):
            return self._on_control(event), None
        try:
            reply, apdu = self._hearing.take(event)
        except Ended:
            return b"", None
        if apdu is None:
            return reply, None
        self._sending.acknowledged = True
        answer, got = self._take(apdu)
        return reply + answer, got

    def _on_control(self, control: Control) -> bytes:
        if control is Control.NAK and not self._sending.acknowledged:
            return self._sending.again() or b""
        self._sending.acknowledged = True
        return b""

    def _take(self, apdu: Apdu) -> tuple[bytes, Apdu | None]:
        if apdu.is_answer:
            return b"", self._replied(apdu)
        if self._command is None:
            self._command = apdu
            return b"", apdu
        return self._taken if apdu.control == ABORT else self._busy, None

    def _replied(self, reply: Apdu) -> Apdu | None:
        """None for a reply that nobody waits for."""
        said, self._said = self._said, None
        if said is None:
            return None
        if said.control in _ENDS:
            self.release()
        return reply
