"""`make bench`: prints a table and writes build/bench.json.

A row is {name, ours, peer, what the peer is, ratio, unit}. A peer is measured in the
same run, by turns with ours, so that a busy machine strikes both; where there is no
fair peer the row says null. A benchmark is a function that returns rows: add it to
BENCHMARKS.
"""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests" / "recovery")]

import framing  # noqa: E402 - beside this file
import lines  # noqa: E402 - beside this file
import store  # noqa: E402 - beside this file
from world import Site  # noqa: E402 - the tests' own way to drive a set-up

from emulator.bench import MID, Bench, Scenario  # noqa: E402

Row = dict[str, Any]
_TURNS = 21
_ATTEMPTS = 60
HEAVY = (
    "serial smartcard cryptography asyncio urllib3 ssl http.client sqlite3 rich"
).split()


def row(
    name: str, ours: float, unit: str, peer: float | None = None, what: str = ""
) -> Row:
    ratio = round(ours / peer, 3) if peer else None
    return {
        "name": name,
        "ours": round(ours, 4),
        "peer": round(peer, 4) if peer else None,
        "what the peer is": what or None,
        "ratio": ratio,
        "unit": unit,
    }


def seconds(*command: str) -> float:
    started = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True, cwd=ROOT)
    return time.perf_counter() - started


def help_against_click() -> list[Row]:
    """Whole processes by turns; the medians."""
    ours = (str(Path(sys.executable).with_name("posctl")), "--help")
    peer = (sys.executable, "-c", "import click")
    turns = [(seconds(*ours), seconds(*peer)) for _turn in range(_TURNS)]
    mine, theirs = (statistics.median(side) for side in zip(*turns, strict=True))
    return [row("posctl --help", mine, "s", theirs, 'python -c "import click"')]


def heavy_modules() -> list[Row]:
    """How many heavy modules `posctl --help` imports; the limit is none."""
    code = (
        "import sys; from posctl.cli.main import _run; _run(['--help']);"
        f"print(sum(name in sys.modules for name in {HEAVY!r}), file=sys.stderr)"
    )
    done = subprocess.run(
        (sys.executable, "-c", code),
        check=True,
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    return [row("heavy modules in --help", int(done.stderr), "modules")]


def a_change() -> list[Row]:
    """The demo's change, by the commands people type, each its own process."""
    with tempfile.TemporaryDirectory() as folder:
        scenario = Scenario(audit=0.0)
        with Bench(Path(folder) / "bench", scenario) as bench:
            site = Site(bench, Path(folder) / "home").setup()
            return _change_rows(site)


def _change_rows(site: Site) -> list[Row]:
    from world import RUN_ANSWERS

    started, used = time.perf_counter(), _used()
    ran = site.spawn("change", "run", *site.means(), answers=RUN_ANSWERS).ok()
    number = str(ran["order"])
    site.spawn("change", "approve", number, answers=["0018"]).ok()
    site.spawn("change", "commit", number).ok()
    closed = site.spawn(
        "change", "confirm", number, "--port", site.bench.port, answers=["SETTLE"]
    ).ok()
    took, own = time.perf_counter() - started, _used() - used
    assert closed["state"] == "CLOSED"
    assert site.version() == 2, MID
    card = "direct card link" if site.bench.no_pcscd else "pcscd"
    interpreter = sum(seconds(sys.executable, "-c", "import click") for _n in range(4))
    return [
        row(
            f"a whole change, four commands ({card})",
            took,
            "s",
            interpreter,
            'the same number of python -c "import click"',
        ),
        row(
            "a whole change: posctl's own processor time",
            own,
            "s",
            took,
            "the time it took; the rest is waiting for terminal, card, provider",
        ),
        row("a whole change: APDUs", ran["apdus"], "APDUs"),
        row(
            "a whole change: serial bytes",
            ran["serial_bytes"] + closed["serial_bytes"],
            "bytes",
        ),
    ]


def the_event_log() -> list[Row]:
    """Durable events; then a store of a thousand orders and of a hundred thousand."""
    with tempfile.TemporaryDirectory(dir=ROOT / "build") as folder:
        where = Path(folder)
        ours, bare = store.durable_events(where)
        small, large = where / "small.db", where / "large.db"
        store.fill(small, 1_000)
        store.fill(large, 100_000)
        quick, slow = (_best(store.open_and_list, path) for path in (small, large))
        per_order = store.sizes(large) / 100_000
    what = "bare commits of SQLite, same disk, by turns"
    return [
        row("durable events", ours, "1/s", bare, what),
        row("open and list 100,000 orders", slow, "s", quick, "the same of 1,000"),
        row("size of an order of two events", per_order, "bytes"),
    ]


def _best(measure: Callable[[Path], float], path: Path) -> float:
    return statistics.median(measure(path) for _turn in range(5))


def _used() -> float:
    """Processor seconds of all processes that have ended: posctl's; the emulators are
    in this one."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def a_recovery() -> list[Row]:
    """An attempt of the recovery matrix (docs/recovery.md), pairs spread evenly."""
    from attempt import Attempt, play
    from points import Recorder, pairs
    from stage import PLAIN, Stage

    with tempfile.TemporaryDirectory() as folder:
        with Stage(Path(folder) / "stage") as stage:
            made, _left_out = pairs(Recorder(stage, PLAIN).record())
            turns = []
            for pair in made[:: len(made) // _ATTEMPTS]:
                started = time.perf_counter()
                play(stage, Attempt((pair.strike,), "resume"))
                turns.append(time.perf_counter() - started)
    return [row("one attempt of the recovery matrix", statistics.median(turns), "s")]


def _apart(name: str) -> Any:
    """What a benchmark that is a process of its own printed."""
    done = subprocess.run(
        (sys.executable, str(ROOT / "benchmarks" / name)),
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}"},
    )
    return json.loads(done.stdout)


def a_message() -> list[Row]:
    """Of 20 fields of ISO 8583; errors with field and position on our side."""
    found = _apart("isocodec.py")
    return [
        row(f"ISO 8583: {name} 20 fields", ours, "1/s", peer, "pyiso8583")
        for name, (ours, peer) in found.items()
    ]


def frames() -> list[Row]:
    """512 bytes there and back."""
    peer = "binascii.crc_hqx of the same bytes"
    found = framing.measured().items()
    return [
        row(name, ours / 1e6, "MB/s", crc / 1e6, peer) for name, (ours, crc) in found
    ]


def the_wire() -> list[Row]:
    """A terminal on a paced pty; under 1.00 would be a bug of the pace."""
    peer = f"the wire's own time for these bytes at {lines.BAUD} baud"
    found = lines.against_the_wire().items()
    return [
        row(f"identify, settle, read back: {name}", ours, "s", wire, peer)
        for name, (ours, wire) in found
    ]


def fleets() -> list[Row]:
    """POSLink A00 on TCP, 20 times each; the client is a process of its own."""
    rows = []
    for count in lines.FLEETS:
        exchanges, memory = lines.fleet(count)
        name = f"{count} terminals in one process"
        rows += [row(f"{name}: exchanges", exchanges, "1/s")]
        rows += [row(f"{name}: memory of each", memory, "KiB")]
    return rows


def a_card() -> list[Row]:
    """By chip through a real pcscd; a process of its own, as a pcscd is for one."""
    found = _apart("card.py")
    peek = found["cardpeek"] or None
    other = "cardpeek reading it (start included, no authentication)"
    return [
        row("APDUs by pcscd", found["ours"], "1/s", found["bare"], "SCardTransmit"),
        row(
            "APDUs by pcscd",
            found["ours"],
            "1/s",
            found["thread"],
            "SCardTransmit in a thread, which a deadline needs",
        ),
        row("a card read and authenticated", found["read"], "s", peek, other),
        row("a card read and authenticated: APDUs", found["apdus"], "APDUs"),
    ]


BENCHMARKS: tuple[Callable[[], list[Row]], ...] = (
    help_against_click,
    heavy_modules,
    a_change,
    a_message,
    frames,
    the_wire,
    fleets,
    a_card,
    the_event_log,
    a_recovery,
)


def main() -> None:
    rows = [found for benchmark in BENCHMARKS for found in benchmark()]
    target = ROOT / "build" / "bench.json"
    target.parent.mkdir(exist_ok=True)
    target.write_text(json.dumps(rows, indent=2, ensure_ascii=False) + "\n")
    table = Table(box=None, pad_edge=False)
    for name in rows[0]:
        table.add_column(name)
    for found in rows:
        table.add_row(*("-" if v is None else str(v) for v in found.values()))
    Console(width=160).print(table)


if __name__ == "__main__":
    main()
