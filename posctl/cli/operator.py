"""`posctl operator`: who may sign. The root issues certificates and takes them back."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from posctl.cli.command import command
from posctl.cli.console import Console
from posctl.cli.grammar import group
from posctl.cli.options import home_option
from posctl.cli.people import new_passphrase, opened_home, root_operator
from posctl.cli.text.messages import _
from posctl.model.canonical import Json
from posctl.model.clock import SystemClock, stamp
from posctl.model.errors import CheckFailed, UsageError

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

    from posctl.store.home import Home
    from posctl.store.keys import Trust

ROLES = ("technician", "approver")
_name_argument = click.argument("name", metavar="NAME")


@group("help.operator")
def operator() -> None:
    """The group; each command returns data."""


@command(operator, "list", "help.operator.list")
@home_option
def list_operators(console: Console, home: Path) -> Json:
    from posctl.store import keys

    found, now = opened_home(home), SystemClock().now()
    shown = [
        _view(found.trust, keys.certificate_of(found.operators, name), now)
        for name in keys.operator_names(found.operators)
    ]
    return {"operators": shown, "revocations": found.trust.number}


def _view(trust: Trust, certificate: Certificate, now: datetime) -> Json:
    from posctl.store import keys

    who = keys.signer_of(certificate)
    since = trust.revoked.get(who.fingerprint)
    return {
        "name": who.name,
        "role": who.role,
        "standing": _standing(trust, certificate, now),
        "expires": stamp(certificate.not_valid_after_utc),
        "revoked": stamp(since) if since else None,
        "fingerprint": who.fingerprint,
    }


def _standing(trust: Trust, certificate: Certificate, now: datetime) -> str:
    from posctl.store import keys

    if not keys.is_issued_by(trust.root, certificate):
        return "of another root"
    if keys.fingerprint(certificate) in trust.revoked:
        return "revoked"
    valid = certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc
    return "in force" if valid else "not valid now"


@command(operator, "issue", "help.operator.issue")
@click.option("--role", type=click.Choice(ROLES), required=True, help=_("option.role"))
@home_option
@_name_argument
def issue(console: Console, home: Path, role: str, name: str) -> Json:
    """The key is made here and stays here, under the operator's own passphrase.

    Raises:
        UsageError: ``setup.name``, ``operator.exists``, ``root.absent``.
    """
    from posctl.store import keys

    found, now = opened_home(home), SystemClock().now()
    _check_name(found, name)
    root = root_operator(console, found)
    is_test = keys.is_open(found.path / "root.key")
    phrase = None if is_test else new_passphrase(console, name)
    made = keys.issue(root, name, role, now)
    keys.save_operator(found.operators, made, phrase)
    file = str(found.operators / f"{name}.pem")
    return {**_view(found.trust, made.certificate, now), "file": file}


def _check_name(home: Home, name: str) -> None:
    """A name whose certificate was taken back may be given again; no two names differ
    in their capitals only: an order has a maker and a checker of other names."""
    from posctl.cli.setup import NAME
    from posctl.office.place import OFFICE
    from posctl.store import keys

    if not NAME.fullmatch(name) or name.casefold() in (keys.ROOT, OFFICE):
        raise UsageError("setup.name", name=name)
    for known in keys.operator_names(home.operators):
        certificate = keys.certificate_of(home.operators, known)
        again = known == name and keys.fingerprint(certificate) in home.trust.revoked
        if known.casefold() == name.casefold() and not again:
            raise UsageError("operator.exists", name=known)


@command(operator, "revoke", "help.operator.revoke")
@home_option
@_name_argument
def revoke(console: Console, home: Path, name: str) -> Json:
    """Doing it again changes nothing: the first moment stays.

    Raises:
        UsageError: ``operator.missing``, ``root.absent``.
    """
    from posctl.store import keys, revocation

    found, now = opened_home(home), SystemClock().now()
    certificate = keys.certificate_of(found.operators, name)
    whose, trust = keys.fingerprint(certificate), found.trust
    if whose not in trust.revoked:
        root = root_operator(console, found)
        trust = revocation.revoke(found.revocations, trust, root, whose, now)
        approver = keys.signer_of(certificate).role == keys.APPROVER
        if approver and not _approver_left(found, trust, now):
            console.tell("operator.no_approver")
    file = str(found.revocations)
    shown = _view(trust, certificate, now)
    return {**shown, "revocations": trust.number, "file": file}


def _approver_left(home: Home, trust: Trust, now: datetime) -> bool:
    from posctl.store import keys

    known = (
        _view(trust, keys.certificate_of(home.operators, name), now)
        for name in keys.operator_names(home.operators)
    )
    return any(
        who["role"] == keys.APPROVER and who["standing"] == "in force" for who in known
    )


@command(operator, "passphrase", "help.operator.passphrase")
@home_option
@_name_argument
def passphrase(console: Console, home: Path, name: str) -> Json:
    """Every box of the set-up that the old passphrase opens gets the new one; the
    operator's key last, so that a run that died is simply run again.

    Raises:
        UsageError: ``operator.missing``, ``operator.open``.
        CheckFailed: ``passphrase.*``.
    """
    from posctl.office.place import OFFICE, secret_files
    from posctl.store import keys

    found = opened_home(home)
    of_office = [path for path in secret_files(found) if path.is_file()]
    own = [] if name == OFFICE else [keys.key_file(found.operators, name)]
    boxes = [path for path in (*of_office, *own) if not keys.is_open(path)]
    if not boxes or (own and keys.is_open(own[0])):
        raise UsageError("operator.open", name=name)
    old = console.passphrase(name)
    changed = [path for path in boxes if _opens(path, old)]
    if boxes[-1] not in changed:
        raise CheckFailed("passphrase.wrong")
    new = new_passphrase(console, name)
    for path in changed:
        keys.change_passphrase(path, old, new)
    return {"name": name, "files": [str(path) for path in changed]}


def _opens(path: Path, phrase: str) -> bool:
    from posctl.store import keys

    try:
        keys.unprotect(path, phrase)
    except CheckFailed:
        return False
    return True
