"""Terminals on their lines: against the wire's own time at 9600 baud, and how many
terminals one emulator process serves."""

from __future__ import annotations

import asyncio
import os
import resource
import statistics
import subprocess
import sys
import time
from contextlib import closing
from typing import Any

from zvtworld import World, pty_of

from emulator.loop import LoopThread
from emulator.terminal.core import TerminalConfig
from emulator.terminal.device import EmulatedTerminal
from posctl.model.deadline import Deadline
from posctl.terminals import TerminalDriver, open_terminal
from protocols import poslink
from protocols.poslink import Asking, Request

BAUD, _BITS, _TURNS = 9600, {"poslink": 10, "zvt": 11}, 5
FLEETS = (100, 1000, 5000)
_EXCHANGES = 20
_NAMES = {"poslink": {"binding_tag": "posctlBindingTag", "tid": "terminalID"}}


def _course(driver: TerminalDriver) -> None:
    """Identify, settle, read back."""
    driver.identify(Deadline(20))
    driver.settle(Deadline(20))
    driver.read_variables(("tid", "binding_tag"), Deadline(20))


def against_the_wire() -> dict[str, tuple[float, float]]:
    """By protocol: seconds of a course on a paced pty, and those of its bytes."""
    found = {}
    for protocol, bits in _BITS.items():
        with LoopThread() as loop:
            turns = [_timed(World(loop), protocol, bits) for _ in range(_TURNS)]
        ours, wire = (statistics.median(side) for side in zip(*turns, strict=True))
        found[protocol] = (ours, wire)
    return found


def _timed(world: World, protocol: str, bits: int) -> tuple[float, float]:
    _, ends = world.terminal(protocol=protocol, paced=True, baud=BAUD)
    told: dict[str, Any] = {"baud": BAUD, "variables": _NAMES.get(protocol)}
    with closing(open_terminal(protocol, pty_of(ends), **told)) as driver:
        begun = time.perf_counter()
        _course(driver)
        taken = time.perf_counter() - begun
        wire = driver.traffic * bits / BAUD
    world.stop()
    return taken, wire


# -- many terminals -------------------------------------------------------------------


def fleet(count: int) -> tuple[float, float]:
    """In a process of its own: exchanges a second, KiB a terminal."""
    words = [sys.executable, __file__, str(count)]
    path = os.pathsep.join(sys.path)
    done = subprocess.run(
        words,
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": path},
    )
    rate, size = done.stdout.split()
    return float(rate), float(size)


def _serve(count: int) -> None:
    """The terminals answer on TCP; the client is a process of its own."""
    with LoopThread() as loop:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        terminals = [_terminal(number) for number in range(count)]
        ports = loop.run(_started(terminals))
        held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        words = [sys.executable, __file__, "client"]
        asked = " ".join(str(port) for port in ports)
        done = subprocess.run(
            words, input=asked, capture_output=True, text=True, check=True
        )
        print(done.stdout.strip(), held / count)
        os._exit(0)  # thousands of sockets are not worth an orderly end


def _terminal(number: int) -> EmulatedTerminal:
    serial = f"{number:010}"
    config = TerminalConfig(serial, f"{number:08}", "0" * 15, bytes(16), pty=False)
    return EmulatedTerminal(config)


async def _started(terminals: list[EmulatedTerminal]) -> list[int]:
    ends = [await terminal.plug() for terminal in terminals]
    return [end.tcp for end in ends if end.tcp]


async def _ask(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for _ in range(_EXCHANGES):
        asking = Asking(Request("A00"))
        writer.write(asking.start())
        while asking.response is None:
            if out := asking.receive(await reader.read(4096)):
                writer.write(out)
        assert asking.response.code == poslink.OK
    writer.close()


async def _ask_all(ports: list[int]) -> float:
    begun = time.perf_counter()
    await asyncio.gather(*(_ask(port) for port in ports))
    return len(ports) * _EXCHANGES / (time.perf_counter() - begun)


if __name__ == "__main__":
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    if sys.argv[1] == "client":
        print(asyncio.run(_ask_all([int(each) for each in sys.stdin.read().split()])))
    else:
        _serve(int(sys.argv[1]))
