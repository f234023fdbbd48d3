"""A stolen laptop: what its holder can read, and what he can do (docs/setup.md).

The field's folder, with keys under passphrases; the office is somewhere else.
"""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from attacks import nothing_changes, refused
from commands import LI, PHRASES, WANG, guarded_site
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from secrets_in import NUMBER_NEEDLES, found_in
from world import RUN_ANSWERS, Ran, Site

from emulator.bench import BRANCH, MID, NEW_NUMBER, OPERATOR, SERIAL, TID
from posctl.model.errors import CheckFailed
from posctl.office.place import open_secrets
from posctl.store import keys, profiles
from posctl.store.home import Home
from posctl.store.sealing import binding, unseal

READABLE = {
    "who": ("li", "wang"),
    "where": (MID, TID, SERIAL),
    "masks": ("621234******1265", "621626*********0018"),
    "the new account's branch": (BRANCH,),
    "the provider": ("https://127.0.0.1:",),
}
"""Everything of value that lies open in the field; `docs/threat-model.md` says so."""
HIDDEN = {
    "the card holder's name": OPERATOR,
    "the middle of the new number": NEW_NUMBER[6:-4],
    "a passphrase": LI,
}


@pytest.fixture
def office(site: Site, tmp_path: Path) -> Site:
    """The whole set-up, at work."""
    made = guarded_site(site.bench, tmp_path / "guarded")
    made.run("merchant", "fetch", MID, answers=[WANG]).ok()
    return made


@pytest.fixture
def number(office: Site) -> str:
    """Proposed, and still on its way."""
    answers = [LI, *RUN_ANSWERS]
    ran = office.run("change", "run", *office.means(), answers=answers)
    return str(ran.ok()["order"])


@pytest.fixture
def laptop(office: Site, number: str, tmp_path: Path) -> Site:
    """What lay in the car: no root's key, no office."""
    stolen = tmp_path / "stolen"
    shutil.copytree(office.home, stolen)
    shutil.rmtree(stolen / "office")
    for name in ("root.key", "operators/wang.key"):
        (stolen / name).unlink()
    return replace(office, home=stolen)


def texts(folder: Path) -> Iterator[str]:
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            yield path.name + path.read_bytes().decode("latin-1")
            yield path.read_bytes().decode("utf-8", "replace")
    with closing(sqlite3.connect(folder / "field" / "log.db")) as db:
        yield from (row[0] for row in db.execute("SELECT payload FROM events"))


def boxes(folder: Path) -> list[bytes]:
    """Every sealed box: in the store, in the order file that is kept."""
    with closing(sqlite3.connect(folder / "field" / "log.db")) as db:
        found = [bytes(row[0]) for row in db.execute("SELECT body FROM attachments")]
    for path in folder.rglob("*.posctl-order"):
        data = json.loads(path.read_text())
        found += [base64.b64decode(text) for text in data["boxes"].values()]
    return [box for box in found if box[:1] == b"\x01"]


# -- without a passphrase ----------------------------------------------------------


@pytest.mark.req("R48")
@pytest.mark.req("R49")
def test_what_can_be_read(laptop: Site) -> None:
    """Exactly this, and no whole number in any form."""
    whole = "\n".join(texts(laptop.home))
    for what, values in READABLE.items():
        assert [v for v in values if v not in whole] == [], what
    for what, value in HIDDEN.items():
        assert value not in whole, what
    assert found_in(laptop.home, NUMBER_NEEDLES) == []


def test_what_lies_in_the_fields_folder(laptop: Site) -> None:
    """No kind of file that nobody thought of: a new one must be added here."""
    kinds = [
        *(
            r"home\.json",
            r"root\.pem",
            r"operators/(li|wang)\.pem",
            r"operators/li\.key",
        ),
        *(r"profiles/emulator\.(toml|sig)", r"field/log\.db(-wal|-shm)?"),
        *(r"field/terminals/\d+\.json", r"field/outgoing/[\w-]+\.posctl-order"),
        r"field/.*\.lock",
    ]
    found = [
        str(path.relative_to(laptop.home))
        for path in laptop.home.rglob("*")
        if path.is_file()
    ]
    other = [name for name in found if not any(re.fullmatch(k, name) for k in kinds)]
    assert other == []
    assert {p.stat().st_mode & 0o077 for p in laptop.home.rglob("*.key")} == {0}


@pytest.mark.req("R49")
def test_no_key_that_is_there_opens_a_box(laptop: Site, number: str) -> None:
    """Every 32 bytes of every file, taken for a key, in raw and as hexadecimal."""
    found = boxes(laptop.home)
    assert len(found) >= 3  # account, two pictures
    recipient = profiles.parse(
        (laptop.home / "profiles" / "emulator.toml").read_text(), source="-"
    ).in_force.office_key
    infos = [
        binding(what, number, number[:4], recipient)
        for what in ("account", "document 0025", "document 0026")
    ]
    tried = set(candidates(laptop.home))
    assert len(tried) > 8
    for raw in [*tried, os.urandom(32)]:
        key = X25519PrivateKey.from_private_bytes(raw)
        for box in found:
            for info in infos:
                with pytest.raises(CheckFailed, match=r"seal\.broken"):
                    unseal(key, info, box)


def candidates(folder: Path) -> Iterator[bytes]:
    for path in folder.rglob("*"):
        if path.suffix in (".pem", ".key", ".toml", ".sig", ".json"):
            body = path.read_bytes()
            for text in re.findall(rb"[0-9a-f]{64}", body):
                yield bytes.fromhex(text.decode())
            if path.suffix == ".key":
                yield from (body[at : at + 32] for at in range(0, len(body) - 32, 32))


@pytest.mark.req("R1")
def test_nothing_is_signed_without_a_passphrase(laptop: Site) -> None:
    folder = Home(laptop.home).operators
    for name, code in (("wang", "operator.missing"), ("li", "passphrase.needed")):
        with pytest.raises(Exception, match=code.replace(".", r"\.")):
            keys.load_operator(folder, name, None)
    with nothing_changes(laptop):
        for guess in ("", WANG, LI.upper(), f"{LI} "):
            ran = laptop.run(
                "change", "run", *laptop.means(), answers=[guess, *RUN_ANSWERS]
            )
            refused(ran, "passphrase.wrong")
        issue = ("operator", "issue", "x", "--role", "approver")
        refused(laptop.run(*issue), "root.absent", 2)


# -- with the technician's passphrase ----------------------------------------------


def as_li(site: Site, *words: str, more: tuple[str, ...] = ()) -> Ran:
    return site.run(*words, answers=[LI, *more])


@pytest.mark.req("R30")
@pytest.mark.req("R49")
def test_with_the_technicians_passphrase_he_proposes_and_no_more(
    laptop: Site, office: Site, number: str, tmp_path: Path
) -> None:
    """In li's name, until li is revoked. The office refuses a second order of the
    merchant; nothing at the provider can be reached."""
    operator = ("--operator", "li")
    refused(as_li(laptop, "merchant", "fetch", MID, *operator), "signature.role")
    for verb in ("approve", "commit"):
        ran = as_li(laptop, "change", verb, number, *operator, more=("0018",))
        assert ran.code != 0 and ran.error["code"] == "signature.role"
    refused(laptop.run("merchant", "fetch", MID), "operator.missing", 2)
    with pytest.raises(Exception, match=r"office\.missing"):
        open_secrets(Home(laptop.home), LI)
    li = keys.load_operator(Home(laptop.home).operators, "li", LI)
    raw = li.key.private_bytes_raw()
    key = X25519PrivateKey.from_private_bytes(raw)
    for box in boxes(laptop.home):
        with pytest.raises(CheckFailed, match=r"seal\.broken"):
            unseal(key, b"", box)
    as_li(laptop, "change", "rollback", number)
    office.run("operator", "revoke", "li", answers=[PHRASES[0]]).ok()
    with nothing_changes(office):
        words = ("change", "approve", number, "--order-file", sent(laptop, number))
        refused(office.run(*words, answers=[WANG, "0018"]), "signature.revoked")


def sent(laptop: Site, number: str) -> str:
    return str(laptop.home / "field" / "outgoing" / f"{number}.posctl-order")


# -- a solo laptop -----------------------------------------------------------------


@pytest.mark.req("R48")
def test_a_solo_laptop_without_the_approvers_passphrase(
    office: Site, number: str
) -> None:
    """The office's boxes are under his; the technician's opens none of them."""
    for guess in (None, LI, PHRASES[0]):
        with pytest.raises(CheckFailed, match=r"passphrase\.(wrong|needed)"):
            open_secrets(Home(office.home), guess)
    assert open_secrets(Home(office.home), WANG)
