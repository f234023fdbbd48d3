"""Approving one's own order, replaying an approval, pasting it somewhere else."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from attacks import (
    SAME_MASK,
    approve,
    nothing_changes,
    refused,
    renew_profile,
    rows,
    sql,
)
from orderfiles import forge, part, root_of
from procedures import office, proposed, state
from world import Ran, Site

from emulator.bench import MOBILE, NEW_NUMBER, OLD_NUMBER
from posctl.change.approval import armoured_answer, armoured_request, read_answer
from posctl.change.approval import read_request as read
from posctl.change.order import fold
from posctl.model.canonical import canonical
from posctl.model.clock import SystemClock
from posctl.office.approve import PURPOSE
from posctl.store import keys
from posctl.store.eventlog import EventLog
from posctl.store.home import Home
from posctl.store.sealing import binding, seal
from protocols.sensitive import mask

DIGITS = (NEW_NUMBER[-4:],)


def asked(site: Site, number: str) -> str:
    return str(site.run("approval", "request", number).ok()["text"])


def answered(site: Site, folder: Path, request: str, *options: str) -> Ran:
    (folder / "request").write_text(request)
    words = ("approval", "sign", *options, str(folder / "request"))
    return site.run(*words, answers=DIGITS)


def taken(site: Site, folder: Path, number: str, answer: str) -> Ran:
    (folder / "answer").write_text(answer)
    return site.run("approval", "take", number, str(folder / "answer"))


# -- his own order -----------------------------------------------------------------


@pytest.mark.req("R30")
def test_a_technician_approves_nothing(site: Site, tmp_path: Path) -> None:
    number = proposed(site)
    request = asked(site, number)
    with nothing_changes(site):
        refused(approve(site, number, "--operator", "li"), "signature.role")
        signed = answered(site, tmp_path, request, "--operator", "li")
        refused(signed, "signature.role")
        commit = site.commit(number, "--operator", "li")
        refused(commit, "signature.role")


@pytest.mark.req("R30")
@pytest.mark.parametrize("name", ["li", "LI"])
def test_an_approvers_certificate_in_his_own_name_does_not_help(
    site: Site, name: str
) -> None:
    """The root issued li a second certificate, as an approver."""
    number, home = proposed(site), Home(site.home)
    also = keys.issue(root_of(home), name, keys.APPROVER, datetime.now(UTC))
    keys.save_operator(home.operators, also, None)
    (home.operators / f"{name}.pem").rename(home.operators / "second.pem")
    (home.operators / f"{name}.key").rename(home.operators / "second.key")
    site.run("orders", "list").ok()
    with nothing_changes(site):
        refused(approve(site, number, "--operator", "second"), "approve.own")


@pytest.mark.req("R30")
def test_an_answer_made_with_a_technicians_key(site: Site, tmp_path: Path) -> None:
    """In his own name, and in the approver's."""
    number = proposed(site)
    request = asked(site, number)
    li = keys.load_operator(Home(site.home).operators, "li", None)
    signature = str(li.sign(PURPOSE, read(request).digest)["signature"])
    with nothing_changes(site):
        for name, code in (("li", "signature.role"), ("wang", "signature.wrong")):
            answer = armoured_answer(number, name, signature)
            refused(taken(site, tmp_path, number, answer), code)


@pytest.mark.req("R30")
def test_an_answer_in_the_makers_name_written_otherwise(
    site: Site, tmp_path: Path
) -> None:
    """The root was talked into a certificate of an approver LI; the maker is li."""
    number, home = proposed(site), Home(site.home)
    also = keys.issue(root_of(home), "LI", keys.APPROVER, datetime.now(UTC))
    keys.save_operator(home.operators, also, None)
    request = asked(site, number)
    signature = str(also.sign(PURPOSE, read(request).digest)["signature"])
    with nothing_changes(site):
        answer = armoured_answer(number, "LI", signature)
        refused(taken(site, tmp_path, number, answer), "approve.own")


# -- replayed ------------------------------------------------------------------------


@pytest.mark.req("R30")
@pytest.mark.parametrize("edited", [False, True], ids=["as it is", "renamed"])
def test_an_approval_of_one_order_is_none_of_another(
    site: Site, tmp_path: Path, edited: bool
) -> None:
    first = proposed(site)
    answer = answered(site, tmp_path, asked(site, first)).ok()["text"]
    site.run("change", "rollback", first).ok()
    second = proposed(site)
    asked(site, second)
    if edited:
        old = read_answer(answer)
        answer = armoured_answer(second, old.name, old.signature)
    code = "signature.wrong" if edited else "approval.other"
    with nothing_changes(site):
        refused(taken(site, tmp_path, second, answer), code)


@pytest.mark.req("R39")
def test_an_answer_taken_twice_is_one_approval(site: Site, tmp_path: Path) -> None:
    number = proposed(site)
    answer = answered(site, tmp_path, asked(site, number)).ok()["text"]
    taken(site, tmp_path, number, answer).ok()
    with nothing_changes(site):
        assert taken(site, tmp_path, number, answer).ok()["state"] == "APPROVED"


@pytest.mark.req("R30")
def test_an_answer_that_comes_when_the_order_is_over(
    site: Site, tmp_path: Path
) -> None:
    number = proposed(site)
    answer = answered(site, tmp_path, asked(site, number)).ok()["text"]
    site.run("change", "rollback", number).ok()
    with nothing_changes(site):
        refused(taken(site, tmp_path, number, answer), "order.over")


@pytest.mark.req("R5")
@pytest.mark.req("R30")
def test_an_approval_under_an_older_profile(site: Site, tmp_path: Path) -> None:
    number = proposed(site)
    answer = answered(site, tmp_path, asked(site, number)).ok()["text"]
    renew_profile(site)
    with nothing_changes(site):
        refused(taken(site, tmp_path, number, answer), "profile.differs")
        refused(site.commit(number), "order.not_approved")


@pytest.mark.req("R5")
def test_an_order_approved_under_an_older_profile(site: Site) -> None:
    number = site.approved()
    renew_profile(site)
    with nothing_changes(site):
        refused(site.commit(number), "profile.differs")


@pytest.mark.req("R30")
def test_a_request_that_was_edited_on_its_way(site: Site, tmp_path: Path) -> None:
    """The colleague is shown another branch; what he signs is of no use then."""
    number = proposed(site)
    request = read(asked(site, number))
    request.shown["branch"] = "102100099988"
    shown = answered(site, tmp_path, armoured_request(request))
    assert "102100099988" in shown.err
    with nothing_changes(site):
        refused(taken(site, tmp_path, number, shown.ok()["text"]), "signature.wrong")


@pytest.mark.req("R30")
def test_an_approval_put_into_another_orders_events(site: Site) -> None:
    """By somebody who can write the office's store, and chains and folds rightly."""
    first = site.approved()
    payload = next(
        json.loads(row[4])
        for row in rows(site)
        if (row[1], row[3]) == (first, "order.approved")
    )
    site.run("change", "rollback", first).ok()
    second = proposed(site)
    site.run("orders", "list").ok()
    log = EventLog(site.home / "office" / "log.db", fold, SystemClock())
    log.append(second, "order.approved", payload)
    log.close()
    assert state(site, second) == "APPROVED"
    with nothing_changes(site):
        refused(site.commit(second), "signature.wrong")
    site.run("audit", "verify").ok()  # he chained it rightly: only the key is missing


# -- another number behind the same mask ---------------------------------------------


def put_same_mask(site: Site, path: Path, tells: Callable[[str, str], str]) -> None:
    """Li seals another number with the mask of the new one."""
    assert (mask(SAME_MASK), SAME_MASK) != (mask(NEW_NUMBER), NEW_NUMBER)
    data: dict[str, Any] = json.loads(path.read_text())
    number, key = data["body"]["order"], b"k" * 32
    recipient = office(site, timedelta()).place.profile.in_force.office_key
    plain = {"new": SAME_MASK, "old": OLD_NUMBER, "mobile": MOBILE, "key": key.hex()}
    info = binding("account", number, number[:4], recipient)
    box = seal(recipient, info, canonical(plain))
    sha256 = hashlib.sha256(box).hexdigest()
    data["boxes"][sha256] = base64.b64encode(box).decode()
    data["body"]["attachments"].append(sha256)
    path.write_bytes(canonical(data))
    own = hmac.new(key, SAME_MASK.encode(), hashlib.sha256).hexdigest()
    honest = next(
        e["payload"]["new_hash"]
        for e in data["body"]["events"]
        if e["kind"] == "account.sealed"
    )
    told = tells(own, honest)
    forge(site, path, part("account.sealed", sealed=sha256, new_hash=told))


@pytest.mark.req("R30")
@pytest.mark.req("R48")
def test_another_number_with_the_same_mask_behind_the_old_hash(
    site: Site, sent: Path
) -> None:
    """First six, last four and length agree: the keyed hash does not."""
    put_same_mask(site, sent, lambda own, honest: honest)
    number = json.loads(sent.read_text())["body"]["order"]
    ran = approve(site, number, "--order-file", str(sent))
    refused(ran, "account.hash")
    assert site.account() == OLD_NUMBER


@pytest.mark.req("R30")
def test_another_number_with_the_same_mask_from_the_start(
    site: Site, sent: Path
) -> None:
    """Li's own account, sealed and hashed as his: masks and digits cannot show it, the
    provider does, whose bank knows no such account in the merchant's name."""
    put_same_mask(site, sent, lambda own, honest: own)
    number = json.loads(sent.read_text())["body"]["order"]
    approve(site, number, "--order-file", str(sent)).ok()
    refused(site.commit(number), "provider.rejected", 6)
    assert (site.account(), state(site, number)) == (OLD_NUMBER, "REJECTED")


@pytest.mark.req("R30")
def test_an_approval_of_one_number_covers_no_other_of_its_mask(
    site: Site,
) -> None:
    """The store names another hash afterwards: the signature was over the first."""
    number = site.approved()
    sql(
        site,
        "office",
        "UPDATE orders SET projection ="
        " json_set(projection, '$.new_hash', printf('%064d', 0))",
    )
    with nothing_changes(site):
        refused(site.commit(number), "signature.wrong")
    refused(site.run("audit", "verify"), "log.projection")
