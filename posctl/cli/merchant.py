"""`posctl merchant`: the provider's terminal list, fetched by the office."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from posctl.cli.command import command
from posctl.cli.console import Console
from posctl.cli.grammar import group
from posctl.cli.options import (
    SUBJECTS,
    CreditCode,
    MerchantNumber,
    PhoneNumber,
    Yuan,
    home_option,
    operator_option,
    output_option,
)
from posctl.cli.people import office_session
from posctl.cli.text.messages import _
from posctl.model.canonical import Json
from posctl.model.errors import UsageError

if TYPE_CHECKING:
    from posctl.office.place import Session
    from posctl.office.registry import Merchant

_DAY = click.DateTime(["%Y-%m-%d"])


@group("help.merchant")
def merchant() -> None:
    """The group; each command returns data."""


@command(merchant, "fetch", "help.merchant.fetch")
@output_option("option.output")
@operator_option
@home_option
@click.argument("mid", metavar="MID", type=MerchantNumber())
def fetch(
    console: Console,
    home: Path,
    operator: str | None,
    output: Path | None,
    mid: str,
) -> Json:
    from posctl.office.merchant import fetch_terminals

    path = fetch_terminals(office_session(console, home, operator), mid, output)
    return {"mid": mid, "file": str(path)}


@command(merchant, "account", "help.merchant.account")
@click.option("--tid", metavar="TID", help=_("option.tid"))
@operator_option
@home_option
@click.argument("mid", metavar="MID", type=MerchantNumber())
def account(
    console: Console, home: Path, operator: str | None, tid: str | None, mid: str
) -> Json:
    """What is in force and what is asked for are two things (R40)."""
    from posctl.model.deadline import Deadline
    from posctl.office.merchant import CALL_SECONDS

    provider = office_session(console, home, operator).provider()
    found = provider.read_binding(mid, Deadline(CALL_SECONDS), tid=tid)
    return {
        "mid": mid,
        "tid": found.tid,
        "effective": found.effective,
        "pending": found.pending,
        "bank": found.bank or None,
        "verification": found.verification or None,
    }


@command(merchant, "branches", "help.merchant.branches")
@operator_option
@home_option
@click.argument("area", metavar="AREA")
@click.argument("words", metavar="WORDS", nargs=-1, required=True)
def branches(
    console: Console,
    home: Path,
    operator: str | None,
    area: str,
    words: tuple[str, ...],
) -> Json:
    """The twelve digits that a change wants, by the name of the branch."""
    from posctl.model.deadline import Deadline
    from posctl.office.merchant import CALL_SECONDS

    provider = office_session(console, home, operator).provider()
    found = provider.branches(area, " ".join(words), Deadline(CALL_SECONDS))
    return {"branches": [{"branch": b.code, "name": b.name} for b in found]}


PAPERS = ("resident", "permanent", "hkmt", "passport", "other")


@command(merchant, "register", "help.merchant.register")
@click.option(
    "--subject", type=click.Choice(SUBJECTS), required=True, help=_("option.subject")
)
@click.option("--name", metavar="NAME", required=True, help=_("option.merchant_name"))
@click.option("--owner", metavar="NAME", required=True, help=_("option.owner"))
@click.option("--owner-id", is_flag=True, help=_("option.owner_id"))
@click.option(
    "--phone",
    metavar="NUMBER",
    type=PhoneNumber(),
    default="",
    help=_("option.phone"),
)
@click.option(
    "--credit-code",
    metavar="CODE",
    type=CreditCode(),
    default="",
    help=_("option.credit_code"),
)
@click.option("--address", metavar="TEXT", default="", help=_("option.address"))
@click.option("--papers", type=click.Choice(PAPERS), help=_("option.papers"))
@click.option("--turnover", metavar="YUAN", type=Yuan(), help=_("option.turnover"))
@click.option("--phone-changed", type=_DAY, help=_("option.phone_changed"))
@click.option("--mandate", multiple=True, metavar="AGENT:DAY", help=_("option.mandate"))
@operator_option
@home_option
@click.argument("mid", metavar="MID", type=MerchantNumber())
def register(
    console: Console,
    home: Path,
    operator: str | None,
    mid: str,
    owner_id: bool,
    phone_changed: datetime | None,
    mandate: tuple[str, ...],
    **given: str | None,
) -> Json:
    """What is not given is not known any more: an entry is replaced as a whole."""
    from stdnum.cn import uscc

    from posctl.office.registry import Merchant, find_merchant, register_merchant

    texts = {name: text or "" for name, text in given.items()}
    session = office_session(console, home, operator)
    changed = _phone_changed(session, mid, texts["phone"], phone_changed)
    mandates = tuple(_mandate(text) for text in mandate)
    made = Merchant(
        mid=mid,
        owner_id=_asked_id(console, session) if owner_id else "",
        phone_changed=changed,
        mandates=mandates,
        **texts,
    )
    if made.credit_code and not uscc.is_valid(made.credit_code):
        console.tell("merchant.credit_code", code=made.credit_code)
    before = find_merchant(session.place, mid)
    register_merchant(session.place, made)
    lost = _lost(before, made) if before else []
    if lost:
        console.tell("merchant.lost", mid=mid, lost=", ".join(lost))
    return {
        "mid": mid,
        "subject": made.subject,
        "name": made.name,
        "mandates": [m["agent"] for m in mandates],
        "next": f"posctl merchant fetch {mid}",
    }


def _lost(before: Merchant, made: Merchant) -> list[str]:
    """What was on file and is not any more, by its option."""
    agents = {m["agent"] for m in made.mandates}
    gone = [m["agent"] for m in before.mandates if m["agent"] not in agents]
    texts = [
        f"--{name.replace('_', '-')}"
        for name in (
            *("owner_id", "phone", "phone_changed", "credit_code", "address"),
            *("papers", "turnover"),
        )
        if getattr(before, name) and not getattr(made, name)
    ]
    return [*texts, *(f"--mandate {agent}" for agent in gone)]


def _asked_id(console: Console, session: Session) -> str:
    """Typed unseen; only its keyed hash is kept."""
    from posctl.model.idnumber import IdNumber
    from posctl.office.account import person_id

    place = session.place
    today = place.clock.now().astimezone(place.profile.zone).date()

    def check(text: str) -> str:
        return IdNumber(text, today=today).reveal()

    return person_id(session, console.ask("ask.owner_id", check, secret=True))


def _phone_changed(
    session: Session, mid: str, phone: str, told: datetime | None
) -> str:
    """The day that was told; otherwise today where another number is on file, and what
    is on file where it is the same (R15)."""
    from posctl.office.registry import find_merchant

    if told is not None:
        return f"{told:%Y-%m-%d}"
    before = find_merchant(session.place, mid)
    if before is None or not before.phone:
        return ""
    if before.phone == phone:
        return before.phone_changed
    zone = session.place.profile.zone
    return f"{session.place.clock.now().astimezone(zone):%Y-%m-%d}"


def _mandate(text: str) -> dict[str, str]:
    """``AGENT:2027-06-30``. Raises UsageError ``mandate.form``."""
    agent, _colon, until = text.rpartition(":")
    try:
        day = date.fromisoformat(until)
    except ValueError:
        raise UsageError("mandate.form", text=text) from None
    if not agent.strip():
        raise UsageError("mandate.form", text=text)
    scope = "settlement account"
    return {"agent": agent.strip(), "scope": scope, "until": day.isoformat()}
