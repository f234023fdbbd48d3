"""Ledger, ISO 8583 host, and emulated terminals (ZVT unless told): no reader, no CA."""

from __future__ import annotations

from typing import Any

from emulator.acquirer.isohost import IsoHost
from emulator.acquirer.ledger import Ledger, Merchant, TerminalRecord
from emulator.loop import LoopThread
from emulator.terminal.core import TerminalConfig
from emulator.terminal.device import EmulatedTerminal, Endpoints

TID, MID = "10016919", "84329004582000B"
SERIAL_NUMBER = "1150000001"
TMK = bytes.fromhex("1CF88AB5D64F314F9EF237FBD99E29CD")
OLD, NEW = "6216261000000000018", "6200000000000047"


class World:
    """Ledger, host, and terminals that were started in it."""

    def __init__(self, loop: LoopThread) -> None:
        self.loop = loop
        self.ledger = Ledger()
        merchant = Merchant(MID, "全渠道便利店", "全渠道", OLD, "102100099996")
        self.ledger.merchants[MID] = merchant
        self.record = TerminalRecord(TID, MID, SERIAL_NUMBER, TMK, batch=1)
        self.ledger.terminals[TID] = self.record
        self.host = IsoHost(self.ledger)
        self.port = loop.run(self.host.start())
        self._started: list[EmulatedTerminal] = []

    def terminal(self, **told: Any) -> tuple[EmulatedTerminal, Endpoints]:
        usual: dict[str, Any] = {"protocol": "zvt", "host_seconds": 5.0}
        usual["transactions"] = (1250, 990, -240)
        config = TerminalConfig(SERIAL_NUMBER, TID, MID, TMK, **{**usual, **told})
        terminal = EmulatedTerminal(config, ("127.0.0.1", self.port))
        self._started.append(terminal)
        return terminal, self.loop.run(terminal.start())

    def stop(self) -> None:
        for terminal in self._started:
            self.loop.run(terminal.stop())
        self.loop.run(self.host.stop())


def pty_of(ends: Endpoints) -> str:
    assert ends.pty is not None
    return ends.pty


def tcp_of(ends: Endpoints) -> str:
    return f"tcp:127.0.0.1:{ends.tcp}"
