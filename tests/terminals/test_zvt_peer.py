"""What an independent client said to the emulated terminal, and what it got.

The transcript (``tests/vectors/zvt-peer.json``, which says how it was made) proves our
reading of the specification against somebody else's: the same bytes for the same
message, on both transports.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest
from zvtworld import World, tcp_of

from emulator.loop import LoopThread
from posctl.links.line import open_line
from posctl.model.deadline import Deadline
from protocols import zvt
from protocols.zvt import SERIAL, TCP, Apdu, Control, Frame, Transport, messages

PEER: dict[str, Any] = json.loads(
    (Path(__file__).parent.parent / "vectors/zvt-peer.json").read_text()
)
SENT_BY_TILL: dict[int, type[messages.Message]] = {
    kind.CONTROL: kind
    for kind in (
        messages.Registration,
        messages.StatusEnquiry,
        messages.EndOfDay,
        messages.DisplayText,
        messages.SetTerminalId,
        messages.Initialisation,
        messages.Diagnosis,
        messages.WriteFile,
        messages.LogOff,
        messages.Abort,
    )
}


def stream(transport: Transport, who: str) -> bytes:
    return bytes.fromhex("".join(h for w, h in PEER[transport.name] if w == who))


def apdus(transport: Transport, who: str) -> list[Apdu]:
    events = transport.feeder().feed(stream(transport, who))
    frames = [event for event in events if isinstance(event, Frame)]
    assert all(frame.intact for frame in frames)
    return [Apdu.from_bytes(frame.apdu) for frame in frames]


@pytest.mark.parametrize("who", ["till", "terminal"])
@pytest.mark.parametrize("transport", [SERIAL, TCP], ids=lambda t: t.name)
def test_every_byte_is_accounted_for(transport: Transport, who: str) -> None:
    feeder, wire = transport.feeder(), stream(transport, who)
    again = b"".join(
        bytes([event]) if isinstance(event, Control) else transport.wrap(event.apdu)
        for event in feeder.feed(wire)
    )
    assert (again, feeder.skipped) == (wire, 0)


def test_both_transports_carry_the_same() -> None:
    assert apdus(SERIAL, "till") == apdus(TCP, "till")
    assert b"\x10\x10" in stream(SERIAL, "till")


def test_the_same_bytes_for_the_same_message() -> None:
    asked = [apdu for apdu in apdus(TCP, "till") if not apdu.is_answer]
    assert {apdu.control for apdu in asked} == set(SENT_BY_TILL)
    for apdu in asked:
        assert SENT_BY_TILL[apdu.control].from_apdu(apdu).to_apdu() == apdu


def test_what_the_client_meant() -> None:
    asked = [apdu for apdu in apdus(TCP, "till") if not apdu.is_answer]
    password = PEER["terminal"]["password"]
    read = [SENT_BY_TILL[apdu.control].from_apdu(apdu) for apdu in asked]
    assert read == [
        messages.Registration(password, 0x8E),
        messages.StatusEnquiry(password),
        messages.EndOfDay(password),
        messages.DisplayText(("Bitte warten", "zwei"), 5),
        messages.SetTerminalId(password, "65000028"),
        messages.Initialisation(password),
        messages.SetTerminalId(password, "10016919"),
        messages.Initialisation(password),
        messages.StatusEnquiry(password, messages.MORE_STATUS, ()),
        messages.Diagnosis(),
        messages.WriteFile(password, (messages.File(b"\x07", size=256),)),
        messages.LogOff(),
        messages.Abort(),
        messages.EndOfDay("654321"),
    ]
    [block] = [apdu for apdu in apdus(TCP, "till") if apdu.is_answer and apdu.data]
    [sent] = messages.FileBlock.from_apdu(block).files
    assert sent == messages.File(b"\x07", 0, None, bytes(range(256)))


@pytest.fixture
def world() -> Iterator[World]:
    with LoopThread() as loop:
        world = World(loop)
        yield world
        world.stop()


def test_the_terminal_still_answers_it_alike(world: World) -> None:
    """Said again, byte for byte; of the answers only date, time and trace differ."""
    told = PEER["terminal"]
    _, ends = world.terminal(
        password=told["password"], transactions=tuple(told["transactions"])
    )
    line, feeder = open_line(tcp_of(ends)), zvt.TcpFeeder()
    got: list[Apdu] = []
    for who, turn in groupby(PEER["tcp"], lambda row: row[0]):
        wire = bytes.fromhex("".join(row[1] for row in turn))
        if who == "till":
            line.write(wire, Deadline(5))
            continue
        wanted = len(got) + len(zvt.TcpFeeder().feed(wire))
        while len(got) < wanted:
            events = feeder.feed(line.read(Deadline(5)))
            got += [Apdu.from_bytes(e.apdu) for e in events if isinstance(e, Frame)]
    line.close()
    then = apdus(TCP, "terminal")
    assert [(a.control, len(a.data)) for a in got] == [
        (a.control, len(a.data)) for a in then
    ]
    differing = {a.control for a, b in zip(got, then, strict=True) if a != b}
    timed = {messages.STATUS_INFORMATION, messages.ECR_CLOCK, messages.COMPLETION}
    assert differing <= timed
