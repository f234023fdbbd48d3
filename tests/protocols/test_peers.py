"""Conversations with programs that others wrote, run once and kept, held to both ends.

How each was made is told in its file. POSLink over serial has no such program.
"""

from __future__ import annotations

import json
from pathlib import Path

from protocols import abecs, ecrhub
from protocols.abecs import Asking, Cancelling, Command, Control, Frame, Response

VECTORS = Path(__file__).parents[1] / "vectors"
Step = tuple[str, bytes]


def steps(name: str) -> list[Step]:
    kept = json.loads((VECTORS / f"{name}-peer.json").read_bytes())
    return [(step["from"], bytes.fromhex(step["hex"])) for step in kept["steps"]]


def said(all_steps: list[Step], sender: str) -> bytes:
    return b"".join(data for who, data in all_steps if who == sender)


def test_abecs_the_pinpads_machine_says_what_the_till_took() -> None:
    kept, machine, out = steps("abecs"), abecs.Answering(), b""
    for who, data in kept:
        if who == "till":
            out += b"".join(arrived.out for arrived in machine.receive(data))
            continue
        (event, *_) = abecs.Feeder().feed(data)
        if isinstance(event, Frame):
            out += machine.respond(Response.from_bytes(event.data))
    spoilt, good = b"\x16DSP000\x17\xff\xff", b"\x16DSP000\x17\x39\x63"
    recorded = said(kept, "pinpad")
    assert recorded.count(spoilt) == 1
    assert out == recorded.replace(spoilt, good)


def _conversations(kept: list[Step]) -> list[tuple[bytes, bytes]]:
    """What the till sent first, and what came until it sent something new."""
    found: list[tuple[bytes, bytes]] = []
    for who, data in kept:
        if who == "pinpad":
            sent, came = found[-1]
            found[-1] = (sent, came + data)
        elif data != bytes([Control.NAK]):
            found.append((data, b""))
    return found


def test_abecs_the_tills_machine_says_what_the_peer_said() -> None:
    kept, out = steps("abecs"), b""
    for sent, came in _conversations(kept):
        (event,) = abecs.Feeder().feed(sent)
        if isinstance(event, Control):
            cancelling = Cancelling()
            out += cancelling.start()
            cancelling.receive(came)
            assert cancelling.done
            continue
        machine = Asking(Command.from_bytes(event.data))
        out += machine.start() + machine.receive(came)
        assert machine.response is not None
    assert out == said(kept, "till")


def test_ecrhub_the_terminals_machine_says_what_the_till_took() -> None:
    kept, machine, out = steps("ecrhub"), ecrhub.Answering(), b""
    for who, data in kept:
        if who == "till":
            out += machine.receive(data)
            continue
        for packet in ecrhub.Feeder().feed(data):
            if packet == ecrhub.HEARTBEAT:
                out += machine.heartbeat()
            elif packet.data:
                out += machine.send(packet.data)
    assert out == said(kept, "terminal")
    assert machine.idle
    assert machine.messages == [b"query %d \x55\xaa" % count for count in range(3)]


def test_ecrhub_the_tills_machine_understands_what_the_peer_took() -> None:
    kept, machine = steps("ecrhub"), ecrhub.Asking()
    out = machine.start()
    for who, data in kept[1:]:
        if who == "terminal":
            out += machine.receive(data)
            continue
        for packet in ecrhub.Feeder().feed(data):
            if packet == ecrhub.HEARTBEAT:
                out += machine.heartbeat()
            elif packet.data:
                out += machine.send(packet.data) if machine.idle else machine.repeat()
    assert out == said(kept, "till")
    assert [each[:9] for each in machine.messages] == [b"answer to"] * 3
