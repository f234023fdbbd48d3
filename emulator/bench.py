"""A whole bench on real wires: terminal, card, ISO 8583 host, provider, one ledger.

Everything listens on 127.0.0.1 on ephemeral ports; the card sits in a private pcscd
where one can be run, otherwise on the direct card link, and the bench says which.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from emulator.acquirer.ca import Authority
from emulator.acquirer.chinaums import Accesser, Course
from emulator.acquirer.https import ProviderService
from emulator.acquirer.isohost import IsoHost
from emulator.acquirer.ledger import (
    AccountKind,
    BankAccount,
    Ledger,
    Merchant,
    Payment,
    TerminalRecord,
)
from emulator.acquirer.verification import VerificationFace
from emulator.card.applet import (
    CREDIT,
    DEBIT,
    ELECTRONIC_CASH,
    QUASI_CREDIT,
    CardProfile,
    Listed,
)
from emulator.card.direct import CardSlot, DirectCardServer
from emulator.card.hierarchy import Offer, hierarchy
from emulator.card.pcscd import PcscdUnavailable, PrivatePcscd, available
from emulator.clock import BenchClock
from emulator.loop import LoopThread
from emulator.terminal.core import PAYER, TerminalConfig
from emulator.terminal.core import PROTOCOLS as PROTOCOLS
from emulator.terminal.device import EmulatedTerminal, Endpoints
from protocols.chinaums import Credentials
from protocols.iso8583 import parameters

MID, TID, SERIAL = "898110054110001", "11000001", "0820000001"
NAME, OPERATOR, BRANCH = "小面馆", "全渠道", "102100099996"
# Published test numbers; see docs/test-data.md.
UNKNOWN_NUMBER, WRONG_DIGIT_NUMBER = "8171999900000000021", "6222040000030012"
MOBILE, ID_NUMBER, SMS_CODE = "13552535506", "341126197709218366", "111111"
OLD_NUMBER, NEW_NUMBER = "6212345678901265", "6216261000000000018"
COMPANY_NUMBER = "6225880022221111"
CREDIT_NUMBER = "6212345678901232"

_WORN_TAGS = {"none": b"", "garbage": b"\xff"}

CARDS: dict[str, CardProfile | None] = {
    "debit": CardProfile(NEW_NUMBER, holder=OPERATOR),
    "credit": CardProfile(
        CREDIT_NUMBER, holder=OPERATOR, aid=CREDIT, label="UnionPay Credit"
    ),
    "same": CardProfile(OLD_NUMBER, holder=OPERATOR),
    "none": None,
    "quasi-credit": CardProfile(
        CREDIT_NUMBER, holder=OPERATOR, aid=QUASI_CREDIT, label="UnionPay Quasi"
    ),
    "cash": CardProfile(
        CREDIT_NUMBER, holder=OPERATOR, aid=ELECTRONIC_CASH, label="UnionPay EC"
    ),
    "foreign": CardProfile("4111111111111111", aid="A0000000031010", label="VISA"),
    "token": CardProfile(NEW_NUMBER, holder="", extra={"9F19": "12345678901F"}),
    "expired": CardProfile(NEW_NUMBER, holder=OPERATOR, expiry="2001"),
    "contactless": CardProfile(NEW_NUMBER, interface="contactless"),
    "unproved": CardProfile(NEW_NUMBER, holder=OPERATOR),
    "copyable": CardProfile(NEW_NUMBER, holder=OPERATOR),
    "forged": CardProfile(NEW_NUMBER, holder=OPERATOR),
    "blocked": CardProfile(NEW_NUMBER, holder=OPERATOR, blocked="application"),
    "blocked-card": CardProfile(NEW_NUMBER, holder=OPERATOR, blocked="card"),
    "several": CardProfile(
        NEW_NUMBER,
        holder=OPERATOR,
        aid=CREDIT,
        label="UnionPay Credit",
        others=(Listed(ELECTRONIC_CASH, "UnionPay EC", 2), Listed(DEBIT, "Debit", 3)),
    ),
    "unknown-kind": CardProfile(
        UNKNOWN_NUMBER, holder=OPERATOR, aid="A000000333010108", label="UnionPay"
    ),
    "wrong-digit": CardProfile(WRONG_DIGIT_NUMBER, holder=OPERATOR),
    "no-payment": CardProfile(NEW_NUMBER, aid="D2760000850101", pse=False),
    "mute": CardProfile(NEW_NUMBER, holder=OPERATOR, fault="mute", fault_after=5),
}
"""By what they are for."""
_PROOFS: dict[str, tuple[Offer, str]] = {
    "unproved": ("none", ""),
    "copyable": ("sda", ""),
    "forged": ("dda", "forged"),
}
"""How the chip proves itself, where it is not genuine."""


@dataclass(frozen=True)
class Till:
    """The merchant's terminal and its account, as a bench begins with them.

    Args:
        batch: number of the open batch; ``version`` of the binding.
        old_number: the account that takings go to.
        tag: whether the terminal shows its binding at first: ``shown``, ``none``, or
            ``garbage`` in its place.
        clock_ahead: of the terminal's clock, against this machine's.
        aliases: as in ``TerminalConfig``.
        pictures: kinds of the pictures that a set-up is made with.
    """

    mid: str = MID
    tid: str = TID
    serial: str = SERIAL
    model: str = "A920"
    os_version: str = "PayDroid 7.1.1"
    app_version: str = "V1.00.00"
    batch: int = 1
    old_number: str = OLD_NUMBER
    version: int = 1
    tag: str = "shown"
    clock_ahead: timedelta = timedelta()
    aliases: tuple[tuple[str, str], ...] = ()
    pictures: tuple[str, ...] = ("0025", "0026")


@dataclass(frozen=True)
class Scenario:
    """What is on the bench and what goes wrong.

    Args:
        card: a name of ``CARDS``.
        direct: keep the card off PC/SC.
        open_ports: see ``PrivatePcscd``.
        audit: seconds from the signature to the provider's decision.
        reject: the new account is closed, so the audit fails.
        wrong_terminal: the provider knows the terminal under another number.
        unbound: the merchant has no settlement account yet.
        transactions: the open batch in fen.
        baud, wrong_baud, paced, rfc2217, protocol, answers_after: as in
            ``TerminalConfig``.
        till: whose terminal it is.
    """

    card: str = "debit"
    direct: bool = False
    open_ports: bool = False
    audit: float = 0.3
    reject: bool = False
    wrong_terminal: bool = False
    unbound: bool = False
    transactions: tuple[int, ...] = (12800, 3550, -550)
    baud: int = 9600
    wrong_baud: str = "silence"
    paced: bool = False
    rfc2217: bool = False
    protocol: str = "poslink"
    answers_after: float = 0.0
    till: Till = Till()


@dataclass
class Bench:
    """Start with ``start`` or ``with``; ``stop`` leaves nothing behind.

    ``directory`` gets the CA's certificate, the credentials and the pictures that a
    set-up is made with, and pcscd's socket. ``time`` is that of every host; ``clock``,
    in seconds, of the codes that the verification service sends, where it is another.
    """

    directory: Path
    scenario: Scenario = field(default_factory=Scenario)
    ledger: Ledger = field(default_factory=Ledger)
    no_pcscd: str | None = None
    time: BenchClock = field(default_factory=BenchClock)
    clock: Callable[[], float] | None = None

    def start(self) -> Bench:
        """Raises OSError where no port or pty can be had, ValueError for a speed or
        a ``wrong_baud`` that is none."""
        self._stack = ExitStack()
        try:
            self._fill_ledger()
            self._start_provider()
            self._start_terminal()
            self._start_card()
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """Safe to repeat."""
        self._stack.close()

    def __enter__(self) -> Bench:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _fill_ledger(self) -> None:
        tmk = secrets.token_bytes(16)
        till, ledger = self.scenario.till, self.ledger
        tid = "11999999" if self.scenario.wrong_terminal else till.tid
        bound = "" if self.scenario.unbound else till.old_number
        for number in (till.old_number, OLD_NUMBER, NEW_NUMBER, CREDIT_NUMBER):
            ledger.accounts[number] = BankAccount(
                number, OPERATOR, id_number=ID_NUMBER, mobile=MOBILE
            )
        ledger.accounts[NEW_NUMBER].is_open = not self.scenario.reject
        company = BankAccount(COMPANY_NUMBER, NAME, AccountKind.CORPORATE)
        ledger.accounts[COMPANY_NUMBER] = company
        ledger.branches[BRANCH] = "中国工商银行总行"
        ledger.merchants[till.mid] = Merchant(
            till.mid, NAME, OPERATOR, bound, BRANCH, till.version
        )
        paid = enumerate(self.scenario.transactions, 1)
        seen = [Payment(f"{number:06}", PAYER, fen) for number, fen in paid]
        record = TerminalRecord(tid, till.mid, till.serial, tmk, till.batch)
        record.payments = seen
        ledger.terminals[tid] = record
        self.tmk = tmk

    def _start_provider(self) -> None:
        scenario = self.scenario
        issued = Credentials("posctl-test", secrets.token_hex(12).encode())
        authority = Authority()
        third = scenario.audit / 3
        self.provider = ProviderService(
            self.ledger,
            [Accesser(issued, frozenset(self.ledger.merchants))],
            authority,
            course=Course(third, 2 * third, scenario.audit),
            clock=self.time,
        )
        self.verification_token = secrets.token_hex(16)
        self.verification = VerificationFace(
            self.ledger,
            self.verification_token,
            clock=self.clock or self.time,
            fixed={MOBILE: SMS_CODE},
        )
        self.provider.add(self.verification)
        self.url = self.provider.start()
        self._stack.callback(self.provider.stop)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.ca_file = authority.write_certificate(self.directory / "ca.pem")
        self.credentials_file = self._write_credentials(issued)
        self.pictures = self._write_pictures()
        self.ca_keys_file = self.directory / "ca-keys.toml"
        self.ca_keys_file.write_text(hierarchy().ca_keys())

    def _write_credentials(self, issued: Credentials) -> Path:
        path = self.directory / "credentials.json"
        text = json.dumps(
            {
                "accesser_id": issued.accesser_id,
                "key": issued.key.decode(),
                "tag_key": self.ledger.tag_key.hex(),
                "verification_url": self.url,
                "verification_key": self.verification.public_key,
                "verification_token": self.verification_token,
            }
        )
        path.touch(mode=0o600)
        path.write_text(text)
        return path

    def _write_pictures(self) -> Path:
        """JPEG headers with noise: nobody looks at test pictures."""
        folder = self.directory / "pictures"
        folder.mkdir(exist_ok=True)
        for kind in self.scenario.till.pictures:
            body = b"\xff\xd8\xff\xe0" + secrets.token_bytes(2000) + b"\xff\xd9"
            (folder / f"{kind}.jpg").write_bytes(body)
        return folder

    def _start_terminal(self) -> None:
        loop = LoopThread()
        self._stack.callback(loop.stop)
        keys = hierarchy().downloads()
        self.host = IsoHost(self.ledger, ca_keys=keys, now=self.time.now)
        loop.run(self.host.start())
        self._stack.callback(lambda: loop.run(self.host.stop()))
        self.loop = loop
        self._plug_in_terminal()
        self._stack.callback(lambda: loop.run(self.terminal.stop()))

    def _plug_in_terminal(self) -> None:
        """A terminal fresh from the factory."""
        address = ("127.0.0.1", self.host.port)
        self.terminal = EmulatedTerminal(self._terminal_config(), address)
        self.endpoints: Endpoints = self.loop.run(self.terminal.start())
        self.terminal.plugged = self._plugged
        self._name_line()
        self._wear()

    def _terminal_config(self) -> TerminalConfig:
        scenario, till = self.scenario, self.scenario.till
        return TerminalConfig(
            serial=till.serial,
            tid=till.tid,
            mid=till.mid,
            tmk=self.tmk,
            model=till.model,
            os_version=till.os_version,
            app_version=till.app_version,
            batch=till.batch,
            aliases=till.aliases,
            transactions=scenario.transactions,
            baud=scenario.baud,
            wrong_baud=scenario.wrong_baud,
            paced=scenario.paced,
            rfc2217=scenario.rfc2217,
            protocol=scenario.protocol,
            answers_after=scenario.answers_after,
        )

    def _wear(self) -> None:
        """What its host sets right at the first contact has gone wrong since."""
        core, till = self.terminal.core, self.scenario.till
        core.clock_ahead += till.clock_ahead
        if till.tag != "shown":
            core.parameters[parameters.BINDING_TAG] = _WORN_TAGS[till.tag]

    def _start_card(self) -> None:
        self.environment: dict[str, str] = {}
        self.no_pcscd = "asked for" if self.scenario.direct else available()
        if self.scenario.open_ports and not self.scenario.direct:
            self.no_pcscd = None
        if self.no_pcscd is None:
            try:
                return self._start_pcscd()
            except PcscdUnavailable as error:
                self.no_pcscd = str(error)
        self._start_direct()

    def _start_pcscd(self) -> None:
        pcscd = PrivatePcscd(
            self.directory / "pcscd", allow_open_ports=self.scenario.open_ports
        )
        self.environment = dict(pcscd.start())
        self._stack.callback(pcscd.stop)
        self.pcscd: PrivatePcscd | None = pcscd
        self.reader = pcscd.readers[0]
        profile = self.card_profile()
        if profile is not None:
            pcscd.insert(0, profile)

    def _start_direct(self) -> None:
        self.pcscd = None
        self.slot = CardSlot(self.card_profile())
        self.cards = DirectCardServer(self.slot)
        self._stack.callback(self.cards.stop)
        self.reader = self.cards.address

    def card_profile(self, kind: str | None = None) -> CardProfile | None:
        """The scenario's card, or one of ``CARDS``, with a chip that proves itself."""
        kind = kind or self.scenario.card
        bare = CARDS[kind]
        offer, wrong = _PROOFS.get(kind, ("dda", ""))
        return hierarchy().personalise(bare, offer, wrong) if bare else None

    # -- between two tries on one bench ---------------------------------------

    def refill(self) -> None:
        """As at the start, on the same addresses but for the terminal's TCP: ledger,
        hosts, terminal and card are as new, no fault is armed. Direct card link only.
        """
        self.loop.run(self.terminal.stop())
        self.provider.faults.clear()
        with self.ledger.locked():
            self.ledger.clear()
            self._fill_ledger()
        self.provider.account_change.forget()
        self.host.forget()
        self._plug_in_terminal()
        self.insert_card()

    def insert_card(self) -> None:
        """The scenario's, into the slot of the direct card link."""
        profile = self.card_profile()
        if profile is None:
            self.slot.remove()
        else:
            self.slot.insert(profile)

    def unplug(self) -> None:
        """Every line of the terminal, wherever it is in an exchange; ``port`` is
        gone until it is plugged in again.
        """
        self._line.unlink(missing_ok=True)
        self.loop.run(self.terminal.stop())

    def plug(self) -> None:
        """The lines again, the serial one under its name."""
        self._plugged(self.loop.run(self.terminal.plug()))

    def _plugged(self, endpoints: Endpoints) -> None:
        self.endpoints = endpoints
        self._name_line()

    def cut_power(self) -> None:
        """Of the terminal, which starts again at once."""
        self._line.unlink(missing_ok=True)
        self.loop.run(self.terminal.cut_power())
        self.plug()

    @property
    def _line(self) -> Path:
        return self.directory / "ttyTERM"

    def _name_line(self) -> None:
        """A pty gets another number each time, and the old number goes to whoever asks
        next. The name stays, as one of /dev/serial/by-id does, and leads nowhere else.
        """
        self._line.unlink(missing_ok=True)
        if self.endpoints.pty:
            self._line.symlink_to(self.endpoints.pty)

    @property
    def port(self) -> str:
        """The terminal's serial line, the same name at every start; its TCP address
        where there is no pty.
        """
        pty = self.endpoints.pty
        return str(self._line) if pty else f"tcp:127.0.0.1:{self.endpoints.tcp}"

    @property
    def _rfc2217(self) -> str | None:
        port = self.endpoints.rfc2217
        return f"rfc2217://127.0.0.1:{port}" if port else None

    def connect_to(self) -> dict[str, object]:
        """What a user of the bench needs to know."""
        return {
            "terminal": str(self._line) if self.endpoints.pty else None,
            "terminal_tcp": f"tcp:127.0.0.1:{self.endpoints.tcp}",
            "terminal_rfc2217": self._rfc2217,
            "protocol": self.scenario.protocol,
            "reader": self.reader,
            "environment": self.environment,
            "no_pcscd": self.no_pcscd,
            "provider_url": self.url,
            "provider_ca": str(self.ca_file),
            "credentials": str(self.credentials_file),
            "pictures": str(self.pictures),
            "merchant": self.scenario.till.mid,
            "tid": self.scenario.till.tid,
            "branch": BRANCH,
        }
