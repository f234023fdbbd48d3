"""Payment companies behind one set of words: a file a company, imported on use."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from importlib import import_module
from pathlib import Path
from typing import Protocol, cast

from posctl.model.deadline import Deadline
from posctl.model.errors import UsageError
from protocols.sensitive import AccountNumber, mask

Clock = Callable[[], datetime]

_ADAPTERS: Mapping[str, str] = {"chinaums": "posctl.providers.chinaums"}
_DIGITS = re.compile(r"\d(?:[^0-9A-Za-z]{0,2}\d){5,}[Xx]?")
_LONGEST_TEXT = 200


class Progress(StrEnum):
    """Where an application stands, in the words of an order's states (R35)."""

    WAITING_MERCHANT = "WAITING_MERCHANT"
    AUDITING = "AUDITING"
    EFFECTIVE = "EFFECTIVE"
    REJECTED = "REJECTED"
    UNKNOWN = "UNKNOWN"


@dataclass(frozen=True)
class ApplicationStatus:
    """What the provider says of an application.

    Args:
        raw: the provider's own code, unchanged.
        text: the provider's words for it, fit to print.
        reason: why it was rejected, in the provider's words, or ``""``.
    """

    raw: str
    progress: Progress
    text: str
    reason: str


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
    """The change to apply for. ``repr`` shows masks only.

    Args:
        branch: the branch code of the new account, from ``Provider.branches``.
        old: the account it replaces; given, the provider matches it exactly.
    """

    mid: str
    new: AccountNumber
    branch: str
    old: AccountNumber | None = None
    mobile: str | None = None
    pictures: tuple[UploadedPicture, ...] = ()
    remark: str = ""

    def __repr__(self) -> str:
        old = self.old.masked if self.old else "not given"
        return f"ChangeRequest({self.mid}: {old} -> {self.new.masked}, {self.branch})"


class Provider(Protocol):
    """A provider's calls. ``capabilities`` tells which of them it has.

    Every call raises ``Refused`` when the provider said no, ``LinkFailed`` or
    ``LinkTimeout`` with ``sent`` when no trustworthy answer came. After an error with
    ``sent`` true, and after ``provider.busy``, whether it acted is not known: ``query``
    before anything else.
    """

    name: str
    capabilities: frozenset[str]

    def terminals(self, mid: str, deadline: Deadline) -> tuple[str, ...]:
        """The merchant's terminal numbers (TID)."""
        ...

    def branches(self, area: str, text: str, deadline: Deadline) -> tuple[Branch, ...]:
        """Bank branches of an area whose name holds ``text``."""
        ...

    def upload(
        self, picture: Picture, data: bytes, deadline: Deadline
    ) -> UploadedPicture: ...

    def apply(
        self, request: ChangeRequest, request_seq: str, deadline: Deadline
    ) -> str:
        """Open an application; its number. Without ``sign`` it takes no effect."""
        ...

    def sign(self, reg_id: str, deadline: Deadline) -> None:
        """The commit point."""
        ...

    def query(self, reg_id: str, deadline: Deadline) -> ApplicationStatus: ...


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
        credentials: what the provider issued; ``chinaums``: ``accesser_id``, ``key``.
        clock: gives an aware time; None is the system's.

    Raises:
        UsageError: ``provider.unknown``, ``provider.settings``, ``host.url``,
            ``host.ca_file``.
    """
    if name not in _ADAPTERS:
        raise UsageError("provider.unknown", name=name, known=", ".join(_ADAPTERS))
    adapter = import_module(_ADAPTERS[name])
    opened = adapter.connect(url, ca_file=ca_file, credentials=credentials, clock=clock)
    return cast(Provider, opened)


def printable(text: str) -> str:
    """A provider's words, fit to print: numbers of 6 digits and more are masked.

    Control characters become spaces; 200 characters at most.
    """
    plain = unicodedata.normalize("NFKC", text)
    plain = "".join(c if c.isprintable() else " " for c in plain)
    hidden = _DIGITS.sub(lambda m: mask(re.sub("[^0-9A-Za-z]", "", m[0])), plain)
    return hidden[:_LONGEST_TEXT]
