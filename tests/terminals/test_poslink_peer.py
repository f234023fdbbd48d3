"""What an independent client said to the emulated terminal, and what it got.

The transcript (``tests/vectors/poslink-peer.json``, which says how it was made) proves
our reading of POSLink against somebody else's: the same bytes for the same request, and
answers that it understood.
"""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from emulator.acquirer.isohost import IsoHost
from emulator.acquirer.ledger import Ledger, Merchant, TerminalRecord
from emulator.loop import LoopThread
from emulator.terminal.core import TerminalConfig
from emulator.terminal.device import EmulatedTerminal
from protocols import poslink
from protocols.poslink import Control, Feeder, Frame, Request, Response

PEER: dict[str, Any] = json.loads(
    (Path(__file__).parent.parent / "vectors/poslink-peer.json").read_text("utf-8")
)
VARIES = re.compile(rb"20[0-9]{12}|[0-9]{6}000[0-9]{3}")
"""A time, and the host's reference of the day."""
TMK = bytes(range(16))


def stream(who: str) -> bytes:
    return bytes.fromhex("".join(h for w, h in PEER["tcp"] if w == who))


def frames(who: str) -> list[bytes]:
    events = Feeder().feed(stream(who))
    found = [event for event in events if isinstance(event, Frame)]
    assert all(each.intact for each in found)
    return [each.payload for each in found]


@pytest.mark.parametrize("who", ["till", "terminal"])
def test_every_byte_is_accounted_for(who: str) -> None:
    feeder, wire = Feeder(), stream(who)
    again = b"".join(
        bytes([event]) if isinstance(event, Control) else poslink.frame(event.payload)
        for event in feeder.feed(wire)
    )
    assert (again, feeder.skipped) == (wire, 0)


def test_what_the_client_meant() -> None:
    asked = [Request.from_bytes(payload) for payload in frames("till")]
    detail = [r.fields for r in asked if r.command == poslink.LOCAL_DETAIL]
    assert [poslink.DetailWanted.from_fields(f).number for f in detail] == [1, 9]
    sent = [r.fields for r in asked if r.command == poslink.UPDATE_FILE]
    pieces = [poslink.FilePiece.from_fields(f) for f in sent]
    whole = bytes(n % 256 for n in range(4500))
    assert pieces == list(poslink.pieces(whole))
    (wanted,) = [r.fields for r in asked if r.command == poslink.GET_SIGNATURE]
    assert poslink.SignatureWanted.from_fields(wanted) == poslink.SignatureWanted()


def test_our_requests_are_its_own_but_for_the_version() -> None:
    """It says 1.35, and ends some requests with an empty field."""
    ours = {
        poslink.INITIALISE: Request(poslink.INITIALISE),
        poslink.UPDATE_FILE: Request(
            poslink.UPDATE_FILE,
            next(poslink.pieces(bytes(n % 256 for n in range(4500)))).to_fields(),
        ),
        poslink.LOCAL_DETAIL: Request(
            poslink.LOCAL_DETAIL, poslink.DetailWanted(1).to_fields()
        ),
        poslink.REBOOT: Request(poslink.REBOOT),
    }
    theirs = {p[:3].decode(): p for p in reversed(frames("till"))}
    for command, request in ours.items():
        made = request.to_bytes().replace(b"\x1c1.28", b"\x1c1.35", 1)
        assert theirs[command].rstrip(b"\x1c") == made.rstrip(b"\x1c"), command


def test_it_understood_every_answer() -> None:
    said = dict(line.split(" => ", 1) for line in PEER["said"] if " => " in line)
    assert said["getSignatureFile"].startswith("000000 21 21 12")
    assert said["localDetail1"] == "000000 OK type=SALE amount=12.5"
    assert "count=3 amount=2000" in said["batchClose"]
    assert "batch=000007" in said["batchClose"]
    assert said["deleteImage"] == "100004 UNSUPPORTED COMMAND"
    assert said["initializeAgain"] == said["initialize"]  # after the reboot


@pytest.fixture
def terminal() -> Iterator[tuple[EmulatedTerminal, int]]:
    told, loop, ledger = PEER["terminal"], LoopThread(), Ledger()
    mid, tid, serial = told["mid"], told["tid"], told["serial"]
    ledger.merchants[mid] = Merchant(
        mid, "便利店", "全渠道", "6216261000000000018", "102100099996"
    )
    ledger.terminals[tid] = TerminalRecord(tid, mid, serial, TMK, batch=told["batch"])
    host = IsoHost(ledger)
    port = loop.run(host.start())
    config = TerminalConfig(
        serial,
        tid,
        mid,
        TMK,
        batch=told["batch"],
        transactions=tuple(told["transactions"]),
        pty=False,
    )
    made = EmulatedTerminal(config, ("127.0.0.1", port))
    ends = loop.run(made.start())
    made.core.signature = told["signature"]
    assert ends.tcp is not None
    yield made, ends.tcp
    loop.run(made.stop())
    loop.run(host.stop())
    loop.stop()


def test_the_terminal_says_the_same_today(
    terminal: tuple[EmulatedTerminal, int],
) -> None:
    """Each request anew, on a line of its own as the client had it."""
    answers = iter(frames("terminal"))
    for payload in frames("till"):
        request = Request.from_bytes(payload)
        if request.command == poslink.CANCEL:
            continue  # acknowledged, and nothing else
        now = asked(terminal[1], poslink.frame(payload))
        then = next(answers)
        assert VARIES.sub(b"#", now) == VARIES.sub(b"#", then), request.command
        if request.command == poslink.REBOOT:
            break
    assert Response.from_bytes(now).command == "A27"
    assert terminal[0].core.batch == 9


def asked(port: int, wire: bytes) -> bytes:
    """The payload of the answer to it."""
    with closing(socket.create_connection(("127.0.0.1", port), 5)) as line:
        line.settimeout(5)
        line.sendall(wire)
        feeder = Feeder()
        while True:
            for event in feeder.feed(line.recv(65536)):
                if isinstance(event, Frame):
                    line.sendall(bytes([Control.ACK]))
                    return event.payload
