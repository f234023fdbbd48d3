"""What the ISO 8583 host can be asked: one function a message, one table of them.

A batch settled twice with the same totals gets the same answer and counts once; with
others, 95. A settlement whose totals are not those of the payments that the host has
seen is answered so (48, result 2), and the terminal uploads its batch; each payment of
it counts once, however often it comes.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING

from emulator.acquirer.ledger import Ledger, Payment, Takings, TerminalRecord
from protocols.iso8583 import Message, ProcessingRequest, batch, downloads, keys, values
from protocols.iso8583 import parameters as codes
from protocols.iso8583.codec import Value
from protocols.iso8583.parameters import Management, Totals

if TYPE_CHECKING:
    from emulator.acquirer.isohost import IsoHost

Fields = dict[int, Value]
Entry = downloads.Objects
_ENTRIES_AT_ONCE = 8
_NO_ORIGINAL, _TOTALS_DIFFER = "25", "95"


class Refusal(Exception):
    """A field 39 that is not 00."""

    def __init__(self, code: str) -> None:
        self.code = code
        super().__init__(code)


@dataclass(frozen=True)
class HostSettlement:
    """What the host holds of a terminal's last settlement; amounts in fen."""

    batch: int
    totals: Totals
    time: datetime
    result: str = codes.BALANCED


@dataclass
class Memory:
    """What the host remembers of a terminal beside the ledger.

    ``uploads``: by batch, the payments that were uploaded, by STAN. ``reversed``: the
    STANs of payments that were taken back. ``status``: what the terminal told of
    itself, by number.
    """

    stans: set[str] = field(default_factory=set)
    version_sent: int = 0
    settlements: list[HostSettlement] = field(default_factory=list)
    uploads: dict[int, dict[str, batch.Record]] = field(default_factory=dict)
    uploaded: set[int] = field(default_factory=set)
    reversed: set[str] = field(default_factory=set)
    status: dict[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True)
class Request:
    """One message that was admitted; ``lie`` is a fault's action, or empty."""

    message: Message
    management: Management
    terminal: TerminalRecord
    memory: Memory
    lie: str = ""


Work = Callable[["IsoHost", Request], Fields]


@dataclass(frozen=True)
class Call:
    """``guarded``: the message needs a MAC; ``fresh``: a STAN that was not used."""

    work: Work
    guarded: bool = True
    fresh: bool = True


def by_serial(ledger: Ledger, message: Message) -> TerminalRecord:
    """The terminal of a serial number (F62). Raises Refusal 97."""
    serial = values.terminal_serial(message)
    for terminal in ledger.terminals.values():
        if terminal.serial == serial:
            return terminal
    raise Refusal("97")


# -- network management ---------------------------------------------------------------


def _sign_in(host: IsoHost, request: Request) -> Fields:
    terminal, code = request.terminal, request.management.code
    sizes, length = _issued(host, code)
    fresh = keys.WorkingKeys(*map(secrets.token_bytes, sizes))
    terminal.working_keys = (fresh.pik, fresh.mak)
    request.memory.stans.clear()
    if terminal.processing_request == ProcessingRequest.SIGN_IN_AGAIN:
        terminal.processing_request = ProcessingRequest.NONE
    wrapped = host.ciphers.wrap(fresh, terminal.tmk, length)
    return {60: Management(code, terminal.batch).to_text(), 62: wrapped}


# Code of the sign-in -> bytes of each key issued, length of F62.
_ISSUED: Mapping[str, tuple[tuple[int, ...], int]] = {
    codes.SIGN_IN_SINGLE: ((8, 8), 24),
    codes.SIGN_IN_DOUBLE: ((16, 8), 40),
    codes.SIGN_IN_TRACK: ((16, 16, 16), 60),
}
_SM4_ISSUED: Mapping[str, tuple[tuple[int, ...], int]] = {
    codes.SIGN_IN_DOUBLE: ((16, 16), 40),
    codes.SIGN_IN_TRACK: ((16, 16, 16), 60),
}


def _issued(host: IsoHost, code: str) -> tuple[tuple[int, ...], int]:
    """SM4 has keys of 16 bytes only. Raises Refusal 40."""
    known = _SM4_ISSUED if host.ciphers.cipher == "sm4" else _ISSUED
    if code not in known:
        raise Refusal("40")
    return known[code]


def _sign_off(host: IsoHost, request: Request) -> Fields:
    request.terminal.working_keys = None
    return _echo(host, request)


def _echo(host: IsoHost, request: Request) -> Fields:
    return {60: request.message.text(60)}


def _update(host: IsoHost, request: Request) -> Fields:
    terminal = request.terminal
    return {41: terminal.tid, 42: terminal.mid, 60: request.message.text(60)}


def _status(host: IsoHost, request: Request) -> Fields:
    request.memory.status = values.parameter_list(request.message)
    terminal = request.terminal
    if terminal.processing_request == ProcessingRequest.UPLOAD_STATUS:
        terminal.processing_request = ProcessingRequest.NONE
    return _echo(host, request)


# -- payments -------------------------------------------------------------------------


def _pay(host: IsoHost, request: Request) -> Fields:
    message, terminal = request.message, request.terminal
    if request.management.batch != terminal.batch:
        raise Refusal("77")
    payment = Payment(message.text(11), message.text(2), int(message.text(4)))
    if terminal.payments is not None:
        terminal.payments.append(payment)
    return {3: message.text(3), 4: message.text(4), 60: message.text(60)}


def _reverse(host: IsoHost, request: Request) -> Fields:
    """Once taken back it stays so: the reversal's answer may be lost too."""
    message, terminal = request.message, request.terminal
    stan, amount = message.text(11), int(message.text(4))
    if stan in request.memory.reversed:
        return _echo(host, request)
    for payment in terminal.payments or ():
        if (payment.stan, payment.amount) == (stan, amount):
            assert terminal.payments is not None  # noqa: S101
            terminal.payments.remove(payment)
            request.memory.reversed.add(stan)
            return _echo(host, request)
    raise Refusal(_NO_ORIGINAL)


# -- settlement -----------------------------------------------------------------------


def _settle(host: IsoHost, request: Request) -> Fields:
    terminal, number = request.terminal, request.management.batch
    totals = Totals.from_text(request.message.text(48))
    settled = request.memory.settlements
    done = next((each for each in settled if each.batch == number), None)
    if done is None:
        if number != terminal.batch:
            raise Refusal("77")
        result = _result(request, totals)
        done = HostSettlement(number, totals, host.now(), result)
        settled.append(done)
        _pay_out(host.ledger, terminal, totals)
    if done.totals != totals:
        raise Refusal(_TOTALS_DIFFER)
    return {
        48: replace(totals, result=done.result).to_text(),
        60: request.message.text(60),
    }


def _result(request: Request, totals: Totals) -> str:
    known = request.terminal.payments
    if request.lie == "unbalanced":
        return codes.UNBALANCED
    if known is None or _sums(payment.amount for payment in known) == totals:
        return codes.BALANCED
    return codes.UNBALANCED


def _sums(amounts: Iterable[int]) -> Totals:
    known = list(amounts)
    sales = [fen for fen in known if fen >= 0]
    refunds = [-fen for fen in known if fen < 0]
    return Totals(sum(sales), len(sales), sum(refunds), len(refunds))


def _pay_out(ledger: Ledger, terminal: TerminalRecord, totals: Totals) -> None:
    """What the host has seen, where it has; to the account of this moment."""
    payments = terminal.payments
    amount = totals.debit_amount - totals.credit_amount
    if payments is not None:
        amount = sum(payment.amount for payment in payments)
    account = terminal.account or ledger.merchants[terminal.mid].account
    paid = Takings(terminal.tid, terminal.batch, account, amount)
    ledger.takings.append(paid)
    terminal.batch = terminal.batch % 999999 + 1
    terminal.payments = []


def _upload(host: IsoHost, request: Request) -> Fields:
    """Records of a batch that was settled."""
    number = request.management.batch
    if not any(each.batch == number for each in request.memory.settlements):
        raise Refusal("77")
    held = request.memory.uploads.setdefault(number, {})
    for record in batch.read(request.message.text(48)):
        held[record.stan] = record
    return {48: request.message.text(48), 60: request.message.text(60)}


def _upload_end(host: IsoHost, request: Request) -> Fields:
    number = request.management.batch
    held = request.memory.uploads.get(number, {})
    if batch.read_count(request.message.text(48)) != len(held):
        raise Refusal(_TOTALS_DIFFER)
    request.memory.uploaded.add(number)
    return {48: request.message.text(48), 60: request.message.text(60)}


# -- downloads ------------------------------------------------------------------------


def _download(host: IsoHost, request: Request) -> Fields:
    terminal = request.terminal
    merchant = host.ledger.merchants[terminal.mid]
    request.memory.version_sent = merchant.version
    tag = host.ledger.binding_tag(terminal.tid)
    items = {
        codes.TRANSACTION_TYPES: b"FFC0",
        codes.MERCHANT_NAME: merchant.name.encode("gb18030"),
        codes.MASTER_KEY_INDEX: b"1",
        codes.BINDING_TAG: bytes.fromhex(tag.to_hex()),
    }
    return {60: request.message.text(60), 62: codes.write_list(items)}


def _download_end(host: IsoHost, request: Request) -> Fields:
    terminal, memory = request.terminal, request.memory
    merchant = host.ledger.merchants[terminal.mid]
    if memory.version_sent == merchant.version:
        terminal.processing_request = ProcessingRequest.NONE
        terminal.tag_version_fetched = merchant.version
    return _echo(host, request)


def _list(entries: Iterable[Entry], request: Request) -> Fields:
    start = downloads.read_query(request.message.data(62))
    told = downloads.listing(entries, start, _ENTRIES_AT_ONCE)
    return {60: request.message.text(60), 62: told.to_bytes()}


_KEY_NAME = (downloads.RID, downloads.KEY_INDEX, downloads.KEY_EXPIRY)


def _list_keys(host: IsoHost, request: Request) -> Fields:
    named = ({tag: key[tag] for tag in _KEY_NAME} for key in host.ca_keys.values())
    return _list(named, request)


def _key(host: IsoHost, request: Request) -> Fields:
    name = downloads.read_name(request.message.data(62))
    index = name.get(downloads.KEY_INDEX, b"")
    found = host.ca_keys.get((name[downloads.RID], index))
    return {60: request.message.text(60), 62: downloads.write_entry(found)}


def _list_applications(host: IsoHost, request: Request) -> Fields:
    return _list(({downloads.AID: aid} for aid in host.applications), request)


def _application(host: IsoHost, request: Request) -> Fields:
    name = downloads.read_name(request.message.data(62))
    found = host.applications.get(name[downloads.AID])
    return {60: request.message.text(60), 62: downloads.write_entry(found)}


def _end_of(wanted: ProcessingRequest) -> Work:
    """The end of a download, which the host may have asked for."""

    def work(host: IsoHost, request: Request) -> Fields:
        if request.terminal.processing_request == wanted:
            request.terminal.processing_request = ProcessingRequest.NONE
        return _echo(host, request)

    return work


CALLS: Mapping[tuple[str, str], Call] = {
    **{
        ("0800", code): Call(_sign_in, guarded=False, fresh=False)
        for code in codes.SIGN_IN
    },
    ("0820", codes.SIGN_OFF): Call(_sign_off, guarded=False),
    ("0800", codes.ECHO): Call(_echo, guarded=False),
    ("0820", codes.ECHO): Call(_echo, guarded=False),
    ("0800", codes.UPDATE): Call(_update, guarded=False, fresh=False),
    ("0820", codes.STATUS): Call(_status, guarded=False),
    ("0200", codes.PAYMENT): Call(_pay),
    ("0400", codes.PAYMENT): Call(_reverse, fresh=False),
    ("0500", codes.SETTLE): Call(_settle),
    ("0320", codes.UPLOAD): Call(_upload, guarded=False),
    ("0320", codes.UPLOAD_END_UNBALANCED): Call(_upload_end, guarded=False),
    ("0320", codes.UPLOAD_END_BALANCED): Call(_upload_end, guarded=False),
    ("0800", codes.DOWNLOAD): Call(_download),
    ("0800", codes.DOWNLOAD_END): Call(_download_end),
    ("0800", codes.TMS): Call(_download),
    ("0800", codes.TMS_END): Call(_download_end),
    ("0820", codes.CA_KEY_LIST): Call(_list_keys, guarded=False),
    ("0800", codes.CA_KEY): Call(_key, guarded=False),
    ("0800", codes.CA_KEY_END): Call(_end_of(ProcessingRequest.CA_KEYS), guarded=False),
    ("0820", codes.CHIP_LIST): Call(_list_applications, guarded=False),
    ("0800", codes.CHIP): Call(_application, guarded=False),
    ("0800", codes.CHIP_END): Call(
        _end_of(ProcessingRequest.CHIP_PARAMETERS), guarded=False
    ),
}
"""By MTI and network management code (60.3)."""
