"""Every fault of a line in every operation of every driver: the table in the docs.

Real wires between driver and terminal, a host behind the terminal that counts the
settlements.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from zvtworld import SERIAL_NUMBER, TID, World, pty_of, tcp_of

from emulator.faults import Fault
from emulator.loop import LoopThread
from emulator.terminal.device import EmulatedTerminal, Endpoints
from emulator.terminal.ports import ACTIONS
from emulator.terminal.zvt import TAG_FILE, ZvtFace
from posctl.links.line import open_line
from posctl.model.deadline import Deadline
from posctl.model.errors import LinkFailed, PosctlError, Refused
from posctl.terminals import NotTaken, TerminalDriver, open_terminal
from posctl.terminals.zvt import Zvt
from protocols.zvt import SERIAL, TCP, Timers

ROOT = Path(__file__).parents[2]
RECOVERED = "recovered"
LATE, SHORT, LONG = 0.2, 0.5, 5.0
COLUMNS = {
    "POSLink, serial and TCP": ("poslink", ("pty", "tcp")),
    "ZVT serial": ("zvt", ("pty",)),
    "ZVT TCP": ("zvt", ("tcp",)),
    "ABECS, serial and TCP": ("abecs", ("pty", "tcp")),
}
VARIABLES = {
    "poslink": {"tid": "terminalID", "binding_tag": "posctlBindingTag"},
    "zvt": {"binding_tag": TAG_FILE},
    "abecs": {},
}
WORK: dict[str, Callable[[TerminalDriver, Deadline], Any]] = {
    "identify": lambda driver, end: driver.identify(end).serial == SERIAL_NUMBER,
    "variables": lambda driver, end: driver.read_variables(("tid",), end)["tid"] == TID,
    "totals": lambda driver, end: driver.totals(end).count == 3,
    "settle": lambda driver, end: driver.settle(end).totals.count == 3,
    "tag": lambda driver, end: driver.binding_tag(end) is not None,
}
OPERATIONS = {
    "poslink": {
        "identify": "A00",
        "variables": "A02",
        "totals": "R00",
        "settle": "B00",
        "tag": "A02",
    },
    "zvt": {
        "identify": "05 01",
        "variables": "05 01",
        "totals": "06 10",
        "settle": "06 50",
        "tag": "08 11",
    },
    "abecs": {"identify": "GIX"},
}
PATIENCE = {"poslink": SHORT, "zvt": LONG, "abecs": 3.0}
"""Of the deadline where an error is to come: POSLink has no times of its own."""


@dataclass(frozen=True)
class Cell:
    fault: str
    done: bool
    protocol: str
    line: str
    outcomes: frozenset[str]


def _rows() -> list[list[str]]:
    text = (ROOT / "docs/terminals.md").read_text(encoding="utf-8")
    section = text.partition("## Faults of the line")[2].partition("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [rows[0], *rows[2:]]


def _cells() -> Iterator[Cell]:
    header, *rows = _rows()
    for fault, done, *told in rows:
        name = re.findall(r"`(\w+)`", fault)[0]
        for column, cell in zip(header[2:], told, strict=True):
            outcomes = frozenset(re.findall(r"`([a-z._]+)`", cell)) or {RECOVERED}
            protocol, lines = COLUMNS[column]
            for line in lines:
                yield Cell(name, done == "yes", protocol, line, frozenset(outcomes))


CELLS = list(_cells())


def test_the_table_has_every_fault_and_column() -> None:
    assert {cell.fault for cell in CELLS} == ACTIONS
    lines = sum(len(lines) for _, lines in COLUMNS.values())
    assert len(CELLS) == len(ACTIONS) * lines


TIMERS = Timers(t1=0.1, t2=0.2, t3=0.5, t4=0.8)
"""Of ZVT, at both ends."""


def _terminal(world: World, protocol: str) -> tuple[EmulatedTerminal, Endpoints]:
    terminal, ends = world.terminal(protocol=protocol)
    if isinstance(terminal.face, ZvtFace):
        terminal.face.timers = TIMERS
    return terminal, ends


def _driver(protocol: str, address: str) -> TerminalDriver:
    variables = VARIABLES[protocol]
    if protocol != "zvt":
        return open_terminal(protocol, address, variables=variables)
    transport = TCP if address.startswith("tcp:") else SERIAL
    return Zvt(open_line(address, stop_bits=2), transport, variables, timers=TIMERS)


def _address(line: str, ends: Endpoints) -> str:
    return pty_of(ends) if line == "pty" else tcp_of(ends)


def _outcome(cell: Cell, operation: str, driver: TerminalDriver) -> str:
    """What the driver makes of it; that it claims too much fails here."""
    recovers = RECOVERED in cell.outcomes
    seconds = LONG if recovers else PATIENCE[cell.protocol]
    try:
        assert WORK[operation](driver, Deadline(seconds)), "a wrong answer"
    except (LinkFailed, Refused) as error:
        assert not (isinstance(error, NotTaken) and cell.done)
        return error.code
    return RECOVERED


def _settled(world: World, wanted: int) -> int:
    """The terminal may still be at it when the driver has given up."""
    end = time.monotonic() + 3
    while len(world.host.settlements(TID)) < wanted and time.monotonic() < end:
        time.sleep(0.01)
    return len(world.host.settlements(TID))


def _next_question(cell: Cell, terminal: EmulatedTerminal, driver: Any) -> None:
    """It gets its own answer, and not what is left of the one before."""
    assert driver.identify(Deadline(LONG)).serial == SERIAL_NUMBER
    if cell.protocol != "abecs":
        assert driver.totals(Deadline(LONG)).count == terminal.core.count


def _try(loop: LoopThread, cell: Cell, operation: str, command: str) -> None:
    world = World(loop)
    terminal, ends = _terminal(world, cell.protocol)
    anew: list[Endpoints] = []
    terminal.plugged = anew.append
    terminal.faults.add(Fault(command, cell.fault, seconds=LATE))
    driver = _driver(cell.protocol, _address(cell.line, ends))
    try:
        outcome = _outcome(cell, operation, driver)
        assert outcome in cell.outcomes
        done = RECOVERED in cell.outcomes or cell.done
        wanted = int(operation == "settle" and done)
        assert _settled(world, wanted) == wanted
        assert terminal.core.asked.count(command) == int(done)
        if outcome == "link.lost":
            driver.close()
            ends = _plugged_in(loop, terminal, cell, anew)
            driver = _driver(cell.protocol, _address(cell.line, ends))
        _next_question(cell, terminal, driver)
    finally:
        driver.close()
        world.stop()


def _plugged_in(
    loop: LoopThread, terminal: EmulatedTerminal, cell: Cell, anew: list[Endpoints]
) -> Endpoints:
    """By itself after a power cut, by a person after a broken line."""
    if cell.fault != "power_cut":
        return loop.run(terminal.plug())
    end = time.monotonic() + 5
    while not anew and time.monotonic() < end:
        time.sleep(0.01)
    return anew[0]


@pytest.mark.req("R36")
@pytest.mark.parametrize(
    "cell", CELLS, ids=lambda cell: f"{cell.protocol}-{cell.line}-{cell.fault}"
)
def test_every_operation(cell: Cell) -> None:
    operations = OPERATIONS[cell.protocol].items()
    with LoopThread() as loop, ThreadPoolExecutor(len(operations)) as pool:
        tried = {
            name: pool.submit(_try, loop, cell, name, command)
            for name, command in operations
        }
    for name, work in tried.items():
        assert work.exception() is None, (name, work.exception())


@pytest.mark.parametrize("protocol", OPERATIONS)
@pytest.mark.parametrize("line", ["pty", "tcp"])
def test_an_answer_after_the_deadline_is_not_the_next_ones(
    protocol: str, line: str
) -> None:
    """The next question is asked before the late answer comes, and after."""
    with LoopThread() as loop:
        world = World(loop)
        terminal, ends = _terminal(world, protocol)
        command = OPERATIONS[protocol]["identify"]
        terminal.faults.add(Fault(command, "delay_answer", seconds=0.6))
        driver = _driver(protocol, _address(line, ends))
        with pytest.raises(PosctlError):
            driver.identify(Deadline(0.3))
        cell = Cell("delay_answer", True, protocol, line, frozenset())
        if protocol == "poslink":
            assert driver.totals(Deadline(LONG)).count == 3
        time.sleep(0.5)
        _next_question(cell, terminal, driver)
        driver.close()
        world.stop()
