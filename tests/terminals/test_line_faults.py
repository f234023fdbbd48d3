"""A terminal at another speed, and one whose line fails, as the driver sees them.

Nothing is mocked: a pty or TCP between driver and terminal. The terminal has no host;
what is asked here (A00, R00) needs none, and B00 shows by its trace number whether
the terminal acted.
"""

from __future__ import annotations

import os
import select
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from emulator.bench import Bench, Scenario
from emulator.faults import Fault
from emulator.loop import LoopThread
from emulator.terminal.core import TerminalConfig
from emulator.terminal.device import EmulatedTerminal, Endpoints
from posctl.links import ByteLink
from posctl.links.line import open_line
from posctl.model.deadline import Deadline
from posctl.model.errors import LinkFailed, LinkTimeout, Refused
from posctl.terminals import NotTaken, TerminalDriver, open_terminal
from protocols import poslink
from protocols.poslink import Request

SERIAL = "1150000001"
CONTROLS = frozenset(b"\x02\x03\x04\x06\x15")
IDENTIFY = poslink.frame(Request("A00").to_bytes())
SETTLE = poslink.frame(Request("B00").to_bytes())
SHORT = 0.4
Start = Callable[..., tuple[EmulatedTerminal, Endpoints]]


def soon() -> Deadline:
    return Deadline(5)


@pytest.fixture
def loop() -> Iterator[LoopThread]:
    with LoopThread() as loop:
        yield loop


@pytest.fixture
def start(loop: LoopThread) -> Iterator[Start]:
    started: list[EmulatedTerminal] = []

    def make(**config: Any) -> tuple[EmulatedTerminal, Endpoints]:
        known = {"tid": "10016919", "mid": "84329004582000B", "tmk": bytes(range(16))}
        terminal = EmulatedTerminal(TerminalConfig(SERIAL, **{**known, **config}))
        started.append(terminal)
        return terminal, loop.run(terminal.start())

    yield make
    for terminal in started:
        loop.run(terminal.stop())


@contextmanager
def driver_at(address: str, baud: int = 9600) -> Iterator[TerminalDriver]:
    driver = open_terminal("poslink", address, baud=baud)
    try:
        yield driver
    finally:
        driver.close()


@contextmanager
def line_to(address: str, baud: int = 9600) -> Iterator[ByteLink]:
    link = open_line(address, baud=baud)
    try:
        yield link
    finally:
        link.close()


def pty_of(ends: Endpoints) -> str:
    assert ends.pty is not None
    return ends.pty


@pytest.fixture(params=["pty", "tcp"])
def address(request: pytest.FixtureRequest) -> Callable[[Endpoints], str]:
    if request.param == "pty":
        return pty_of
    return lambda ends: f"tcp:127.0.0.1:{ends.tcp}"


def read_bytes(link: ByteLink, size: int) -> bytes:
    data, deadline = b"", soon()
    while len(data) < size:
        data += link.read(deadline)
    return data


def times_out(driver: TerminalDriver, link: str, code: str) -> None:
    begun = time.monotonic()
    with pytest.raises(LinkTimeout) as caught:
        driver.identify(Deadline(SHORT))
    assert SHORT <= time.monotonic() - begun < SHORT + 1
    assert caught.value.code == code
    params = caught.value.params
    assert (params["seconds"], params["link"]) == (SHORT, link)
    assert caught.value.frames[0].endswith(" > A00 | 1.28")


def identifies(driver: TerminalDriver) -> None:
    assert driver.identify(soon()).serial == SERIAL


# --- speeds ---------------------------------------------------------------------


@pytest.mark.parametrize("baud", [1200, 9600, 115200])
def test_the_right_speed_works(start: Start, baud: int) -> None:
    _, ends = start(baud=baud)
    with driver_at(pty_of(ends), baud) as driver:
        identifies(driver)
        assert driver.totals(soon()).count == 0


def test_a_client_that_sets_no_speed_has_the_right_one(start: Start) -> None:
    _, ends = start(baud=115200)
    handle = os.open(pty_of(ends), os.O_RDWR | os.O_NOCTTY)
    try:
        os.write(handle, IDENTIFY)
        assert select.select([handle], [], [], 5)[0]
        assert os.read(handle, 1) == b"\x06"
    finally:
        os.close(handle)


# pyserial sets 12345 too, as a speed that termios has no number for.
@pytest.mark.parametrize(
    ("own", "other"), [(9600, 19200), (115200, 9600), (9600, 12345)]
)
def test_another_speed_is_met_with_silence(start: Start, own: int, other: int) -> None:
    _, ends = start(baud=own)
    with driver_at(pty_of(ends), other) as driver:
        times_out(driver, pty_of(ends), "terminal.silent")
        assert driver.traffic == len(IDENTIFY)
    with driver_at(pty_of(ends), own) as driver:
        identifies(driver)


def test_another_speed_is_met_with_garbage(start: Start) -> None:
    _, ends = start(baud=115200, wrong_baud="garbage")
    with driver_at(pty_of(ends)) as driver:
        times_out(driver, pty_of(ends), "terminal.garbage")
        assert driver.traffic == 2 * len(IDENTIFY)
    with driver_at(pty_of(ends), 115200) as driver:
        identifies(driver)


def test_garbage_is_the_same_each_time_and_holds_no_control(start: Start) -> None:
    _, ends = start(wrong_baud="garbage")
    sent = bytes(range(256))
    with line_to(pty_of(ends), 19200) as link:
        got = []
        for _ in range(2):
            link.write(sent, soon())
            got.append(read_bytes(link, len(sent)))
    assert got[0] == got[1]
    assert CONTROLS.isdisjoint(got[0])


def test_an_answer_to_a_client_that_changed_its_speed(start: Start) -> None:
    terminal, ends = start(wrong_baud="garbage")
    with socket.create_server(("127.0.0.1", 0)) as host:
        host.settimeout(5)
        terminal.host.address = host.getsockname()
        with line_to(pty_of(ends)) as link:
            link.write(SETTLE, soon())
            assert link.read(soon()) == b"\x06"
        waiting, _ = host.accept()
        with line_to(pty_of(ends), 19200) as link:
            waiting.close()
            answer = read_bytes(link, 20)
    assert CONTROLS.isdisjoint(answer)
    with driver_at(pty_of(ends)) as driver:
        identifies(driver)


def test_what_comes_at_another_speed_reaches_no_fault(start: Start) -> None:
    terminal, ends = start()
    terminal.faults.add(Fault("*", "nak"))
    with driver_at(pty_of(ends), 19200) as driver:
        times_out(driver, pty_of(ends), "terminal.silent")
    assert terminal.faults.struck == []


@pytest.mark.parametrize("config", [{"wrong_baud": "noise"}, {"baud": 12345}])
def test_what_no_terminal_can_be_set_to(start: Start, config: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"noise|12345"):
        start(**config)


def test_the_scenario_sets_the_speed(tmp_path: Path) -> None:
    wanted = Scenario(direct=True, baud=19200, wrong_baud="garbage")
    with Bench(tmp_path, wanted) as bench:
        with driver_at(bench.port, 19200) as driver:
            assert driver.totals(soon()).count == 3
        with line_to(bench.port) as link:
            link.write(IDENTIFY, soon())
            assert CONTROLS.isdisjoint(read_bytes(link, len(IDENTIFY)))


# --- faults of the line ---------------------------------------------------------


def test_nak_to_every_try(start: Start, address: Callable[[Endpoints], str]) -> None:
    terminal, ends = start()
    terminal.faults.add(Fault("*", "nak", times=poslink.MAX_TRIES))
    with driver_at(address(ends)) as driver:
        with pytest.raises(LinkFailed) as caught:
            driver.identify(soon())
        identifies(driver)
    assert type(caught.value) is NotTaken
    assert caught.value.code == "terminal.session"
    assert caught.value.params == {"reason": "request refused 3 times"}
    assert len(terminal.faults.struck) == poslink.MAX_TRIES


def test_one_nak_is_got_over(start: Start, address: Callable[[Endpoints], str]) -> None:
    terminal, ends = start()
    terminal.faults.add(Fault("*", "nak"))
    with driver_at(address(ends)) as driver:
        identifies(driver)
    assert len(terminal.faults.struck) == 1


@pytest.mark.parametrize(
    ("fault", "answered"),
    [
        (Fault("*", "silence"), 0),
        (Fault("*", "garbage"), len(IDENTIFY)),
        (Fault("*", "garbage", body=b"\xff\x00\xff"), 3),
    ],
    ids=["silence", "garbage", "body"],
)
def test_no_answer_once(
    start: Start, address: Callable[[Endpoints], str], fault: Fault, answered: int
) -> None:
    terminal, ends = start()
    terminal.faults.add(fault)
    with driver_at(address(ends)) as driver:
        times_out(
            driver, address(ends), "terminal.garbage" if answered else "terminal.silent"
        )
        assert driver.traffic == len(IDENTIFY) + answered
        identifies(driver)
    assert terminal.faults.struck == [fault]


def test_a_fault_strikes_its_command_only(start: Start) -> None:
    terminal, ends = start()
    terminal.faults.add(Fault("R00", "nak", times=poslink.MAX_TRIES, after=1))
    with driver_at(pty_of(ends)) as driver:
        assert driver.totals(soon()).count == 0
        identifies(driver)
        with pytest.raises(LinkFailed, match=r"terminal\.session"):
            driver.totals(soon())
        assert driver.totals(soon()).count == 0


def test_a_struck_request_is_not_carried_out(
    start: Start, address: Callable[[Endpoints], str]
) -> None:
    terminal, ends = start()
    trace = terminal.core.stan
    terminal.faults.add(Fault("B00", "nak", times=poslink.MAX_TRIES))
    with driver_at(address(ends)) as driver:
        with pytest.raises(LinkFailed, match=r"terminal\.session"):
            driver.settle(soon())
        assert terminal.core.stan == trace
        with pytest.raises(Refused, match="100007"):
            driver.settle(soon())
    assert terminal.core.stan > trace


def test_a_fault_that_no_line_has(start: Start) -> None:
    terminal, _ = start()
    with pytest.raises(ValueError, match="busy"):
        terminal.faults.add(Fault("*", "busy"))
