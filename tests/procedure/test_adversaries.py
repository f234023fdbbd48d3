"""People and outsiders that lie, and machines that fail at the wrong moment.

Each of these once lost money, proof, or the way on.
"""

from __future__ import annotations

import base64
import json
import os
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from orderfiles import File, approve, forge, part, resign
from procedures import office, shown, submitted
from world import Site

from emulator.bench import MID, NEW_NUMBER, OLD_NUMBER, TID
from emulator.faults import Fault
from posctl.change.approval import approval_digest
from posctl.model.canonical import canonical
from posctl.model.errors import CheckFailed, Refused
from posctl.office import application, commit
from posctl.providers import ApplicationStatus, Progress
from posctl.providers.chinaums import ChinaUms
from posctl.store.home import Home
from posctl.store.sealing import binding, seal

OTHER_OLD = "6212345678900000003"


# -- the provider --------------------------------------------------------------


@pytest.mark.req("R41")
def test_a_no_to_the_signature_is_checked(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Signed by another way already: the provider says no, and means yes."""
    number = site.approved()
    real = ChinaUms.sign

    def twice(self: ChinaUms, *arguments: Any) -> None:
        real(self, *arguments)
        real(self, *arguments)

    monkeypatch.setattr(ChinaUms, "sign", twice)
    assert site.commit(number).ok()["state"] == "EFFECTIVE"
    assert (site.account(), site.version()) == (NEW_NUMBER, 2)


@pytest.mark.req("R38")
def test_a_yes_to_the_signature_is_checked(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The provider says that it signed, and did not."""
    number = site.approved()
    monkeypatch.setattr(application, "SIGN_SECONDS", 0.2)
    monkeypatch.setattr(ChinaUms, "sign", lambda self, *arguments: None)
    lied = site.commit(number)
    assert (lied.code, lied.error["params"]["cause"]) == (8, "provider.contradicts")
    monkeypatch.undo()
    assert site.commit(number).ok()["state"] == "EFFECTIVE"
    assert (site.version(), site.signed()) == (2, 1)


@pytest.mark.req("R41")
def test_a_host_that_dies_after_the_signature_leaves_it_unknown(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The question afterwards never left this machine; the signature did."""
    number = site.approved()
    real = ChinaUms.sign

    def sign_and_die(self: ChinaUms, *arguments: Any) -> None:
        real(self, *arguments)
        site.bench.provider.stop()

    monkeypatch.setattr(ChinaUms, "sign", sign_and_die)
    lost = site.commit(number)
    assert (lost.code, lost.error["code"]) == (8, "effect.unknown")
    assert shown(site, number)["unsettled_effect"] == "sign"
    refused = site.run("change", "rollback", number)
    assert refused.error["code"] == "rollback.too_late"


@pytest.mark.req("R41")
def test_a_no_after_a_lost_signature_needs_a_person_and_has_a_way_on(
    site: Site,
) -> None:
    number = site.approved()
    site.bench.provider.faults.add(Fault("alter_sign", "refuse_before"))
    assert site.commit(number).code == 8
    with site.bench.ledger.locked() as ledger:
        (asked,) = ledger.applications.values()
        asked.status = "05"  # waits for something else: cannot be signed now
    assert site.commit(number).code == 9
    assert shown(site, number)["state"] == "MANUAL"
    again = site.commit(number)
    assert (again.code, again.error["code"]) == (9, "commit.manual")
    assert site.propose().error["code"] == "order.at_office"
    with site.bench.ledger.locked():
        asked.status, asked.fail_reason = "04", "withdrawn"
    assert site.commit(number).code == 6
    assert shown(site, number)["state"] == "REJECTED"
    assert site.account() == OLD_NUMBER


@pytest.mark.req("R38")
def test_a_readback_that_contradicts_is_asked_again(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Done, then "in review" when asked once more: no receipt until it is clear."""
    number = site.approved()
    real = commit.Commit.read_back

    def wavering(self: commit.Commit) -> None:
        query = self.application.query
        again = lambda: replace(query(), raw="02", progress=Progress.AUDITING)  # noqa: E731
        self.application.query = again  # type: ignore[method-assign]
        real(self)

    monkeypatch.setattr(commit.Commit, "read_back", wavering)
    failed = site.commit(number)
    assert (failed.code, failed.error["code"]) == (8, "readback.failed")
    assert site.run("receipt", "show", number).error["code"] == "receipt.none"
    monkeypatch.undo()
    os.environ["POSCTL_HOME"] = str(site.home)
    assert site.commit(number).ok()["state"] == "EFFECTIVE"


def test_a_terminal_that_left_the_merchant_after_the_signature_is_told(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The takings go to the new account all the same: EFFECTIVE, with a warning."""
    number = site.approved()
    real = ChinaUms.terminals
    calls = iter(range(99))

    def empty_at_the_end(self: ChinaUms, *arguments: Any) -> tuple[str, ...]:
        found = real(self, *arguments)
        return () if next(calls) == 2 else found

    monkeypatch.setattr(ChinaUms, "terminals", empty_at_the_end)
    committed = site.commit(number)
    assert committed.ok()["state"] == "EFFECTIVE"
    assert "does not list terminal" in committed.err


@pytest.mark.req("R41")
@pytest.mark.parametrize("raw", ["9999", "2000", "1003"])
@pytest.mark.parametrize("call", range(3))
def test_no_refused_question_decides_anything(
    site: Site, monkeypatch: pytest.MonkeyPatch, raw: str, call: int
) -> None:
    """`alter_qry` says busy or no: whatever was signed is still signed."""
    number = site.approved()
    real = ChinaUms.query
    calls = iter(range(99))

    def refusing(self: ChinaUms, *arguments: Any) -> ApplicationStatus:
        if next(calls) == call:
            raise Refused("provider.refused", namespace="chinaums", raw=raw, text="")
        return real(self, *arguments)

    monkeypatch.setattr(ChinaUms, "query", refusing)
    first = site.commit(number)
    assert first.code in (0, 5, 8), first.err
    assert shown(site, number)["state"] not in ("REJECTED", "MANUAL")
    assert site.commit(number).ok()["state"] == "EFFECTIVE"
    assert (site.account(), site.signed()) == (NEW_NUMBER, 1)


@pytest.mark.req("R41")
def test_a_store_older_than_the_provider_is_not_called_rejected(
    site: Site, tmp_path: Path
) -> None:
    """Restored from a copy made before the commit: 1002 is no refusal."""
    import shutil

    number = site.approved()
    shutil.copytree(site.home / "office", tmp_path / "copy")
    site.commit(number).ok()
    shutil.rmtree(site.home / "office")
    shutil.copytree(tmp_path / "copy", site.home / "office")
    for _time in range(3):
        again = site.run("change", "commit", number)
        assert (again.code, again.error["code"]) == (9, "commit.older_store")
    session = office(site, timedelta())
    assert session.place.journal(number).order.state == "MANUAL"
    assert session.place.log.outbox() == []
    assert site.version() == 2


# -- time ------------------------------------------------------------------------


@pytest.mark.req("R11")
@pytest.mark.req("R34")
def test_a_resume_before_the_signature_checks_again(site: Site) -> None:
    """Applied, then nobody came back for 100 days."""
    number = submitted(site)
    assert shown(site, number)["state"] == "SUBMITTED"
    with pytest.raises(CheckFailed) as caught:
        commit.commit(office(site, timedelta(days=100)), number, 1.0)
    assert caught.value.code == "order.expired"
    assert (site.account(), site.signed()) == (OLD_NUMBER, 0)
    assert shown(site, number)["state"] == "EXPIRED"


# -- a technician with a key of his own ------------------------------------------


@pytest.mark.req("R2")
@pytest.mark.req("R3")
@pytest.mark.parametrize(
    ("kind", "values", "code"),
    [
        ("look.done", {"old_mask": "620000******0005"}, "account.old_mismatch"),
        ("look.done", {"old_version": 7}, "tag.forged"),
        ("look.done", {"tag": None}, "tag.missing"),
        ("look.done", {"tag": "E000"}, "tag.forged"),
        ("look.done", {"tid": "11000002"}, "look.mismatch"),
        ("account.sealed", {"new_mask": "621626*********0019"}, "account.hash"),
        ("account.sealed", {"new_hash": "0" * 64}, "account.hash"),
        ("preflight.passed", {"fee": "-5.00"}, "order.payload"),
        ("preflight.passed", {"fee": "5.00"}, "order.refused"),
        ("account.sealed", {"branch": "1\n  fee 0"}, "order.payload"),
        ("account.sealed", {"source": "the merchant\x1b[2K"}, "order.payload"),
        ("look.done", {"tag": 5}, "tag.forged"),
        ("look.done", {"tid": "[/x]"}, "order.payload"),
        ("preflight.passed", {"documents": 5}, "order.payload"),
        ("preflight.passed", {"documents": [{}]}, "order.payload"),
        ("order.proposed", {"valid_until": 5}, "order.payload"),
        ("order.proposed", {"valid_until": "soon"}, "order.payload"),
        ("order.opened", {"operator": "wang"}, "signature.other"),
        ("order.opened", {"field_id": "ZZZZ"}, "signature.other"),
        ("account.sealed", {"luhn": "yes"}, "order.payload"),
    ],
)
def test_an_invented_part_is_refused(
    site: Site,
    sent: Path,
    kind: str,
    values: File,
    code: str,
) -> None:
    forge(site, sent, part(kind, **values))
    assert approve(site, sent) == code
    assert site.account() == OLD_NUMBER


@pytest.mark.req("R34")
def test_the_field_cannot_lengthen_an_order_s_life(
    site: Site,
    sent: Path,
) -> None:
    late = part("order.proposed", valid_until="2099-01-01T00:00:00.000Z")
    forge(site, sent, late)
    assert approve(site, sent) == "taken"
    number = json.loads(json.dumps(site.run("orders", "list").ok()["orders"]))[0][
        "order"
    ]
    with pytest.raises(CheckFailed) as caught:
        commit.commit(office(site, timedelta(days=15, hours=1)), number, 1.0)
    assert caught.value.code == "order.expired"


@pytest.mark.req("R3")
def test_a_box_without_the_old_number_is_refused(
    site: Site,
    sent: Path,
) -> None:
    """What is sealed is li's to choose; the office opens it and looks."""
    key = os.urandom(32)
    plain = {
        "new": NEW_NUMBER,
        "old": None,
        "mobile": "13552535506",
        "holder": "",
        "key": key.hex(),
    }
    assert approve_with_box(site, sent, canonical(plain), key) == "account.old_missing"


_WHOLE = b'{"chip_holder":%b,"key":"00","new":"6212345678901232","old":null}'


@pytest.mark.parametrize(
    "plain",
    [
        *(b"", b"[]", b"{}", b'{"new": 5}', b'{"new":5}', b"[" * 100_000),
        *(_WHOLE % text for text in (b'"\\ud800"', b"5", b"[]", b'"a","old":null')),
    ],
    ids=lambda plain: plain[:40].decode(),
)
def test_a_box_of_junk_is_refused(
    site: Site,
    sent: Path,
    plain: bytes,
) -> None:
    assert approve_with_box(site, sent, plain, b"k") == "seal.content"


def approve_with_box(site: Site, path: Path, plain: bytes, key: bytes) -> str:
    import hashlib
    import hmac

    data = json.loads(path.read_text())
    number = data["body"]["order"]
    profile = office(site, timedelta()).place.profile
    recipient = profile.in_force.office_key
    box = seal(recipient, binding("account", number, number[:4], recipient), plain)
    sha256 = hashlib.sha256(box).hexdigest()
    own = hmac.new(key, NEW_NUMBER.encode(), hashlib.sha256).hexdigest()
    data["boxes"][sha256] = base64.b64encode(box).decode()
    data["body"]["attachments"].append(sha256)
    path.write_bytes(canonical(data))
    forge(site, path, part("account.sealed", sealed=sha256, new_hash=own))
    return approve(site, path)


@pytest.mark.req("R7")
def test_the_provider_gets_the_pictures_that_were_approved(
    site: Site,
    sent: Path,
) -> None:
    """Other pictures under the same hashes, sealed and signed by li."""
    import hashlib

    data = json.loads(sent.read_text())
    number = data["body"]["order"]
    recipient = office(site, timedelta()).place.profile.in_force.office_key
    for item in data["body"]["documents"]:
        info = binding(f"document {item['kind']}", number, number[:4], recipient)
        box = seal(recipient, info, b"\xff\xd8\xffanother picture")
        del data["boxes"][item["box"]]
        item["box"] = hashlib.sha256(box).hexdigest()
        data["boxes"][item["box"]] = base64.b64encode(box).decode()
    resign(site, data)
    sent.write_bytes(canonical(data))
    assert approve(site, sent) == "taken"
    refused = site.commit(number)
    assert (refused.code, refused.error["code"]) == (7, "document.others")
    assert site.signed() == 0


def test_a_file_put_in_the_place_of_the_received_one_is_noticed(
    site: Site,
    sent: Path,
) -> None:
    copy = sent.read_bytes()
    assert approve(site, sent) == "taken"
    number = json.loads(copy)["body"]["order"]
    kept = site.home / "office" / "orders" / f"{number}.posctl-order"
    assert kept.stat().st_mode & 0o777 == 0o600
    kept.write_bytes(copy)
    forge(site, kept, part("order.sent", to="elsewhere"))
    assert site.commit(number).error["code"] == "orderfile.swapped"


@pytest.mark.req("R30")
def test_the_digest_covers_what_was_approved(site: Site) -> None:
    number = site.approved()
    order = office(site, timedelta()).place.journal(number).order
    for change in (
        {"new_hash": "0"},
        {"branch": "0"},
        {"fee": "1"},
        {"valid_until": "0"},
        {"documents": ()},
        {"profile_sha256": "0"},
        {"tid": "0"},
        {"old_mask": None},
        {"kind": "credit"},
    ):
        assert approval_digest(replace(order, **change)) != approval_digest(order)


# -- terminals and receipts ------------------------------------------------------


@pytest.mark.req("R38")
def test_a_terminal_that_shows_the_right_mask_without_the_mac_is_caught(
    site: Site,
) -> None:
    from protocols.bindingtag import BindingTag
    from protocols.iso8583 import parameters

    number = site.approved()
    site.commit(number).ok()
    forged = BindingTag("621626*********0018", 2, b"\0" * 8).to_hex()
    core = site.bench.terminal.core
    core.parameters[parameters.BINDING_TAG] = bytes.fromhex(forged)
    assert site.confirm(number).error["code"] == "tag.forged"
    assert shown(site, number)["state"] == "EFFECTIVE"


def test_a_receipt_must_be_an_approver_s_and_this_order_s(site: Site) -> None:
    import hashlib
    import sqlite3

    from posctl.model.clock import SystemClock, stamp
    from posctl.store import keys

    number = site.approved()
    site.commit(number).ok()
    site.run("orders", "list").ok()  # the field takes it back
    body = {"order": number, "mid": MID, "tid": TID, "new": "621626*********0018"}
    cases = {
        "signature.role": ("li", body),
        "receipt.other": ("wang", body | {"order": "AAAA-22222"}),
    }
    for code, (name, content) in cases.items():
        who = keys.load_operator(Home(site.home).operators, name, None)
        content = content | {"issued": stamp(SystemClock().now())}
        signed = canonical({"body": content, "proof": who.sign("receipt", content)})
        sha256 = hashlib.sha256(signed).hexdigest()
        for place in ("field", "office"):
            with sqlite3.connect(site.home / place / "log.db") as db:
                db.execute(
                    "INSERT INTO attachments VALUES (?, ?, ?)", (sha256, number, signed)
                )
                db.execute(
                    "UPDATE orders SET projection ="
                    " json_set(projection, '$.receipt', ?)",
                    (sha256,),
                )
        assert site.run("receipt", "show", number).error["code"] == code


@pytest.mark.req("R45")
def test_a_receipt_can_be_read_when_its_signer_s_certificate_is_over(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    from datetime import UTC, datetime

    from posctl.model.clock import SystemClock

    number = site.approved()
    site.commit(number).ok()
    site.run("orders", "list").ok()
    later = datetime.now(UTC) + timedelta(days=800)
    monkeypatch.setattr(SystemClock, "now", lambda self: later)
    assert site.run("receipt", "show", number).ok()["result"] == "EFFECTIVE"


# -- what the second review found --------------------------------------------------


@pytest.mark.req("R14")
def test_a_crash_on_arrival_skips_no_check(site: Site, sent: Path) -> None:
    """Absorbed, killed, taken again: the fee is still looked at."""
    forge(site, sent, part("preflight.passed", fee="888.00"))
    session = office(site, timedelta())
    file = session.place._read(sent)
    session.place.log.absorb(file.events, file.attachments)
    assert approve(site, sent) == "order.refused"


@pytest.mark.req("R40")
def test_a_terminal_that_lags_is_confirmed_before_a_reverse_order(site: Site) -> None:
    number = site.approved()
    site.commit(number).ok()
    again = site.propose()
    assert (again.code, again.error["code"]) == (7, "order.unconfirmed")
    assert number in again.error["next"]


@pytest.mark.req("R39")
def test_a_closed_order_does_not_move_any_more(site: Site) -> None:
    number = site.approved()
    site.commit(number).ok()
    site.confirm(number).ok()
    site.run("orders", "list").ok()
    before = shown(site, number)["events"]
    for command in ("commit", "resume", "confirm", "commit", "resume"):
        words = ["--port", site.bench.port] if command != "commit" else []
        assert site.run("change", command, number, *words).code == 0
    assert shown(site, number)["events"] == before
    assert "left in the inbox" not in site.run("orders", "list").err


@pytest.mark.req("R37")
@pytest.mark.parametrize("moment", ["before", "after"])
def test_an_order_that_was_given_up_does_not_need_its_pictures(
    site: Site, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    """Killed between `order.sent` and its file; then the pictures are edited."""
    from posctl.change import orderfile

    def killed(*arguments: Any, **options: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(orderfile, "write", killed)
    assert site.propose().code == 130
    monkeypatch.undo()
    os.environ["POSCTL_HOME"] = str(site.home)
    (order,) = site.run("orders", "list").ok()["orders"]
    for picture in site.bench.pictures.iterdir():
        picture.write_bytes(b"\xff\xd8\xffedited")
    number = order["order"]
    assert site.run("change", "resume", number, *site.means()).code == 0
    site.approve(number).ok()
    assert site.commit(number).ok()["state"] == "EFFECTIVE"


def test_an_open_application_is_not_sent_again_when_its_time_is_over(
    site: Site,
) -> None:
    number = site.approved()
    site.bench.provider.faults.add(Fault("complex_alter_acctinfo", "refuse_before"))
    assert site.commit(number).code == 8
    with pytest.raises(CheckFailed) as caught:
        commit.commit(office(site, timedelta(days=100)), number, 1.0)
    assert caught.value.code == "order.expired"
    with site.bench.ledger.locked() as ledger:
        assert not ledger.applications


def test_wrong_credentials_do_not_end_an_order(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = site.approved()
    real = ChinaUms.apply

    def refused(self: ChinaUms, *arguments: Any) -> str:
        raise Refused("provider.credentials", namespace="chinaums", raw="1001", text="")

    monkeypatch.setattr(ChinaUms, "apply", refused)
    assert site.commit(number).code == 5
    monkeypatch.setattr(ChinaUms, "apply", real)
    assert site.commit(number).ok()["state"] == "EFFECTIVE"


def test_an_application_that_is_still_open_is_not_rejected(site: Site) -> None:
    """Refused now, signed by another way later: the log must not deny it."""
    number = submitted(site)
    with site.bench.ledger.locked() as ledger:
        (asked,) = ledger.applications.values()
        asked.status = "18"
    assert site.commit(number).error["code"] == "commit.manual"
    with site.bench.ledger.locked():
        asked.status = "03"
    site.bench.ledger.change_account(MID, NEW_NUMBER, request=6)
    assert site.commit(number).ok()["state"] == "EFFECTIVE"
