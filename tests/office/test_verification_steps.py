"""Four elements and a one-time code, against the emulated service over TLS."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from verification_place import (
    ANSWERS,
    DIGITS,
    OTHER_ID,
    REGISTERED,
    Change,
    MakePlace,
    Place,
    closed,
    corporate,
    left_in,
    no_phone,
    other_id,
    other_mobile,
    other_name,
    refused,
    text_with,
    without_phone,
)
from world import Site

from emulator.acquirer.faces import HttpRequest
from emulator.acquirer.verification import VerificationFace
from emulator.bench import (
    ID_NUMBER,
    MOBILE,
    NEW_NUMBER,
    OLD_NUMBER,
    OPERATOR,
    SMS_CODE,
    Bench,
    Scenario,
)
from posctl.cli.console import Console
from posctl.model.errors import CheckFailed, UsageError
from posctl.model.steps import check_order, is_evidence
from posctl.office.account import open_account
from posctl.office.steps import Context, elements
from posctl.providers.verification import open_verification
from posctl.store import profiles
from protocols import verification as wire

# -- the course ----------------------------------------------------------------


@pytest.mark.req("R27")
@pytest.mark.req("R28")
def test_a_change_with_both_from_proposal_to_effective(place: Place) -> None:
    number = place.proposed()
    place.say(number, SMS_CODE, DIGITS).ok()
    steps = place.evidence(number)
    for name in ("elements", "otp"):
        assert steps[name].keys() == {"ref", "code", "namespace"}
        assert (steps[name]["namespace"], steps[name]["code"]) == ("cup-pos", "00")
    assert place.commit(number).ok()["state"] == "EFFECTIVE"
    assert (place.account(), place.sent()) == (NEW_NUMBER, 1)


def test_a_code_is_random_where_no_persona_has_one(place: Place) -> None:
    face = VerificationFace(place.bench.ledger, "token", clock=place.clock)
    asked = wire.Elements("A-1", OPERATOR, ID_NUMBER, NEW_NUMBER, MOBILE)
    key = bytes.fromhex(face.public_key)
    headers = {"authorization": "Bearer token"}

    def call(path: str, body: bytes) -> wire.Answer:
        answer = face.respond(HttpRequest("POST", path, headers, body))
        return wire.parse_answer(path, answer.body)

    ref = call(wire.ELEMENTS, wire.build_elements(asked, key)).ref
    for _code in range(3):
        assert call(wire.SEND, wire.build_send(ref)).said == wire.OK
        place.clock.now += 60
    codes = face.codes_sent_to(MOBILE)
    assert len(set(codes)) > 1
    assert all(len(code) == 6 and code.isdigit() for code in codes)
    assert call(wire.SEND, wire.build_send(ref)).said == wire.USED_UP


# -- elements ------------------------------------------------------------------


@pytest.mark.req("R28")
def test_a_mismatch_never_says_which_one_differs(place: Place) -> None:
    number, said = place.proposed(), []
    before = (OPERATOR, ID_NUMBER, MOBILE)
    for differ in (other_name, other_id, other_mobile):
        account = place.account_of()
        account.holder, account.id_number, account.mobile = before
        place.bench.verification._checks.clear()  # as if asked for the first time
        differ(account)
        said.append(place.say(number))
        error = refused(said[-1], "elements.mismatch", 6)
        assert error["params"]["raw"] == "05"
    assert len({ran.err for ran in said}) == 1
    assert len({json.dumps(ran.error) for ran in said}) == 1
    assert len(place.failures(number)) == 3
    assert (place.account(), place.sent()) == (OLD_NUMBER, 0)


@pytest.mark.req("R28")
def test_the_same_question_counts_once_and_others_run_out(place: Place) -> None:
    other_mobile(place.account_of())
    first = place.proposed()
    for _time in range(4):
        refused(place.say(first), "elements.mismatch", 6)
    for _order in range(2):
        place.run("change", "cancel", first).ok()
        first = place.proposed()
        refused(place.say(first), "elements.mismatch", 6)
    place.run("change", "cancel", first).ok()
    refused(place.say(place.proposed()), "elements.used_up", 6)


CODES = [
    ("14", "elements.card", 6),
    ("21", "elements.card", 6),
    ("38", "elements.card", 6),
    ("40", "elements.unsupported", 9),
    ("91", "elements.busy", 6),
    ("68", "elements.unknown", 8),
    ("98", "elements.unknown", 8),
    ("P1", "elements.no_phone", 9),
    ("59", "verification.refused", 6),
]


@pytest.mark.req("R28")
@pytest.mark.req("R32")
@pytest.mark.parametrize(("raw", "code", "exit_code"), CODES)
def test_each_answer_of_the_bank_has_its_own_end(
    place: Place, raw: str, code: str, exit_code: int
) -> None:
    number = place.proposed()
    place.account_of().issuer_code = raw
    error = refused(place.say(number, SMS_CODE, DIGITS), code, exit_code)
    assert (error["params"]["namespace"], error["params"]["raw"]) == ("cup-pos", raw)
    noted = {"step": "elements", "cause": code, "namespace": "cup-pos", "raw": raw}
    assert place.failures(number) == ([] if exit_code == 8 else [noted])
    assert place.run("orders", "show", number).ok()["state"] == "PROPOSED"
    assert place.sent() == 0


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (closed, "elements.card"),
        (corporate, "elements.unsupported"),
        (no_phone, "elements.no_phone"),
    ],
)
def test_what_the_ledger_makes_of_it(place: Place, change: Change, code: str) -> None:
    number = place.proposed()
    change(place.account_of())
    assert place.say(number).error["code"] == code


@pytest.mark.req("R32")
def test_busy_is_no_wrong_data_and_is_not_sent_again_by_itself(place: Place) -> None:
    number = place.proposed()
    place.fault("elements", "busy")
    error = refused(place.say(number, SMS_CODE, DIGITS), "elements.busy", 6)
    assert "no word on the data" in error["text"]
    assert len(place.bench.provider.faults.struck) == 1
    assert place.bench.verification._checks == {}  # one call, and no other after it
    place.say(number, SMS_CODE, DIGITS).ok()


@pytest.mark.req("R28")
@pytest.mark.parametrize("action", ["drop_answer", "http_500", "garbage"])
def test_a_lost_answer_is_unknown_and_asked_for_again(
    place: Place, action: str
) -> None:
    number = place.proposed()
    place.fault("elements", action, body=b'{"code":"00"}')
    refused(place.say(number), "elements.unknown", 8)
    assert place.failures(number) == []
    place.say(number, SMS_CODE, DIGITS).ok()
    assert len(place.bench.verification._checks) == 1


def test_without_a_service_that_answers_nothing_was_asked(place: Place) -> None:
    number = place.proposed()
    place.bench.provider.stop()
    ran = place.say(number)
    assert ran.code == 5
    assert ran.error["code"] == "host.unreachable"


def test_another_token_is_not_served(place: Place) -> None:
    number = place.proposed()
    place.bench.verification._token = b"another"
    assert place.say(number).error["code"] == "provider.credentials"


def test_another_key_opens_nothing(place: Place) -> None:
    number = place.proposed()
    other = VerificationFace(place.bench.ledger, "token")
    place.bench.verification._key = other._key
    refused(place.say(number), "elements.unknown", 8)
    assert place.sent() == 0


@pytest.mark.parametrize("part", ["id_number", "holder", "mobile"])
def test_what_a_technician_did_not_seal_is_not_asked(place: Place, part: str) -> None:
    number = place.proposed()
    session = place.session()
    journal = session.place.journal(number)
    account = replace(open_account(session, journal), **{part: ""})
    with pytest.raises(CheckFailed) as caught:
        elements.run(Context(session, journal, account))
    assert caught.value.code == "seal.content"
    assert place.bench.verification._checks == {}


# -- one-time codes ------------------------------------------------------------


@pytest.mark.req("R28")
def test_a_wrong_code_is_asked_for_again_and_tries_run_out(place: Place) -> None:
    number = place.proposed()
    ran = place.say(number, "12345", "000000", SMS_CODE, DIGITS)
    assert ran.code == 0, ran.err
    assert "a code has 6 digits" in ran.err
    assert "tries left: 2" in ran.err


@pytest.mark.req("R49")
def test_the_code_is_typed_unseen_and_the_number_shown_masked(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    number, asked, read = place.proposed(), [], Console._read

    def noted(self: Console, question: str, *, secret: bool, empty: bool) -> str:
        asked.append((question, secret))
        return read(self, question, secret=secret, empty=empty)

    monkeypatch.setattr(Console, "_read", noted)
    place.say(number, SMS_CODE, DIGITS).ok()
    (question, secret), _digits = asked
    assert secret
    assert "135****5506" in question


@pytest.mark.req("R28")
def test_three_wrong_ones_end_it(place: Place) -> None:
    number = place.proposed()
    wrong = ("000000", "000001", "000002")
    error = refused(place.say(number, *wrong), "otp.used_up", 9)
    assert "posctl change handoff" in error["next"]
    place.clock.now += 600
    refused(place.say(number, SMS_CODE, DIGITS), "otp.used_up", 9)
    assert place.sent() == 1
    assert place.account() == OLD_NUMBER


@pytest.mark.req("R28")
def test_an_expired_code_is_not_a_wrong_one(place: Place) -> None:
    number = place.proposed()
    face, send = place.bench.verification, place.bench.verification._text

    def slowly(check: Any, mobile: str) -> None:
        send(check, mobile)
        check.sent_at -= 60

    face._text = slowly  # type: ignore[method-assign]
    refused(place.say(number, SMS_CODE, DIGITS), "otp.expired", 6)
    face._text = send  # type: ignore[method-assign]
    place.say(number, SMS_CODE, DIGITS).ok()
    assert place.sent() == 2


@pytest.mark.req("R28")
def test_codes_that_do_not_come_are_limited_and_timed(place: Place) -> None:
    number = place.proposed()
    params = refused(place.say(number, ""), "otp.not_received", 7)["params"]
    assert (params["seconds"], params["left"]) == ("60", "2")
    place.clock.now += 59
    params = refused(place.say(number, ""), "otp.not_received", 7)["params"]
    assert (params["seconds"], params["left"], place.sent()) == ("1", "2", 1)
    for left in ("1", "0"):
        place.clock.now += 60
        params = refused(place.say(number, ""), "otp.not_received", 7)["params"]
        assert params["left"] == left
    place.clock.now += 60
    refused(place.say(number, SMS_CODE), "otp.used_up", 9)
    assert place.sent() == 3


@pytest.mark.req("R28")
def test_no_phone_at_the_bank_any_more(place: Place) -> None:
    number = place.proposed()
    refused(place.say(number, ""), "otp.not_received", 7)
    no_phone(place.account_of())
    refused(place.say(number, SMS_CODE), "otp.no_phone", 9)


@pytest.mark.req("R32")
@pytest.mark.parametrize("call", ["otp/send", "otp/check"])
def test_a_busy_or_lost_code_is_neither_right_nor_wrong(
    place: Place, call: str
) -> None:
    number = place.proposed()
    place.fault(call, "busy")
    refused(place.say(number, SMS_CODE, DIGITS), "otp.busy", 6)
    place.fault(call, "drop_answer")
    refused(place.say(number, SMS_CODE, DIGITS), "otp.unknown", 8)
    place.say(number, SMS_CODE, DIGITS).ok()  # the one that was sent
    assert place.sent() == 1


def test_a_run_that_ended_at_the_question_asks_for_the_same_code(place: Place) -> None:
    number = place.proposed()
    assert place.say(number).error["code"] == "person.no_answer"
    place.clock.now += 30
    ran = place.say(number, SMS_CODE, DIGITS)
    assert "counts for 30 s" in ran.err
    assert (ran.code, place.sent()) == (0, 1)


@pytest.mark.req("R28")
def test_soon_is_an_answer_to_the_call_that_sends_alone(place: Place) -> None:
    number = place.proposed()
    parts = {"namespace": "posctl-verification", "code": "otp-soon", "text": ""}
    place.fault("elements", "garbage", body=json.dumps({**parts, "ref": "r"}).encode())
    refused(place.say(number, SMS_CODE, DIGITS), "verification.refused", 6)
    place.fault("otp/check", "garbage", body=json.dumps({**parts, "left": 1}).encode())
    refused(place.say(number, SMS_CODE, DIGITS), "verification.refused", 6)


# -- another factor in its place -----------------------------------------------


@pytest.mark.req("R33")
def test_the_first_is_made_where_it_can_be(either: Place) -> None:
    number = either.proposed()
    either.say(number, SMS_CODE, DIGITS).ok()
    assert either.evidence(number)["otp|call_back"]["used"] == "otp"


@pytest.mark.req("R33")
def test_the_other_is_made_where_there_is_no_phone(either: Place) -> None:
    number = without_phone(either)
    either.say(number, "CALLED", DIGITS).ok()
    evidence = either.evidence(number)["otp|call_back"]
    assert (evidence["used"], evidence["instead"]) == ("call_back", "otp.no_phone")
    assert either.commit(number).ok()["state"] == "EFFECTIVE"


@pytest.mark.req("R33")
def test_the_chain_does_not_end_in_a_skip(either: Place) -> None:
    number = without_phone(either)
    refused(either.say(number, "NO", DIGITS), "callback.not_done", 7)
    assert either.run("orders", "show", number).ok()["state"] == "PROPOSED"


@pytest.mark.req("R33")
@pytest.mark.parametrize("agreed", [True, False])
def test_busy_falls_back_only_when_the_person_wants_it(
    either: Place, agreed: bool
) -> None:
    number = either.proposed()
    either.fault("otp/send", "busy")
    ran = either.say(number, "OTHER" if agreed else "NO", "CALLED", DIGITS)
    assert ran.code == (0 if agreed else 6)
    if not agreed:
        assert ran.error["code"] == "otp.busy"


@pytest.mark.req("R33")
@pytest.mark.parametrize(
    "answers", [("000000", "000001", "000002"), ("",)], ids=["wrong", "not received"]
)
def test_never_after_a_word_on_the_person(
    either: Place, answers: tuple[str, ...]
) -> None:
    number = either.proposed()
    ran = either.say(number, *answers, "OTHER", "CALLED", DIGITS)
    assert ran.error["code"] in ("otp.used_up", "otp.not_received")


@pytest.mark.req("R33")
@pytest.mark.parametrize(
    ("owner", "answers"),
    [
        (("--owner", OPERATOR), ()),
        (("--owner", "何自助", "--owner-id"), (ID_NUMBER,)),
        (("--owner", OPERATOR, "--owner-id"), (OTHER_ID,)),
    ],
    ids=["no ID number on file", "another name", "another ID number"],
)
def test_only_where_both_are_about_the_same_person(
    either: Place, owner: tuple[str, ...], answers: tuple[str, ...]
) -> None:
    either.run(*REGISTERED, *owner, answers=answers).ok()
    number = without_phone(either)
    ran = either.say(number, "CALLED", DIGITS)
    refused(ran, "otp.no_phone", 9)
    assert "are not those on file" in ran.err


@pytest.mark.req("R33")
def test_elements_may_have_another_in_their_place_but_not_after_a_mismatch(
    make_place: MakePlace,
) -> None:
    place = make_place("elements|call_back")
    owner = ("--owner", OPERATOR, "--owner-id")
    place.run(*REGISTERED, *owner, answers=[ID_NUMBER]).ok()
    number = place.proposed()
    other_mobile(place.account_of())
    refused(place.say(number, "OTHER", "CALLED", DIGITS), "elements.mismatch", 6)
    place.fault("elements", "busy")
    ran = place.say(number, "OTHER", "CALLED", DIGITS)
    refused(ran, "elements.busy", 6)
    assert "something did not match before" in ran.err
    place.run("change", "cancel", number).ok()
    number = place.proposed()
    place.account_of().issuer_code = "40"
    place.say(number, "CALLED", DIGITS).ok()
    assert place.evidence(number)["elements|call_back"]["used"] == "call_back"


@pytest.mark.req("R33")
def test_a_wrong_code_is_on_record_and_nothing_takes_its_place(either: Place) -> None:
    number = either.proposed()
    either.fault("otp/check", "busy", after=1)
    ran = either.say(number, "000000", SMS_CODE, "OTHER", "CALLED", DIGITS)
    refused(ran, "otp.busy", 6)
    causes = [failure["cause"] for failure in either.failures(number)]
    assert causes == ["otp.wrong", "otp.busy"]
    either.say(number, SMS_CODE, DIGITS).ok()


@pytest.mark.req("R33")
def test_the_evidence_says_which_one_was_made() -> None:
    assert is_evidence({"otp|call_back": {"used": "otp"}}, ["otp|call_back"])
    for evidence in ({}, {"used": "elements"}, "otp"):
        assert not is_evidence({"otp|call_back": evidence}, ["otp|call_back"])
    assert not is_evidence({"otp": {"used": "otp"}}, ["otp|call_back"])


@pytest.mark.req("R33")
def test_a_defective_success_of_somebody_else_lets_nothing_stand_in(
    make_place: MakePlace,
) -> None:
    place = make_place("penny_drop|call_back")
    owner = ("--owner", "何自助", "--owner-id")
    place.run(*REGISTERED, *owner, answers=[ID_NUMBER]).ok()
    number = place.proposed()
    place.account_of().payment_code = "A2"
    ran = place.say(number, "CALLED", DIGITS)
    refused(ran, "penny.defective", 9)
    assert "are not those on file" in ran.err


# -- profiles and set-ups ------------------------------------------------------


@pytest.mark.req("R27")
@pytest.mark.parametrize(
    "steps",
    [
        ("otp",),
        ("otp", "elements"),
        ("elements|call_back", "otp"),
        ("elements", "otp|same_name"),
        ("elements", "otp|call_back", "call_back"),
        ("elements|otp|call_back",),
        ("elements|",),
        ("|call_back",),
    ],
)
def test_chains_that_make_no_sense_are_no_profile(steps: tuple[str, ...]) -> None:
    profiles.parse(text_with("elements", "otp|call_back"), source="x")
    with pytest.raises(ValueError, match=r"verification\.steps"):
        check_order(steps)
    with pytest.raises(UsageError):
        profiles.parse(text_with(*steps), source="x")


@pytest.mark.req("R27")
@pytest.mark.parametrize("lacks", ["holder", "id_number", "mobile"])
def test_elements_that_are_not_asked_for_are_no_profile(lacks: str) -> None:
    asks = [a for a in ("branch", "mobile", "holder", "id_number") if a != lacks]
    for step in ("elements", "elements|call_back"):
        text = text_with(step, asks=", ".join(f'"{a}"' for a in asks))
        with pytest.raises(UsageError, match="holder, id_number, mobile"):
            profiles.parse(text, source="x")


def without_service(bench: Bench) -> None:
    issued = json.loads(bench.credentials_file.read_text())
    kept = {k: v for k, v in issued.items() if not k.startswith("verification")}
    bench.credentials_file.write_text(json.dumps(kept))


@pytest.mark.req("R27")
def test_a_set_up_without_the_service_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text(text_with("elements"), "utf-8")
    with Bench(tmp_path / "bench", Scenario(direct=True)) as bench:
        without_service(bench)
        site = Site(bench, tmp_path / "home")
        ran = site.run(
            *("setup", "--test", "--technician", "li", "--approver", "wang"),
            *("--profile", str(path), "--provider-url", bench.url),
            *("--provider-ca", str(bench.ca_file)),
            *("--credentials", str(bench.credentials_file)),
            *("--ca-keys", str(bench.ca_keys_file)),
        )
        refused(ran, "verification.not_set_up", 7)
        assert not site.home.exists()
        site.setup()  # a profile without the steps needs none


@pytest.mark.req("R27")
def test_a_newer_profile_meets_a_set_up_without_the_service(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    newer = text_with("elements").replace("version = 1", "version = 2")
    path.write_text(newer, "utf-8")
    with Bench(tmp_path / "bench", Scenario(direct=True)) as bench:
        without_service(bench)
        place = Place(bench, tmp_path / "home")
        place.setup()
        place.run("profile", "sign", str(path)).ok()
        number = place.proposed()
        refused(place.say(number), "verification.not_set_up", 7)


@pytest.mark.parametrize(
    "spoilt",
    [{"verification_key": "00"}, {"verification_token": ""}, {"verification_key": "x"}],
)
def test_credentials_that_are_spoilt(spoilt: dict[str, str], tmp_path: Path) -> None:
    issued = {
        "verification_url": "https://127.0.0.1:1",
        "verification_key": "09" * 32,
        "verification_token": "a1",
    }
    with pytest.raises(UsageError) as caught:
        open_verification({**issued, **spoilt}, ca_file=tmp_path / "none")
    assert caught.value.code == "provider.settings"


def test_a_test_set_up_meets_no_real_service(place: Place) -> None:
    session = place.session(verification_url="https://verify.example")
    with pytest.raises(CheckFailed) as caught:
        session.verification()
    assert caught.value.code == "root.test"


# -- nothing leaks -------------------------------------------------------------


@pytest.mark.req("R48")
@pytest.mark.req("R49")
def test_no_element_and_no_code_is_left_anywhere(either: Place, tmp_path: Path) -> None:
    other_code = "482915"
    either.bench.verification._fixed[MOBILE] = other_code
    log = ("--verbose", "--log-file", str(tmp_path / "posctl.log"))
    means = either.means()
    printed = [either.spawn("change", "run", *means, *log, answers=ANSWERS)]
    number = str(printed[0].ok()["order"])
    approve = ("change", "approve", number, *log)
    tries = ("482916", other_code)
    printed.append(either.spawn(*approve, answers=(*tries, DIGITS)))
    printed[1].ok()
    printed.append(either.spawn("orders", "show", number, *log))
    said = "".join(ran.err + json.dumps(ran.data) for ran in printed)
    needles = [ID_NUMBER, MOBILE, NEW_NUMBER, other_code, "482916"]
    assert "/posctl-verification/v1/otp/check" in said  # the log is as full as it gets
    assert [needle for needle in needles if needle in said] == []
    assert left_in(tmp_path, needles) == []


def test_the_search_finds_what_was_left(tmp_path: Path) -> None:
    (tmp_path / "log.db").write_bytes(os.urandom(50) + ID_NUMBER.encode())
    assert len(left_in(tmp_path, [ID_NUMBER])) == 1
