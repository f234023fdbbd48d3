"""Both ends of an ABECS line as machines (clauses 2.2.2, 2.2.3, 5.2.2, 6.2.1).

No clock here: ``wait`` says how many seconds the caller should give the other side,
from the last byte that came or went; after them, ``expired`` says what to do.
"""

from __future__ import annotations

from dataclasses import dataclass

from protocols.abecs.frames import (
    ACK,
    CAN,
    EOT,
    NAK,
    Control,
    Event,
    Feeder,
    Frame,
    frame,
)
from protocols.abecs.messages import (
    BAD_PARAMETER,
    COMMANDS,
    NO_SECURITY,
    NO_SUCH_CALL,
    NOT_KNOWN,
    NOTIFICATION,
    SECURITY_ERROR,
    Command,
    Response,
    waits_for_a_person,
)
from protocols.abecs.secure import Channel, is_sealed
from protocols.errors import RemoteError

MAX_TRIES = 3
CONTROL_SECONDS = BYTE_SECONDS = 2.0
"""For ACK, NAK or EOT; and between two bytes of one packet."""
ANSWER_SECONDS = 10.0
"""For the answer to a command that waits for nobody."""
SILENCE_SECONDS = 0.5
"""After a packet of which only a part came, before it is asked for again."""

REFUSED = "command refused 3 times"
UNACKNOWLEDGED = "command not acknowledged"
UNANSWERED = "no answer to a command that was acknowledged"
SPOILT = "answer spoilt 3 times"
NOT_CANCELLED = "cancel not confirmed 3 times"
_CLEAR_ANSWERS = frozenset({"CLO", "CLX"})


class Ended(RemoteError):
    """The exchange ended without an answer; ``reason`` is one of those above."""


class Cancelling:
    """A till's way to a pinpad that is idle; every conversation begins with it.

    Whatever else comes meanwhile, an answer or a notification, is let go.
    """

    wait = CONTROL_SECONDS

    def __init__(self) -> None:
        self.done = False
        self._feeder = Feeder()
        self._sent = 0

    @property
    def skipped(self) -> int:
        return self._feeder.skipped

    def start(self) -> bytes:
        self._sent = 1
        return bytes([CAN])

    def receive(self, data: bytes) -> None:
        """Look at ``done`` afterwards."""
        self.done |= Control.EOT in self._feeder.feed(data)

    def expired(self) -> bytes:
        """What to send after ``wait`` seconds.

        Raises:
            Ended: it was sent 3 times.
        """
        self._feeder.give_up()
        if self._sent == MAX_TRIES:
            raise Ended(NOT_CANCELLED)
        self._sent += 1
        return bytes([CAN])


class Asking:
    """A till's side of one command.

    ``start`` gives the first bytes to send, ``receive`` and ``expired`` more of them;
    after each, look at ``response`` and ``notifications`` (texts for the till's
    operator). A good answer is not acknowledged: nothing at all is sent for it.

    Args:
        channel: the session's secure communication; OPN goes without.
    """

    def __init__(self, command: Command, channel: Channel | None = None) -> None:
        """Raises LocalError: a command that cannot be sent."""
        self.response: Response | None = None
        self.notifications: list[str] = []
        self.acknowledged = False
        self._command = command
        self._channel = channel if command.code != "OPN" else None
        message = command.to_bytes()
        self._frame = frame(self._channel.seal(message) if self._channel else message)
        self._feeder = Feeder()
        self._sent = self._spoilt = 0

    @property
    def skipped(self) -> int:
        return self._feeder.skipped

    @property
    def wait(self) -> float | None:
        """Seconds; None without a limit, since a person is waited for."""
        if not self.acknowledged:
            return CONTROL_SECONDS
        if self._feeder.inside:
            return BYTE_SECONDS
        return None if waits_for_a_person(self._command.code) else ANSWER_SECONDS

    def start(self) -> bytes:
        self._sent = 1
        return self._frame

    def receive(self, data: bytes) -> bytes:
        """What to send now, mostly nothing.

        Raises:
            Ended: refused or spoilt 3 times.
            RemoteError: an intact answer that no rule allows.
        """
        out = b""
        for event in self._feeder.feed(data):
            if self.response is None:
                out += self._on(event)
        return out

    def expired(self) -> bytes:
        """What to send when ``wait`` has passed and nothing came.

        Raises:
            Ended: no acknowledgement, no answer, or 3 answers of which a part came.
        """
        half = self._feeder.give_up()
        if not self.acknowledged:
            raise Ended(UNACKNOWLEDGED)
        if half:
            return self._ask_again()
        raise Ended(UNANSWERED)

    def _on(self, event: Event) -> bytes:
        if isinstance(event, Control):
            return self._on_control(event)
        # Before ACK it is the answer to an earlier command.
        return self._on_frame(event) if self.acknowledged else b""

    def _on_control(self, control: Control) -> bytes:
        if self.acknowledged or control not in (Control.ACK, Control.NAK):
            return b""
        if control is Control.ACK:
            self.acknowledged = True
            return b""
        if self._sent == MAX_TRIES:
            raise Ended(REFUSED)
        self._sent += 1
        return self._frame

    def _on_frame(self, arrived: Frame) -> bytes:
        if not arrived.intact:
            return self._ask_again()
        response = Response.from_bytes(self._opened(arrived.data))
        if response.code == NOTIFICATION:
            text = b"".join(response.blocks).decode("latin-1")
            self.notifications.append(text)
            self._spoilt = 0
        elif response.code in (self._command.code, NOT_KNOWN):
            self.response = response
        else:
            raise RemoteError("answer to another command", field="RSP_ID")
        return b""

    def _ask_again(self) -> bytes:
        self._spoilt += 1
        if self._spoilt == MAX_TRIES:
            raise Ended(SPOILT)
        return bytes([NAK])

    def _opened(self, data: bytes) -> bytes:
        if not is_sealed(data):
            return self._allowed_in_clear(data)
        if self._channel is None:
            raise RemoteError("sealed answer to a command in clear")
        return self._channel.open(data)

    def _allowed_in_clear(self, data: bytes) -> bytes:
        """In a secure session only an answer to CLO, CLX, and an error, is in clear."""
        code, status = data[:3].decode("latin-1"), data[3:6]
        if self._channel is None or code in _CLEAR_ANSWERS or status != b"000":
            return data
        raise RemoteError("answer in clear in a secure session")


@dataclass(frozen=True)
class Arrived:
    """What a pinpad got: bytes to send, a command to work on, and whether what it was
    working on is to be given up."""

    out: bytes = b""
    command: Command | None = None
    cancelled: bool = False


class Answering:
    """A pinpad's side of a line, for command after command.

    Hand each command's answer to ``respond``. CAN and any intact packet end what is
    still at work; NAK has the last answer sent again, however often.
    """

    wait = BYTE_SECONDS

    def __init__(self) -> None:
        self._feeder = Feeder()
        self._channel: Channel | None = None
        self._at_work: Command | None = None
        self._last = b""

    @property
    def secure(self) -> bool:
        return self._channel is not None

    @property
    def inside(self) -> bool:
        """In the middle of a packet: ``expired`` is due ``wait`` seconds from now."""
        return self._feeder.inside

    def receive(self, data: bytes) -> list[Arrived]:
        """One for each packet and each control byte that means something."""
        arrived = (self._on(event) for event in self._feeder.feed(data))
        return [each for each in arrived if each != Arrived()]

    def expired(self) -> bytes:
        """What to send when ``wait`` has passed in the middle of a packet."""
        return bytes([NAK]) if self._feeder.give_up() else b""

    def respond(self, response: Response, channel: Channel | None = None) -> bytes:
        """Bytes to send; empty when the command was given up meanwhile.

        Args:
            channel: with the answer to a secure OPN, what holds after it.

        Raises:
            LocalError: an answer that cannot be sent.
        """
        asked, self._at_work = self._at_work, None
        if asked is None:
            return b""
        if asked.code in _CLEAR_ANSWERS or asked.code == "OPN":
            self._channel = None
        self._last = self._framed(response)
        self._channel = channel or self._channel
        return self._last

    def notify(self, notice: Response) -> bytes:
        """A notification; empty unless a command that waits for a person is at work."""
        if self._at_work is None or not waits_for_a_person(self._at_work.code):
            return b""
        self._last = self._framed(notice)
        return self._last

    def _framed(self, response: Response) -> bytes:
        message = response.to_bytes()
        return frame(self._channel.seal(message) if self._channel else message)

    def _on(self, event: Event) -> Arrived:
        if event is Control.CAN:
            return Arrived(bytes([EOT]), cancelled=self._give_up())
        if event is Control.NAK:
            return Arrived(self._last)
        if isinstance(event, Control):
            return Arrived()
        if not event.intact:
            return Arrived(bytes([NAK]))
        return self._on_data(event.data)

    def _give_up(self) -> bool:
        was_at_work, self._at_work = self._at_work is not None, None
        self._last = b""
        return was_at_work

    def _on_data(self, data: bytes) -> Arrived:
        cancelled = self._give_up()
        try:
            command = self._understood(data)
        except _NotUnderstood as error:
            self._last = frame(error.response.to_bytes())
            return Arrived(bytes([ACK]) + self._last, cancelled=cancelled)
        self._at_work = command
        return Arrived(bytes([ACK]), command, cancelled)

    def _understood(self, data: bytes) -> Command:
        sealed = is_sealed(data)
        command = _command_in(self._opened(data) if sealed else data)
        if sealed and command.code == "OPN":
            self._channel = None
            raise _NotUnderstood(Response("OPN", NO_SUCH_CALL))
        if not sealed and self._channel is not None and command.code != "OPN":
            raise _NotUnderstood(Response(command.code, SECURITY_ERROR))
        return command

    def _opened(self, data: bytes) -> bytes:
        if self._channel is None:
            raise _NotUnderstood(Response(NOT_KNOWN, NO_SECURITY))
        try:
            return self._channel.open(data)
        except RemoteError:
            self._channel = None
            raise _NotUnderstood(Response(NOT_KNOWN, SECURITY_ERROR)) from None


class _NotUnderstood(Exception):
    """A packet that the machine answers by itself."""

    def __init__(self, response: Response) -> None:
        super().__init__(response.code)
        self.response = response


def _command_in(message: bytes) -> Command:
    code = message[:3].decode("latin-1")
    if code not in COMMANDS:
        raise _NotUnderstood(Response(NOT_KNOWN, NO_SUCH_CALL))
    try:
        return Command.from_bytes(message)
    except RemoteError:
        raise _NotUnderstood(Response(code, BAD_PARAMETER)) from None
