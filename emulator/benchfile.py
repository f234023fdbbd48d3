"""A bench from a TOML file: what is on it, and what goes wrong. Every key may be left
out; ``examples/bench.toml`` has them all.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import msgspec

from emulator.bench import CARDS, Bench, Scenario, Till
from emulator.faults import ANY
from emulator.posbench import FaultsOnBench


class FaultEntry(msgspec.Struct, forbid_unknown_fields=True):
    """One ``[[fault]]``; ``body`` is text, ``body_hex`` bytes."""

    where: Literal["terminal", "host", "provider"]
    action: str
    on: str = ANY
    times: int = 1
    after: int = 0
    seconds: float = 0.0
    body: str = ""
    body_hex: str = ""


class TillTable(msgspec.Struct, forbid_unknown_fields=True):
    """``[terminal]``: who it is. See ``Till``."""

    tid: str = Till.tid
    mid: str = Till.mid
    serial: str = Till.serial
    model: str = Till.model
    os_version: str = Till.os_version
    app_version: str = Till.app_version
    batch: int = Till.batch
    tag: Literal["shown", "none", "garbage"] = "shown"


class BenchFile(msgspec.Struct, forbid_unknown_fields=True):
    """The whole file; the keys are those of ``Scenario``."""

    card: str = "debit"
    direct: bool = False
    open_ports: bool = False
    audit: float = 0.3
    reject: bool = False
    wrong_terminal: bool = False
    unbound: bool = False
    transactions: tuple[int, ...] = Scenario.transactions
    baud: int = Scenario.baud
    wrong_baud: Literal["silence", "garbage"] = "silence"
    paced: bool = False
    rfc2217: bool = False
    protocol: Literal["poslink", "zvt", "abecs", "ecrhub"] = "poslink"
    answers_after: float = 0.02
    terminal: TillTable = msgspec.field(default_factory=TillTable)
    fault: list[FaultEntry] = []

    def scenario(self) -> dict[str, Any]:
        """Arguments of a ``Scenario``."""
        told = msgspec.structs.asdict(self)
        till = Till(**msgspec.structs.asdict(told.pop("terminal")))
        del told["fault"]
        return {**told, "till": till}

    def arm(self, bench: Bench) -> None:
        """The faults, on a bench that is up."""
        faults = FaultsOnBench(bench)
        for each in self.fault:
            told = {name: getattr(each, name) for name in ("times", "after", "seconds")}
            told["body"] = bytes.fromhex(each.body_hex) or each.body.encode()
            faults.add(each.where, each.action, each.on, **told)


def read_bench(path: Path) -> BenchFile:
    """Raises ValueError, which says what is wrong and where; OSError."""
    try:
        found = msgspec.toml.decode(path.read_bytes(), type=BenchFile)
    except msgspec.MsgspecError as error:
        raise ValueError(str(error)) from None
    if found.card not in CARDS:
        raise ValueError(f"card: one of {', '.join(CARDS)}")
    for number, each in enumerate(found.fault, 1):
        known = FaultsOnBench.KNOWN[each.where]
        if each.action not in known:
            raise ValueError(f"fault {number}, action: one of {', '.join(known)}")
        _check_hexadecimal(number, each.body_hex)
    return found


def _check_hexadecimal(number: int, text: str) -> None:
    try:
        bytes.fromhex(text)
    except ValueError:
        raise ValueError(f"fault {number}, body_hex: not hexadecimal") from None
