"""`posctl setup`: the store, the keys, the organisation's root, the profile."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import click
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding

from posctl.cards.cakeys import digest
from posctl.cli.command import command
from posctl.cli.console import Console
from posctl.cli.options import home_option
from posctl.cli.people import new_passphrase
from posctl.cli.text.messages import _
from posctl.field.course import LETTERS
from posctl.model.canonical import Json, canonical
from posctl.model.clock import SystemClock
from posctl.model.errors import CheckFailed, UsageError
from posctl.model.profile import Pinned, Profile
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
@click.option(
    "--ca-keys",
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help=_("option.ca_keys"),
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
    ca_keys: Path | None,
    test: bool,
) -> Json:
    made = Home(home)
    _check(made, technician, approver, provider_url)
    text = profiles.text_of(profile)
    wanted = profiles.parse(text, source=profile)
    issued = read_credentials(credentials)
    _check_service(wanted, issued)
    _check_provider(wanted, provider_url, provider_ca, issued)
    reached = Reached(provider_url, provider_ca, issued, _ca_keys(ca_keys, test))
    phrases = _passphrases(console, (keys.ROOT, technician, approver), test)
    whose = SetUp(technician, approver, organisation, test)
    installed = make_home(made, whose, text, reached, phrases)
    settings = made.settings
    console.tell("setup.done", path=home)
    if not test:
        console.tell("setup.keep_root", root=home / "root.key")
    return {
        "home": str(home),
        "mode": settings.mode,
        "field_id": settings.field_id,
        "profile": f"{installed.name} {installed.version}",
        "technician": technician,
        "approver": approver,
        "test": test,
        "next": "posctl merchant fetch MID",
    }


def _ca_keys(file: Path | None, test: bool) -> str:
    """The text of a file with more keys of card schemes; ``""`` without one.

    Raises:
        UsageError: ``cakeys.invalid``; CheckFailed: ``cakeys.test``.
    """
    from posctl.cards import cakeys

    if file is None:
        return ""
    text = cakeys.read(file)
    cakeys.check_test(cakeys.parse(text, source=str(file)), file, test=test)
    return text


@dataclass(frozen=True)
class SetUp:
    """Whose it is, and whether its keys go without a passphrase (``test``). Without
    ``field_id`` it gets one by chance."""

    technician: str
    approver: str
    organisation: str = "-"
    test: bool = False
    field_id: str = ""


@dataclass(frozen=True)
class Reached:
    """How the provider is reached; ``issued``: the credentials; ``ca_keys``: more keys
    of card schemes, as TOML."""

    url: str
    ca_file: Path
    issued: Json = field(repr=False)
    ca_keys: str = ""


def make_home(
    home: Home,
    whose: SetUp,
    profile: str,
    reached: Reached,
    phrases: Mapping[str, str | None],
) -> Profile:
    """Write a solo set-up with the profile of that text in force, which is returned.

    Raises:
        UsageError: ``profile.invalid``.
        LinkFailed: ``file.unwritable``.
    """
    now = SystemClock().now()
    root = keys.make_root(whose.organisation, now, test=whose.test)
    _write_people(home, root, whose.technician, whose.approver, phrases, now)
    phrase = phrases[whose.approver]
    office_key = _write_office(home, reached.ca_file, reached.issued, phrase)
    more = reached.ca_keys
    pinned = Pinned(
        office_key, reached.url, _sha256(reached.ca_file), digest(more) if more else ""
    )
    if more:
        write_private(home.ca_keys, more.encode())
    installed = profiles.install(home.profiles, profiles.pin(profile, pinned), root)
    by_chance = "".join(secrets.choice(LETTERS) for _n in range(4))
    field_id = whose.field_id or by_chance
    people = (whose.technician, whose.approver)
    home.write_settings(Settings("solo", field_id, installed.name, *people))
    return installed


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


def read_credentials(path: Path) -> Json:
    """What the provider issued. Raises UsageError ``setup.credentials``."""
    try:
        data = json.loads(path.read_text("utf-8"))
        if all(isinstance(v, str) for v in data.values()):
            return dict(data)
    except (OSError, ValueError, AttributeError):
        pass
    raise UsageError("setup.credentials", path=str(path))


def _check_provider(profile: Profile, url: str, ca_file: Path, issued: Json) -> None:
    """What the adapter can tell without sending anything; one that changes nothing by
    this channel may have none.

    Raises:
        UsageError: ``provider.settings``, ``host.ca_file``, ``host.url``.
    """
    from posctl.providers import open_provider, provider_names

    if profile.provider in provider_names() or "device" in profile.channels:
        open_provider(profile.provider, url=url, ca_file=ca_file, credentials=issued)


def _check_service(profile: Profile, issued: Json) -> None:
    """Raises CheckFailed ``verification.not_set_up``: the profile names steps that no
    provider offers, and the credentials no service for them."""
    from posctl.office.place import check_verification

    if profile.needs_service:
        check_verification(profile.name, issued)


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
    phrases: Mapping[str, str | None],
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
