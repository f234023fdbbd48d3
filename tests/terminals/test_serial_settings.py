"""A serial line that honours what a pty cannot, and one that takes its time.

pyserial's own RFC 2217 client is at the other end; through posctl's link where posctl
has the setting.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest
import serial
from zvtworld import SERIAL_NUMBER, TID, World, pty_of

from emulator.faults import Fault
from emulator.loop import LoopThread
from emulator.terminal.device import EmulatedTerminal, Endpoints
from posctl.links.line import open_line
from posctl.model.deadline import Deadline
from posctl.model.errors import LinkFailed, LinkTimeout, UsageError
from posctl.terminals import open_terminal
from protocols import poslink
from protocols.poslink import Asking, Request

IDENTIFY = poslink.frame(Request("A00").to_bytes())
Start = Callable[..., tuple[EmulatedTerminal, Endpoints]]


@pytest.fixture
def world() -> Iterator[World]:
    with LoopThread() as loop:
        made = World(loop)
        yield made
        made.stop()


@pytest.fixture
def start(world: World) -> Start:
    def begin(**told: Any) -> tuple[EmulatedTerminal, Endpoints]:
        return world.terminal(**{"protocol": "poslink", "rfc2217": True, **told})

    return begin


def url_of(ends: Endpoints) -> str:
    return f"rfc2217://127.0.0.1:{ends.rfc2217}"


def client(ends: Endpoints, **told: Any) -> Any:
    return serial.serial_for_url(url_of(ends), **{"timeout": 0.3, **told})


def answers(port: Any) -> bool:
    """Whether the terminal tells who it is."""
    asking = Asking(Request("A00"))
    port.write(asking.start())
    while asking.response is None:
        if not (arrived := port.read(1) + port.read(port.in_waiting)):
            return False
        port.write(asking.receive(arrived))
    return True


def soon(condition: Callable[[], bool]) -> bool:
    end = time.monotonic() + 3
    while not condition() and time.monotonic() < end:
        time.sleep(0.01)
    return condition()


@pytest.mark.parametrize("protocol", ["poslink", "zvt", "abecs"])
def test_every_driver_over_the_network(start: Start, protocol: str) -> None:
    _, ends = start(protocol=protocol)
    with closing(open_terminal(protocol, url_of(ends))) as driver:
        assert driver.identify(Deadline(10)).serial == SERIAL_NUMBER


def test_a_settlement_over_the_network(world: World, start: Start) -> None:
    _, ends = start()
    with closing(open_terminal("poslink", url_of(ends))) as driver:
        assert driver.settle(Deadline(10)).totals.count == 3
    assert len(world.host.settlements(TID)) == 1


@pytest.mark.parametrize(
    "told",
    [{"bytesize": 7, "parity": "E"}, {"bytesize": 7, "parity": "O"}, {"parity": "E"}],
    ids=["7E1", "7O1", "8E1"],
)
@pytest.mark.parametrize("wrong_baud", ["silence", "garbage"])
def test_a_client_needs_the_terminals_framing(
    start: Start, told: dict[str, Any], wrong_baud: str
) -> None:
    _, ends = start(**told, wrong_baud=wrong_baud)
    with closing(client(ends, **told)) as port:
        assert answers(port)
    with closing(client(ends)) as port:  # 8N1
        port.write(IDENTIFY)
        assert bool(port.read(1)) is (wrong_baud == "garbage")


def test_another_speed(start: Start) -> None:
    _, ends = start(baud=19200)
    with closing(open_terminal("poslink", url_of(ends), baud=9600)) as driver:
        with pytest.raises(LinkTimeout, match=r"terminal\.silent"):
            driver.identify(Deadline(0.4))
    with closing(open_terminal("poslink", url_of(ends), baud=19200)) as driver:
        assert driver.identify(Deadline(5)).serial == SERIAL_NUMBER


def test_a_terminal_that_needs_dtr(start: Start) -> None:
    _, ends = start(needs_dtr=True)
    with closing(client(ends)) as port:
        assert answers(port)
        port.dtr = False
        assert not answers(port)
        port.dtr = True
        assert answers(port)


def test_modem_lines_reach_the_client_and_without_carrier_nothing_does(
    start: Start,
) -> None:
    terminal, ends = start()
    with closing(client(ends)) as port:
        assert port.cts and port.dsr and port.cd
        assert terminal.rfc2217 is not None and terminal.rfc2217.uart is not None
        uart = terminal.rfc2217.uart
        uart.cts = uart.cd = False
        assert soon(lambda: not port.cts) and not port.cd and port.dsr
        assert not answers(port)
        uart.cts = uart.cd = True
        assert soon(lambda: bool(port.cts)) and answers(port)
        port.rts = False
        assert soon(lambda: not uart.rts)


def test_a_break_begins_the_conversation_anew(start: Start) -> None:
    terminal, ends = start()
    with closing(client(ends)) as port:
        port.write(IDENTIFY[:5])
        port.send_break(0.1)
        assert terminal.rfc2217 is not None and terminal.rfc2217.uart is not None
        assert terminal.rfc2217.uart.breaks == 1
        assert answers(port)


def test_bytes_that_telnet_would_take_for_its_own(start: Start) -> None:
    terminal, ends = start()
    terminal.faults.add(Fault("*", "garbage", body=b"\xff\xf0\xff\xff\x00"))
    with closing(open_line(url_of(ends))) as link:
        link.write(IDENTIFY, Deadline(3))
        found = b""
        while len(found) < 5:
            found += link.read(Deadline(3))
    assert found == b"\xff\xf0\xff\xff\x00"


@pytest.mark.parametrize("fault", ["hang_up", "hang_up_after", "power_cut"])
def test_a_line_that_breaks_is_told_at_once(start: Start, fault: str) -> None:
    terminal, ends = start()
    terminal.faults.add(Fault("A00", fault))
    begun = time.monotonic()
    with closing(open_terminal("poslink", url_of(ends))) as driver:
        with pytest.raises(LinkFailed) as caught:
            driver.identify(Deadline(5))
    assert caught.value.code == "link.lost" and time.monotonic() - begun < 3


@pytest.mark.parametrize(
    "url", ["rfc2217://", "rfc2217://127.0.0.1", "rfc2217://a:1/x", "rfc2217://a:x"]
)
def test_an_address_that_is_none(url: str) -> None:
    with pytest.raises(UsageError, match=r"line\.address"):
        open_line(url)


def test_nobody_there() -> None:
    with pytest.raises(LinkFailed, match=r"link\.unreachable"):
        open_line("rfc2217://127.0.0.1:1")


# --- the time that bytes take ---------------------------------------------------------


def _taken(ends: Endpoints, address: str) -> tuple[float, float]:
    """Seconds of an identification, and what the wire alone takes."""
    with closing(open_terminal("poslink", address, baud=9600)) as driver:
        begun = time.monotonic()
        driver.identify(Deadline(5))
        return time.monotonic() - begun, driver.traffic * 10 / 9600


@pytest.mark.parametrize("line", ["pty", "rfc2217"])
def test_a_paced_line_is_never_faster_than_the_wire(start: Start, line: str) -> None:
    _, ends = start(paced=True)
    address = pty_of(ends) if line == "pty" else url_of(ends)
    taken, wire = _taken(ends, address)
    assert taken >= wire * 0.99


def test_an_unpaced_line_does_not_wait(start: Start) -> None:
    _, ends = start()
    taken, wire = _taken(ends, pty_of(ends))
    assert taken < wire


def test_a_broken_paced_line_says_no_more(start: Start) -> None:
    terminal, ends = start(paced=True)
    terminal.faults.add(Fault("A00", "hang_up_after"))
    with closing(open_terminal("poslink", pty_of(ends))) as driver:
        with pytest.raises(LinkFailed, match=r"link\.lost"):
            driver.identify(Deadline(5))
