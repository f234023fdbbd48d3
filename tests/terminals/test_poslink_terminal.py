"""The POSLink driver against the emulated terminal, its host behind it, on real wires.

Nothing is mocked: a pty or TCP between driver and terminal, TCP between terminal and
host; spoilt bytes are made by a relay in the middle of the wire.
"""

import os
import socket
import threading
import time
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

import pytest

from emulator.acquirer.isohost import IsoHost
from emulator.acquirer.ledger import Ledger, Merchant, TerminalRecord
from emulator.loop import LoopThread
from emulator.terminal.core import TerminalConfig
from emulator.terminal.device import EmulatedTerminal, Endpoints
from posctl.links.line import open_line
from posctl.model.deadline import Deadline
from posctl.model.errors import (
    LinkFailed,
    LinkTimeout,
    NoDevice,
    Refused,
    UsageError,
)
from posctl.terminals import TerminalDriver, open_terminal
from protocols import poslink
from protocols.iso8583 import FrameFeeder, Message, frame
from protocols.poslink import Request, Response

TID, MID = "10016919", "84329004582000B"
TMK = bytes.fromhex("1CF88AB5D64F314F9EF237FBD99E29CD")
OLD, NEW = "6216261000000000018", "6200000000000047"
SERIAL = "1150000001"
VARIABLES = {
    "tid": "terminalID",
    "mid": "merchantID",
    "merchant_name": "merchantName",
    "batch": "batchNumber",
    "last_settlement": "lastSettlementTime",
    "clock": "terminalClock",
    "binding_tag": "posctlBindingTag",
}


def soon() -> Deadline:
    return Deadline(5)


class World:
    """Ledger, host, and terminals that were started in it."""

    def __init__(self, loop: LoopThread) -> None:
        self.loop = loop
        self.ledger = Ledger()
        merchant = Merchant(MID, "全渠道便利店", "全渠道", OLD, "102100099996")
        self.ledger.merchants[MID] = merchant
        self.record = TerminalRecord(TID, MID, SERIAL, TMK, batch=7)
        self.ledger.terminals[TID] = self.record
        self.host = IsoHost(self.ledger)
        self.port = loop.run(self.host.start())
        self._started: list[EmulatedTerminal] = []

    def terminal(
        self,
        *,
        host: int | None = None,
        tmk: bytes = TMK,
        transactions: tuple[int, ...] = (1250, 990, -240),
        host_seconds: float = 5.0,
    ) -> tuple[EmulatedTerminal, Endpoints]:
        config = TerminalConfig(
            SERIAL,
            TID,
            MID,
            tmk,
            transactions=transactions,
            host_seconds=host_seconds,
        )
        terminal = EmulatedTerminal(config, ("127.0.0.1", host or self.port))
        self._started.append(terminal)
        return terminal, self.loop.run(terminal.start())

    def stop(self) -> None:
        for terminal in self._started:
            self.loop.run(terminal.stop())
        self.loop.run(self.host.stop())


@pytest.fixture
def world() -> Iterator[World]:
    with LoopThread() as loop:
        world = World(loop)
        yield world
        world.stop()


@contextmanager
def driver_at(address: str) -> Iterator[TerminalDriver]:
    driver = open_terminal("poslink", address, variables=VARIABLES)
    try:
        yield driver
    finally:
        driver.close()


def pty_of(ends: Endpoints) -> str:
    assert ends.pty is not None
    return ends.pty


@pytest.fixture(params=["pty", "tcp"])
def address(request: pytest.FixtureRequest) -> Callable[[Endpoints], str]:
    if request.param == "pty":
        return pty_of
    return lambda ends: f"tcp:127.0.0.1:{ends.tcp}"


def test_identify(world: World, address: Callable[[Endpoints], str]) -> None:
    _, ends = world.terminal()
    with driver_at(address(ends)) as driver:
        who = driver.identify(soon())
    assert (who.serial, who.model, who.tid, who.mid) == (SERIAL, "A920", TID, MID)
    assert who.firmware == "PayDroid 7.1.1 V1.00.00"


def test_variables_and_tag(world: World, address: Callable[[Endpoints], str]) -> None:
    _, ends = world.terminal(transactions=())
    with driver_at(address(ends)) as driver:
        found = driver.read_variables(VARIABLES, soon())
        tag = driver.binding_tag(soon())
    assert found["merchant_name"] == "全渠道便利店"
    assert found["batch"] == "000007"
    assert found["last_settlement"] is None
    assert tag is not None and tag.mask == "621626*********0018"
    assert tag.genuine(world.ledger.tag_key, mid=MID, tid=TID)
    assert world.record.tag_version_fetched == 1


@pytest.mark.req("R2")
def test_what_no_name_is_known_for_is_unknown(world: World) -> None:
    _, ends = world.terminal()
    names = {"tid": "noSuchVariable"}
    driver = open_terminal("poslink", pty_of(ends), variables=names)
    who = driver.identify(soon())
    assert (who.tid, who.mid) == (None, None)
    assert driver.binding_tag(soon()) is None
    assert "binding_tag" not in driver.capabilities
    driver.close()


def test_totals_and_settle(world: World, address: Callable[[Endpoints], str]) -> None:
    _, ends = world.terminal()
    world.record.batch = 1
    with driver_at(address(ends)) as driver:
        assert driver.totals(soon()).amount == Decimal("20.00")
        done = driver.settle(soon())
        after = driver.totals(soon())
        batch = driver.read_variables(["batch"], soon())["batch"]
    assert (done.batch, done.host_code) == ("000001", "00")
    assert (done.totals.count, done.totals.amount) == (3, Decimal("20.00"))
    assert (after.count, after.amount) == (0, Decimal("0.00"))
    assert batch == "000002" and world.record.batch == 2
    [settled] = world.host.settlements(TID)
    assert (settled.totals.debit_amount, settled.totals.credit_amount) == (2240, 240)


def test_processing_request_fetches_the_new_tag(
    world: World, address: Callable[[Endpoints], str]
) -> None:
    _, ends = world.terminal(transactions=())
    with driver_at(address(ends)) as driver:
        world.ledger.change_account(MID, NEW, request=6)
        before = driver.binding_tag(soon())
        assert before is not None and before.version == 1
        driver.settle(soon())
        after = driver.binding_tag(soon())
    assert after is not None
    assert (after.mask, after.version) == ("620000******0047", 2)
    assert world.record.processing_request == 0
    assert world.record.tag_version_fetched == 2


@pytest.mark.parametrize("wanted", [0, 2])
def test_other_processing_requests_fetch_nothing(world: World, wanted: int) -> None:
    _, ends = world.terminal(transactions=())
    world.ledger.change_account(MID, NEW, request=wanted)
    with driver_at(pty_of(ends)) as driver:
        driver.settle(soon())
        tag = driver.binding_tag(soon())
    assert tag is not None and tag.version == 1
    assert world.record.processing_request == 0


def test_request_three_signs_in_again(world: World) -> None:
    _, ends = world.terminal(transactions=())
    issued = world.record.working_keys
    world.record.processing_request = 3
    with driver_at(pty_of(ends)) as driver:
        driver.settle(soon())
    assert world.record.working_keys != issued
    assert world.record.processing_request == 0


def test_reset_makes_the_terminal_obey(world: World) -> None:
    _, ends = world.terminal()
    world.ledger.change_account(MID, NEW, request=1)
    answer = ask(ends, Request("A16"))
    assert answer.code == poslink.OK
    assert world.record.tag_version_fetched == 2


def ask(ends: Endpoints, request: Request) -> Response:
    link = open_line(f"tcp:127.0.0.1:{ends.tcp}")
    asking = poslink.Asking(request)
    link.write(asking.start(), soon())
    while asking.response is None:
        link.write(asking.receive(link.read(soon())), soon())
    link.close()
    return asking.response


# --- the host fails -------------------------------------------------------------


def test_host_down_leaves_the_batch(world: World) -> None:
    terminal, ends = world.terminal()
    world.loop.run(world.host.stop())
    with driver_at(pty_of(ends)) as driver:
        with pytest.raises(Refused) as caught:
            driver.settle(soon())
        assert driver.totals(soon()).count == 3
    assert caught.value.raw == "100007"
    assert terminal.core.batch == 1


def test_host_down_from_the_start(world: World) -> None:
    world.loop.run(world.host.stop())
    terminal, ends = world.terminal()
    assert terminal.host_error is not None
    with driver_at(pty_of(ends)) as driver:
        assert driver.identify(soon()).serial == SERIAL
        assert driver.binding_tag(soon()) is None


def test_master_key_differs(world: World) -> None:
    terminal, _ = world.terminal(tmk=bytes(range(16)))
    assert "PIK" in str(terminal.host_error)
    assert terminal.core.working_keys is None


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda w: w.ledger.terminals.clear(), "97"),
        (lambda w: w.ledger.merchants.clear(), "03"),
        (lambda w: setattr(w.record, "mid", "X" * 15), "03"),
        (lambda w: setattr(w.record, "batch", 9), "77"),
    ],
)
def test_host_refuses(world: World, change: Callable[[World], None], code: str) -> None:
    _, ends = world.terminal()
    world.record.batch = 1
    change(world)
    with driver_at(pty_of(ends)) as driver:
        with pytest.raises(Refused) as caught:
            driver.settle(soon())
        assert driver.totals(soon()).count == 3
    error = caught.value
    assert (error.raw, error.params["host_code"]) == ("000100", code)


def test_a_lost_mac_key_is_got_again(world: World) -> None:
    _, ends = world.terminal(transactions=())
    world.record.working_keys = (bytes(16), b"another!")
    with driver_at(pty_of(ends)) as driver:
        assert driver.settle(soon()).host_code == "00"
    assert len(world.host.settlements(TID)) == 1


class Relay:
    """TCP in the middle: each whole host answer goes through ``change``."""

    def __init__(self, port: int) -> None:
        self.change: Callable[[bytes], bytes] = lambda payload: payload
        self._port = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            with client, socket.create_connection(("127.0.0.1", self._port)) as host:
                client.settimeout(5)
                host.settimeout(5)
                host.sendall(client.recv(4096))
                feeder = FrameFeeder()
                while not (found := feeder.feed(host.recv(4096))):
                    pass
                client.sendall(frame(self.change(found[0])))

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(5)


@pytest.fixture
def relay(world: World) -> Iterator[Relay]:
    relay = Relay(world.port)
    yield relay
    relay.close()


def spoil_last_byte(payload: bytes) -> bytes:
    return payload[:-1] + bytes([payload[-1] ^ 1])


def test_wrong_key_check_value_on_the_wire(world: World, relay: Relay) -> None:
    relay.change = spoil_last_byte  # F62 is the last field: the KCV of the MAK
    terminal, _ = world.terminal(host=relay.port)
    assert "MAK" in str(terminal.host_error)


def test_wrong_mac_of_the_answer(world: World, relay: Relay) -> None:
    _, ends = world.terminal(host=relay.port)
    world.record.batch = 1
    relay.change = spoil_last_byte
    with driver_at(pty_of(ends)) as driver:
        with pytest.raises(Refused) as caught:
            driver.settle(soon())
        assert caught.value.raw == "100009"
        assert driver.totals(soon()).count == 3
        relay.change = bytes
        assert driver.settle(soon()).totals.count == 3
    assert len(world.host.settlements(TID)) == 1


def test_answer_without_a_mac_is_not_believed(world: World, relay: Relay) -> None:
    def strip(payload: bytes) -> bytes:
        message = Message.from_bytes(payload)
        fields = {n: v for n, v in message.fields.items() if n != 64}
        return Message(message.mti, fields, message.tpdu, message.header).to_bytes()

    _, ends = world.terminal(host=relay.port)
    relay.change = strip
    world.record.batch = 1
    with driver_at(pty_of(ends)) as driver:
        with pytest.raises(Refused) as caught:
            driver.settle(soon())
    assert caught.value.raw == "100009"


def test_a_replayed_request_is_refused(world: World) -> None:
    world.terminal()
    message = Message("0820", {11: "000900", 41: TID, 42: MID, 60: "00000001301"})
    codes = [str(exchange(world, message).fields[39]) for _ in range(2)]
    assert codes == ["00", "94"]


def exchange(world: World, message: Message) -> Message:
    with socket.create_connection(("127.0.0.1", world.port), 5) as connection:
        connection.sendall(frame(message.to_bytes()))
        feeder = FrameFeeder()
        while not (found := feeder.feed(connection.recv(4096))):
            pass
    return Message.from_bytes(found[0])


def test_host_closes_on_garbage(world: World) -> None:
    for garbage in (b"\xff\xff", b"\x00\x05hello", b"GET / HTTP/1.1\r\n\r\n"):
        with socket.create_connection(("127.0.0.1", world.port), 5) as connection:
            connection.sendall(garbage)
            assert connection.recv(10) == b""


def test_answer_swaps_the_tpdu(world: World) -> None:
    fields = {11: "000001", 41: "99999999", 42: MID, 60: "00000001301"}
    answer = exchange(world, Message("0800", fields, bytes.fromhex("6000490001")))
    assert answer.tpdu.hex() == "6000010049"
    assert (answer.mti, answer.fields[39]) == ("0810", "97")


# --- the line fails -------------------------------------------------------------


class FakeEnd:
    """The device end of a real pty, played byte by byte by a test's script."""

    def __init__(self) -> None:
        self.master, self.slave = os.openpty()
        tty.setraw(self.slave)
        self.path = os.ttyname(self.slave)
        self._thread: threading.Thread | None = None

    def play(self, script: Callable[["FakeEnd"], None]) -> None:
        self._thread = threading.Thread(target=script, args=(self,), daemon=True)
        self._thread.start()

    def read_until(self, last: bytes) -> bytes:
        data = b""
        while last not in data:
            data += os.read(self.master, 4096)
        return data

    def send(self, data: bytes) -> None:
        os.write(self.master, data)

    def unplug(self) -> None:
        for handle in (self.master, self.slave):
            if handle >= 0:
                os.close(handle)
        self.master = self.slave = -1

    def close(self) -> None:
        if self._thread:
            self._thread.join(5)
        self.unplug()


@pytest.fixture
def device() -> Iterator[FakeEnd]:
    end = FakeEnd()
    yield end
    end.close()


A01 = poslink.frame(Response("A01", "000000", "OK", (SERIAL,)).to_bytes())


@pytest.mark.req("R43")
def test_silence_ends_at_the_deadline(device: FakeEnd) -> None:
    with driver_at(device.path) as driver:
        begun = time.monotonic()
        with pytest.raises(LinkTimeout) as caught:
            driver.identify(Deadline(0.3))
    assert caught.value.code == "terminal.silent"
    assert 0.25 < time.monotonic() - begun < 1.0


@pytest.mark.req("R43")
def test_a_dripping_line_ends_at_the_deadline(device: FakeEnd) -> None:
    def drip(end: FakeEnd) -> None:
        for _ in range(30):
            time.sleep(0.02)
            try:
                end.send(b"\xaa")
            except OSError:
                return

    with driver_at(device.path) as driver:
        device.play(drip)
        begun = time.monotonic()
        with pytest.raises(LinkTimeout):
            driver.identify(Deadline(0.4))
    assert time.monotonic() - begun < 1.2


def test_nak_is_repeated_three_times(device: FakeEnd) -> None:
    seen: list[bytes] = []

    def refuse(end: FakeEnd) -> None:
        for _ in range(3):
            seen.append(end.read_until(b"\x03"))
            end.send(b"\x15")
        end.read_until(b"\x04")
        seen.append(b"EOT")

    device.play(refuse)
    with driver_at(device.path) as driver:
        with pytest.raises(LinkFailed) as caught:
            driver.identify(soon())
        device.close()
    assert caught.value.code == "terminal.session"
    assert len(seen) == 4 and seen[3] == b"EOT"


def test_noise_and_a_spoilt_answer_are_survived(device: FakeEnd) -> None:
    def noisy(end: FakeEnd) -> None:
        end.read_until(b"\x03")
        end.send(b"\xf0\x0f\x06" + A01[:-1] + b"\x00")
        end.read_until(b"\x15")
        end.send(A01)

    device.play(noisy)
    driver = open_terminal("poslink", device.path, variables={})
    assert driver.identify(soon()).serial == SERIAL
    driver.close()


def test_answer_to_another_command(device: FakeEnd) -> None:
    def wrong(end: FakeEnd) -> None:
        end.read_until(b"\x03")
        end.send(b"\x06" + A01)

    device.play(wrong)
    with driver_at(device.path) as driver, pytest.raises(LinkFailed) as caught:
        driver.settle(soon())
    assert caught.value.code == "terminal.answer"


@pytest.mark.req("R48")
def test_a_number_in_the_text_is_masked(device: FakeEnd) -> None:
    refusal = Response("A01", "100003", f"BAD CARD {OLD}")

    def refuse(end: FakeEnd) -> None:
        end.read_until(b"\x03")
        end.send(b"\x06" + poslink.frame(refusal.to_bytes()))

    device.play(refuse)
    with driver_at(device.path) as driver, pytest.raises(Refused) as caught:
        driver.identify(soon())
    assert OLD not in str(caught.value) and OLD not in repr(caught.value)
    assert caught.value.params["text"] == "BAD CARD 621626*********0018"


def test_unplugged_while_waiting(device: FakeEnd) -> None:
    def unplug(end: FakeEnd) -> None:
        end.read_until(b"\x03")
        end.unplug()

    with driver_at(device.path) as driver:
        device.play(unplug)
        begun = time.monotonic()
        with pytest.raises(LinkFailed) as caught:
            driver.identify(Deadline(20))
    assert caught.value.code == "link.lost"
    assert time.monotonic() - begun < 2


def test_unplugged_between_two_questions(
    world: World, address: Callable[[Endpoints], str]
) -> None:
    terminal, ends = world.terminal()
    with driver_at(address(ends)) as driver:
        driver.identify(soon())
        world.loop.run(terminal.stop())
        with pytest.raises(LinkFailed) as caught:
            driver.identify(soon())
    assert caught.value.code == "link.lost"


def test_terminal_survives_clients_that_come_and_go(world: World) -> None:
    _, ends = world.terminal()
    link = open_line(pty_of(ends))
    link.write(poslink.frame(Request("A00").to_bytes())[:5], soon())
    link.close()
    for _ in range(3):
        with driver_at(pty_of(ends)) as driver:
            assert driver.identify(soon()).serial == SERIAL


def test_terminal_repeats_its_answer_on_nak(world: World) -> None:
    _, ends = world.terminal()
    link = open_line(f"tcp:127.0.0.1:{ends.tcp}")
    feeder = poslink.Feeder()

    def next_events(data: bytes) -> list[poslink.Event]:
        link.write(data, soon())
        while not (found := feeder.feed(link.read(soon()))):
            pass
        return found

    events = next_events(poslink.frame(Request("A00").to_bytes()))
    while len(events) < 2:
        events += feeder.feed(link.read(soon()))
    answer = events[1]
    assert next_events(b"\x15") == [answer]
    assert next_events(b"\x15") == [answer]
    assert next_events(b"\x15") == [poslink.Control.EOT]
    link.close()


def test_unknown_command_is_answered(world: World) -> None:
    _, ends = world.terminal()
    assert ask(ends, Request("T00")).code == "100004"
    assert ask(ends, Request("A02", ("00",))).code == "100003"


# --- opening --------------------------------------------------------------------


def test_port_missing(tmp_path: Path) -> None:
    with pytest.raises(NoDevice) as caught:
        open_line(str(tmp_path / "ttyUSB9"))
    assert caught.value.code == "port.missing"
    assert "ttyUSB9" in str(caught.value.params["port"])


def test_port_busy(world: World) -> None:
    _, ends = world.terminal()
    with driver_at(pty_of(ends)), pytest.raises(NoDevice) as caught:
        open_line(pty_of(ends))
    assert caught.value.code == "port.busy"


@contextmanager
def as_nobody() -> Iterator[None]:
    """Root may open every port, so it steps down for a moment."""
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(user)


def test_port_denied(tmp_path: Path) -> None:
    forbidden = tmp_path / "ttyS9"
    forbidden.touch(0o000)
    with as_nobody(), pytest.raises(NoDevice) as caught:
        open_line(str(forbidden))
    assert caught.value.code == "port.denied"


def test_not_a_serial_port(tmp_path: Path) -> None:
    plain = tmp_path / "notes.txt"
    plain.touch()
    with pytest.raises(NoDevice) as caught:
        open_line(str(plain))
    assert caught.value.code == "port.unusable"


def test_tcp_refused() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(LinkFailed) as caught:
        open_line(f"tcp:127.0.0.1:{port}")
    assert caught.value.code == "link.refused"


@pytest.mark.parametrize(
    "address", ["tcp:", "tcp:host", "tcp::1", "tcp:h:x", "tcp:h:99999", "tcp:h:1/x"]
)
def test_wrong_tcp_address(address: str) -> None:
    with pytest.raises(UsageError) as caught:
        open_line(address)
    assert caught.value.code == "line.address"


def test_unknown_protocol_or_variable() -> None:
    with pytest.raises(UsageError) as caught:
        open_terminal("morse", "/dev/null")
    assert caught.value.code == "terminal.protocol"
    with pytest.raises(UsageError) as caught:
        open_terminal("poslink", "/dev/null", variables={"pan": "x"})
    assert caught.value.code == "terminal.variable"


def test_links_count_bytes(world: World, address: Callable[[Endpoints], str]) -> None:
    _, ends = world.terminal()
    link = open_line(address(ends))
    request = poslink.frame(Request("A00").to_bytes())
    link.write(request, soon())
    got = link.read(soon())
    assert link.bytes_out == len(request)
    assert link.bytes_in == len(got)
    link.close()


def test_loop_thread_leaves_nothing() -> None:
    before = set(threading.enumerate())
    with LoopThread() as loop:
        world = World(loop)
        world.terminal()
        world.stop()
    assert set(threading.enumerate()) <= before
