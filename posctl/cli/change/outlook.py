"""`posctl change plan | checklist | notices | bind | watch`: before a change, and after
it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from posctl.cli.change.group import change
from posctl.cli.command import command
from posctl.cli.console import Console
from posctl.cli.devices import look_at
from posctl.cli.options import (
    SUBJECTS,
    home_option,
    merchant_option,
    operator_option,
    port_option,
    profile_option,
    shop_option,
)
from posctl.cli.people import field_place, office_session, profile_to_read_with
from posctl.cli.text.messages import _
from posctl.model.canonical import Json
from posctl.model.clock import SystemClock, stamp

if TYPE_CHECKING:
    from posctl.model.profile import Profile


@command(change, "notices", "help.change.notices")
@profile_option
@home_option
def notices(console: Console, home: Path, profile: str | None) -> Json:
    found = profile_to_read_with(console, home, profile)
    return {"notices": _notices(found, SystemClock().now())}


def _notices(profile: Profile, now: datetime) -> list[Json]:
    return [
        {
            "notice": notice.id,
            "begins": f"{notice.begins:%Y-%m-%d %H:%M}",
            "ends": f"{notice.ends:%Y-%m-%d %H:%M}",
            "stops": notice.stops,
            "text": notice.text,
        }
        for notice in profile.notices_at(now)
    ]


@command(change, "plan", "help.change.plan")
@profile_option
@home_option
def plan(console: Console, home: Path, profile: str | None) -> Json:
    """When a change may be made next (R8)."""
    found = profile_to_read_with(console, home, profile)
    now, calendar = SystemClock().now(), found.calendar()
    near = calendar.next_holiday(now, found.windows.warn_days)
    if near is not None:
        console.tell("windows.holiday", first=near[0], last=near[1])
    stopped = [
        n.ends.replace(tzinfo=found.zone) for n in found.notices_at(now) if n.stops
    ]
    start = max([now, *stopped])
    return {
        "open_now": calendar.next_opening(now) == now and not stopped,
        "next_slot": stamp(calendar.next_slot(start.astimezone(UTC))),
        "time_zone": found.windows.timezone,
        "estimated_minutes": found.windows.estimated_minutes,
        "closed": _closed(found),
        "next_holiday": str(near[0]) if near else None,
        "notices": _notices(found, now),
    }


def _closed(profile: Profile) -> list[str]:
    return [f"{a:%H:%M}-{b:%H:%M}" for a, b in profile.windows.closed]


@command(change, "checklist", "help.change.checklist")
@click.option("--corporate", is_flag=True, help=_("option.corporate"))
@click.option("--subject", type=click.Choice(SUBJECTS), help=_("option.subject"))
@profile_option
@home_option
def checklist(
    console: Console,
    home: Path,
    profile: str | None,
    corporate: bool,
    subject: str | None,
) -> Json:
    """Everything that will be wanted, before anything is typed (R7). Without the
    merchant's type: the documents that are wanted of every merchant."""
    found = profile_to_read_with(console, home, profile)
    account = "corporate" if corporate else "card"
    caps, fees, unused = found.caps, found.fees, found.not_used
    return {
        "account": account,
        "subject": subject,
        "accounts_allowed": list(found.accounts_for(subject)) if subject else None,
        "papers": list(found.account.papers),
        "classes": list(found.account.classes),
        "least_age": found.account.least_age,
        "channels": list(found.channels),
        "labels": found.labels,
        "documents": documents(found, account, subject or ""),
        "largest_bytes": found.pictures.largest_bytes,
        "asks": list(found.account.asks),
        "old_account": found.account.old,
        "not_used": {
            name: why
            for name in ("terminal", "card", "documents")
            if (why := str(getattr(unused, name)))
        },
        "steps": list(found.verification.steps),
        "checkers": list(found.verification.checkers),
        "cooling_hours": found.verification.cooling_hours,
        "cooling_hours_other_holder": found.verification.cooling_hours_other_holder,
        "fee": str(fees.total),
        "fees": {"change": fees.change, "service": fees.service}
        | {"deposit": fees.deposit},
        "merchants_per_account": caps.merchants_per_account,
        "open_per_technician": caps.open_per_technician,
        "days_between_changes": caps.days_between_changes,
        "days_after_phone_change": caps.days_after_phone_change,
        "valid_days": found.order.valid_days,
        "closed": _closed(found),
        "closures": _closures(found),
        "holidays": [f"{h.first} - {h.last}" for h in found.windows.holidays],
        "time_zone": found.windows.timezone,
        "terms": found.terms.text,
        "advice": list(found.advice),
        "contacts": found.contacts,
        "notices": _notices(found, SystemClock().now()),
    }


def _closures(profile: Profile) -> list[str]:
    return [
        f"{c.begins:%Y-%m-%d %H:%M} - {c.ends:%Y-%m-%d %H:%M}: {c.why}"
        for c in profile.windows.closures
    ]


def documents(profile: Profile, account: str, subject: str) -> list[Json]:
    """What is wanted for an account of that kind, of a merchant of that type."""
    wanted = profile.documents_for(account, subject)
    return [{"kind": d.kind, "label": d.label, "expires": d.expires} for d in wanted]


@command(change, "bind", "help.change.bind")
@shop_option
@port_option
@merchant_option
@click.option("--corporate", is_flag=True, help=_("option.corporate"))
@home_option
def bind(
    console: Console,
    home: Path,
    shop: str | None,
    port: str | None,
    merchant: str | None,
    corporate: bool,
) -> Json:
    """The way to the first account: no provider here has a call for it (R16).

    Raises:
        CheckFailed: ``bind.bound``, ``bind.unknown``; nothing is guessed.
    """
    from posctl.field.look import check_unbound

    place = field_place(console, home)
    found = look_at(console, place, port, merchant)
    check_unbound(found)
    profile = place.profile
    console.tell("bind.elsewhere", mid=found.mid, provider=profile.provider)
    return {
        "mid": found.mid,
        "tid": found.tid,
        "serial": found.identity.serial,
        "channels": list(profile.bind_channels),
        "menus": profile.menus,
        "contacts": profile.contacts,
        "documents": documents(
            profile, "corporate" if corporate else "card", place.subject(found.mid)
        ),
    }


@command(change, "watch", "help.change.watch")
@operator_option
@home_option
def watch(console: Console, home: Path, operator: str | None) -> Json:
    """Raises CheckFailed ``watch.moved`` at the end, when all were looked at (R45)."""
    from posctl.office.watch import look_again, raise_alarm

    found = look_again(office_session(console, home, operator))
    raise_alarm(found)
    return {"watched": found}
