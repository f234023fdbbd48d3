"""What changes after it was looked at is looked at again before it matters (R11)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from procedures import STEPS, Changed, office, proposed, state
from world import RUN_ANSWERS, Site

from emulator.bench import MID, NEW_NUMBER, OLD_NUMBER
from posctl.change.journal import Journal
from posctl.cli.console import Console
from posctl.field import course
from posctl.model import clock
from posctl.model.errors import CheckFailed, ClosedNow
from posctl.office import commit

BEFORE = '    "documents", "caps",\n'
MANDATE = {BEFORE: '    "mandate", "documents", "caps",\n'}
SHANGHAI = ZoneInfo("Asia/Shanghai")
DIGITS = [NEW_NUMBER[-4:]]


def notice(name: str, begins: int, *, stops: bool) -> str:
    """In force from that hour, for two days."""
    at = [datetime.now(SHANGHAI) + timedelta(hours=h) for h in (begins, begins + 48)]
    first, last = (f"{moment:%Y-%m-%dT%H:%M:%S}" for moment in at)
    return (
        f'[[notices]]\nid = "{name}"\nbegins = {first}\nends = {last}\n'
        f'text = "{name} text"\nstops = {str(stops).lower()}\n\n'
    )


def register(site: Site, *more: str, subject: str = "individual") -> None:
    words = ("merchant", "register", "--subject", subject, "--name", "小面馆")
    site.run(*words, "--owner", "全渠道", *more, MID).ok()


# -- before the effect ------------------------------------------------------------


@pytest.mark.req("R8", "R11")
def test_a_notice_that_came_after_the_approval_stops_the_commit(
    changed: Changed,
) -> None:
    site = changed({"[caps]": notice("works", 2, stops=True) + "[caps]"})
    number = site.approved()
    with pytest.raises(ClosedNow, match=r"notice\.stops"):
        commit.commit(office(site, timedelta(hours=3)), number, 5.0)
    assert (state(site, number), site.account()) == ("APPROVED", OLD_NUMBER)
    assert commit.commit(office(site, timedelta()), number, 5.0).state == "EFFECTIVE"


@pytest.mark.req("R7", "R11")
@pytest.mark.parametrize(("days", "good"), [(2, True), (3, False)])
def test_a_document_that_ran_out_meanwhile(
    changed: Changed, days: int, good: bool
) -> None:
    last = (datetime.now(SHANGHAI) + timedelta(days=2)).date()
    label = 'label = "card, front / 卡正面"'
    site = changed({label: f"{label}\nexpires = true"})
    answers = (str(last), *RUN_ANSWERS)
    number = str(
        site.run("change", "run", *site.means(), answers=answers).ok()["order"]
    )
    site.approve(number).ok()
    session = office(site, timedelta(days=days))
    if good:
        assert commit.commit(session, number, 5.0).state == "EFFECTIVE"
        return
    with pytest.raises(CheckFailed, match=r"document\.expired"):
        commit.commit(session, number, 5.0)
    assert site.account() == OLD_NUMBER


@pytest.mark.req("R7")
def test_a_document_that_has_run_out_is_refused_at_once(changed: Changed) -> None:
    label = 'label = "card, front / 卡正面"'
    site = changed({label: f"{label}\nexpires = true"})
    answers = ("2020-01-01", "someday", "2020-01-01")
    ran = site.run("change", "run", *site.means(), answers=answers)
    assert ran.error["code"] == "person.no_answer"
    assert "expired on 2020-01-01" in ran.err and "not a date" in ran.err


@pytest.mark.req("R11", "R15")
def test_a_phone_that_changes_after_the_approval_stops_the_commit(
    changed: Changed,
) -> None:
    site = changed({"days_after_phone_change = 0": "days_after_phone_change = 3"})
    number = site.approved()
    register(site, "--phone", "13800138000")
    ran = site.commit(number)
    assert ran.error["code"] == "office.cap_phone"
    assert site.account() == OLD_NUMBER


@pytest.mark.req("R15")
def test_another_phone_starts_the_cool_down_by_itself(changed: Changed) -> None:
    site = changed({"days_after_phone_change = 0": "days_after_phone_change = 3"})
    number = proposed(site)
    register(site, "--phone", "13552535506")  # the same again
    register(site, "--phone", "13800138000")
    assert site.approve(number).error["code"] == "office.cap_phone"
    register(site, "--phone", "13800138000")  # does not make it older or younger
    assert site.approve(number).error["code"] == "office.cap_phone"
    register(site, "--phone", "13800138000", "--phone-changed", "2020-01-01")
    assert site.approve(number).ok()["state"] == "APPROVED"


# -- at the office, from its register ----------------------------------------------


@pytest.mark.req("R15")
def test_a_mandate_withdrawn_since_the_list_was_fetched(changed: Changed) -> None:
    site = changed(MANDATE, "--mandate", "zhang:2099-12-31")
    register(site)
    ran = site.run(
        *("change", "run", *site.means(), "--agent", "zhang"), answers=RUN_ANSWERS
    )
    number = str(ran.ok()["order"])
    assert site.approve(number).error["code"] == "mandate.missing"
    register(site, "--mandate", "zhang:2099-12-31")
    site.approve(number).ok()
    register(site)
    assert site.commit(number).error["code"] == "mandate.missing"
    assert site.account() == OLD_NUMBER


@pytest.mark.req("R15")
def test_of_two_mandates_the_good_one_counts(changed: Changed) -> None:
    two = ("--mandate", "zhang:2020-01-01", "--mandate", "zhang:2099-12-31")
    site = changed(MANDATE, *two)
    ran = site.run(
        *("change", "run", *site.means(), "--agent", "zhang"), answers=RUN_ANSWERS
    )
    assert site.approve(str(ran.ok()["order"])).ok()["state"] == "APPROVED"


@pytest.mark.req("R15")
def test_who_acts_cannot_be_said_once_it_was_looked_at(changed: Changed) -> None:
    site = changed(MANDATE)
    ran = site.run("change", "run", *site.means(), answers=(*RUN_ANSWERS[:-1], "no"))
    words = ("change", "resume", str(ran.error["params"]["order"]), *site.means())
    late = site.run(*words, "--agent", "nobody", answers=["CHANGE"])
    assert late.error["code"] == "mandate.too_late"
    assert site.run(*words, answers=["CHANGE"]).ok()["state"] == "PROPOSED"


@pytest.mark.req("R13")
def test_a_merchant_of_another_type_since(changed: Changed) -> None:
    site = changed({BEFORE: '    "eligibility", "documents", "caps",\n'})
    number = proposed(site)
    register(site, subject="enterprise")
    assert site.approve(number).error["code"] == "eligibility.changed"
    register(site)
    assert site.approve(number).ok()["state"] == "APPROVED"


Spoil = Callable[[dict[str, object]], dict[str, object]]


@pytest.mark.req("R9", "R10")
@pytest.mark.parametrize(
    "spoil",
    [
        lambda said: said | {"fee_accepted": "0.00"},
        lambda said: said | {"terms_sha256": "00" * 32},
        lambda said: {k: v for k, v in said.items() if k != "fee_accepted"},
        lambda said: {k: v for k, v in said.items() if k != "terms_sha256"},
    ],
)
def test_a_laptop_that_skipped_fee_or_terms(
    changed: Changed, monkeypatch: pytest.MonkeyPatch, spoil: Spoil
) -> None:
    site = changed({'service = "0.00"': 'service = "2.50"'})
    real = Journal.append

    def lying(self: Journal, kind: str, said: dict[str, object], **more: object):  # type: ignore[no-untyped-def]
        said = spoil(said) if kind == "order.proposed" else said
        return real(self, kind, said, **more)  # type: ignore[arg-type]

    with monkeypatch.context() as patched:
        patched.setattr(Journal, "append", lying)
        number = proposed(site)
    assert site.approve(number).error["code"] == "propose.not_accepted"


@pytest.mark.req("R27", "R30")
def test_a_no_after_the_request_makes_the_answer_stale(
    changed: Changed, tmp_path: Path
) -> None:
    site = changed({STEPS: STEPS.rstrip("\n") + ' "call_back",\n'})
    number, file = proposed(site), tmp_path / "armoured"

    def answered() -> None:
        asked = site.run("approval", "request", number, answers=["CALLED"])
        file.write_text(asked.ok()["text"])
        signed = site.run("approval", "sign", str(file), answers=DIGITS)
        file.write_text(signed.ok()["text"])

    answered()
    refused = site.run("change", "approve", number, answers=["no"])
    assert refused.error["code"] == "callback.not_done"
    taken = site.run("approval", "take", number, str(file))
    assert taken.error["code"] == "approval.stale"
    assert state(site, number) == "PROPOSED"
    answered()
    assert site.run("approval", "take", number, str(file)).ok()["state"] == "APPROVED"


# -- in the field -----------------------------------------------------------------


@pytest.mark.req("R8")
def test_an_order_is_not_resumed_while_it_is_closed(
    changed: Changed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Refused before the terminal is touched."""
    now = datetime.now(SHANGHAI)
    begins, ends = ((now + timedelta(hours=h)).strftime("%H:%M:00") for h in (3, 5))
    site = changed({"closed = []": f"closed = [[{begins}, {ends}]]"})
    ran = site.run("change", "run", *site.means(), answers=(*RUN_ANSWERS[:-1], "no"))
    number, opened = str(ran.error["params"]["order"]), list[str]()
    later = timedelta(hours=4)
    with monkeypatch.context() as patched:
        patched.setattr(
            clock.SystemClock, "now", lambda self: datetime.now(UTC) + later
        )
        patched.setattr(course, "open_driver", lambda *a, **k: opened.append("line"))
        words = ("change", "resume", number, *site.means())
        refused = site.run(*words, answers=["CHANGE"])
    assert (refused.code, refused.error["code"], opened) == (10, "window.closed", [])
    assert state(site, number) == "BACKED_UP"


@pytest.mark.req("R8")
def test_every_notice_is_shown_also_behind_one_that_stops(changed: Changed) -> None:
    both = notice("first", -1, stops=True) + notice("second", -1, stops=False)
    site = changed({"[caps]": both + "[caps]"})
    ran = site.propose()
    assert ran.error["code"] == "notice.stops"
    assert "first text" in ran.err and "second text" in ran.err
    plan = site.run("change", "plan").ok()
    assert plan["open_now"] is False
    slot = datetime.fromisoformat(plan["next_slot"])
    assert slot > datetime.now(UTC) + timedelta(hours=46)


@pytest.mark.req("R7")
def test_pictures_as_cameras_name_them_and_the_word_to_cover_the_digits(
    site: Site,
) -> None:
    for file in list(site.bench.pictures.iterdir()):
        file.rename(file.with_suffix(file.suffix.upper()))
    ran = site.propose()
    assert ran.ok()["state"] == "PROPOSED"
    assert "cover the three digits" in ran.err


@pytest.mark.req("R11")
def test_totals_that_move_while_somebody_thinks_are_shown_again(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    core, real, asked = site.bench.terminal.core, Console.confirm, list[object]()

    def thinking(self: Console, question: str, word: str, **told: object) -> bool:
        done = real(self, question, word, **told)
        if not asked:
            core.transactions.append(999900)
        asked.append(told["count"])
        return done

    monkeypatch.setattr(Console, "confirm", thinking)
    port = ("--port", site.bench.port)
    ran = site.run("terminal", "settle", *port, answers=["SETTLE", "SETTLE"])
    assert ran.ok()["transactions"] == 4 and asked == [3, 4]
    assert "has changed meanwhile" in ran.err
