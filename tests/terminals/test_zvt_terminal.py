"""The ZVT driver against the emulated terminal, its host behind it, on real wires.

Nothing is mocked: a pty or TCP between driver and terminal, TCP between terminal and
host. What a terminal of another make does is told by a peer on a socket.
"""

from __future__ import annotations

import os
import socket
import termios
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from zvtworld import MID, NEW, SERIAL_NUMBER, TID, TMK, World, pty_of, tcp_of

from emulator.faults import Fault
from emulator.loop import LoopThread
from emulator.terminal.core import BEIJING, TerminalConfig
from emulator.terminal.device import Endpoints
from emulator.terminal.zvt import TAG_FILE
from posctl.links import ByteLink
from posctl.links.line import open_line
from posctl.model.deadline import Deadline
from posctl.model.errors import LinkFailed, LinkTimeout, Refused
from posctl.terminals import TerminalDriver, open_terminal
from posctl.terminals.zvt import Zvt
from protocols import zvt
from protocols.bindingtag import BindingTag
from protocols.zvt import SERIAL, TCP, Apdu, Asking, Timers, messages

PASSWORD = "000000"
TAG = {"binding_tag": TAG_FILE}
SHORT = 0.4
Addressed = Callable[[Endpoints], str]


def soon() -> Deadline:
    return Deadline(5)


@pytest.fixture
def world() -> Iterator[World]:
    with LoopThread() as loop:
        world = World(loop)
        yield world
        world.stop()


@pytest.fixture(params=["pty", "tcp"])
def address(request: pytest.FixtureRequest) -> Addressed:
    return pty_of if request.param == "pty" else tcp_of


@contextmanager
def driver_at(address: str) -> Iterator[TerminalDriver]:
    driver = open_terminal("zvt", address, variables=TAG)
    try:
        yield driver
    finally:
        driver.close()


@contextmanager
def asking_at(address: str, **told: Any) -> Iterator[Zvt]:
    """A driver with a password or timers of its own."""
    link: ByteLink = open_line(address, stop_bits=2)
    transport = TCP if address.startswith("tcp:") else SERIAL
    driver = Zvt(link, transport, TAG, **told)
    try:
        yield driver
    finally:
        driver.close()


def ask(ends: Endpoints, message: messages.Message) -> Asking:
    """One command on a line of its own, to its end."""
    link = open_line(tcp_of(ends))
    asking = Asking(message.to_apdu(), TCP)
    link.write(asking.start(), soon())
    while not asking.finished:
        link.write(asking.receive(link.read(soon())), soon())
    link.close()
    return asking


def ended(ends: Endpoints, message: messages.Message) -> messages.Completion:
    end = ask(ends, message).end
    assert end is not None
    return messages.Completion.from_apdu(end)


def aborted(ends: Endpoints, message: messages.Message) -> int:
    end = ask(ends, message).end
    assert end is not None
    return messages.Aborted.from_apdu(end).error


def refused(ends: Endpoints, message: messages.Message) -> int:
    answer = ask(ends, message).answer
    assert answer is not None
    return answer.error


# --- the driver -----------------------------------------------------------------------


def test_identify(world: World, address: Addressed) -> None:
    terminal, ends = world.terminal()
    with driver_at(address(ends)) as driver:
        who = driver.identify(soon())
    assert (who.serial, who.model, who.tid) == (SERIAL_NUMBER, "A920", TID)
    assert who.firmware == "PayDroid 7.1.1 V1.00.00"
    assert who.mid is None
    assert terminal.core.asked == ["05 01"]


@pytest.mark.req("R2")
def test_what_zvt_cannot_tell_is_unknown(world: World, address: Addressed) -> None:
    _, ends = world.terminal(transactions=())
    names = ["tid", "mid", "merchant_name", "batch", "last_settlement", "clock"]
    with driver_at(address(ends)) as driver:
        found = driver.read_variables(names, soon())
    clock = datetime.strptime(found.pop("clock") or "", "%Y%m%d%H%M%S")
    here = datetime.now(BEIJING).replace(tzinfo=None)
    assert abs(clock - here) < timedelta(minutes=5)
    assert found.pop("tid") == TID
    assert set(found.values()) == {None}


def test_the_binding_tag(world: World, address: Addressed) -> None:
    _, ends = world.terminal()
    with driver_at(address(ends)) as driver:
        tag = driver.binding_tag(soon())
        shown = driver.read_variables(["binding_tag"], soon())["binding_tag"]
    assert tag is not None and tag.mask == "621626*********0018"
    assert tag.genuine(world.ledger.tag_key, mid=MID, tid=TID)
    assert shown == tag.to_hex()


def test_a_terminal_without_a_tag(world: World) -> None:
    terminal, ends = world.terminal()
    terminal.core.parameters.clear()
    with driver_at(pty_of(ends)) as driver:
        assert driver.binding_tag(soon()) is None
    plain = open_terminal("zvt", pty_of(ends))
    assert "binding_tag" not in plain.capabilities
    assert plain.binding_tag(soon()) is None
    plain.close()


def test_totals_and_settle(world: World, address: Addressed) -> None:
    terminal, ends = world.terminal()
    with driver_at(address(ends)) as driver:
        before = driver.totals(soon())
        done = driver.settle(soon())
        after = driver.totals(soon())
    assert (before.count, before.amount) == (3, Decimal("20.00"))
    assert (done.batch, done.host_code) == (None, "00")
    assert done.totals == before
    assert done.time == terminal.core.last_settlement.replace(microsecond=0)
    assert (after.count, after.amount) == (0, Decimal("0.00"))
    [settled] = world.host.settlements(TID)
    assert (settled.totals.debit_amount, settled.totals.credit_amount) == (2240, 240)


def test_settling_fetches_the_new_tag(world: World, address: Addressed) -> None:
    _, ends = world.terminal(transactions=())
    world.ledger.change_account(MID, NEW, request=6)
    with driver_at(address(ends)) as driver:
        driver.settle(soon())
        tag = driver.binding_tag(soon())
    assert tag is not None
    assert (tag.mask, tag.version) == ("620000******0047", 2)


def test_the_line_has_two_stop_bits(world: World) -> None:
    _, ends = world.terminal()

    def stop_bits() -> int:
        handle = os.open(pty_of(ends), os.O_RDWR | os.O_NOCTTY)
        try:
            return 2 if termios.tcgetattr(handle)[2] & termios.CSTOPB else 1
        finally:
            os.close(handle)

    assert stop_bits() == 2
    open_line(pty_of(ends)).close()
    assert stop_bits() == 1
    with driver_at(pty_of(ends)) as driver:
        assert stop_bits() == 2
        assert driver.identify(soon()).tid == TID


def test_a_host_that_is_down_leaves_the_batch(world: World, address: Addressed) -> None:
    _, ends = world.terminal()
    world.loop.run(world.host.stop())
    with driver_at(address(ends)) as driver:
        with pytest.raises(Refused) as caught:
            driver.settle(soon())
        assert driver.totals(soon()).count == 3
    assert (caught.value.namespace, caught.value.raw) == ("zvt", "A3")


def test_a_host_that_refuses(world: World) -> None:
    _, ends = world.terminal()
    del world.ledger.terminals[TID]
    with driver_at(pty_of(ends)) as driver:
        with pytest.raises(Refused) as caught:
            driver.settle(soon())
        assert driver.totals(soon()).count == 3
    host_code = str(caught.value.params["host_code"])
    assert host_code and int(caught.value.raw, 16) == int(host_code)


def test_another_password_is_refused(world: World, address: Addressed) -> None:
    terminal, ends = world.terminal(password="123456")
    with driver_at(address(ends)) as driver, pytest.raises(Refused) as caught:
        driver.settle(soon())
    assert caught.value.raw == "83"
    assert "123456" not in repr(terminal.core.config)
    with asking_at(address(ends), password="123456") as driver:
        assert driver.settle(soon()).totals.count == 3


def test_what_cannot_be_told_is_no_number(world: World) -> None:
    _, ends = world.terminal(transactions=(-100,))
    with driver_at(pty_of(ends)) as driver:
        with pytest.raises(LinkFailed, match=r"terminal\.answer"):
            driver.totals(soon())
    _, ends = world.terminal(transactions=(1,) * 256)
    with driver_at(pty_of(ends)) as driver:
        with pytest.raises(LinkFailed, match=r"terminal\.answer"):
            driver.totals(soon())


def test_a_registered_till_that_prints(world: World, address: Addressed) -> None:
    terminal, ends = world.terminal()
    ask(ends, messages.Registration(PASSWORD, 0x84, messages.YUAN))
    with driver_at(address(ends)) as driver:
        assert driver.settle(soon()).totals.count == 3
    assert terminal.core.paper == []
    ask(ends, messages.Registration(PASSWORD, 0x08))
    with driver_at(address(ends)) as driver:
        driver.settle(soon())
    assert terminal.core.paper[0] == "END OF DAY"


@pytest.mark.req("R47", "R48")
def test_a_failure_tells_the_frames_and_no_value(world: World) -> None:
    terminal, ends = world.terminal()
    terminal.faults.add(Fault("06 10", "drop_answer"))
    with driver_at(tcp_of(ends)) as driver:
        with pytest.raises(LinkTimeout) as caught:
            driver.totals(Deadline(SHORT))
    told = [line.split(" s ", 1)[1] for line in caught.value.frames]
    assert told == ["> 06 10 turnover totals | 3 B", "< 80 00"]


# --- faults ---------------------------------------------------------------------------


def test_refused_at_every_try(world: World, address: Addressed) -> None:
    terminal, ends = world.terminal()
    terminal.faults.add(Fault("06 50", "nak", times=9))
    with driver_at(address(ends)) as driver:
        if address is pty_of:
            with pytest.raises(LinkFailed) as caught:
                driver.settle(soon())
            assert caught.value.params == {"reason": zvt.REFUSED}
            assert len(terminal.faults.struck) == zvt.MAX_TRIES
        else:
            with pytest.raises(Refused) as refusal:
                driver.settle(Deadline(1.2))
            assert refusal.value.raw == "9C"
        assert terminal.core.count == 3
        terminal.faults.clear()
        assert driver.settle(soon()).totals.count == 3


def test_one_refusal_is_got_over_on_a_serial_line(world: World) -> None:
    terminal, ends = world.terminal()
    terminal.faults.add(Fault("*", "nak"))
    with driver_at(pty_of(ends)) as driver:
        assert driver.identify(soon()).tid == TID
    assert len(terminal.faults.struck) == 1


def test_one_silence_is_got_over_on_a_serial_line(world: World) -> None:
    terminal, ends = world.terminal()
    terminal.faults.add(Fault("*", "silence"))
    with asking_at(pty_of(ends), timers=Timers(t2=0.2)) as driver:
        assert driver.identify(soon()).tid == TID
    assert len(terminal.faults.struck) == 1


def test_silence_ends_after_three_tries(world: World) -> None:
    terminal, ends = world.terminal()
    terminal.faults.add(Fault("*", "silence", times=9))
    with asking_at(pty_of(ends), timers=Timers(t2=0.1)) as driver:
        with pytest.raises(LinkTimeout, match=r"terminal\.silent"):
            driver.settle(soon())
    assert len(terminal.faults.struck) == zvt.MAX_TRIES
    assert terminal.core.count == 3


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (Fault("*", "silence"), "terminal.silent"),
        (Fault("*", "garbage"), "terminal.garbage"),
        (Fault("*", "garbage", body=b"\xff\x00\xff"), "terminal.garbage"),
        (Fault("*", "drop_answer"), "terminal.no_answer"),
    ],
    ids=["silence", "garbage", "body", "drop_answer"],
)
def test_no_answer_once(
    world: World, address: Addressed, fault: Fault, code: str
) -> None:
    terminal, ends = world.terminal()
    terminal.faults.add(fault)
    with driver_at(address(ends)) as driver:
        with pytest.raises(LinkTimeout) as caught:
            driver.totals(Deadline(SHORT))
        assert caught.value.code == code
        assert caught.value.params["seconds"] == SHORT
        assert driver.identify(soon()).tid == TID
    assert terminal.faults.struck == [fault]


def test_an_answer_that_is_lost_follows_a_settlement(
    world: World, address: Addressed
) -> None:
    terminal, ends = world.terminal()
    terminal.faults.add(Fault("06 50", "drop_answer"))
    with driver_at(address(ends)) as driver:
        with pytest.raises(LinkTimeout, match=r"terminal\.no_answer"):
            driver.settle(Deadline(1))
        assert driver.totals(soon()).count == 0
    assert len(world.host.settlements(TID)) == 1


def test_an_answer_that_comes_twice(world: World, address: Addressed) -> None:
    terminal, ends = world.terminal()
    terminal.faults.add(Fault("*", "duplicate_answer", times=4))
    with driver_at(address(ends)) as driver:
        assert driver.identify(soon()).tid == TID
        assert driver.totals(soon()).count == 3
        assert driver.settle(soon()).totals.count == 3
        assert driver.totals(soon()).count == 0
    assert len(world.host.settlements(TID)) == 1


def test_the_last_acknowledgement_is_awaited(world: World) -> None:
    _, ends = world.terminal()
    with asking_at(pty_of(ends)) as driver:
        driver.totals(soon())
        with pytest.raises(LinkTimeout):
            driver.link.read(Deadline(0.2))


def test_another_speed(world: World) -> None:
    _, ends = world.terminal()
    other = open_terminal("zvt", pty_of(ends), baud=19200)
    with pytest.raises(LinkTimeout, match=r"terminal\.silent"):
        other.identify(Deadline(SHORT))
    other.close()


# --- the terminal's other commands ----------------------------------------------------


def test_registration_tells_the_tid(world: World) -> None:
    _, ends = world.terminal()
    done = ended(ends, messages.Registration(PASSWORD, 0x86, messages.EURO))
    assert (done.tid, done.currency, done.status) == (TID, messages.EURO, 0)
    assert ended(ends, messages.Registration(PASSWORD, 0x86)).currency is None
    answer = ask(ends, messages.Registration(PASSWORD, 0x86, "0840")).answer
    assert answer == Apdu(0x841E, b"\x6f\x01\x56")
    assert messages.refusal(answer) == messages.WRONG_CURRENCY
    assert messages.refusal(Apdu(0x8483, b"\x6f")) == messages.FUNCTION_NOT_POSSIBLE
    assert messages.refusal(messages.accepted()) == messages.OK


def test_the_terminal_id_only_while_the_store_is_empty(world: World) -> None:
    terminal, ends = world.terminal()
    wanted = messages.SetTerminalId(PASSWORD, "65000028")
    assert aborted(ends, wanted) == messages.BATCH_OPEN
    assert terminal.core.tid == TID
    assert ask(ends, messages.EndOfDay(PASSWORD)).end == Apdu(0x060F)
    assert ask(ends, wanted).end == Apdu(0x060F)
    with driver_at(tcp_of(ends)) as driver:
        assert driver.identify(soon()).tid == "65000028"
    ask(ends, messages.SetTerminalId(PASSWORD))
    assert terminal.core.tid == "00000000"


def test_the_clock(world: World) -> None:
    _, ends = world.terminal()
    ask(ends, messages.SetClock(PASSWORD, datetime(2030, 2, 28, 23, 0, 0)))
    with driver_at(tcp_of(ends)) as driver:
        clock = driver.read_variables(["clock"], soon())["clock"]
    assert clock is not None and clock.startswith("2030022823")


def test_the_password(world: World) -> None:
    _, ends = world.terminal()
    change = messages.ChangePassword(PASSWORD, "123456")
    assert ended(ends, change).result == 0
    assert refused(ends, change) == messages.FUNCTION_NOT_POSSIBLE
    for message in (
        messages.EndOfDay(PASSWORD),
        messages.TurnoverTotals(PASSWORD),
        messages.Initialisation(PASSWORD),
        messages.SetTerminalId(PASSWORD),
        messages.SetClock(PASSWORD, datetime(2030, 1, 1)),
        messages.Registration(PASSWORD, 0),
        messages.WriteFile(PASSWORD, (messages.File(b"\x01", size=0),)),
        messages.StatusEnquiry(PASSWORD),
    ):
        assert refused(ends, message) == messages.FUNCTION_NOT_POSSIBLE
    assert ask(ends, messages.StatusEnquiry()).end is not None


def test_diagnosis_and_initialisation_obey_the_host(world: World) -> None:
    terminal, ends = world.terminal()
    world.ledger.change_account(MID, NEW, request=1)
    diagnosis = ask(ends, messages.Diagnosis())
    [clock] = [messages.EcrClock.from_apdu(apdu) for apdu in diagnosis.said]
    assert abs(clock.time - terminal.core.now()) < timedelta(minutes=5)
    assert world.record.tag_version_fetched == 2
    issued = world.record.working_keys
    assert ask(ends, messages.Initialisation(PASSWORD)).end == Apdu(0x060F)
    assert world.record.working_keys != issued


def test_print_reaches_the_till_as_it_registered(world: World) -> None:
    terminal, ends = world.terminal()
    permitted = (zvt.apdu.inside(0x26, zvt.apdu.Tlv(0x0A, b"\x06\xd3")),)
    block = messages.Registration(PASSWORD, 0x84, messages.EURO, None, permitted)
    for registration, controls in (
        (messages.Registration(PASSWORD, 0x84), [messages.PRINT_LINE] * 7),
        (block, [messages.PRINT_TEXT_BLOCK]),
        (messages.Registration(PASSWORD, 0x04), []),
    ):
        ask(ends, registration)
        said = ask(ends, messages.PrintConfiguration()).said
        assert [apdu.control for apdu in said] == controls
        assert terminal.core.paper == []
    ask(ends, messages.Registration(PASSWORD, 0))
    assert ask(ends, messages.PrintConfiguration()).said == []
    assert f"Terminal ID: {TID}" in terminal.core.paper


def test_print_and_display_the_other_way(world: World) -> None:
    terminal, ends = world.terminal()
    ask(ends, messages.PrintLine("one"))
    ask(ends, messages.PrintTextBlock(("two", "three")))
    assert terminal.core.paper == ["one", "two", "three"]
    ask(ends, messages.DisplayText(("Bitte warten",)))
    assert terminal.core.display == ("Bitte warten",)


def test_files(world: World) -> None:
    terminal, ends = world.terminal()
    block = messages.File(b"\x07", block=b"\x00\x01")
    assert ended(ends, messages.ChangeConfiguration((block,))).result == 0
    [sent] = ask(ends, messages.ReadFile((messages.File(b"\x07"),))).said
    assert messages.FileSent.from_apdu(sent).files[0].block == b"\x00\x01"
    unknown = messages.ReadFile((messages.File(b"\x01"),))
    assert aborted(ends, unknown) == messages.FUNCTION_NOT_POSSIBLE
    _write(ends, b"\x08", bytes(range(256)) * 2)
    assert terminal.core.files[b"\x08"] == bytes(range(256)) * 2
    read = ask(ends, messages.ReadFile((messages.File(b"\x08"),)))
    assert len(read.said) == 4


def _write(ends: Endpoints, file_id: bytes, data: bytes) -> None:
    """2.41: the terminal asks for block after block; one is sent wrongly once."""
    link = open_line(tcp_of(ends))
    listing = messages.WriteFile(PASSWORD, (messages.File(file_id, size=len(data)),))
    link.write(listing.to_apdu().to_bytes(), soon())
    feeder, wrong = zvt.TcpFeeder(), [0]
    while True:
        for event in feeder.feed(link.read(soon())):
            assert isinstance(event, zvt.Frame)
            apdu = Apdu.from_bytes(event.apdu)
            if apdu.control == messages.COMPLETION:
                link.write(messages.accepted().to_bytes(), soon())
                return link.close()
            if apdu.control == messages.FILE_REQUEST:
                [wanted] = messages.FileRequest.from_apdu(apdu).files
                at = wanted.start or 0
                start = wrong.pop() + 1 if wrong else at
                part = messages.File(file_id, start, None, data[at : at + 100])
                reply = messages.FileBlock((part,)).to_apdu()
                link.write(reply.to_bytes(), soon())


def test_unknown_commands_and_fields(world: World) -> None:
    _, ends = world.terminal()
    line = open_line(tcp_of(ends))
    for sent, answer in (
        (Apdu(0x06C0), 0x8483),
        (Apdu(0x0670, b"\x99\x00"), 0x8483),
        (Apdu(0x0650, b"\x00\x00"), 0x849A),
        (messages.Abort().to_apdu(), 0x8000),
        (messages.LogOff().to_apdu(), 0x8000),
    ):
        line.write(sent.to_bytes(), soon())
        assert Apdu.from_bytes(line.read(soon())).control == answer
    line.close()


def test_a_tampered_terminal_says_so(world: World) -> None:
    for tampered, state in ((True, messages.FRAUD), (False, messages.OK)):
        _, ends = world.terminal(tampered=tampered)
        asked = messages.StatusEnquiry(PASSWORD, messages.MORE_STATUS, ())
        end = ask(ends, asked).end
        assert end is not None
        report = messages.StatusReport.from_apdu(end)
        assert report.device_state == state
        assert report.version == "BROADPOS V1.00.00"


def test_a_power_cut(world: World) -> None:
    terminal, ends = world.terminal()
    ask(ends, messages.Registration(PASSWORD, 0x08))
    ask(ends, messages.ChangePassword(PASSWORD, "123456"))
    ask(ends, messages.DisplayText(("x",)))
    world.loop.run(terminal.cut_power())
    ends = world.loop.run(terminal.plug())
    assert terminal.core.display == ()
    with asking_at(pty_of(ends), password="123456") as driver:
        assert driver.totals(soon()).count == 3
        driver.settle(soon())
    # The registration is gone: the till prints again, as after log-off.
    assert terminal.core.paper == []


@pytest.mark.parametrize(
    "told",
    [
        {"protocol": "nexo"},
        {"protocol": "zvt", "tid": "1234567"},
        {"protocol": "zvt", "serial": "A1"},
    ],
)
def test_what_a_terminal_cannot_be(told: dict[str, Any]) -> None:
    usual = {"serial": SERIAL_NUMBER, "tid": TID, "mid": MID, "tmk": TMK}
    with pytest.raises(ValueError, match=r"ZVT|one of"):
        TerminalConfig(**{**usual, **told})


# --- terminals of another make --------------------------------------------------------

Script = Callable[[Apdu], list[Apdu]]


class Peer:
    """A terminal on a socket that answers by a script; a led message waits for its
    80 00 before the next."""

    def __init__(self, script: Script, leftover: bytes = b"") -> None:
        self.quiet = threading.Event()
        """Set when the ECR's last reply has come, and the leftover was sent."""
        self._leftover = leftover
        self.asked: list[Apdu] = []
        self._script = script
        self._server = socket.create_server(("127.0.0.1", 0))
        self._server.settimeout(5)
        self.address = f"tcp:127.0.0.1:{self._server.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        with suppress(OSError):
            connection, _ = self._server.accept()
            with connection:
                connection.settimeout(5)
                self._talk(connection)

    def _talk(self, connection: socket.socket) -> None:
        feeder, to_say = zvt.TcpFeeder(), list[Apdu]()
        while data := connection.recv(4096):
            for event in feeder.feed(data):
                assert isinstance(event, zvt.Frame)
                apdu = Apdu.from_bytes(event.apdu)
                if not apdu.is_answer:
                    self.asked.append(apdu)
                    to_say = self._script(apdu)
                    connection.sendall(to_say.pop(0).to_bytes())
                if to_say:
                    connection.sendall(to_say.pop(0).to_bytes())
                elif apdu.is_answer:
                    connection.sendall(self._leftover)
                    self._leftover = b""
                    self.quiet.set()

    def close(self) -> None:
        self._server.close()
        self._thread.join()


@contextmanager
def peer(script: Script, leftover: bytes = b"") -> Iterator[Peer]:
    made = Peer(script, leftover)
    try:
        yield made
    finally:
        made.close()


YES, NO = messages.accepted(), messages.refused(messages.FUNCTION_NOT_POSSIBLE)


def old_terminal(apdu: Apdu) -> list[Apdu]:
    """One that knows the plain status enquiry only, and tells its TID at
    registration."""
    if apdu.control == messages.STATUS_ENQUIRY:
        report = messages.StatusReport(0, "1.0").to_apdu()
        return [NO] if apdu.data else [YES, report]
    if apdu.control == messages.REGISTRATION:
        return [YES, messages.Completion(status=0, tid=TID).to_apdu()]
    return [YES]


def test_an_old_terminal_is_registered_and_logged_off() -> None:
    with peer(old_terminal) as terminal, driver_at(terminal.address) as driver:
        who = driver.identify(soon())
    assert (who.tid, who.firmware, who.serial) == (TID, "1.0", None)
    assert [apdu.name for apdu in terminal.asked] == [
        "05 01", "05 01", "06 00", "06 02",
    ]  # fmt: skip
    registration = messages.Registration.from_apdu(terminal.asked[2])
    assert registration.config == messages.AFTER_LOG_OFF


def status(**told: Any) -> Script:
    said = messages.StatusInformation(**told).to_apdu()
    return lambda apdu: [YES, said, Apdu(0x060F)]


GROUPS = messages.SingleTotals(1, 3, ((0, 0),) * 6 + ((3, 2000),))


def test_what_is_left_of_an_exchange_answers_no_other() -> None:
    stale = [NO, messages.Aborted(messages.NO_CONNECTION).to_apdu()]
    leftover = b"".join(apdu.to_bytes() for apdu in stale)
    with peer(status(amount=2000, totals=GROUPS), leftover) as terminal:
        with driver_at(terminal.address) as driver:
            driver.totals(soon())
            assert terminal.quiet.wait(5)
            assert driver.totals(soon()).count == 3


def test_a_settlement_without_a_time() -> None:
    with peer(status(amount=2000, totals=GROUPS)) as terminal:
        with driver_at(terminal.address) as driver:
            done = driver.settle(soon())
    assert (done.time, done.totals.count, done.host_code) == (None, 3, "00")


@pytest.mark.parametrize(
    ("script", "error"),
    [
        (status(result=0x77), Refused),
        (status(totals=GROUPS), LinkFailed),
        (status(amount=1), LinkFailed),
        (lambda apdu: [YES, Apdu(0x060F)], LinkFailed),
        (lambda apdu: [YES, Apdu(0x040F, b"\x99"), Apdu(0x060F)], LinkFailed),
        (lambda apdu: [YES, Apdu(0x061E, b"\x6b")], Refused),
        (lambda apdu: [YES, Apdu(0x061E, b"\x00")], Refused),
        (lambda apdu: [YES, Apdu(0x061E)], LinkFailed),
    ],
)
def test_settlements_that_are_none(script: Script, error: type[Exception]) -> None:
    with peer(script) as terminal, driver_at(terminal.address) as driver:
        with pytest.raises(error) as caught:
            driver.settle(soon())
    assert type(caught.value) is error


WHOLE = bytes.fromhex(
    BindingTag.issue(b"k", mid=MID, tid=TID, mask="621626*********0018", version=1)
    .to_hex()
)  # fmt: skip


def test_a_file_in_blocks() -> None:
    blocks = (messages.File(b"x", at, None, WHOLE[at : at + 10]) for at in (0, 10, 20))
    rest = messages.File(b"x", None, None, WHOLE[30:])
    sent = [messages.FileSent((block,)).to_apdu() for block in (*blocks, rest)]
    with peer(lambda apdu: [YES, *sent, Apdu(0x060F)]) as terminal:
        with driver_at(terminal.address) as driver:
            tag = driver.binding_tag(soon())
    assert tag is not None and tag.to_hex() == WHOLE.hex().upper()


@pytest.mark.parametrize(
    "blocks",
    [
        [messages.File(b"x", 1, None, WHOLE)],
        [messages.File(b"x", 0, 2, WHOLE[:9]), messages.File(b"x", 10, 2, WHOLE[9:])],
        [messages.File(b"x", None, None, bytes(3000))] * 2,
        [messages.File(b"x", 0, 1, b"\xff")],
    ],
    ids=["not the beginning", "gap", "too large", "no tag"],
)
def test_files_that_are_no_tag(blocks: list[messages.File]) -> None:
    sent = [messages.FileSent((block,)).to_apdu() for block in blocks]
    with peer(lambda apdu: [YES, *sent, Apdu(0x060F)]) as terminal:
        with driver_at(terminal.address) as driver:
            with pytest.raises(LinkFailed, match=r"terminal\.answer"):
                driver.binding_tag(soon())
