"""What is new on ports, terminals, cards, bindings and receipts, on real wires."""

from __future__ import annotations

import hashlib
import json
import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cable import Cable
from cli_runs import Done, on, run
from commands import failed, untouched
from serial.tools.list_ports_common import ListPortInfo
from world import RUN_ANSWERS, MakeSite, Ran, Site

from emulator.bench import MID, NEW_NUMBER, OLD_NUMBER, SERIAL, TID
from emulator.faults import Fault
from posctl.cli.settings import load
from posctl.field import settle
from posctl.links.ports import _port
from protocols.bindingtag import BindingTag
from protocols.iso8583 import parameters

MAIN = "from posctl.cli.main import main; main()"


# -- list ----------------------------------------------------------------------

WATCHED = """
import sys
opened = []
def watch(event, args):
    if event == "open" and str(args[0]).startswith("/dev/tty"):
        opened.append(str(args[0]))
    if event == "socket.connect" and isinstance(args[1], tuple):
        opened.append(str(args[1]))
sys.addaudithook(watch)
from posctl.cli.main import _run
code = _run(sys.argv[1:])
sys.exit(f"opened {opened}" if opened else code)
"""


@pytest.mark.req("R55")
def test_list_opens_nothing() -> None:
    done = run("list", "--json", program=("-c", WATCHED))
    assert done.code == 0, done.err
    assert {"ports", "readers", "reader_failure"} == set(done.result)


TWO_PORTS = """
from serial.tools import list_ports
from serial.tools.list_ports_common import ListPortInfo
def comports():
    one, other = ListPortInfo("/dev/ttyUSB1"), ListPortInfo("/dev/ttyUSB0")
    one.vid, one.pid, one.description = 0x067B, 0x2303, "USB-Serial Controller"
    return [one, other]
list_ports.comports = comports
"""


def test_ports_are_listed_with_their_adapter_and_their_shop(tmp_path: Path) -> None:
    """The system's answer is set: this machine has no adapter."""
    config = tmp_path / "config.toml"
    config.write_text('[shops.noodles]\nport = "/dev/ttyUSB1"\n')
    program = ("-c", TWO_PORTS + MAIN)
    done = run("list", "--json", program=program, POSCTL_CONFIG=str(config))
    first, second = done.result["ports"]
    assert (first["port"], first["usb"], first["shops"]) == ("/dev/ttyUSB0", None, [])
    assert (second["usb"], second["description"]) == (
        "067B:2303",
        "USB-Serial Controller",
    )
    assert second["shops"] == ["noodles"]
    table = run("list", program=program, POSCTL_CONFIG=str(config))
    assert "067B:2303" in table.out and "stable" not in table.out


def test_a_port_without_a_description_has_none() -> None:
    told = _port(ListPortInfo("COM3"))
    assert (told.name, told.description, told.usb, told.stable) == (
        *("COM3", None, None),
        None,
    )


@pytest.mark.req("R47")
def test_several_ports_are_never_guessed_between() -> None:
    done = run("terminal", "info", "--json", program=("-c", TWO_PORTS + MAIN))
    error = failed(Ran(done.code, done.data, done.err), "port.ambiguous", 4)
    assert error["params"]["candidates"] == "/dev/ttyUSB0, /dev/ttyUSB1"


# -- terminal ------------------------------------------------------------------


@pytest.mark.req("R2")
def test_info_says_what_it_cannot_tell(site: Site) -> None:
    told = site.run("terminal", "info", "--port", site.bench.port).ok()
    assert (told["serial"], told["tid"], told["mid"]) == (SERIAL, TID, MID)
    assert (told["transactions"], told["amount"]) == (3, "158.00")
    assert (told["account"], told["account_version"]) == ("621234******1265", 1)
    assert told["unknown"] == ["merchant_name", "last_settlement"]
    untouched(site)


def test_info_without_a_set_up_over_tcp(site: Site, tmp_path: Path) -> None:
    """A support engineer's laptop: the example profile is used, and said so."""
    tcp = f"tcp:127.0.0.1:{site.bench.endpoints.tcp}"
    done = run("terminal", "info", "--port", tcp, POSCTL_HOME=str(tmp_path / "none"))
    assert done.code == 0 and TID in done.out
    assert "spoken to by the example profile chinaums" in done.err
    words = ("terminal", "info", "--port", tcp, "--profile", "emulator", "--json")
    named = run(*words, POSCTL_HOME=str(tmp_path / "none"))
    assert named.result["profile"] == "emulator 1" and named.err == ""
    assert not (tmp_path / "none").exists()


@pytest.mark.req("R11")
def test_settle_shows_the_totals_and_asks(site: Site) -> None:
    words = ("terminal", "settle", "--port", site.bench.port)
    declined = site.run(*words, answers=["settle"])
    failed(declined, "person.declined", 3)
    assert "3 transactions, 158.00 yuan" in declined.err
    untouched(site)
    told = site.run(*words, answers=["SETTLE"]).ok()
    assert (told["settled"], told["transactions"], told["amount"]) == (
        *(True, 3),
        "158.00",
    )
    core = site.bench.terminal.core
    assert (core.batch, core.count, site.account()) == (2, 0, OLD_NUMBER)


class Loose(Cable):
    """A plug that comes out once and is put in again."""

    def _pass_on(self, client: socket.socket, terminal: socket.socket) -> None:
        super()._pass_on(client, terminal)
        self.pulled = False


@pytest.fixture
def plug(site: Site, request: pytest.FixtureRequest) -> Iterator[Cable]:
    kind, before = request.param
    port = site.bench.endpoints.tcp
    assert port
    made: Cable = kind(port, b"B00", 1, before=before)
    yield made
    made.stop()


@pytest.mark.req("R41")
@pytest.mark.parametrize(
    ("plug", "code", "exit_code", "batch"),
    [
        ((Loose, False), None, 0, 2),
        ((Loose, True), "settle.unknown", 8, 1),
        ((Cable, False), "settle.unknown", 8, 2),
        ((Cable, True), "settle.unknown", 8, 1),
    ],
    indirect=["plug"],
    ids=["answer lost", "never heard", "acted and gone", "gone"],
)
def test_the_cable_is_pulled_while_the_terminal_settles(
    site: Site,
    plug: Cable,
    monkeypatch: pytest.MonkeyPatch,
    code: str | None,
    exit_code: int,
    batch: int,
) -> None:
    """A number that has not moved is no proof: the terminal may still be at it."""
    monkeypatch.setattr(settle, "SETTLING_SECONDS", 1.0)
    words = ("terminal", "settle", "--port", plug.address)
    done = site.run(*words, answers=["SETTLE"])
    assert done.code == exit_code, done.err
    if code is None:
        assert done.ok() == {"tid": TID, "settled": True}
        assert "the batch number has moved" in done.err
    else:
        failed(done, code, exit_code)
    core = site.bench.terminal.core
    assert (core.batch, site.account(), site.version()) == (batch, OLD_NUMBER, 1)


@pytest.mark.req("R36")
def test_a_back_up_is_proved_before_it_counts(site: Site, tmp_path: Path) -> None:
    file = tmp_path / "till.json"
    words = ("terminal", "backup", "--port", site.bench.port, "--output", str(file))
    told = site.run(*words).ok()
    body = file.read_bytes()
    assert hashlib.sha256(body).hexdigest() == told["sha256"]
    assert json.loads(body)["tid"] == TID
    assert OLD_NUMBER.encode() not in body
    assert file.stat().st_mode & 0o777 == 0o600


@pytest.mark.req("R36")
def test_a_back_up_that_moves_is_not_kept(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The terminal settles by itself between the two reads."""
    core = site.bench.terminal.core
    real, reads = core.variables, iter(range(99))

    def moving() -> dict[str, str]:
        if next(reads) >= 4:
            core.batch = 7
        return real()

    monkeypatch.setattr(core, "variables", moving)
    file = tmp_path / "till.json"
    words = ("terminal", "backup", "--port", site.bench.port, "--output", str(file))
    error = failed(site.run(*words), "backup.differs", 7)
    assert error["params"]["parameters"] == "batch"
    assert not file.exists()


# -- binding -------------------------------------------------------------------


def verdicts(site: Site) -> dict[str, Any]:
    return site.run("binding", "show", "--port", site.bench.port).ok()


@pytest.mark.req("R2")
def test_the_binding_against_the_last_change(site: Site) -> None:
    before = verdicts(site)
    assert (before["tid_verdict"], before["mid_verdict"]) == ("agrees", "agrees")
    assert (before["serial_verdict"], before["account_verdict"]) == (
        "unknown",
        "unknown",
    )
    number = site.approved()
    assert verdicts(site)["order"] is None  # not effective: nothing to compare with
    site.commit(number).ok()
    lags = verdicts(site)
    assert (lags["account_verdict"], lags["order"]) == ("lags", number)
    site.confirm(number).ok()
    agrees = verdicts(site)
    assert (agrees["account"], agrees["account_verdict"]) == (
        "621626*********0018",
        "agrees",
    )
    show_another_account(site)
    assert verdicts(site)["account_verdict"] == "mismatch"


def show_another_account(site: Site) -> None:
    core = site.bench.terminal.core
    key = site.bench.ledger.tag_key
    tag = BindingTag.issue(key, mid=MID, tid=TID, mask="620000******0005", version=3)
    core.parameters[parameters.BINDING_TAG] = bytes.fromhex(tag.to_hex())


def test_a_binding_is_not_shown_of_another_merchants_terminal(site: Site) -> None:
    words = ("binding", "show", "--port", site.bench.port, "--merchant", "12345")
    failed(site.run(*words), "look.other_merchant", 7)


# -- shops ---------------------------------------------------------------------


@pytest.mark.req("R2")
def test_a_shop_remembers_and_guards(site: Site, tmp_path: Path) -> None:
    """What worked is taken the next time, and the shop next door is refused."""
    config = tmp_path / "config.toml"
    config.touch()
    given = {"POSCTL_CONFIG": str(config)}
    pictures = ("--pictures", str(site.bench.pictures), "--wait-card", "0")
    shop = ("change", "run", "--shop", "noodles", "--json")
    answers = "".join(f"{line}\n" for line in RUN_ANSWERS)
    port, reader = site.bench.port, site.bench.reader
    first = on(
        site,
        *(*shop, "--port", port, "--reader", reader, *pictures),
        stdin=answers,
        **given,
    )
    assert "shop noodles is new" in first.err
    kept = {
        "port": port,
        "reader": reader,
        "merchant": MID,
        "pictures": str(site.bench.pictures),
    }
    assert load(str(config), {}).shops == {"noodles": kept}
    site.run("change", "rollback", first.result["order"]).ok()

    again = on(site, *shop, *pictures, stdin=answers, **given)
    assert again.result["state"] == "PROPOSED" and "is new" not in again.err
    site.run("change", "rollback", again.result["order"]).ok()

    config.write_text(config.read_text().replace(MID, "898110054110999"))
    refused = on(site, *shop, *pictures, stdin=answers, **given)
    assert (refused.code, refused.error["code"]) == (7, "look.other_merchant")
    untouched(site)


def test_a_terminal_is_remembered_once_it_is_recognised(
    make_site: MakeSite, tmp_path: Path
) -> None:
    site = make_site(card="credit")
    config = tmp_path / "config.toml"
    config.touch()
    words = ("change", "run", "--shop", "noodles", *site.means(), "--json")
    done = on(site, *words, POSCTL_CONFIG=str(config))
    assert done.error["code"] == "card.kind_refused"
    kept = {"merchant": MID, "port": site.bench.port}
    assert load(str(config), {}).shops == {"noodles": kept}


def test_what_a_first_run_was_given_is_remembered_after_a_resume(
    site: Site, tmp_path: Path
) -> None:
    config = tmp_path / "config.toml"
    config.touch()
    given = {"POSCTL_CONFIG": str(config)}
    answers = [f"{line}\n" for line in RUN_ANSWERS]
    words = ("change", "run", "--shop", "noodles", *site.means(), "--json")
    left = on(site, *words, stdin="".join(answers[:2]), **given)
    number = left.error["params"]["resume"]
    resume = ("change", "resume", number, "--shop", "noodles", "--json")
    assert on(site, *resume, stdin="".join(answers), **given).code == 0
    assert load(str(config), {}).shops["noodles"] == {
        "merchant": MID,
        "port": site.bench.port,
        "reader": site.bench.reader,
        "pictures": str(site.bench.pictures),
    }


def test_nothing_is_remembered_of_a_terminal_that_is_not_recognised(
    make_site: MakeSite, tmp_path: Path
) -> None:
    site = make_site(wrong_terminal=True)
    config = tmp_path / "config.toml"
    config.touch()
    words = ("change", "run", "--shop", "noodles", *site.means(), "--json")
    done = on(site, *words, POSCTL_CONFIG=str(config))
    assert done.error["code"] == "look.mismatch"
    assert config.read_text() == ""


# -- receipts ------------------------------------------------------------------


@pytest.fixture
def receipt(site: Site, tmp_path: Path) -> Path:
    number = site.approved()
    site.commit(number).ok()
    path = tmp_path / "receipt.json"
    site.run("receipt", "show", number, "--output", str(path)).ok()
    assert path.stat().st_mode & 0o777 == 0o600
    return path


def verify(path: Path, root: Path, home: Path) -> Done:
    words = ("receipt", "verify", str(path), "--root", str(root), "--json")
    return run(*words, POSCTL_HOME=str(home))


@pytest.mark.req("R45")
def test_a_receipt_is_verified_elsewhere_with_the_root_alone(
    site: Site, receipt: Path, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere"
    root = tmp_path / "root.pem"
    root.write_bytes((site.home / "root.pem").read_bytes())
    told = verify(receipt, root, elsewhere).result
    assert (told["verified"], told["signed_by"], told["test_root"]) == (
        *(True, "wang"),
        True,
    )
    assert told["new"] == "621626*********0018" and len(told["root_fingerprint"]) == 64
    assert not elsewhere.exists()
    missing = run(
        "receipt", "verify", str(receipt), "--json", POSCTL_HOME=str(elsewhere)
    )
    assert (missing.code, missing.error["code"]) == (2, "receipt.root")


@pytest.mark.req("R45")
def test_a_receipt_that_is_none(site: Site, receipt: Path, tmp_path: Path) -> None:
    root, home = site.home / "root.pem", tmp_path / "none"
    whole = receipt.read_text()
    other = replace(site, home=tmp_path / "other").setup()
    for text, code in (
        (whole.replace("621626", "621627"), "signature.wrong"),
        (whole.replace('"signature":"', '"signature":"00'), "signature.wrong"),
        (whole.replace('"issued":"2', '"issued":"1'), "signature.certificate"),
        (whole.replace('"issued"', '"Issued"'), "receipt.unreadable"),
        (whole[:-1], "receipt.unreadable"),
        ("[]", "receipt.unreadable"),
        ("3", "receipt.unreadable"),
        ("[" * 100_000, "receipt.unreadable"),
        ("", "receipt.unreadable"),
    ):
        receipt.write_text(text)
        done = verify(receipt, root, home)
        assert (done.code, done.error["code"]) == (7, code), text[:80]
    receipt.write_text(whole)
    done = verify(receipt, other.home / "root.pem", home)
    assert done.error["code"] == "signature.certificate"
    done = verify(receipt, receipt, home)
    assert (done.code, done.error["code"]) == (2, "receipt.root")
    assert verify(receipt, root, home).code == 0


# -- card ----------------------------------------------------------------------


@pytest.mark.req("R48")
def test_card_show_says_what_a_card_is(make_site: MakeSite) -> None:
    site = make_site()
    told = site.run("card", "show", "--reader", site.bench.reader).ok()
    assert (told["number"], told["kind"], told["check_digit"]) == (
        "621626*********0018",
        "debit",
        True,
    )
    assert NEW_NUMBER not in json.dumps(told)


@pytest.mark.req("R20")
def test_card_show_refuses_what_cannot_be_paid_to(make_site: MakeSite) -> None:
    site = make_site(card="credit")
    failed(
        site.run("card", "show", "--reader", site.bench.reader), "card.kind_refused", 7
    )


def test_a_terminal_that_is_deaf_for_one_exchange_is_told(site: Site) -> None:
    site.bench.terminal.faults.add(Fault("A00", "nak", times=3))
    words = ("terminal", "info", "--port", site.bench.port)
    failed(site.run(*words), "terminal.session", 5)
    assert site.run(*words).ok()["tid"] == TID
