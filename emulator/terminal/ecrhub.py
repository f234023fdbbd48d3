"""The terminal's core as an ECR Hub cashier: it shakes hands, beats, acknowledges.

What the messages say (protobuf, the vendor's) posctl does not decode, so none is
answered: an acknowledgement says that it arrived, and no more.
"""

from __future__ import annotations

from emulator.terminal.core import TerminalCore
from emulator.terminal.hostline import HostLine
from emulator.terminal.ports import Errand, ShownLine, Voice
from protocols import ecrhub
from protocols.ecrhub import Answering


class EcrHubFace:
    """``messages`` are those that arrived, on all lines together."""

    stop_bits = 1

    def __init__(self, core: TerminalCore, host: HostLine | None = None) -> None:
        self._core = core
        self.messages: list[bytes] = []

    def converse(self, *, serial: bool) -> EcrHubTalk:
        """It is the same on every line."""
        return EcrHubTalk(self)

    def shown(self, *, serial: bool, answers: bool) -> ShownLine:
        return ecrhub.Shown()

    def take(self, messages: list[bytes]) -> None:
        self._core.asked += ["message"] * len(messages)
        self.messages += messages


class EcrHubTalk:
    """One line's machine. Each batch of bytes that has a message is one errand, whose
    work is the acknowledgement."""

    nak = b""

    def __init__(self, face: EcrHubFace) -> None:
        self._face = face
        self._machine = Answering()

    @property
    def patience(self) -> float | None:
        """Until the next heartbeat."""
        machine = self._machine
        return machine.HEARTBEAT_SECONDS if machine.connected else None

    def expired(self) -> bytes:
        return self._machine.heartbeat()

    def receive(self, data: bytes) -> tuple[bytes, list[Errand]]:
        out = self._machine.receive(data)
        arrived, self._machine.messages = self._machine.messages, []
        if not arrived:
            return out, []

        async def acknowledge(voice: Voice) -> None:
            self._face.take(arrived)
            if voice.times:
                voice.send(out * voice.times)

        return b"", [Errand("message", acknowledge)]
