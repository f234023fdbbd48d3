"""The step that pays 0.01 yuan, against the emulated service over TLS (R29)."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from verification_place import (
    ANSWERS,
    DIGITS,
    Change,
    MakePlace,
    Place,
    closed,
    left_in,
    other_name,
    refused,
    text_with,
    with_owner,
)

from emulator.acquirer.faces import HttpRequest
from emulator.acquirer.verification import VerificationFace
from emulator.bench import (
    ID_NUMBER,
    MOBILE,
    NEW_NUMBER,
    OLD_NUMBER,
    OPERATOR,
)
from posctl.model.errors import CheckFailed, UsageError
from posctl.office.account import open_account
from posctl.office.steps import Context, penny_drop
from posctl.store import profiles
from protocols import verification as wire


@pytest.mark.req("R27")
@pytest.mark.req("R29")
def test_a_change_with_a_penny_drop_from_proposal_to_effective(penny: Place) -> None:
    number = penny.proposed()
    assert penny.paid(number) == 0
    penny.say(number, DIGITS).ok()
    evidence = penny.evidence(number)["penny_drop"]
    assert evidence.keys() == {"ref", "code", "namespace"}
    assert (evidence["namespace"], evidence["code"]) == ("cup-pos", "00")
    assert penny.commit(number).ok()["state"] == "EFFECTIVE"
    assert (penny.account(), penny.paid(number)) == (NEW_NUMBER, 1)


PENNY_CODES = [
    ("05", "penny.mismatch", 6, 1),
    ("14", "penny.card", 6, 1),
    ("21", "penny.card", 6, 1),
    ("38", "penny.card", 6, 1),
    ("40", "penny.unsupported", 9, 0),
    ("65", "penny.used_up", 6, 0),
    ("91", "penny.busy", 6, 0),
    ("09", "penny.unknown", 8, 1),
    ("68", "penny.unknown", 8, 1),
    ("94", "penny.unknown", 8, 1),
    ("98", "penny.unknown", 8, 1),
    ("A2", "penny.defective", 9, 1),
    ("A4", "penny.defective", 9, 1),
    ("A5", "penny.defective", 9, 1),
    ("A6", "penny.defective", 9, 1),
    ("13", "verification.refused", 6, 1),
    ("A1", "verification.refused", 6, 1),
    ("P1", "verification.refused", 6, 1),
]


@pytest.mark.req("R29")
@pytest.mark.req("R32")
@pytest.mark.parametrize(("raw", "code", "exit_code", "paid"), PENNY_CODES)
def test_each_end_of_a_payment_is_told_apart_and_none_is_proof(
    penny: Place, raw: str, code: str, exit_code: int, paid: int
) -> None:
    number = penny.proposed()
    penny.account_of().payment_code = raw
    error = refused(penny.say(number, DIGITS), code, exit_code)
    assert (error["params"]["namespace"], error["params"]["raw"]) == ("cup-pos", raw)
    noted = {"step": "penny_drop", "cause": code, "namespace": "cup-pos", "raw": raw}
    assert penny.failures(number) == ([] if exit_code == 8 else [noted])
    assert penny.run("orders", "show", number).ok()["state"] == "PROPOSED"
    assert (penny.account(), penny.applied()) == (OLD_NUMBER, 0)
    assert penny.paid(number) == paid


@pytest.mark.req("R29")
@pytest.mark.parametrize(
    ("change", "code"),
    [(other_name, "penny.mismatch"), (closed, "penny.card")],
)
def test_what_the_ledger_makes_of_a_payment(
    penny: Place, change: Change, code: str
) -> None:
    number = penny.proposed()
    change(penny.account_of())
    for _time in range(2):  # the second time it is asked how that payment ended
        assert penny.say(number, DIGITS).error["code"] == code
    assert penny.paid(number) == 1


@pytest.mark.req("R29")
def test_a_defective_success_stays_one_and_names_other_ways(penny: Place) -> None:
    number = penny.proposed()
    penny.account_of().payment_code = "A2"
    for _time in range(2):
        error = refused(penny.say(number, DIGITS), "penny.defective", 9)
        penny.account_of().payment_code = ""  # another payment would arrive
    for way in ("call the merchant back", "statement", "another account"):
        assert way in error["next"]
    assert "is not to be asked back" in error["next"]
    refused(penny.commit(number), "order.not_approved", 7)
    assert (penny.paid(number), penny.applied()) == (1, 0)


@pytest.mark.req("R29")
@pytest.mark.req("R41")
@pytest.mark.parametrize("raw", ["09", "68", "94", "98"])
def test_a_payment_that_is_not_decided_is_asked_after_never_made_again(
    penny: Place, raw: str
) -> None:
    number = penny.proposed()
    penny.account_of().payment_code = raw
    for _time in range(2):
        error = refused(penny.say(number, DIGITS), "penny.unknown", 8)
        assert f"posctl change approve {number}" in error["next"]
    penny.account_of().payment_code = ""
    penny.say(number, DIGITS).ok()
    assert penny.paid(number) == 1


@pytest.mark.req("R29")
@pytest.mark.req("R41")
@pytest.mark.parametrize("later", ["05", "A4"])
def test_what_is_decided_late_may_be_a_no(penny: Place, later: str) -> None:
    number = penny.proposed()
    penny.account_of().payment_code = "09"
    refused(penny.say(number, DIGITS), "penny.unknown", 8)
    penny.account_of().payment_code = later
    ends = {"05": ("penny.mismatch", 6), "A4": ("penny.defective", 9)}
    refused(penny.say(number, DIGITS), *ends[later])
    assert penny.paid(number) == 1


@pytest.mark.req("R29")
@pytest.mark.req("R41")
@pytest.mark.parametrize(
    ("action", "paid"), [("drop_answer", 1), ("garbage", 1), ("http_500", 0)]
)
def test_after_a_lost_answer_there_is_one_payment(
    penny: Place, action: str, paid: int
) -> None:
    number = penny.proposed()
    penny.fault("payment", action, body=b'{"code":"00"}')
    error = refused(penny.say(number, DIGITS), "penny.unknown", 8)
    assert error["params"]["namespace"] == "link"
    assert (penny.paid(number), penny.failures(number)) == (paid, [])
    penny.say(number, DIGITS).ok()
    assert penny.paid(number) == 1


@pytest.mark.req("R29")
@pytest.mark.req("R41")
def test_an_answer_that_comes_twice_is_one(penny: Place) -> None:
    number = penny.proposed()
    penny.fault("payment", "duplicate_answer")
    penny.say(number, DIGITS).ok()
    assert len(penny.bench.provider.faults.struck) == 1
    assert penny.paid(number) == 1


@pytest.mark.req("R29")
@pytest.mark.parametrize(
    ("said", "code", "exit_code"),
    [
        (("cup-pos", "00", ""), "penny.unknown", 8),  # no payment is named
        (("posctl-verification", "00", "r"), "verification.refused", 6),
        (("posctl-verification", "A2", "r"), "verification.refused", 6),
        (("posctl-verification", "otp-soon", "r"), "verification.refused", 6),
        (("cup-pos", "0", "r"), "verification.refused", 6),
    ],
)
def test_what_only_looks_like_an_arrival_is_none(
    penny: Place, said: tuple[str, str, str], code: str, exit_code: int
) -> None:
    number = penny.proposed()
    names = ("namespace", "code", "ref")
    body = {"text": "", **dict(zip(names, said, strict=True))}
    penny.fault("payment", "garbage", body=json.dumps(body).encode())
    refused(penny.say(number, DIGITS), code, exit_code)
    assert penny.run("orders", "show", number).ok()["state"] == "PROPOSED"


@pytest.mark.req("R29")
@pytest.mark.req("R32")
def test_a_busy_service_is_asked_once_and_pays_once(penny: Place) -> None:
    number = penny.proposed()
    penny.fault("payment", "busy")
    error = refused(penny.say(number, DIGITS), "penny.busy", 6)
    assert "no word on the account" in error["text"]
    assert len(penny.bench.provider.faults.struck) == 1
    assert penny.paid(number) == 0  # one call, and no other after it
    penny.say(number, DIGITS).ok()
    assert penny.paid(number) == 1


@pytest.mark.req("R29")
def test_names_cannot_be_tried_out_by_payments(penny: Place) -> None:
    other_name(penny.account_of())
    for _order in range(3):
        number = penny.proposed()
        refused(penny.say(number, DIGITS), "penny.mismatch", 6)
        penny.run("change", "cancel", number).ok()
    number = penny.proposed()
    refused(penny.say(number, DIGITS), "penny.used_up", 6)
    assert penny.paid(number) == 0


def test_an_order_has_its_payment_and_no_other_one(penny: Place) -> None:
    face = VerificationFace(penny.bench.ledger, "token")
    key = bytes.fromhex(face.public_key)
    headers = {"authorization": "Bearer token"}

    def call(asked: wire.Payment) -> wire.Answer:
        body = wire.build_payment(asked, key)
        answer = face.respond(HttpRequest("POST", wire.PAYMENT, headers, body))
        return wire.parse_answer(wire.PAYMENT, answer.body)

    asked = wire.Payment("A-1", OPERATOR, NEW_NUMBER)
    first = call(asked)
    assert (first.said, call(asked)) == (wire.OK, first)
    for other in ({"account": OLD_NUMBER}, {"name": "何自助"}):
        assert call(replace(asked, **other)).said == wire.INVALID
    assert face.payments_for("A-1") == 1


@pytest.mark.parametrize("holder", ["", "全\n渠道"])
def test_a_name_that_was_not_sealed_gets_no_payment(penny: Place, holder: str) -> None:
    number = penny.proposed()
    session = penny.session()
    journal = session.place.journal(number)
    account = replace(open_account(session, journal), holder=holder)
    with pytest.raises(CheckFailed) as caught:
        penny_drop.run(Context(session, journal, account))
    assert caught.value.code == "seal.content"
    assert penny.paid(number) == 0


# -- another factor in its place -----------------------------------------------


@pytest.mark.req("R29")
@pytest.mark.req("R33")
@pytest.mark.parametrize(
    ("raw", "cause"),
    [
        ("40", "penny.unsupported"),
        ("A2", "penny.defective"),
        ("A4", "penny.defective"),
        ("A5", "penny.defective"),
        ("A6", "penny.defective"),
    ],
)
def test_another_stands_in_where_a_payment_is_no_word(
    paid_or_called: Place, raw: str, cause: str
) -> None:
    number = paid_or_called.proposed()
    paid_or_called.account_of().payment_code = raw
    paid_or_called.say(number, "CALLED", DIGITS).ok()
    evidence = paid_or_called.evidence(number)["penny_drop|call_back"]
    assert (evidence["used"], evidence["instead"]) == ("call_back", cause)
    assert paid_or_called.commit(number).ok()["state"] == "EFFECTIVE"


@pytest.mark.req("R29")
@pytest.mark.req("R33")
def test_a_defective_success_without_the_other_factor_is_no_approval(
    paid_or_called: Place,
) -> None:
    number = paid_or_called.proposed()
    paid_or_called.account_of().payment_code = "A5"
    refused(paid_or_called.say(number, "NO", DIGITS), "callback.not_done", 7)
    assert paid_or_called.run("orders", "show", number).ok()["state"] == "PROPOSED"
    assert (paid_or_called.paid(number), paid_or_called.applied()) == (1, 0)


@pytest.mark.req("R33")
def test_a_payment_that_arrived_needs_no_other_factor(paid_or_called: Place) -> None:
    number = paid_or_called.proposed()
    paid_or_called.say(number, DIGITS).ok()
    evidence = paid_or_called.evidence(number)["penny_drop|call_back"]
    assert (evidence["used"], evidence["code"]) == ("penny_drop", "00")


@pytest.mark.req("R33")
@pytest.mark.parametrize("agreed", [True, False])
def test_a_busy_payment_falls_back_only_when_the_person_wants_it(
    paid_or_called: Place, agreed: bool
) -> None:
    number = paid_or_called.proposed()
    paid_or_called.fault("payment", "busy")
    ran = paid_or_called.say(number, "OTHER" if agreed else "NO", "CALLED", DIGITS)
    assert ran.code == (0 if agreed else 6)
    if not agreed:
        assert ran.error["code"] == "penny.busy"


@pytest.mark.req("R29")
@pytest.mark.req("R33")
@pytest.mark.req("R41")
@pytest.mark.parametrize("raw", ["05", "14", "38", "09", "68", "98", "59"])
def test_nothing_takes_the_place_of_a_wrong_name_or_of_what_is_not_known(
    paid_or_called: Place, raw: str
) -> None:
    number = paid_or_called.proposed()
    paid_or_called.account_of().payment_code = raw
    ran = paid_or_called.say(number, "OTHER", "CALLED", DIGITS)
    expected = {code: (end, rc) for code, end, rc, _paid in PENNY_CODES}
    refused(ran, *expected.get(raw, ("verification.refused", 6)))
    assert paid_or_called.run("orders", "show", number).ok()["state"] == "PROPOSED"


@pytest.mark.req("R33")
def test_a_wrong_name_on_record_lets_nothing_stand_in_later(
    paid_or_called: Place,
) -> None:
    number = paid_or_called.proposed()
    paid_or_called.account_of().payment_code = "05"
    refused(paid_or_called.say(number, DIGITS), "penny.mismatch", 6)
    paid_or_called.fault("payment", "busy")
    ran = paid_or_called.say(number, "OTHER", "CALLED", DIGITS)
    refused(ran, "penny.busy", 6)
    assert "something did not match before" in ran.err


@pytest.mark.req("R33")
def test_a_payment_stands_in_for_elements(make_place: MakePlace) -> None:
    place = with_owner(make_place("elements|penny_drop"))
    number = place.proposed()
    place.account_of().issuer_code = "40"
    place.account_of().payment_code = "A6"
    refused(place.say(number, DIGITS), "penny.defective", 9)  # the pair's last
    place.run("change", "cancel", number).ok()
    number = place.proposed()
    place.account_of().payment_code = ""
    place.say(number, DIGITS).ok()
    evidence = place.evidence(number)["elements|penny_drop"]
    assert (evidence["used"], evidence["code"]) == ("penny_drop", "00")
    assert evidence["instead"] == "elements.unsupported"


@pytest.mark.req("R27")
@pytest.mark.parametrize("step", ["penny_drop", "penny_drop|call_back"])
def test_a_penny_drop_needs_the_holders_name(step: str) -> None:
    profile = profiles.parse(text_with(step, asks='"branch", "holder"'), source="x")
    assert profile.needs_service
    with pytest.raises(UsageError, match="penny_drop needs holder"):
        profiles.parse(text_with(step, asks='"branch", "mobile"'), source="x")


@pytest.mark.req("R29")
@pytest.mark.req("R48")
def test_no_number_of_a_payment_is_left_anywhere(penny: Place, tmp_path: Path) -> None:
    log = ("--verbose", "--log-file", str(tmp_path / "posctl.log"))
    means = penny.means()
    printed = [penny.spawn("change", "run", *means, *log, answers=ANSWERS)]
    number = str(printed[0].ok()["order"])
    approve = ("change", "approve", number, *log)
    for raw, exit_code in (("09", 8), ("A2", 9)):
        penny.account_of().payment_code = raw
        printed.append(penny.spawn(*approve, answers=(DIGITS,)))
        assert printed[-1].code == exit_code
    printed.append(penny.spawn("orders", "show", number, *log))
    said = "".join(ran.err + json.dumps(ran.data) for ran in printed)
    needles = [NEW_NUMBER, ID_NUMBER, MOBILE]
    assert "/posctl-verification/v1/payment" in said
    assert [needle for needle in needles if needle in said] == []
    assert left_in(tmp_path, needles) == []
