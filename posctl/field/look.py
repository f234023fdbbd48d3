"""Look: which terminal is this, and does everybody say the same of it (R2)?

Identity must agree from two sources: the terminal, and the provider's terminal list
for the merchant. What a protocol cannot tell is unknown, never guessed.
"""

from __future__ import annotations

from dataclasses import dataclass

from posctl.field.label import ADDRESS, LabelDriver
from posctl.field.place import FieldPlace, TerminalList
from posctl.model.canonical import Json
from posctl.model.deadline import Deadline
from posctl.model.errors import CheckFailed
from posctl.terminals import TerminalDriver, TerminalIdentity, open_terminal
from protocols.bindingtag import BindingTag

LOOK_SECONDS = 30.0
UNKNOWN = "unknown"
AGREES = "agrees"


@dataclass(frozen=True)
class Look:
    """What the terminal told, and the list it was compared with."""

    identity: TerminalIdentity
    tag: BindingTag | None
    listed: TerminalList

    @property
    def tid(self) -> str:
        return self.identity.tid or UNKNOWN

    @property
    def mid(self) -> str:
        return self.listed.mid

    def evidence(self) -> Json:
        """The payload of ``look.done``: masks only."""
        return {
            "mid": self.mid,
            "tid": self.tid,
            "serial": self.identity.serial,
            "model": self.identity.model,
            "firmware": self.identity.firmware,
            "old_mask": (self.tag.mask or None) if self.tag else None,
            "old_version": self.tag.version if self.tag else None,
            "tag": self.tag.to_hex() if self.tag else None,
            "list_fetched": self.listed.fetched,
            "verdict": self.verdict(),
        }

    def verdict(self) -> dict[str, str]:
        """One word an item: agrees, or unknown where nobody else can tell it."""
        return {
            "mid": AGREES if self.identity.mid else UNKNOWN,
            "tid": AGREES if self.identity.tid else UNKNOWN,
            "serial": UNKNOWN,  # the provider's list has no serial numbers
        }


class IdentityMismatch(CheckFailed):
    """The terminal and the provider's list disagree; nothing was changed."""


def open_driver(
    place: FieldPlace, address: str, *, merchant: str | None = None
) -> TerminalDriver:
    """A driver for the profile's protocol on that port; where it names none, a person
    reads the label."""
    rules = place.profile.terminal
    if rules.protocol == ADDRESS:
        wants_tid = not place.profile.not_used.terminal
        return LabelDriver(place.person, wants_tid=wants_tid, mid=merchant)
    return open_terminal(
        rules.protocol, address, baud=rules.baud, variables=rules.variables
    )


def look(
    place: FieldPlace, driver: TerminalDriver, *, merchant: str | None = None
) -> Look:
    """Read identity and binding tag, and compare.

    Args:
        merchant: whose terminal it must be, where the technician said so: two shops
            may be door to door.

    Raises:
        IdentityMismatch: ``look.mismatch`` with both sides; ``look.other_merchant``.
        CheckFailed: ``look.unknown`` where the profile does not accept an unknown;
            ``list.*`` where there is no usable list.
    """
    deadline = Deadline(LOOK_SECONDS)
    identity = driver.identify(deadline)
    mid = identity.mid
    if mid is None:
        raise CheckFailed("look.unknown", item="mid")
    check_merchant(identity, merchant)
    listed = place.terminal_list(mid)
    found = Look(identity, driver.binding_tag(deadline), listed)
    _check(place, found)
    return found


def check_merchant(identity: TerminalIdentity, expected: str | None) -> None:
    """Whose terminal it must be, where the technician said so.

    Raises:
        IdentityMismatch: ``look.other_merchant``.
        CheckFailed: ``look.unknown``: the terminal cannot tell.
    """
    if expected is None:
        return
    if identity.mid is None:
        raise CheckFailed("look.unknown", item="mid")
    if identity.mid != expected:
        raise IdentityMismatch(
            "look.other_merchant",
            tid=identity.tid,
            mid=identity.mid,
            expected=expected,
        )


def check_unbound(found: Look) -> None:
    """Before a first account is asked for: the terminal says that it has none (R16).

    Raises:
        CheckFailed: ``bind.bound``: it has one; ``bind.unknown``: it cannot tell.
    """
    if found.tag is None:
        raise CheckFailed("bind.unknown", tid=found.tid)
    if not found.tag.unbound:
        raise CheckFailed("bind.bound", tid=found.tid, mask=found.tag.mask)


def _check(place: FieldPlace, found: Look) -> None:
    for item, word in found.verdict().items():
        if word == UNKNOWN and item in place.profile.identity.required:
            raise CheckFailed("look.unknown", item=item)
    tid = found.identity.tid
    if tid is not None and tid not in found.listed.tids:
        raise IdentityMismatch(
            "look.mismatch", tid=tid, mid=found.mid, listed=", ".join(found.listed.tids)
        )
