"""`posctl setup`: the store, the keys, the organisation's root, the profile."""

from __future__ import annotations

import json
import re
import secrets
from datetime import datetime
from pathlib import Path

import click
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding

from posctl.cli.command import command
from posctl.cli.console import Console
from posctl.cli.options import home_option
from posctl.cli.people import new_passphrase
from posctl.cli.text.messages import _
from posctl.field.course import LETTERS
from posctl.model.canonical import Json, canonical
from posctl.model.clock import SystemClock
from posctl.model.errors import CheckFailed, UsageError
from posctl.model.profile import Pinned
from posctl.store import keys, profiles
from posctl.store.files import write_private
from posctl.store.home import Home, Settings
from posctl.store.sealing import public_text

NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,31}")


@command(None, "setup", "help.setup")
@click.option(
    "--technician", metavar="NAME", required=True, help=_("option.technician")
)
@click.option("--approver", metavar="NAME", required=True, help=_("option.approver"))
@click.option(
    "--organisation", metavar="NAME", default="-", help=_("option.organisation")
)
@click.option(
    "--profile",
    metavar="NAME",
    default="chinaums",
    show_default=True,
    help=_("option.profile"),
)
@click.option(
    "--provider-url", metavar="URL", required=True, help=_("option.provider_url")
)
@click.option(
    "--provider-ca",
    metavar="FILE",
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help=_("option.provider_ca"),
)
@click.option(
    "--credentials",
    metavar="FILE",
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help=_("option.credentials"),
)
@click.option("--test", is_flag=True, help=_("option.test"))
@home_option
def setup(
    console: Console,
    home: Path,
    technician: str,
    approver: str,
    organisation: str,
    profile: str,
    provider_url: str,
    provider_ca: Path,
    credentials: Path,
    test: bool,
) -> Json:
    made = Home(home)
    _check(made, technician, approver, provider_url)
    text = profiles.text_of(profile)
    profiles.parse(text, source=profile)
    issued = _read_credentials(credentials)
    phrases = _passphrases(console, (keys.ROOT, technician, approver), test)
    now = SystemClock().now()
    root = keys.make_root(organisation, now, test=test)
    _write_people(made, root, technician, approver, phrases, now)
    office_key = _write_office(made, provider_ca, issued, phrases[approver])
    ca_sha256 = _sha256(provider_ca)
    pinned = Pinned(office_key, provider_url, ca_sha256)
    installed = profiles.install(made.profiles, profiles.pin(text, pinned), root)
    field_id = "".join(secrets.choice(LETTERS) for _n in range(4))
    settings = Settings("solo", field_id, installed.name, technician, approver)
    made.write_settings(settings)
    console.tell("setup.done", path=home)
    if not test:
        console.tell("setup.keep_root", root=home / "root.key")
    return {
        "home": str(home),
        "mode": settings.mode,
        "field_id": field_id,
        "profile": f"{installed.name} {installed.version}",
        "technician": technician,
        "approver": approver,
        "test": test,
        "next": "posctl merchant fetch MID",
    }


def _check(home: Home, technician: str, approver: str, url: str) -> None:
    if home.exists():
        raise UsageError("setup.exists", path=str(home.path))
    for name in (technician, approver):
        if not NAME.fullmatch(name) or name.casefold() == keys.ROOT:
            raise UsageError("setup.name", name=name)
    if technician.casefold() == approver.casefold():
        raise CheckFailed("setup.two_people", name=technician)
    if not url.startswith("https://"):
        raise UsageError("setup.url", url=url)


def _read_credentials(path: Path) -> Json:
    try:
        data = json.loads(path.read_text("utf-8"))
        if all(isinstance(v, str) for v in data.values()):
            return dict(data)
    except (OSError, ValueError, AttributeError):
        pass
    raise UsageError("setup.credentials", path=str(path))


def _passphrases(
    console: Console, names: tuple[str, ...], test: bool
) -> dict[str, str | None]:
    """Asked twice each. Only a test set-up, for the emulator, may go without."""
    if test:
        return dict.fromkeys(names)
    return {name: new_passphrase(console, name) for name in names}


def _write_people(
    home: Home,
    root: keys.Operator,
    technician: str,
    approver: str,
    phrases: dict[str, str | None],
    now: datetime,
) -> None:
    write_private(home.path / "root.pem", root.certificate.public_bytes(Encoding.PEM))
    box = keys.protect(root.key.private_bytes_raw(), phrases[keys.ROOT])
    write_private(home.path / "root.key", box)
    for name, role in ((technician, keys.TECHNICIAN), (approver, keys.APPROVER)):
        operator = keys.issue(root, name, role, now)
        keys.save_operator(home.operators, operator, phrases[name])


def _write_office(
    home: Home, provider_ca: Path, issued: Json, passphrase: str | None
) -> str:
    """The sealing key and the credentials; the public half of the former."""
    key = X25519PrivateKey.generate()
    seal_box = keys.protect(key.private_bytes_raw(), passphrase)
    write_private(home.office / "seal.key", seal_box)
    write_private(
        home.office / "credentials.key", keys.protect(canonical(issued), passphrase)
    )
    write_private(home.office / "provider-ca.pem", provider_ca.read_bytes())
    return public_text(key.public_key())


def _sha256(path: Path) -> str:
    import hashlib

    return hashlib.sha256(path.read_bytes()).hexdigest()
