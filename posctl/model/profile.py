"""A provider's rules as its profile states them: every table, every key, every type.

Numbers, windows, documents, fees, factors and contacts live in the profile, never in
code (R4). A key that is not described here is refused, so that a rule that was
misspelt is not a rule that silently does not hold.
"""

from __future__ import annotations

import hashlib
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from fnmatch import fnmatchcase
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

import msgspec

from posctl.model.errors import CheckFailed
from posctl.model.steps import SERVICE, check_order, factors
from posctl.model.windows import Windows

Count = Annotated[int, msgspec.Meta(ge=0, le=100_000)]
Positive = Annotated[int, msgspec.Meta(ge=1, le=100_000_000)]
Seconds = Annotated[float, msgspec.Meta(gt=0, le=86_400)]
Hours = Annotated[int, msgspec.Meta(ge=0, le=24 * 3650)]
Step = Annotated[str, msgspec.Meta(pattern=r"^[a-z_]{1,32}(\|[a-z_]{1,32})?$")]
Name = Annotated[str, msgspec.Meta(pattern="^[A-Za-z][A-Za-z0-9_-]{0,31}$")]
Money = Annotated[str, msgspec.Meta(pattern=r"^[0-9]{1,6}\.[0-9]{2}$")]
Subject = Literal["micro", "individual", "enterprise", "government", "other"]
AccountKind = Literal["card", "corporate"]
Channel = Literal["device", "app", "web", "counter", "agent"]
Paper = Literal["resident", "permanent", "hkmt", "passport", "other"]
"""What the owner proved himself with: a resident identity card, a foreigner's permanent
one, a permit or pass of Hong Kong, Macao and Taiwan, a passport, another."""
OtherWay = Literal["app", "web", "counter", "agent"]
Checker = Literal["office", "merchant", "colleague"]
Ask = Literal["branch", "mobile", "bank", "area", "holder", "id_number"]

NEEDS: dict[str, frozenset[Ask]] = {
    "elements": frozenset({"holder", "id_number", "mobile"}),
    "penny_drop": frozenset({"holder"}),
}
"""Step -> what it needs besides the account's number."""


class Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A table of a profile."""


class ClockRules(Table, frozen=True):
    """The terminal's clock against this machine's, in minutes: more than ``warns`` off
    is told, more than ``refuses`` refuses (R12)."""

    warns: Count
    refuses: Positive


class TerminalRules(Table, frozen=True):
    """How the terminal is spoken to. ``models`` are patterns (``A920*``) of those whose
    behaviour is known; another one may be read, but no change goes through it (R4).
    ``clock`` is wanted where the step of that name is made."""

    protocol: str
    baud: Positive
    confirm: Literal["binding_tag", "n/a"]
    models: tuple[str, ...]
    variables: dict[str, str]
    clock: ClockRules | None = None

    def knows(self, model: str | None) -> bool:
        return any(fnmatchcase(model or "", pattern) for pattern in self.models)


class IdentityRules(Table, frozen=True):
    """``required``: which unknowns refuse. ``list_days``: how old a list may be."""

    required: tuple[Literal["tid", "mid", "serial", "account"], ...]
    list_days: Count


class AccountRules(Table, frozen=True):
    """``old``: whether the old number is asked for. ``asks``: what else the provider's
    call needs. ``types``: which accounts a merchant of each type may have; ``classes``:
    which classes of a person's account, where the step of that name is made (R13).
    ``least_age`` of the holder in years, where his ID number is asked for; ``papers``:
    with which document of its owner's a merchant may change its account here; none:
    any. ``name_bytes``: what the provider's field for the holder's name holds, in GB
    18030 (R26)."""

    old: Literal["required", "not used"]
    asks: tuple[Ask, ...]
    types: dict[Subject, tuple[AccountKind, ...]]
    least_age: Count = 0
    papers: tuple[Paper, ...] = ()
    name_bytes: Positive = 400
    classes: tuple[Literal["I", "II", "III"], ...] = ()


class Document(Table, frozen=True):
    """A picture the provider wants: its kind there, what people call it, for which
    account, of merchants of which types (none: of all), and whether it has a date of
    expiry."""

    kind: Annotated[str, msgspec.Meta(pattern="^[0-9A-Za-z_-]{1,32}$")]
    label: str
    account: Literal["card", "corporate", "any"] = "any"
    merchants: tuple[Subject, ...] = ()
    expires: bool = False


class Pictures(Table, frozen=True):
    largest_bytes: Positive


class VerificationRules(Table, frozen=True):
    """``steps``: names of ``posctl.change.steps``, in order; all must pass (R27).
    One may have another in its place, ``otp|call_back`` (R33).
    ``checkers``: who may be the second person. Hours of cooling-off, and for an account
    whose holder is not the merchant (R31)."""

    steps: tuple[Step, ...]
    checkers: Annotated[tuple[Checker, ...], msgspec.Meta(min_length=1)]
    cooling_hours: Hours
    cooling_hours_other_holder: Hours


class Closure(Table, frozen=True):
    """Once closed, from and until a local date and time (half open)."""

    begins: datetime
    ends: datetime
    why: str


class Holiday(Table, frozen=True):
    """Days on which nobody decides: both are included."""

    name: str
    first: date
    last: date


class WindowRules(Table, frozen=True):
    timezone: str
    closed: tuple[tuple[time, time], ...]
    estimated_minutes: Count
    warn_days: Count
    closures: tuple[Closure, ...] = ()
    holidays: tuple[Holiday, ...] = ()


class ProviderNotice(Table, frozen=True):
    """What the provider made known, shown first (R8). ``stops``: no change then."""

    id: Name
    begins: datetime
    ends: datetime
    text: str
    stops: bool = False


class Caps(Table, frozen=True):
    """Tested on the state AFTER the change (R13, R14); 0 days: no such rule."""

    merchants_per_account: Positive
    open_per_technician: Positive
    days_between_changes: Count
    days_after_phone_change: Count


class Fees(Table, frozen=True):
    """In yuan, as texts of two decimals; ``deposit`` comes back."""

    change: Money
    service: Money
    deposit: Money

    @property
    def total(self) -> Decimal:
        return sum(map(Decimal, (self.change, self.service, self.deposit)), Decimal())


class Terms(Table, frozen=True):
    text: str

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.text.encode()).hexdigest()


class OrderRules(Table, frozen=True):
    """Days from PROPOSED to EXPIRED, how long before that it is `due` (R34), and after
    how many an order that has ended may be erased (R50). ``report``: whom a change that
    took effect is reported to; empty: nobody (R46)."""

    valid_days: Annotated[int, msgspec.Meta(ge=1, le=3650)]
    due_days: Count
    retention_days: Count
    report: str = ""


class Poll(Table, frozen=True):
    """``undecided_hours``: how long a lost application may stay unknown before a person
    has to find out."""

    every_seconds: Seconds
    undecided_hours: Count
    wait_seconds: Annotated[float, msgspec.Meta(ge=0, le=86_400)]


class Watch(Table, frozen=True):
    """When the binding is looked at again (R45): hours after EFFECTIVE, and after the
    first ``settlement``: the time of day at which the provider pays takings out."""

    hours: tuple[Positive, ...]
    settlement: time | None = None


class NotUsed(Table, frozen=True):
    """Of terminal, card, documents those that this provider's change does not use, and
    why; empty: it is used."""

    terminal: str = ""
    card: str = ""
    documents: str = ""


class Pinned(Table, frozen=True):
    """What `posctl setup` adds: sealing key, address, SHA-256 of the provider's CA file
    and of a file with more keys of card schemes (``""``: none).
    """

    office_key: str
    url: str
    ca_sha256: str
    ca_keys_sha256: str = ""


class Profile(Table, frozen=True, kw_only=True):
    """A provider's rules. ``channels``: where an account is changed; ``bind_channels``:
    where a merchant that has none gets its first (R16). ``sha256`` is of the whole
    signed text: two texts of one version differ in it."""

    name: Name
    version: Positive
    date: date
    warn_after_days: Positive
    provider: str
    licence: str
    channels: Annotated[tuple[Channel, ...], msgspec.Meta(min_length=1)]
    bind_channels: Annotated[tuple[OtherWay, ...], msgspec.Meta(min_length=1)]
    not_used: NotUsed = NotUsed()
    labels: dict[str, str]
    menus: dict[str, str]
    terminal: TerminalRules
    identity: IdentityRules
    account: AccountRules
    documents: tuple[Document, ...] = ()
    pictures: Pictures
    verification: VerificationRules
    windows: WindowRules
    notices: tuple[ProviderNotice, ...] = ()
    caps: Caps
    fees: Fees
    terms: Terms
    order: OrderRules
    poll: Poll
    watch: Watch
    advice: tuple[str, ...] = ()
    contacts: dict[str, str]
    pinned: Pinned | None = None
    sha256: str = ""

    def __post_init__(self) -> None:
        """Raises ValueError for what a type alone does not refuse."""
        self.calendar()
        spans: list[Closure | ProviderNotice] = [*self.windows.closures, *self.notices]
        if any(s.begins >= s.ends or s.begins.tzinfo or s.ends.tzinfo for s in spans):
            raise ValueError("a span begins before it ends, in local time")
        check_order(self.verification.steps)
        steps = factors(self.verification.steps)
        if any(holiday.first > holiday.last for holiday in self.windows.holidays):
            raise ValueError("windows.holidays: one ends before it begins")
        rules = self.verification
        longer = rules.cooling_hours_other_holder > rules.cooling_hours
        if longer and "same_name" not in steps:
            raise ValueError(
                "verification.cooling_hours_other_holder: needs the step same_name"
            )
        if "clock" in steps and self.terminal.clock is None:
            raise ValueError("terminal.clock: missing, the step clock needs it")
        if "account_class" in steps and not self.account.classes:
            raise ValueError("account.classes: missing, account_class needs them")
        if self.account.least_age and "id_number" not in self.account.asks:
            raise ValueError("account.least_age: needs id_number in account.asks")
        if self.account.papers and "eligibility" not in steps:
            raise ValueError("account.papers: needs the step eligibility")
        if any(d.merchants for d in self.documents) and "eligibility" not in steps:
            raise ValueError("documents.merchants: needs the step eligibility")
        for step in steps:
            needs = NEEDS.get(step, frozenset())
            if not needs <= set(self.account.asks):
                listed = ", ".join(sorted(needs))
                raise ValueError(f"account.asks: {step} needs {listed}")

    @property
    def in_force(self) -> Pinned:
        """What setup pinned. Raises CheckFailed ``profile.not_set_up``."""
        if self.pinned is None:
            raise CheckFailed("profile.not_set_up", profile=self.name)
        return self.pinned

    @property
    def needs_service(self) -> bool:
        """Whether a step is the verification service's, which is not the provider's."""
        return not SERVICE.isdisjoint(factors(self.verification.steps))

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.windows.timezone)

    def calendar(self) -> Windows:
        """When a change may be made."""
        rules = self.windows
        return Windows(
            zone=self.zone,
            closed=rules.closed,
            estimated=timedelta(minutes=rules.estimated_minutes),
            closures=tuple((c.begins, c.ends) for c in rules.closures),
            holidays=tuple((h.first, h.last) for h in rules.holidays),
        )

    def documents_for(self, account: str, merchant: str) -> tuple[Document, ...]:
        """What a merchant of that type needs for that kind of account (R7)."""
        return tuple(
            d
            for d in self.documents
            if d.account in ("any", account)
            and (not d.merchants or merchant in d.merchants)
        )

    def accounts_for(self, subject: str) -> tuple[str, ...]:
        """Which accounts a merchant of this type may have."""
        return next((a for s, a in self.account.types.items() if s == subject), ())

    def check_papers(self, mid: str, papers: str) -> None:
        """Whether a merchant whose owner has this document may change it here (R13).

        Raises:
            CheckFailed: ``eligibility.no_papers``: not known; ``eligibility.papers``.
        """
        allowed = self.account.papers
        if allowed and not papers:
            raise CheckFailed("eligibility.no_papers", mid=mid)
        if allowed and papers not in allowed:
            listed, channel = ", ".join(allowed), self.bind_channels[0]
            raise CheckFailed(
                "eligibility.papers", papers=papers, allowed=listed, channel=channel
            )

    def notices_at(self, now: datetime) -> tuple[ProviderNotice, ...]:
        """Those in force at a moment."""
        local = now.astimezone(self.zone).replace(tzinfo=None)
        return tuple(n for n in self.notices if n.begins <= local < n.ends)

    def is_old(self, now: datetime) -> bool:
        """Nobody has looked at it for longer than it says itself (R5)."""
        age = now.astimezone(self.zone).date() - self.date
        return age > timedelta(days=self.warn_after_days)
