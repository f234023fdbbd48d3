"""The terminal is the merchant's, and the account that the provider shows is the one
that the order replaces (R2, R3)."""

from __future__ import annotations

from posctl.change.journal import Journal, last_payload
from posctl.change.order import Order
from posctl.model.canonical import Json
from posctl.model.deadline import Deadline
from posctl.model.errors import CheckFailed
from posctl.office.merchant import CALL_SECONDS
from posctl.office.place import Session
from posctl.office.steps import Context
from posctl.office.tags import check_tag
from posctl.providers import Capability, ReadBinding
from protocols.sensitive import consistent

NOT_OFFERED = "not offered by this provider"


def run(context: Context) -> Json:
    return check_identity(context.session, context.journal)


def check_identity(session: Session, journal: Journal) -> Json:
    """As far as the provider can tell; what it cannot tell is said so.

    Raises:
        CheckFailed: ``look.mismatch``, ``tag.*``, ``binding.conflict``,
            ``binding.undecided``.
    """
    shown = last_payload(journal.log, journal.number, "look.done").get("tag")
    return {
        "terminals": _check_terminals(session, journal.order),
        "tag": check_tag(session, journal.order, shown),
        "account": _check_account(session, journal),
    }


def _check_terminals(session: Session, order: Order) -> str:
    provider = session.provider()
    if Capability.TERMINALS not in provider.capabilities:
        return NOT_OFFERED
    tids = provider.terminals(order.mid, Deadline(CALL_SECONDS))
    if order.tid not in tids:
        raise CheckFailed(
            "look.mismatch", tid=order.tid, mid=order.mid, listed=", ".join(tids)
        )
    return str(len(tids))


def _check_account(session: Session, journal: Journal) -> str:
    """What the provider shows is kept with the order: it must not move any more."""
    provider = session.provider()
    if Capability.READ_BINDING not in provider.capabilities:
        return NOT_OFFERED
    order = journal.order
    found = provider.read_binding(order.mid, Deadline(CALL_SECONDS))
    if found.effective is None:
        return _check_hidden(session, journal, found)
    for known in (order.old_mask, order.provider_mask):
        if known and consistent(found.effective, known) is None:
            raise CheckFailed("binding.conflict", shown=found.effective, known=known)
    if found.effective != order.provider_mask:
        read = {"provider_mask": found.effective, "failed_mask": ""}
        journal.append("binding.read", read)
    return found.effective


def _check_hidden(session: Session, journal: Journal, found: ReadBinding) -> str:
    """The provider shows another account than the one in force. Where that one failed,
    the one in force is unknown, and the profile says whether that refuses (R2); where
    it is still being verified, no other may be asked for.

    Raises:
        CheckFailed: ``binding.undecided``, ``look.unknown``.
    """
    order = journal.order
    if not found.failed:
        raise CheckFailed("binding.undecided", mid=order.mid, raw=found.verification)
    if "account" in session.place.profile.identity.required:
        raise CheckFailed("look.unknown", item="account")
    if found.pending and found.pending != order.failed_mask:
        read = {"provider_mask": order.provider_mask, "failed_mask": found.pending}
        journal.append("binding.read", read)
    return "unknown"
