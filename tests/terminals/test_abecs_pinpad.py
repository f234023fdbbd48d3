"""The emulated pinpad and the driver, over TCP and a pty; nothing is mocked."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Iterator
from functools import partial

import pytest

from emulator.faults import Faults
from emulator.loop import LoopThread
from emulator.tcp import Known, TcpListener
from emulator.terminal.abecs import AbecsFace
from emulator.terminal.core import TerminalConfig, TerminalCore
from emulator.terminal.ports import ACTIONS, Circuit, Session
from posctl.model.deadline import Deadline
from posctl.model.errors import CheckFailed, LinkFailed, LinkTimeout
from posctl.terminals import open_terminal
from protocols import abecs
from protocols.abecs import Command, Parameter, Pp, Response, Spe

SERIAL = "1150000001"


class Connection(asyncio.Protocol):
    """A line to the face. The first ``spoil`` answers, repeated ones too, have a
    wrong CRC; with ``cut`` the first one ends in the middle."""

    def __init__(self, face: AbecsFace, known: Known, spoil: int, cut: bool) -> None:
        self._face, self._known, self._spoil, self._cut = face, known, spoil, cut

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._known.add(transport)
        opened = partial(self._face.converse, serial=False)
        circuit = Circuit(self._send, transport.abort, lambda: None)
        self._session = Session(opened, Faults(ACTIONS), circuit)

    def _send(self, data: bytes) -> None:
        if data[:1] == b"\x16" and self._spoil:
            self._spoil -= 1
            data = data[:-1] + bytes([data[-1] ^ 1])
        elif data[:1] == b"\x16" and self._cut:
            self._cut, data = False, data[:5]
        self._transport.write(data)

    def data_received(self, data: bytes) -> None:
        self._session.receive(data)

    def connection_lost(self, error: Exception | None) -> None:
        self._session.close()
        self._known.discard(self._transport)


class Pinpad:
    """A pinpad on TCP; ``address`` as posctl takes it."""

    def __init__(self, loop: LoopThread) -> None:
        config = TerminalConfig(SERIAL, "10016919", "84329004582000B", bytes(16))
        self.core = TerminalCore(config)
        self.face = AbecsFace(self.core)
        self.spoil, self.cut = 0, False
        self.loop = loop
        self._listener = TcpListener(
            lambda known: Connection(self.face, known, self.spoil, self.cut)
        )
        self.address = f"tcp:127.0.0.1:{loop.run(self._listener.start())}"

    def stop(self) -> None:
        self.loop.run(self._listener.stop())

    def press(self, status: str) -> None:
        async def put() -> None:
            self.face.keys.put_nowait(status)

        self.loop.run(put())


@pytest.fixture
def pinpad() -> Iterator[Pinpad]:
    with LoopThread() as loop:
        made = Pinpad(loop)
        yield made
        made.stop()


class Till:
    """A plain socket and the till's machine."""

    def __init__(self, pinpad: Pinpad) -> None:
        place = ("127.0.0.1", int(pinpad.address.rpartition(":")[2]))
        self.socket = socket.create_connection(place, timeout=10)
        self.channel: abecs.Channel | None = None

    def ask(self, command: Command) -> Response:
        machine = abecs.Asking(command, self.channel)
        self.socket.sendall(machine.start())
        while machine.response is None:
            arrived = self.socket.recv(4096)
            assert arrived
            self.socket.sendall(machine.receive(arrived))
        return machine.response

    def status(self, command: Command) -> str:
        return self.ask(command).status


@pytest.fixture
def till(pinpad: Pinpad) -> Iterator[Till]:
    made = Till(pinpad)
    yield made
    made.socket.close()


def test_information_and_display(pinpad: Pinpad, till: Till) -> None:
    assert till.status(abecs.OPEN) == abecs.OK
    own = abecs.information(till.ask(abecs.get_information()))
    assert isinstance(own, abecs.PinpadInformation)
    assert (own.serial, own.model) == (SERIAL, "A920")
    for index in ("02", "07"):
        abecs.information(till.ask(abecs.get_information(index)), index)
    till.ask(abecs.display("TROCA DE CONTA"))
    assert pinpad.face.display == "TROCA DE CONTA"
    till.ask(abecs.display_lines("uma", "duas"))
    assert pinpad.face.display == "uma\rduas"
    till.ask(abecs.close("ATÉ LOGO"))
    assert pinpad.face.display == "ATÉ LOGO"
    assert pinpad.core.asked == ["OPN", "GIN", "GIN", "GIN", "DSP", "DEX", "CLO"]


def test_facts_wanted_and_all(till: Till) -> None:
    wanted = (Pp.MNNAME, Pp.SERNUM, Pp.PARTNBR, Pp.SERNUM)
    found = abecs.unpack(till.ask(abecs.get_facts(wanted)).blocks)
    assert [each.identifier for each in found] == [Pp.MNNAME, Pp.SERNUM, Pp.SERNUM]
    facts = abecs.Facts.from_response(till.ask(abecs.get_facts()))
    assert (facts.serial, facts.pin_keys) == (SERIAL, ())


def test_tables(till: Till) -> None:
    version = abecs.get_table_version("01")
    assert abecs.table_version(till.ask(version)) == "0" * 10
    assert till.status(Command("TLR", (b"01004x",))) == "010"
    assert till.status(abecs.END_TABLES) == "010"
    load = abecs.load_tables("01", "VERSION001", [b"004x"])
    assert [till.status(each) for each in load] == ["020", "000", "000"]
    assert abecs.table_version(till.ask(version)) == "VERSION001"
    told = abecs.values(till.ask(abecs.get_facts((0x9301,))))
    assert told == {0x9301: "VERSION001"}
    assert till.status(load[0]) == "000"
    erase = abecs.load_tables("01", "VERSION002", [])
    assert [till.status(each) for each in erase] == ["020", "000"]
    assert abecs.table_version(till.ask(version)) == "0" * 10


def test_media(pinpad: Pinpad, till: Till) -> None:
    data = bytes(range(256)) * 9
    load = abecs.load_media("ImgAlt01", data)
    assert {till.status(each) for each in load} == {"000"}
    assert pinpad.face.media == {"IMGALT01": data}
    listed = till.ask(abecs.LIST_MEDIA)
    assert abecs.every(listed, Pp.MFNAME) == ("IMGALT01",)
    begin, *rest = load
    assert [till.status(each) for each in (begin, *rest[1:])][-1] == "102"
    assert till.status(abecs.END_MEDIA) == "010"
    assert till.status(Command("MLI")) == "019"
    name = Parameter(Spe.MFNAME, "IMGALT01")
    assert till.status(abecs.command("DMF", name)) == "000"
    assert pinpad.face.media == {}


def test_what_does_not_hold(till: Till) -> None:
    assert till.ask(Command("XYZ")) == Response("ERR", "010")
    assert till.ask(Command("GCR")) == Response("ERR", "010")
    assert till.status(Command("GTS")) == "011"
    half = abecs.command("GIX", Parameter(Spe.IDLIST, b"\x80"))
    assert till.status(half) == "011"


def test_a_whole_secure_session(pinpad: Pinpad, till: Till) -> None:
    key = abecs.new_key()
    ksec = abecs.key_in(till.ask(abecs.open_secure(key.public_key())), key)
    assert ksec is not None
    assert till.status(abecs.display("EM CLARO")) == "009"
    till.channel = abecs.Channel(ksec)
    assert abecs.good(till.ask(abecs.display("CIFRADO")))
    assert pinpad.face.display == "CIFRADO"
    assert till.status(abecs.close()) == "000"
    till.channel = None
    assert till.status(abecs.display("EM CLARO")) == "000"


def test_a_person_is_waited_for_and_cancelled(pinpad: Pinpad, till: Till) -> None:
    till.socket.sendall(abecs.Asking(Command("GKY")).start())
    assert till.socket.recv(1) == b"\x06"
    till.socket.sendall(b"\x18")
    assert till.socket.recv(1) == b"\x04"
    pinpad.press("004")
    assert till.status(Command("GKY")) == "004"


def test_identify(pinpad: Pinpad) -> None:
    driver = open_terminal("abecs", pinpad.address)
    told = driver.identify(Deadline(10))
    driver.close()
    assert (told.serial, told.tid, told.mid) == (SERIAL, None, None)
    assert told.model == "POSCTL EMULATOR A920"
    assert told.firmware == "PayDroid 7.1.1 V1.00.00"
    assert pinpad.core.asked == ["OPN", "GIX", "CLO"]


def test_identify_of_a_pinpad_from_before_abecs(pinpad: Pinpad) -> None:
    del pinpad.face._commands["GIX"]
    driver = open_terminal("abecs", pinpad.address)
    told = driver.identify(Deadline(10))
    driver.close()
    assert (told.serial, told.model) == (SERIAL, "POSCTL EMULATOR A920")
    assert pinpad.core.asked == ["OPN", "GIX", "GIN", "CLO"]


def test_spoilt_answers_are_asked_for_again(pinpad: Pinpad) -> None:
    pinpad.spoil = 2
    driver = open_terminal("abecs", pinpad.address)
    assert driver.identify(Deadline(10)).serial == SERIAL
    driver.close()
    assert pinpad.core.asked == ["OPN", "GIX", "CLO"]
    pinpad.spoil = 3
    driver = open_terminal("abecs", pinpad.address)
    with pytest.raises(LinkFailed) as caught:
        driver.identify(Deadline(10))
    driver.close()
    assert caught.value.code == "terminal.session"
    assert any("NAK" in line for line in caught.value.frames)


def test_half_an_answer_is_asked_for_again(pinpad: Pinpad) -> None:
    pinpad.cut = True
    driver = open_terminal("abecs", pinpad.address)
    assert driver.identify(Deadline(10)).serial == SERIAL
    driver.close()
    assert pinpad.core.asked == ["OPN", "GIX", "CLO"]


@pytest.mark.req("R2")
def test_what_a_pinpad_cannot_is_said_and_not_made_up(pinpad: Pinpad) -> None:
    driver = open_terminal("abecs", pinpad.address)
    assert driver.capabilities == {"identify"}
    for call in (driver.totals, driver.settle):
        with pytest.raises(CheckFailed) as caught:
            call(Deadline(1))
        assert caught.value.code == "terminal.cannot"
    assert driver.read_variables(("tid", "clock"), Deadline(1)) == {
        "tid": None,
        "clock": None,
    }
    assert driver.binding_tag(Deadline(1)) is None
    driver.close()
    assert driver.traffic == 0 and pinpad.core.asked == []


def test_silence_on_a_serial_line() -> None:
    master, slave = os.openpty()
    driver = open_terminal("abecs", os.ttyname(slave), baud=19200)
    with pytest.raises(LinkTimeout) as caught:
        driver.identify(Deadline(0.3))
    driver.close()
    assert os.read(master, 10) == b"\x18"
    os.close(master)
    os.close(slave)
    assert caught.value.code == "terminal.silent"
