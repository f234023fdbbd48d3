"""When another factor may take a factor's place (R33).

Only where the first one gave no word on the person: his bank cannot be asked, or not
now. Never in an order that has a mismatch on record, of whichever run. And only where
the other one is about the very same person: name and ID number of the account are those
of the merchant's owner on file, whom it asks. Otherwise the order waits for a person:
the end is another channel, never a skip.
"""

from __future__ import annotations

import hmac

from posctl.model.errors import Declined, PosctlError
from posctl.model.names import compare
from posctl.office.account import person_id
from posctl.office.registry import find_merchant
from posctl.office.steps import Context

FALLBACK_WORD = "OTHER"

_CANNOT = frozenset(
    {"elements.unsupported", "elements.no_phone", "otp.no_phone"}
    | {"penny.unsupported", "penny.defective"}
)
"""A defective success is no proof, and no word against the holder either (R29)."""
_NOT_NOW = frozenset({"elements.busy", "otp.busy", "penny.busy"})
_AGAINST = frozenset(
    {"elements.mismatch", "elements.card", "elements.used_up"}
    | {"otp.wrong", "otp.used_up"}
    | {"penny.mismatch", "penny.card", "penny.used_up"}
)
"""Words on the person or his account: nothing takes the place of these any more."""


def may_fall_back(context: Context, failure: PosctlError, other: str) -> bool:
    """A busy service may answer later: then the approver has to want it."""
    if failure.code not in _CANNOT | _NOT_NOW:
        return False
    person = context.session.place.person
    if _has_word_against(context):
        person.tell("fallback.too_late", cause=failure.code, other=other)
        return False
    if not _same_person(context):
        person.tell("fallback.other_person", cause=failure.code, other=other)
        return False
    if failure.code in _NOT_NOW and not _agreed(context, failure.code, other):
        return False
    person.tell("fallback.used", cause=failure.code, other=other)
    return True


def _agreed(context: Context, cause: str, other: str) -> bool:
    person = context.session.place.person
    try:
        person.confirm("fallback.confirm", FALLBACK_WORD, cause=cause, other=other)
    except Declined:
        return False
    return True


def _has_word_against(context: Context) -> bool:
    journal = context.journal
    failed = (e for e in journal.log.events(journal.number) if e.kind == "step.failed")
    return any(event.payload.get("cause") in _AGAINST for event in failed)


def _same_person(context: Context) -> bool:
    """What is not on file is not equal."""
    merchant = find_merchant(context.session.place, context.journal.order.mid)
    account = context.account
    if merchant is None or not merchant.owner_id or not account.id_number:
        return False
    same_name = compare(merchant.owner, account.holder).passes
    own = person_id(context.session, account.id_number)
    return hmac.compare_digest(own, merchant.owner_id) and same_name
