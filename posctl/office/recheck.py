"""What may have changed since the field looked: at the approval and again before the
effect (R11, R38)."""

from __future__ import annotations

from datetime import date

from posctl.change.journal import Journal, last_payload
from posctl.change.mandates import Terms, good_until
from posctl.model.errors import CheckFailed, ClosedNow
from posctl.office.place import Session
from posctl.office.registry import Merchant, find_merchant


def check_accepted(session: Session, journal: Journal) -> None:
    """This profile's fee and terms are those that were accepted (R9, R10).

    Raises:
        CheckFailed: ``propose.not_accepted``.
    """
    profile = session.place.profile
    said = last_payload(journal.log, journal.number, "order.proposed")
    fee, terms = str(profile.fees.total), profile.terms.sha256
    if (said.get("fee_accepted"), said.get("terms_sha256")) != (fee, terms):
        raise CheckFailed("propose.not_accepted", order=journal.number, fee=fee)


def check_facts(session: Session, journal: Journal) -> None:
    """The documents are still good; the merchant still has the type that may have this
    account, and its documents; whoever acted for it may still (R7, R13, R15).

    Raises:
        CheckFailed: ``document.expired``, ``document.merchant``,
            ``eligibility.changed``, ``eligibility.papers``, ``eligibility.no_papers``,
            ``mandate.missing``, ``mandate.scope``, ``mandate.ended``.
    """
    place = session.place
    today = place.clock.now().astimezone(place.profile.zone).date()
    for document in journal.order.documents:
        if document.get("expires", "9999") < today.isoformat():
            label, on = document["kind"], document["expires"]
            raise CheckFailed("document.expired", label=label, on=on)
    merchant = find_merchant(place, journal.order.mid)
    if merchant is not None:
        _check_type(session, journal, merchant)
        _check_agent(journal, merchant, today)


def check_notices(session: Session) -> None:
    """Raises ClosedNow ``notice.stops``."""
    place = session.place
    for notice in place.profile.notices_at(place.clock.now()):
        if notice.stops:
            ends = f"{notice.ends:%Y-%m-%d %H:%M}"
            raise ClosedNow("notice.stops", notice=notice.id, ends=ends)


def _check_type(session: Session, journal: Journal, merchant: Merchant) -> None:
    order = journal.order
    if "eligibility" not in order.steps:
        return
    allowed = session.place.profile.accounts_for(merchant.subject)
    if order.account_type not in allowed:
        raise CheckFailed(
            "eligibility.changed",
            subject=merchant.subject,
            account=order.account_type,
            allowed=", ".join(allowed) or "-",
        )
    profile, subject = session.place.profile, merchant.subject
    profile.check_papers(merchant.mid, merchant.papers)
    wanted = {d.kind for d in profile.documents_for(order.account_type, subject)}
    if "documents" in order.steps and wanted != {d["kind"] for d in order.documents}:
        listed = ", ".join(sorted(wanted)) or "-"
        raise CheckFailed("document.merchant", subject=subject, wanted=listed)


def agent_of(journal: Journal) -> str | None:
    """Who acted for the merchant in the field; None: its owner himself."""
    passed = last_payload(journal.log, journal.number, "preflight.passed")
    agent: str | None = passed["steps"].get("mandate", {}).get("agent")
    return agent


def _check_agent(journal: Journal, merchant: Merchant, today: date) -> None:
    if "mandate" not in journal.order.steps:
        return
    agent = agent_of(journal)
    if agent is not None:
        known = [Terms(**mandate) for mandate in merchant.mandates]
        good_until(known, agent, merchant.mid, today)
