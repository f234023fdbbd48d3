"""Who is at work: opens a field or an office session for an operator."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from posctl.cli.console import Console
from posctl.model.clock import SystemClock
from posctl.model.errors import CheckFailed, Declined, UsageError

_TRIES = 3
_SHORTEST_PASSPHRASE = 10
ASSUMED_PROFILE = "chinaums"

if TYPE_CHECKING:
    from posctl.change.order import Order
    from posctl.field.place import FieldPlace
    from posctl.field.place import Session as FieldSession
    from posctl.model.profile import Profile
    from posctl.office.place import OfficePlace, Secrets
    from posctl.office.place import Session as OfficeSession
    from posctl.store.home import Home
    from posctl.store.keys import Operator


def field_place(console: Console, home: Path) -> FieldPlace:
    """The field's store, with what came back from the office taken in."""
    from posctl.field.place import FieldPlace

    place = FieldPlace(opened_home(home), SystemClock(), console)
    place.collect()
    return place


def office_place(console: Console, home: Path) -> OfficePlace:
    """The office's store, with what arrived from the field taken in."""
    from posctl.office.place import OfficePlace

    place = OfficePlace(opened_home(home), SystemClock(), console)
    place.collect()
    return place


def opened_home(path: Path) -> Home:
    """No command makes a store by accident. Raises UsageError ``setup.missing``."""
    from posctl.store.home import Home

    home = Home(path)
    assert home.settings  # noqa: S101 - reading them is the check
    return home


def field_session(console: Console, home: Path, operator: str | None) -> FieldSession:
    """A technician at work. Raises CheckFailed ``signature.role`` for others."""
    from posctl.field.place import Session
    from posctl.store.keys import TECHNICIAN

    place = field_place(console, home)
    name = operator or place.home.settings.technician
    who, _passphrase = _operator(console, place.home, name)
    _check_role(who, TECHNICIAN)
    return Session(place, who)


def office_session(console: Console, home: Path, operator: str | None) -> OfficeSession:
    """An approver at work, the office's secrets open under his passphrase; what ended
    meanwhile is on its way back."""
    from posctl.office.place import Session
    from posctl.office.receipt import return_ended
    from posctl.store.keys import APPROVER

    place = office_place(console, home)
    name = operator or place.home.settings.approver
    who, passphrase = _operator(console, place.home, name)
    _check_role(who, APPROVER)
    session = Session(place, who, _office_secrets(console, place.home, passphrase))
    return_ended(session)
    return session


def _office_secrets(console: Console, home: Home, passphrase: str | None) -> Secrets:
    """Under the approver's own passphrase, as at set-up; asked for where he has another
    than the office (a second approver)."""
    from posctl.office.place import OFFICE, open_secrets

    try:
        return open_secrets(home, passphrase)
    except CheckFailed as failure:
        if failure.code not in ("passphrase.wrong", "passphrase.needed"):
            raise
    return open_secrets(home, console.passphrase(OFFICE))


def signing_operator(console: Console, home: Path, operator: str | None) -> Operator:
    """Anybody who signs without a session: the approver, if nobody is named."""
    from posctl.store.home import Home

    found = Home(home)
    name = operator or found.settings.approver
    return _operator(console, found, name)[0]


def root_operator(console: Console, home: Home) -> Operator:
    """The organisation's root, its key opened under its passphrase.

    Raises:
        UsageError: ``root.absent``: it is kept somewhere else, as it should be.
    """
    from posctl.store import keys

    path = home.path / "root.key"
    if not path.is_file():
        raise UsageError("root.absent", path=str(path))
    phrase = None if keys.is_open(path) else console.passphrase(keys.ROOT)
    return keys.open_root(home.path, phrase)


def _operator(console: Console, home: Home, name: str) -> tuple[Operator, str | None]:
    """Raises CheckFailed ``signature.*``: a certificate that does not count here."""
    from posctl.store import keys

    who, passphrase = open_operator(console, home, name)
    keys.check_operator(home.trust, who, SystemClock().now())
    return who, passphrase


def open_operator(
    console: Console, home: Home, name: str
) -> tuple[Operator, str | None]:
    """His key, under his passphrase; whether he counts here is not looked at.

    Raises:
        UsageError: ``operator.missing``; CheckFailed: ``passphrase.wrong``.
    """
    from posctl.store import keys

    path = keys.key_file(home.operators, name)
    if keys.is_open(path):
        return keys.load_operator(home.operators, name, None), None
    for _try in range(_TRIES - 1):
        passphrase = console.passphrase(name)
        try:
            return keys.load_operator(home.operators, name, passphrase), passphrase
        except CheckFailed as failure:
            if not sys.stdin.isatty():
                raise
            console.tell_failure(failure)
    passphrase = console.passphrase(name)
    return keys.load_operator(home.operators, name, passphrase), passphrase


def new_passphrase(console: Console, name: str) -> str:
    """Asked again on a terminal until it is long enough and typed twice alike."""
    for _try in range(_TRIES):
        try:
            return _passphrase_twice(console, name)
        except CheckFailed as failure:
            if not sys.stdin.isatty():
                raise
            console.tell_failure(failure)
    raise Declined("person.no_answer", question=name)


def _passphrase_twice(console: Console, name: str) -> str:
    first = console.new_passphrase(name, least=_SHORTEST_PASSPHRASE)
    if len(first) < _SHORTEST_PASSPHRASE:
        raise CheckFailed("passphrase.short", least=_SHORTEST_PASSPHRASE)
    if console.passphrase(name, again=True) != first:
        raise CheckFailed("passphrase.differs", name=name)
    return first


def _check_role(who: Operator, role: str) -> None:
    if who.role != role:
        raise CheckFailed("signature.role", role=who.role, needed=role)


def profile_to_read_with(console: Console, home: Path, named: str | None) -> Profile:
    """How a terminal is spoken to where nothing is changed: by the profile named (a
    shipped example, a TOML file), that of the set-up, or the example of the protocol.

    Raises:
        UsageError: ``profile.missing``, ``profile.invalid``, ``setup.damaged``.
        CheckFailed: ``profile.signature``.
    """
    from posctl.store import profiles
    from posctl.store.home import Home

    if named is not None:
        return profiles.parse(profiles.text_of(named), source=named)
    found = Home(home)
    if found.exists():
        return found.profile(SystemClock().now())
    console.tell("profile.assumed", profile=ASSUMED_PROFILE)
    return profiles.parse(profiles.example(ASSUMED_PROFILE), source=ASSUMED_PROFILE)


def newest_orders(
    console: Console, home: Path, *, only_open: bool = False, limit: int | None = None
) -> list[Order]:
    """The orders of both places, each as the place that knows most of it has it, in
    the order of their opening; at most ``limit``, the youngest."""
    places = (field_place(console, home), office_place(console, home))
    newest: dict[str, Order] = {}
    for place in places:
        listed = place.open_orders() if only_open else place.orders(newest=limit)
        for order in listed:
            newest[order.number] = _best(places, order)
    by_time = sorted(newest.values(), key=lambda order: order.opened)
    return by_time if limit is None else by_time[max(0, len(by_time) - limit) :]


def _best(places: tuple[FieldPlace | OfficePlace, ...], order: Order) -> Order:
    """Both may have heard of it, and one not everything."""
    from posctl.change.order import Order

    found = [place.log.projection(order.number) for place in places]
    known = [Order.from_json(projection) for projection in found if projection]
    return max(known, key=lambda other: other.position)


def find_in_place(
    console: Console, home: Path, number: str
) -> tuple[FieldPlace | OfficePlace, Order]:
    """The place that knows most of an order, and the order.

    Raises:
        UsageError: ``order.missing``.
    """
    places = (field_place(console, home), office_place(console, home))
    known = [
        (place, place.journal(number).order)
        for place in places
        if place.log.projection(number) is not None
    ]
    if not known:
        raise UsageError("order.missing", order=number)
    return max(known, key=lambda pair: pair[1].position)
