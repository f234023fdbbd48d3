"""A bench for other people's tests: a terminal, a card, a reader, an acquirer, faults
and a clock, by these names. ``PosBench`` is what the pytest fixture gives.
"""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar

from emulator.acquirer import https, isohost
from emulator.acquirer.ledger import Merchant, Takings
from emulator.bench import CARDS, Bench, Scenario
from emulator.clock import BenchClock
from emulator.faults import ANY, Fault, Faults
from emulator.terminal import ports
from protocols.sensitive import mask

_LONGEST_CONVERSATION = 400


class TerminalOnBench:
    """The terminal: where it answers, who it is, what it holds and was asked."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._said: deque[str] = deque(maxlen=_LONGEST_CONVERSATION)
        self._begun = time.monotonic()
        bench.terminal.record = self._note
        bench.plug()

    @property
    def port(self) -> str:
        """Its serial line, a path that stays the same; TCP where there is no pty."""
        return self._bench.port

    @property
    def address(self) -> tuple[str, int]:
        """On TCP: host and port.

        Raises:
            ValueError: it has no TCP line.
        """
        if self._bench.endpoints.tcp is None:
            raise ValueError("this terminal has no TCP line")
        return "127.0.0.1", self._bench.endpoints.tcp

    @property
    def serial(self) -> str:
        return self._bench.terminal.core.config.serial

    @property
    def tid(self) -> str:
        return self._bench.terminal.core.tid

    @property
    def mid(self) -> str:
        return self._bench.terminal.core.mid

    @property
    def transactions(self) -> list[int]:
        """Of the open batch, in fen; refunds are negative."""
        return list(self._bench.terminal.core.transactions)

    @property
    def batch(self) -> int:
        return self._bench.terminal.core.batch

    @property
    def asked(self) -> list[str]:
        """The commands that it carried out, in order."""
        return list(self._bench.terminal.core.asked)

    @property
    def paper(self) -> list[str]:
        return list(self._bench.terminal.core.paper)

    @property
    def conversation(self) -> list[str]:
        """What was said on its lines: seconds, ``>`` to the terminal, ``<`` from it.
        Masked: what a message is, never a number in it. The last 400 messages."""
        return list(self._said)

    def pay(self, amount: int) -> None:
        """A customer pays so many fen by card, as far as the host plays along.

        Raises:
            HostError: it does not; nothing was paid.
        """
        self._bench.loop.run(self._bench.terminal.host.pay(amount))

    def unplug(self) -> None:
        self._bench.unplug()

    def plug(self) -> None:
        self._bench.plug()

    def cut_power(self) -> None:
        """Off, and at once on again."""
        self._bench.cut_power()

    def _note(self, text: str) -> None:
        self._said.append(f"{time.monotonic() - self._begun:8.3f} {text}")


class CardOnBench:
    """The card in the reader. ``KINDS`` are those that can be inserted."""

    KINDS = tuple(CARDS)

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self.kind: str | None = bench.scenario.card

    def insert(self, kind: str = "debit") -> None:
        """Instead of the one that is there.

        Raises:
            ValueError: none of ``KINDS``.
        """
        if kind not in CARDS:
            raise ValueError(f"no such card: {kind}; one of {', '.join(CARDS)}")
        profile = self._bench.card_profile(kind)
        self.remove()
        if profile is None:
            return
        if self._bench.pcscd is not None:
            self._bench.pcscd.insert(0, profile)
        else:
            self._bench.slot.insert(profile)
        self.kind = kind

    def remove(self) -> None:
        """May be repeated."""
        if self.kind in (None, "none"):
            return
        if self._bench.pcscd is not None:
            self._bench.pcscd.remove(0)
        else:
            self._bench.slot.remove()
        self.kind = None


@dataclass(frozen=True)
class ReaderOnBench:
    """The card reader: its name for PC/SC, or the address of the direct card link, and
    the variables that a process needs to find it."""

    name: str
    environment: dict[str, str]

    @property
    def is_pcsc(self) -> bool:
        return bool(self.environment)


class AcquirerOnBench:
    """The other end of everything: hosts, and the ledger that says where money goes."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench

    @property
    def url(self) -> str:
        """Of the provider's HTTPS service."""
        return self._bench.url

    @property
    def ca_file(self) -> Path:
        return self._bench.ca_file

    @property
    def credentials_file(self) -> Path:
        return self._bench.credentials_file

    @property
    def host(self) -> tuple[str, int]:
        """Address of the ISO 8583 host."""
        return "127.0.0.1", self._bench.host.port

    @property
    def account(self) -> str:
        """The settlement account of now, masked."""
        return mask(self._merchant().account)

    @property
    def version(self) -> int:
        """How often the account was set."""
        return self._merchant().version

    @property
    def takings(self) -> list[tuple[int, str, int]]:
        """Settled batches: number, account (masked) that it is paid to, fen."""
        with self._bench.ledger.locked() as ledger:
            return [(t.batch, _masked(t), t.amount) for t in ledger.takings]

    def _merchant(self) -> Merchant:
        with self._bench.ledger.locked() as ledger:
            return ledger.merchants[self._bench.scenario.till.mid]


def _masked(takings: Takings) -> str:
    return mask(takings.account) if takings.account else ""


class FaultsOnBench:
    """What goes wrong, where, and when. ``KNOWN`` has a description for each."""

    KNOWN: ClassVar[dict[str, dict[str, str]]] = {
        "terminal": {**ports.NOT_TAKEN, **ports.TAKEN},
        "host": {**isohost.NOT_TAKEN, **isohost.TAKEN},
        "provider": https.TOLD,
    }

    def __init__(self, bench: Bench) -> None:
        self._bench = bench

    def add(self, where: str, action: str, on: str = ANY, **told: Any) -> None:
        """Arm a fault.

        Args:
            where: ``terminal``, ``host`` (ISO 8583) or ``provider`` (HTTPS).
            action: one of ``KNOWN[where]``.
            on: the message that it strikes, as its protocol names it; all by default.
            told: ``times``, ``after``, ``seconds``, ``body``, as in ``Fault``.

        Raises:
            ValueError: no such place or action.
        """
        self._of(where).add(Fault(on, action, **told))

    def struck(self, where: str) -> list[str]:
        """The faults that struck there, in order: message and action."""
        return [f"{f.service} {f.action}" for f in self._of(where).struck]

    def clear(self) -> None:
        """None is armed any more."""
        for where in self.KNOWN:
            self._of(where).clear()

    def _of(self, where: str) -> Faults:
        places = {
            "terminal": self._bench.terminal.faults,
            "host": self._bench.host.faults,
            "provider": self._bench.provider.faults,
        }
        if where not in places:
            raise ValueError(f"no such place: {where}; one of {', '.join(places)}")
        return places[where]


class PosBench:
    """Start with ``with``. All of it listens on 127.0.0.1, on ports of its own, and is
    gone afterwards.

    Args:
        folder: gets what a client needs as files.
        scenario: as in ``emulator.bench.Scenario``; the card is off PC/SC unless
            ``direct`` is False.
    """

    def __init__(self, folder: Path, **scenario: Any) -> None:
        self._bench = Bench(folder, Scenario(**{"direct": True, **scenario}))

    def __enter__(self) -> PosBench:
        self._bench.start()
        self.terminal = TerminalOnBench(self._bench)
        self.card = CardOnBench(self._bench)
        self.reader = ReaderOnBench(self._bench.reader, self._bench.environment)
        self.acquirer = AcquirerOnBench(self._bench)
        self.faults = FaultsOnBench(self._bench)
        self.clock: BenchClock = self._bench.time
        return self

    def __exit__(self, *_: object) -> None:
        self._bench.stop()

    def wait(self, days: float) -> None:
        """Days pass, for every host."""
        self.clock.advance(timedelta(days=days))
