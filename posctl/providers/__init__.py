"""Payment companies behind one set of words: a file a company, imported on use."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from typing import cast

from posctl.model.deadline import Deadline
from posctl.model.errors import OtherChannel, UsageError
from protocols.sensitive import AccountNumber, mask

Clock = Callable[[], datetime]

_ADAPTERS: Mapping[str, str] = {
    "chinaums": "posctl.providers.chinaums",
    "wechatpay": "posctl.providers.wechatpay",
    "lakala": "posctl.providers.lakala",
}
_GROUP = "posctl.providers"
_DIGITS = re.compile(r"\d(?:[^0-9A-Za-z]{0,2}\d){5,}[Xx]?")
_LONGEST_TEXT = 200
_LESSER_CLASS = re.compile(r"(?<![A-Z0-9])(?:III?|2|3|二|三)\s*类")


class Capability(StrEnum):
    """What a provider can do; each stands for the methods of ``Provider`` named."""

    TERMINALS = "terminals"
    BRANCHES = "branches"
    PICTURES = "pictures"
    CHANGE = "change"
    SIGN = "sign"
    PENNY_DROP = "penny_drop"
    READ_BINDING = "read_binding"
    NOTICE = "notice"


METHODS: Mapping[Capability, tuple[str, ...]] = {
    Capability.TERMINALS: ("terminals",),
    Capability.BRANCHES: ("branches",),
    Capability.PICTURES: ("upload",),
    Capability.CHANGE: ("apply", "query"),
    Capability.SIGN: ("sign", "sign_link"),
    Capability.PENNY_DROP: ("request_payment", "report_payment"),
    Capability.READ_BINDING: ("read_binding",),
    Capability.NOTICE: ("open_notice",),
}
"""A declared capability has all its methods, an undeclared one none of them."""


class Progress(StrEnum):
    """Where an application stands, in the words of an order's states (R35)."""

    WAITING_MERCHANT = "WAITING_MERCHANT"
    AUDITING = "AUDITING"
    EFFECTIVE = "EFFECTIVE"
    REJECTED = "REJECTED"
    UNKNOWN = "UNKNOWN"


class Need(StrEnum):
    """What an application that waits for the merchant waits for."""

    NOTHING = ""
    SIGNING = "signing"
    PENNY_DROP = "penny_drop"
    FILLING = "filling"


class AccountType(StrEnum):
    """A personal card, or a company's account at a bank."""

    CARD = "card"
    CORPORATE = "corporate"


@dataclass(frozen=True)
class ApplicationStatus:
    """What the provider says of an application.

    Args:
        raw: the provider's own code, unchanged.
        text: the provider's words for it, fit to print.
        reason: why it was rejected, in the provider's words, or ``""``.
        need: what the merchant has to do, where the provider waits for him.
        mask: the new account as the provider masks it, or None.
    """

    raw: str
    progress: Progress
    text: str
    reason: str
    need: Need = Need.NOTHING
    mask: str | None = None


@dataclass(frozen=True)
class ReadBinding:
    """The settlement account as the provider shows it. What is in force and what is
    asked for are two things (R40).

    Args:
        effective: mask of the account the takings go to now; None: it does not tell.
        pending: mask of another account that is being verified, or failed; or None.
        bank: the bank's name in the provider's words, or ``""``.
        verification: the provider's own word for how far the verification is, or
            ``""``.
        tid: the terminal it holds for; None: for the whole merchant.
        failed: the verification of the pending one is over, and it was refused.
    """

    effective: str | None
    pending: str | None
    bank: str = ""
    verification: str = ""
    tid: str | None = None
    failed: bool = False


@dataclass(frozen=True)
class Notice:
    """A provider's push, its signature checked. It never changes a state: it only
    says what to ask (R46).

    Args:
        application: which application it speaks of, or None.
        mid: which merchant, or None.
        raw: the provider's own code in it, unchanged.
        reply: the body that the provider wants as its answer.
    """

    application: str | None
    mid: str | None
    raw: str
    reply: bytes


@dataclass(frozen=True)
class Branch:
    """A bank branch as the provider lists it."""

    code: str
    name: str


@dataclass(frozen=True)
class Picture:
    """A document to upload.

    Args:
        kind: ``card_front``, ``card_back`` or the provider's own document code.
        name: what to call it, as in ``card front``; no file name, no person's name.
        media_type: ``image/jpeg`` or ``image/png``.
    """

    kind: str
    name: str
    media_type: str


@dataclass(frozen=True)
class UploadedPicture:
    """A document that the provider holds: all texts, so it can be written down."""

    kind: str
    name: str
    path: str
    size: str


@dataclass(frozen=True, repr=False)
class ChangeRequest:
    """The change to apply for. ``repr`` shows masks only. A provider takes from it
    what its call has a field for.

    Args:
        branch: the CNAPS code of the new account's branch, 12 digits, or ``""``.
        old: the account it replaces; given, ChinaUMS matches it exactly.
        holder: the account's name at the bank.
        bank: the bank's name, for providers that want one.
        area: the bank's area code, six digits, for providers that want one.
    """

    mid: str
    new: AccountNumber
    branch: str
    old: AccountNumber | None = None
    mobile: str | None = None
    pictures: tuple[UploadedPicture, ...] = ()
    remark: str = ""
    account_type: AccountType = AccountType.CARD
    holder: str = ""
    bank: str = ""
    area: str = ""

    def __repr__(self) -> str:
        old = self.old.masked if self.old else "not given"
        return f"ChangeRequest({self.mid}: {old} -> {self.new.masked}, {self.branch})"


class Provider:
    """A provider's calls: a subclass declares its ``capabilities`` and has their
    methods; the others refuse with OtherChannel ``provider.cannot``.

    Every call raises ``Refused`` when the provider said no, ``LinkFailed`` or
    ``LinkTimeout`` with ``sent`` when no trustworthy answer came. After an error with
    ``sent`` true, and after ``provider.busy``, whether it acted is not known: ``query``
    before anything else.
    """

    name: str
    capabilities: frozenset[Capability]

    @property
    def commits_by_signing(self) -> bool:
        """An application takes no effect before ``sign``; otherwise ``apply`` itself
        is the commit point."""
        return Capability.SIGN in self.capabilities

    def terminals(self, mid: str, deadline: Deadline) -> tuple[str, ...]:
        """The merchant's terminal numbers (TID)."""
        raise self._cannot(Capability.TERMINALS)

    def branches(self, area: str, text: str, deadline: Deadline) -> tuple[Branch, ...]:
        """Bank branches of an area whose name holds ``text``."""
        raise self._cannot(Capability.BRANCHES)

    def upload(
        self, picture: Picture, data: bytes, deadline: Deadline
    ) -> UploadedPicture:
        """Upload one document; alone it changes nothing."""
        raise self._cannot(Capability.PICTURES)

    def apply(
        self, request: ChangeRequest, request_seq: str, deadline: Deadline
    ) -> str:
        """Open an application; its number, 1 to 64 visible ASCII characters."""
        raise self._cannot(Capability.CHANGE)

    def query(
        self, mid: str, application: str, deadline: Deadline
    ) -> ApplicationStatus:
        """Where the application stands."""
        raise self._cannot(Capability.CHANGE)

    def sign(self, application: str, deadline: Deadline) -> None:
        """The commit point of a provider that signs."""
        raise self._cannot(Capability.SIGN)

    def sign_link(self, application: str) -> str:
        """The address where the merchant himself signs, in his browser. Sends
        nothing."""
        raise self._cannot(Capability.SIGN)

    def request_payment(
        self, application: str, account: AccountNumber, deadline: Deadline
    ) -> None:
        """Have a small random amount paid to a corporate account."""
        raise self._cannot(Capability.PENNY_DROP)

    def report_payment(
        self, application: str, account: AccountNumber, fen: int, deadline: Deadline
    ) -> None:
        """Tell the amount (in fen) that arrived. Raises Refused for a wrong one."""
        raise self._cannot(Capability.PENNY_DROP)

    def read_binding(
        self, mid: str, deadline: Deadline, *, tid: str | None = None
    ) -> ReadBinding:
        """The settlement account of a merchant, or of one of its terminals."""
        raise self._cannot(Capability.READ_BINDING)

    def open_notice(self, headers: Mapping[str, str], body: bytes) -> Notice:
        """Check a push and read it. Raises CheckFailed ``notice.forged``."""
        raise self._cannot(Capability.NOTICE)

    def _cannot(self, capability: Capability) -> OtherChannel:
        return OtherChannel(
            "provider.cannot", name=self.name, capability=str(capability)
        )


def open_provider(
    name: str,
    *,
    url: str,
    ca_file: Path | None,
    credentials: Mapping[str, str],
    clock: Clock | None = None,
) -> Provider:
    """The adapter called ``name``. Nothing is sent yet.

    Args:
        credentials: what the provider issued; ``chinaums``: ``accesser_id``, ``key``;
            ``wechatpay``: ``mchid``, ``serial_no``, ``private_key``,
            ``platform_serial``, ``platform_public_key``;
            ``lakala``: ``appid``, ``serial_no``, ``private_key``, and
            ``platform_certificate`` or ``platform_public_key``.
        clock: gives an aware time; None is the system's.

    Raises:
        UsageError: ``provider.unknown``, ``provider.settings``, ``host.url``,
            ``host.ca_file``.
    """
    connect = _connector(name)
    opened = connect(url, ca_file=ca_file, credentials=credentials, clock=clock)
    return cast(Provider, opened)


def provider_names() -> list[str]:
    """Of this package and of installed plug-ins."""
    return sorted({*_ADAPTERS, *(point.name for point in entry_points(group=_GROUP))})


def _connector(name: str) -> Callable[..., object]:
    """Ours first: no plug-in takes the place of one. Raises UsageError
    ``provider.unknown``, ``provider.plugin``."""
    if name in _ADAPTERS:
        return cast(Callable[..., object], import_module(_ADAPTERS[name]).connect)
    for point in entry_points(group=_GROUP, name=name):
        try:
            return cast(Callable[..., object], point.load())
        except (ImportError, AttributeError) as error:
            reason = type(error).__name__
            raise UsageError("provider.plugin", name=name, reason=reason) from error
    raise UsageError("provider.unknown", name=name, known=", ".join(provider_names()))


def printable(text: str) -> str:
    """A provider's words, fit to print: numbers of 6 digits and more are masked.

    Control characters become spaces; 200 characters at most.
    """
    plain = unicodedata.normalize("NFKC", text)
    plain = "".join(c if c.isprintable() else " " for c in plain)
    hidden = _DIGITS.sub(lambda m: mask(re.sub("[^0-9A-Za-z]", "", m[0])), plain)
    return hidden[:_LONGEST_TEXT]


def is_lesser_class(reason: str) -> bool:
    """Whether a provider's words for a rejection speak of an account of Class II or
    III: none here has a code for it (R13)."""
    plain = unicodedata.normalize("NFKC", reason).upper()
    return _LESSER_CLASS.search(plain) is not None
