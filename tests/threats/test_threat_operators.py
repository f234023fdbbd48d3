"""An operator who is none: added to the store, of another root, taken back."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from attacks import approve, nothing_changes, refused, set_clock
from commands import LI, PHRASES, WANG, guarded_site
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from orderfiles import root_of
from procedures import office, proposed
from world import RUN_ANSWERS, Site

from emulator.bench import MID, NEW_NUMBER, OLD_NUMBER
from posctl.model.canonical import canonical
from posctl.model.clock import stamp
from posctl.model.errors import CheckFailed
from posctl.store import keys, revocation
from posctl.store.home import Home

DIGITS = NEW_NUMBER[-4:]


def add(site: Site, operator: keys.Operator, name: str | None = None) -> None:
    """The two files, as somebody who can write ``operators`` copies them there."""
    folder = Home(site.home).operators
    keys.save_operator(folder / "made", operator, None)
    for path in (folder / "made").iterdir():
        path.rename(folder / f"{name or operator.name}{path.suffix}")


# -- added to the store ----------------------------------------------------------------


@pytest.mark.req("R30")
@pytest.mark.parametrize("name", ["wang", "mallory"])
def test_an_approver_of_another_root(site: Site, name: str) -> None:
    """Under the approver's own name, or a new one."""
    number = proposed(site)
    site.run("orders", "list").ok()
    other = keys.make_root("-", datetime.now(UTC), test=True)
    add(site, keys.issue(other, name, keys.APPROVER, datetime.now(UTC)))
    with nothing_changes(site):
        refused(approve(site, number, "--operator", name), "signature.certificate")


@pytest.mark.req("R1")
def test_a_technician_of_another_root(site: Site) -> None:
    other = keys.make_root("-", datetime.now(UTC), test=True)
    add(site, keys.issue(other, "li", keys.TECHNICIAN, datetime.now(UTC)))
    with nothing_changes(site):
        refused(site.propose(), "signature.certificate")


@pytest.mark.req("R30")
def test_a_technician_who_issues_himself_another_role(site: Site) -> None:
    """Signed with his own key, in the root's name."""
    number = proposed(site)
    site.run("orders", "list").ok()
    home = Home(site.home)
    li = keys.load_operator(home.operators, "li", None)
    as_root = keys.Operator("root", "root", home.root, li.key)
    add(site, keys.issue(as_root, "chen", keys.APPROVER, datetime.now(UTC)))
    with nothing_changes(site):
        refused(approve(site, number, "--operator", "chen"), "signature.certificate")


@pytest.mark.req("R30")
def test_a_certificate_whose_role_was_edited(site: Site) -> None:
    """The bytes of the role: of the same length, or there is no certificate left."""
    number = proposed(site)
    site.run("orders", "list").ok()
    home = Home(site.home)
    long = keys.issue(root_of(home), "chen", "approver__", datetime.now(UTC))
    add(site, long)
    body = long.certificate.public_bytes(Encoding.DER)
    edited = body.replace(b"approver__", b"technician")
    assert edited != body
    pem = x509.load_der_x509_certificate(edited).public_bytes(Encoding.PEM)
    (home.operators / "chen.pem").write_bytes(pem)
    with nothing_changes(site):
        told = site.run("change", "run", *site.means(), "--operator", "chen")
        refused(told, "signature.certificate")
        refused(approve(site, number, "--operator", "chen"), "signature.certificate")


@pytest.mark.req("R30")
def test_the_approvers_certificate_with_another_key(site: Site) -> None:
    number = proposed(site)
    site.run("orders", "list").ok()
    folder = Home(site.home).operators
    (folder / "wang.key").write_bytes((folder / "li.key").read_bytes())
    with nothing_changes(site):
        refused(approve(site, number), "signature.wrong")


# -- taken back ------------------------------------------------------------------------


def revoke(site: Site, name: str) -> None:
    shown = site.run("operator", "revoke", name).ok()
    assert (shown["name"], shown["standing"]) == (name, "revoked")


@pytest.mark.req("R1")
def test_a_revoked_technician_begins_nothing(site: Site) -> None:
    revoke(site, "li")
    with nothing_changes(site):
        refused(site.propose(), "signature.revoked")


@pytest.mark.req("R1")
def test_an_order_on_its_way_from_a_revoked_technician(site: Site) -> None:
    number = proposed(site)
    revoke(site, "li")
    with nothing_changes(site):
        listed = site.run("orders", "list")
        assert "left in the inbox" in listed.err and "signature.revoked" in listed.err
        inbox = site.home / "office" / "inbox" / f"{number}.posctl-order"
        ran = approve(site, number, "--order-file", str(inbox))
        refused(ran, "signature.revoked")
        refused(site.run("change", "cancel", number), "order.in_transit")


@pytest.mark.req("R1", "R14", "R34")
def test_the_office_ends_an_order_on_its_way_from_a_revoked_technician(
    site: Site, tmp_path: Path
) -> None:
    """It went nowhere, and the merchant is free for another technician."""
    number = proposed(site)
    site.run("operator", "issue", "zhao", "--role", "technician").ok()
    revoke(site, "li")
    file = site.home / "office" / "inbox" / f"{number}.posctl-order"
    kept = tmp_path / "kept"
    kept.write_bytes(file.read_bytes())
    cancel = ("change", "cancel", "--order-file", str(kept))
    refused(site.run(*cancel, "AAAA-AAAAA"), "orderfile.other")
    refused(site.run(*cancel, number, "--operator", "zhao"), "signature.role")
    ended = site.run(*cancel, number).ok()
    assert (ended["state"], ended["reason"]) == ("CANCELLED", "order.withdrawn")
    (told,) = site.run("outbox", "list").ok()["messages"]
    assert (told["key"], told["reason"]) == (number, "order.withdrawn")
    refused(site.run(*cancel, number), "signature.revoked")
    other = site.run(
        *("change", "run", "--operator", "zhao", *site.means()), answers=RUN_ANSWERS
    )
    assert other.ok()["state"] == "PROPOSED"
    assert site.account() == OLD_NUMBER and site.signed() == 0


@pytest.mark.req("R1")
def test_an_order_that_was_taken_to_be_ended_can_do_nothing_else(site: Site) -> None:
    """A run died between the two."""
    number = proposed(site)
    revoke(site, "li")
    file = site.home / "office" / "inbox" / f"{number}.posctl-order"
    with pytest.raises(CheckFailed, match=r"signature\.revoked"):
        office(site, timedelta()).place.take(file)
    office(site, timedelta()).place.take_to_end(file, number)
    with nothing_changes(site):
        refused(approve(site, number), "signature.revoked")
    assert site.run("change", "cancel", number).ok()["state"] == "CANCELLED"


@pytest.mark.req("R1")
def test_an_order_of_a_revoked_technician_goes_no_further(site: Site) -> None:
    """Arrived, or approved already: it can be ended, not committed."""
    number = proposed(site)
    site.run("orders", "list").ok()
    revoke(site, "li")
    with nothing_changes(site):
        refused(approve(site, number), "signature.revoked")
    site.run("change", "rollback", number).ok()


@pytest.mark.req("R30")
@pytest.mark.parametrize("who", ["li", "wang"])
def test_an_approved_order_of_somebody_revoked_is_not_committed(
    site: Site, who: str
) -> None:
    number = site.approved()
    site.run("operator", "issue", "zhao", "--role", "approver").ok()
    revoke(site, who)
    with nothing_changes(site):
        ran = site.commit(number, "--operator", "zhao")
        refused(ran, "signature.revoked")
    site.run("change", "rollback", number, "--operator", "zhao").ok()
    assert site.account() == OLD_NUMBER


@pytest.mark.req("R30")
def test_a_revoked_approver_does_nothing_more(site: Site, tmp_path: Path) -> None:
    number = proposed(site)
    request = tmp_path / "request"
    request.write_text(site.run("approval", "request", number).ok()["text"])
    signed = site.run("approval", "sign", str(request), answers=[DIGITS]).ok()["text"]
    (tmp_path / "answer").write_text(signed)
    site.run("operator", "issue", "zhao", "--role", "approver").ok()
    revoke(site, "wang")
    take = ("approval", "take", number, str(tmp_path / "answer"))
    with nothing_changes(site):
        refused(approve(site, number), "signature.revoked")
        again = site.run("approval", "sign", str(request), answers=[DIGITS])
        refused(again, "signature.revoked")
        refused(site.run(*take, "--operator", "zhao"), "signature.revoked")


@pytest.mark.req("R2")
def test_a_terminal_list_of_a_revoked_approver(site: Site) -> None:
    """Fetched again by another one, it is good."""
    site.run("operator", "issue", "zhao", "--role", "approver").ok()
    revoke(site, "wang")
    with nothing_changes(site):
        refused(site.propose(), "signature.revoked")
    site.run("merchant", "fetch", MID, "--operator", "zhao").ok()
    assert site.propose().ok()["state"] == "PROPOSED"


@pytest.mark.req("R45")
def test_a_receipt_of_before_the_revocation_stays_good(
    site: Site, tmp_path: Path
) -> None:
    """And one that says that it is of later does not; without the list nobody knows."""
    number = site.approved()
    site.commit(number).ok()
    path = tmp_path / "receipt.json"
    site.run("receipt", "show", number, "--output", str(path)).ok()
    wang = keys.load_operator(Home(site.home).operators, "wang", None)
    revoke(site, "wang")
    site.run("receipt", "show", number).ok()
    assert site.run("receipt", "verify", str(path)).ok()["verified"]
    body = json.loads(path.read_bytes())["body"] | {"issued": stamp(datetime.now(UTC))}
    later = {"body": body, "proof": wang.sign("receipt", body)}
    path.write_bytes(canonical(later))
    refused(site.run("receipt", "verify", str(path)), "signature.revoked")
    alone = ("--root", str(site.home / "root.pem"))
    assert site.run("receipt", "verify", str(path), *alone).ok()["verified"]


@pytest.mark.req("R30")
@pytest.mark.parametrize("how", ["removed", "the older one", "clock"])
def test_an_older_list_put_back_is_noticed(
    site: Site, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    """Once something was approved under the newer: its number is in the log. And no
    clock makes a certificate count again."""
    home = Home(site.home)
    for name in ("mallory", "oscar"):
        site.run("operator", "issue", name, "--role", "technician").ok()
    revoke(site, "mallory")
    first = home.revocations.read_bytes()
    revoke(site, "oscar")
    number = site.approved()
    if how == "removed":
        home.revocations.unlink()
    elif how == "the older one":
        home.revocations.write_bytes(first)
    else:
        set_clock(monkeypatch, -1 / 24 / 12)
    with nothing_changes(site):
        if how == "clock":
            options = (*site.means(), "--operator", "oscar")
            refused(site.run("change", "run", *options), "signature.revoked")
        else:
            refused(site.commit(number), "revocations.old")


@pytest.mark.req("R30")
@pytest.mark.parametrize("how", ["edited", "an approver's", "junk"])
def test_a_list_that_the_root_did_not_sign(site: Site, how: str) -> None:
    number = proposed(site)
    site.run("orders", "list").ok()
    revoke(site, "li")
    home = Home(site.home)
    data = json.loads(home.revocations.read_bytes())
    if how == "edited":
        data["body"]["revoked"] = {}
    elif how == "an approver's":
        wang = keys.load_operator(home.operators, "wang", None)
        data["body"]["revoked"] = {}
        data["proof"] = wang.sign("revocations", data["body"])
    body = b"[]" if how == "junk" else canonical(data)
    home.revocations.write_bytes(body)
    with nothing_changes(site):
        refused(approve(site, number), "revocations.signature")


def test_a_second_revocation_keeps_the_first(site: Site) -> None:
    """The number grows; the first moment stays."""
    first = site.run("operator", "revoke", "li").ok()
    again = site.run("operator", "revoke", "li").ok()
    assert again == first
    assert site.run("operator", "revoke", "wang").ok()["revocations"] == 2
    listed = site.run("operator", "list").ok()
    assert [o["standing"] for o in listed["operators"]] == ["revoked", "revoked"]
    trust = Home(site.home).trust
    assert trust.number == 2 and len(trust.revoked) == 2


def test_a_name_can_be_given_again_once_it_was_revoked(site: Site) -> None:
    issue = ("operator", "issue", "li", "--role", "technician")
    refused(site.run(*issue), "operator.exists", 2)
    refused(site.run("operator", "issue", "Li", *issue[3:]), "operator.exists", 2)
    for name in ("root", "office", "../li", "9x"):
        ran = site.run("operator", "issue", name, *issue[3:])
        refused(ran, "setup.name", 2)
    revoke(site, "li")
    site.run(*issue).ok()
    assert site.propose().ok()["state"] == "PROPOSED"


def test_who_is_listed(site: Site) -> None:
    other = keys.make_root("-", datetime.now(UTC), test=True)
    add(site, keys.issue(other, "mallory", keys.APPROVER, datetime.now(UTC)))
    listed = site.run("operator", "list").ok()["operators"]
    standing = {o["name"]: (o["role"], o["standing"]) for o in listed}
    assert standing == {
        "li": ("technician", "in force"),
        "mallory": ("approver", "of another root"),
        "wang": ("approver", "in force"),
    }


# -- the root's key, and passphrases -------------------------------------------------

ROOT = PHRASES[0]
ZHAO, NEW = "words of zhao for the test", "other words for the test"


@pytest.fixture
def guarded(site: Site, tmp_path: Path) -> Site:
    made = guarded_site(site.bench, tmp_path / "guarded")
    made.run("merchant", "fetch", MID, answers=[WANG]).ok()
    return made


@pytest.mark.req("R30")
def test_only_the_root_issues_and_revokes(guarded: Site) -> None:
    issue = ("operator", "issue", "zhao", "--role", "approver")
    for words in (issue, ("operator", "revoke", "wang")):
        refused(guarded.run(*words, answers=[LI]), "passphrase.wrong")
    key = guarded.home / "root.key"
    key.rename(key.with_suffix(".elsewhere"))
    refused(guarded.run(*issue, answers=[LI]), "root.absent", 2)
    assert not Home(guarded.home).revocations.exists()


@pytest.mark.req("R30")
def test_a_second_approver_works_at_the_office(guarded: Site) -> None:
    """Under a passphrase of his own: the office's is asked for besides."""
    issue = ("operator", "issue", "zhao", "--role", "approver")
    guarded.run(*issue, answers=[ROOT, ZHAO, ZHAO]).ok()
    proposal = guarded.run(
        "change", "run", *guarded.means(), answers=[LI, *RUN_ANSWERS]
    )
    number = str(proposal.ok()["order"])
    as_zhao = ("--operator", "zhao")
    words = ("change", "approve", number, *as_zhao)
    refused(guarded.run(*words, answers=[ZHAO, ZHAO]), "passphrase.wrong")
    guarded.run(*words, answers=[ZHAO, WANG, "CHIP", DIGITS]).ok()
    done = guarded.run("change", "commit", number, *as_zhao, answers=[ZHAO, WANG])
    assert done.ok()["state"] == "EFFECTIVE"


@pytest.mark.req("R48")
def test_a_passphrase_is_changed(guarded: Site) -> None:
    """The technician's opens his key alone; the approver's, the office too."""
    for name, old, count in (("li", LI, 1), ("wang", WANG, 3)):
        words = ("operator", "passphrase", name)
        refused(guarded.run(*words, answers=[NEW]), "passphrase.wrong")
        short = guarded.run(*words, answers=[old, "short", "short"])
        refused(short, "passphrase.short")
        changed = guarded.run(*words, answers=[old, NEW, NEW]).ok()
        assert len(changed["files"]) == count
        refused(guarded.run(*words, answers=[old]), "passphrase.wrong")
    guarded.run("merchant", "fetch", MID, answers=[NEW]).ok()
    office = guarded.run("operator", "passphrase", "office", answers=[NEW, LI, LI])
    assert len(office.ok()["files"]) == 2
    guarded.run("merchant", "fetch", MID, answers=[NEW, LI]).ok()


def test_a_change_of_passphrase_that_died_is_run_again(guarded: Site) -> None:
    """The office's boxes had the new one already, the key not yet."""
    home = Home(guarded.home)
    keys.change_passphrase(home.office / "seal.key", WANG, NEW)
    words = ("operator", "passphrase", "wang")
    assert len(guarded.run(*words, answers=[WANG, NEW, NEW]).ok()["files"]) == 2
    guarded.run("merchant", "fetch", MID, answers=[NEW]).ok()


def test_a_test_set_up_has_no_passphrase(site: Site) -> None:
    for name in ("li", "office"):
        refused(site.run("operator", "passphrase", name), "operator.open", 2)
    unknown = site.run("operator", "passphrase", "nobody")
    refused(unknown, "operator.missing", 2)


# -- the value that is passed around -------------------------------------------------


def test_what_is_compared_with_the_moment_of_a_revocation() -> None:
    """What says itself when it was signed, its moment; all else is refused."""
    now = datetime.now(UTC)
    root = keys.make_root("-", now, test=True)
    li = keys.issue(root, "li", keys.TECHNICIAN, now)
    trust = keys.Trust(root.certificate, {li.fingerprint: now}, 1)
    before = stamp(now.replace(microsecond=0))
    proof = li.sign("x", before)

    def check(*, dated: bool) -> None:
        earlier = now.replace(microsecond=0)
        keys.check_signature(trust, "x", before, proof, at=earlier, dated=dated)

    check(dated=True)
    with pytest.raises(CheckFailed, match=r"signature\.revoked"):
        check(dated=False)


def test_a_list_is_read_as_it_was_written(tmp_path: Path) -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    root = keys.make_root("-", now, test=True)
    path = tmp_path / "revoked.json"
    empty = revocation.load_trust(path, root.certificate)
    assert (empty.number, empty.revoked) == (0, {})
    made = revocation.revoke(path, empty, root, "ab" * 32, now)
    assert revocation.load_trust(path, root.certificate) == made
    assert path.stat().st_mode & 0o777 == 0o600
