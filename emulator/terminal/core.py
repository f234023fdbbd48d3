"""A terminal's memory, whatever line it speaks on."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone

from emulator.terminal.pacing import LineSettings
from protocols.bindingtag import BindingTag
from protocols.iso8583 import keys, parameters
from protocols.iso8583.downloads import Objects
from protocols.iso8583.keys import UNIONPAY, CipherProfile
from protocols.iso8583.parameters import Totals

BEIJING = timezone(timedelta(hours=8))
PAYER = "6216261000000000018"
"""Whose card paid everything on the bench: a published test number."""
WRONG_BAUD = ("silence", "garbage")
PROTOCOLS = ("poslink", "zvt", "abecs", "ecrhub")
NO_TID = "00000000"
"""Of a terminal whose identifier was reset."""
_ZVT_TID, _DIGITS = re.compile(r"[0-9]{8}"), re.compile(r"[0-9]+")


@dataclass(frozen=True)
class TerminalConfig:
    """How a terminal leaves the factory and its master key injection.

    Args:
        tmk: 16-byte terminal master key, the same as in the host's record.
        batch: number of the open batch.
        transactions: the open batch in fen; refunds are negative.
        aliases: more names of variables, each with the one it stands for: every
            terminal application has its own.
        pty, tcp, rfc2217: the lines it answers on; Windows has no pty, and RFC 2217
            is a serial line of the network that honours what a pty cannot.
        baud, wrong_baud, paced, bytesize, parity, needs_dtr: as in ``LineSettings``.
        answers_after: seconds from a request, which is acknowledged at once, to the
            answer. Real terminals take some; there are clients that lose an answer
            which comes in one piece with the acknowledgement.
        ciphers: what its acquirer makes working keys and MACs with.
        host_seconds: how long it waits for its host.
        protocol: what it speaks on its lines, one of ``PROTOCOLS``.
        password: 6 digits, for the commands of ZVT that need one.
        tampered: it says of itself that somebody has been inside.

    Raises:
        ValueError: ``wrong_baud`` is not one of ``WRONG_BAUD``, ``protocol`` none of
            ``PROTOCOLS``; or a number that ZVT cannot tell: there a TID has 8 digits,
            and a serial number is of digits.
    """

    serial: str
    tid: str
    mid: str
    tmk: bytes = field(repr=False)
    model: str = "A920"
    os_version: str = "PayDroid 7.1.1"
    app_name: str = "BROADPOS"
    app_version: str = "V1.00.00"
    batch: int = 1
    transactions: tuple[int, ...] = ()
    aliases: tuple[tuple[str, str], ...] = ()
    pty: bool = os.name == "posix"
    tcp: bool = True
    rfc2217: bool = False
    baud: int = 9600
    wrong_baud: str = "silence"
    paced: bool = False
    bytesize: int = 8
    parity: str = "N"
    needs_dtr: bool = False
    answers_after: float = 0.0
    ciphers: CipherProfile = UNIONPAY
    host_seconds: float = 10.0
    protocol: str = "poslink"
    password: str = field(default="000000", repr=False)
    tampered: bool = False

    def __post_init__(self) -> None:
        if self.wrong_baud not in WRONG_BAUD:
            raise ValueError(f"{self.wrong_baud}: one of {sorted(WRONG_BAUD)}")
        if self.protocol not in PROTOCOLS:
            raise ValueError(f"{self.protocol}: one of {sorted(PROTOCOLS)}")
        if self.protocol == "zvt" and not self._numbers_fit_zvt():
            raise ValueError("ZVT: a TID has 8 digits, a serial number only digits")

    def line(self, stop_bits: int) -> LineSettings:
        """Its serial line, with the stop bits of its protocol."""
        return LineSettings(
            self.baud,
            self.wrong_baud,
            self.paced,
            self.bytesize,
            self.parity,
            stop_bits,
            self.needs_dtr,
        )

    def _numbers_fit_zvt(self) -> bool:
        return bool(_ZVT_TID.fullmatch(self.tid) and _DIGITS.fullmatch(self.serial))


class TerminalCore:
    """State and what can be asked of it; no line, no host."""

    def __init__(self, config: TerminalConfig) -> None:
        self.config = config
        self.tid = config.tid
        self.mid = config.mid
        self.password = config.password
        self.working_keys: keys.WorkingKeys | None = None
        self.batch = config.batch
        self.stan = 0
        self.transactions = list(config.transactions)
        self.parameters: dict[str, bytes] = {}
        self.ca_keys: list[Objects] = []
        self.applications: list[Objects] = []
        """What of chip parameters its host gave it."""
        self.reversal: dict[int, str] | None = None
        """Fields of a payment whose answer did not come: to be taken back before
        anything else is sent."""
        self.upload_due = False
        """The host has settled this batch with other totals, and wants all of it."""
        self.processing_request = 0
        self.last_settlement: datetime | None = None
        self.clock_ahead = timedelta()
        self.asked: list[str] = []
        """The commands that came in, in order."""
        self.paper: list[str] = []
        """What its printer has printed, line by line."""
        self.display: tuple[str, ...] = ()
        self.files: dict[bytes, bytes] = {}
        """Files and configurations that were written, by ID."""
        self.settings: dict[str, str] = {}
        """Variables of its application that a till may set."""
        self.signature = ""
        """Strokes that somebody drew on the screen last, as the application writes
        them."""
        self.restart: Callable[[], None] = lambda: None
        """Off and on again, by its own doing; whoever holds its lines sets it."""
        self.upload = bytearray()
        """A file of which the last piece has not come yet."""

    def lose_power(self) -> None:
        """What was not saved is gone: working keys, what the host asked for, the
        display, a signature, and half a file. Batch, identifier, password, parameters,
        settings, files, trace number, and what is owed to the host are saved; paper
        stays."""
        self.working_keys = None
        self.signature = ""
        self.upload.clear()
        self.processing_request = 0
        self.display = ()

    def now(self) -> datetime:
        """The terminal's own clock, set by its host at sign-in: Beijing time, as
        terminals show it, without a zone."""
        return datetime.now(BEIJING).replace(tzinfo=None) + self.clock_ahead

    def set_clock(self, date: str, time: str) -> None:
        """Host time: MMDD, hhmmss. One that is no time leaves the clock alone."""
        local = datetime.now(BEIJING).replace(tzinfo=None)
        try:
            told = datetime.strptime(f"{local.year}{date}{time}", "%Y%m%d%H%M%S")
        except ValueError:
            return
        self.clock_ahead = told - local

    def set_time(self, told: datetime) -> None:
        """The whole time, as people tell it: Beijing time, without a zone."""
        self.clock_ahead = told - datetime.now(BEIJING).replace(tzinfo=None)

    def next_stan(self) -> str:
        self.stan = self.stan % 999999 + 1
        return f"{self.stan:06}"

    @property
    def count(self) -> int:
        return len(self.transactions)

    @property
    def amount(self) -> int:
        """Net amount of the open batch in fen."""
        return sum(self.transactions)

    def amount_of(self, number: int) -> int:
        """Of a transaction of the open batch, counted from 1; 0 where it has none."""
        return self.transactions[number - 1] if 1 <= number <= self.count else 0

    def totals(self) -> Totals:
        sales = [fen for fen in self.transactions if fen >= 0]
        refunds = [-fen for fen in self.transactions if fen < 0]
        return Totals(sum(sales), len(sales), sum(refunds), len(refunds))

    def close_batch(self) -> None:
        """Empty the batch, count it on, note the time."""
        self.transactions.clear()
        self.upload_due = False
        self.batch = self.batch % 999999 + 1
        self.last_settlement = self.now()

    def binding_tag(self) -> BindingTag | None:
        """Our tag as downloaded. Raises RemoteError when it is not one."""
        tag = self.parameters.get(parameters.BINDING_TAG)
        return BindingTag.from_hex(tag.hex()) if tag else None

    def variables(self) -> dict[str, str]:
        """What the terminal's application shows, by the application's own names."""
        merchant = self.parameters.get(parameters.MERCHANT_NAME, b"")
        settled = self.last_settlement
        shown = {
            "terminalID": self.tid,
            "merchantID": self.mid,
            "merchantName": merchant.decode("gb18030", "replace"),
            "batchNumber": f"{self.batch:06}",
            "lastSettlementTime": f"{settled:%Y%m%d%H%M%S}" if settled else "",
            "terminalClock": f"{self.now():%Y%m%d%H%M%S}",
            "posctlBindingTag": self._shown_tag(),
        }
        aliases = {alias: shown[name] for alias, name in self.config.aliases}
        return self.settings | shown | aliases

    def _shown_tag(self) -> str:
        return self.parameters.get(parameters.BINDING_TAG, b"").hex().upper()
