"""The rehearsal: the whole course on the terminal's twin, and what it leaves alone."""

from __future__ import annotations

import gc
import hashlib
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cli_runs import CONSOLES, clean_environment, of, run
from commands import guarded_site, setup_options
from stdnum import luhn
from terminals import screen
from world import RUN_ANSWERS, Ran, Site

from emulator.bench import MID, OLD_NUMBER, TID, Bench, Scenario, Till
from posctl.cli import twin
from posctl.cli.facts import Facts, read
from posctl.cli.standins import Unasked
from posctl.cli.twin import Twin, TwinClock, made_up, opening, transactions
from posctl.model.cells import cells
from posctl.model.clock import SystemClock
from posctl.store import profiles
from posctl.terminals import TerminalDriver, open_terminal
from protocols.iso8583.parameters import BINDING_TAG
from protocols.sensitive import mask

READS = {"A00", "A02", "R00"}
RULES = profiles.example("emulator")
MARK = {"en": "REHEARSAL | ", "zh": "演练 | "}
NOTHING = {"en": "nothing was changed", "zh": "未作任何更改"}
STATES = ["PROPOSED", "APPROVED", "EFFECTIVE", "CLOSED"]
SHELL = ["bash", "--norc", "--noprofile"]
Change = Callable[[str], str]


def hashes(folder: Path) -> dict[str, str]:
    """Every file of a set-up, locks and logs too, once earlier commands let go."""
    gc.collect()
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def rehearse(site: Site, *options: str, answers: tuple[str, ...] = ()) -> Ran:
    words = ("change", "run", "--rehearse", *site.means(), *options)
    return site.run(*words, answers=answers)


def report(site: Site, *options: str) -> dict[str, Any]:
    return rehearse(site, *options).ok()


def problems(site: Site, *options: str) -> dict[str, bool]:
    """Code -> whether it is in the way of the real change."""
    found = report(site, *options)["problems"]
    return {problem["code"]: problem["blocks"] for problem in found}


def with_rules(bench: Bench, folder: Path, change: Change) -> Site:
    """Another set-up at the same bench, its profile changed by ``change``."""
    folder.mkdir()
    (folder / "emulator.toml").write_text(change(RULES), "utf-8")
    options = list(setup_options(bench)[1:])
    options[options.index("--profile") + 1] = str(folder / "emulator.toml")
    site = Site(bench, folder / "home")
    site.run("setup", "--test", *options).ok()
    site.run("merchant", "fetch", bench.scenario.till.mid).ok()
    return site


def swapped(old: str, new: str) -> Change:
    return lambda text: text.replace(old, new, 1)


@pytest.fixture
def rooms(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary folders are made: empty again in the end."""
    folder = tmp_path / "rooms"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    monkeypatch.setenv("TMPDIR", str(folder))
    return folder


# -- nothing real is touched -----------------------------------------------------


def test_the_whole_course_and_nothing_real_is_touched(site: Site, rooms: Path) -> None:
    core, before = site.bench.terminal.core, hashes(site.home)
    core.asked.clear()
    batch, taken = core.batch, list(core.transactions)
    done = report(site)
    assert done["passed"] is True and done["clock_set"] is None
    assert [step["happened"] for step in done["steps"]] == STATES
    assert (done["tid"], done["transactions"]) == (TID, 3)
    assert set(core.asked) == READS
    assert (core.batch, core.transactions) == (batch, taken)
    assert (site.account(), site.version(), site.signed()) == (OLD_NUMBER, 1, 0)
    assert not site.bench.ledger.applications
    assert hashes(site.home) == before
    assert list(rooms.iterdir()) == []


def test_what_will_be_asked_is_what_the_real_change_asks(
    site: Site, tmp_path: Path
) -> None:
    guarded = guarded_site(site.bench, tmp_path / "guarded")
    asks = [step["asks"] for step in report(guarded)["steps"]]
    assert [len(asked) for asked in asks] == [5, 2, 1, 2]
    assert asks[0][0] == "Passphrase of li" and "CHANGE" in asks[0][-1]
    assert asks[2] == ["Passphrase of wang"] and "SETTLE" in asks[3][-1]


READING = "  …"
"""A slow machine says that it is still at the real terminal, before the rehearsal."""


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_no_leaves_all_as_it_is_and_every_line_is_marked(site: Site, lang: str) -> None:
    before = hashes(site.home)
    words = ("change", "run", "--rehearse", *site.means(), "-v")
    done = run(*words, stdin="NO\n", **{**of(site), "POSCTL_LANG": lang})
    assert done.code == 0, done.err
    played, _blank, after = done.err.rpartition(f"\n{MARK[lang].strip()} ")
    last, _newline, question = after.partition("\n")
    assert played and last and NOTHING[lang] in question
    lines = [line for line in played.split("\n") if not line.startswith(READING)]
    unmarked = [line for line in lines if not line.startswith(MARK[lang].strip())]
    assert unmarked == []
    assert "TEST-" in played and "TEST-" not in question + done.out
    assert hashes(site.home) == before


# -- then the real one -------------------------------------------------------------


def test_begin_begins_the_real_change_with_the_same_options(site: Site) -> None:
    words = ("change", "run", "--rehearse", *site.means())
    typed = "".join(f"{line}\n" for line in ("BEGIN", *RUN_ANSWERS))
    done = run(*words, stdin=typed, **of(site))
    assert done.code == 0, done.err
    orders = site.run("orders", "list").ok()["orders"]
    assert [order["state"] for order in orders] == ["PROPOSED"]
    assert orders[0]["order"] in done.out and "TEST-" not in orders[0]["order"]


def test_json_begins_it_only_when_told_so(site: Site) -> None:
    assert report(site)["rehearsal"] is True
    assert site.run("orders", "list").ok()["orders"] == []
    told = rehearse(site, "--then-change", answers=RUN_ANSWERS)
    done = told.ok()
    assert done["state"] == "PROPOSED" and done["rehearsal"]["passed"] is True
    alone = site.run("change", "run", "--then-change", *site.means())
    assert (alone.code, alone.error["code"]) == (2, "rehearse.missing")


# -- the twin ----------------------------------------------------------------------

ODD = Till(
    mid="898110054110777",
    tid="1100077X",
    serial="0820009977",
    model="A77",
    os_version="PayDroid 9",
    batch=77,
    version=7,
    clock_ahead=timedelta(minutes=-7),
)


def driver_of(bench: Bench) -> TerminalDriver:
    named = profiles.parse(RULES, source="-").terminal.variables
    return open_terminal("poslink", bench.port, variables=named)


def facts_of(bench: Bench) -> Facts:
    driver = driver_of(bench)
    try:
        return read(driver, SystemClock().now().astimezone(twin.TWIN_ZONE))
    finally:
        driver.close()


def built(facts: Facts, folder: Path) -> Twin:
    clock = TwinClock(timedelta())
    return Twin(folder, facts, RULES, ("li", "wang"), clock)


@pytest.mark.parametrize("till", [Till(), ODD, replace(ODD, tag="none")])
def test_the_twin_tells_what_the_real_one_told(tmp_path: Path, till: Till) -> None:
    scene = Scenario(direct=True, till=till, transactions=(1200, -50, 7))
    with Bench(tmp_path / "real", scene) as real:
        facts = facts_of(real)
    with built(facts, tmp_path / "twin") as made:
        again = facts_of(made.bench)
    assert facts.identity.tid == till.tid and facts.batch == till.batch
    assert (facts.tag is None) is (till.tag == "none")
    shown = [(f.tag.mask, f.tag.version) if f.tag else None for f in (facts, again)]
    assert shown[0] == shown[1]
    assert again.identity == facts.identity
    assert (again.totals, again.batch) == (facts.totals, facts.batch)
    assert abs(again.clock_ahead - facts.clock_ahead) < timedelta(seconds=30)
    assert abs(facts.clock_ahead - till.clock_ahead) < timedelta(seconds=30)


def test_the_twin_speaks_by_the_profiles_names(tmp_path: Path) -> None:
    """Every terminal application has names of its own."""
    with Bench(tmp_path / "real", Scenario(direct=True)) as real:
        facts = facts_of(real)
    text = RULES.replace('"terminalID"', '"t.id"').replace('"posctlBindingTag"', '"b"')
    made = Twin(tmp_path / "t", facts, text, ("li", "wang"), TwinClock(timedelta()))
    with made:
        named = profiles.parse(text, source="-").terminal.variables
        driver = open_terminal("poslink", made.bench.port, variables=named)
        again = read(driver, SystemClock().now().astimezone(twin.TWIN_ZONE))
        driver.close()
    assert again.identity.tid == TID and again.tag and facts.tag
    assert again.tag.mask == facts.tag.mask


@pytest.mark.req("R48")
@pytest.mark.parametrize(
    "shown",
    ["621234******1265", "621626*********0018", "*********0018", "**1234", "*" * 9],
)
def test_the_made_up_number_has_the_mask_and_can_be_nobodys(shown: str) -> None:
    number = made_up(shown)
    assert len(number) == len(shown) and not luhn.is_valid(number)
    assert all(a in ("*", b) for a, b in zip(shown, number, strict=True))
    if shown == mask(number):
        return
    assert shown == "*" * 9  # a mask that hides all cannot be shown by ours


@pytest.mark.req("R48")
@pytest.mark.parametrize("shown", [None, "6212345678901265", "*123", "*" * 41])
def test_a_number_that_is_no_mask_is_not_imitated(shown: str | None) -> None:
    assert made_up(shown) == OLD_NUMBER


def test_a_batch_of_as_many_transactions_with_the_same_sum(site: Site) -> None:
    totals = facts_of(site.bench).totals
    assert len(transactions(totals)) == 3
    assert sum(transactions(totals)) == 12800 + 3550 - 550
    assert transactions(replace(totals, count=0)) == ()


# -- problems ----------------------------------------------------------------------


def test_what_is_missing_is_told_all_at_once(site: Site, tmp_path: Path) -> None:
    def old_and_named(text: str) -> str:
        text = text.replace("date = 2026-11-25", "date = 2020-01-01")
        return text.replace('"clock", "batch",', '"clock", "batch", "mandate",')

    other = with_rules(site.bench, tmp_path / "other", old_and_named)
    (other.home / "field" / "terminals" / f"{MID}.json").unlink()
    words = ("--pictures", str(tmp_path / "none"), "--agent", "zhao")
    assert problems(other, *words) == {
        "list.missing": True,
        "document.missing": True,
        "preflight.batch": False,
        "profile.old": False,
    }


def test_an_agent_without_a_mandate(site: Site, tmp_path: Path) -> None:
    change = swapped('"batch",', '"batch", "mandate",')
    other = with_rules(site.bench, tmp_path / "other", change)
    assert problems(other, "--agent", "zhao")["mandate.missing"] is True


def test_an_open_order_is_in_the_way(site: Site) -> None:
    site.propose().ok()
    assert problems(site)["order.at_office"] is True


def test_a_tag_that_cannot_be_read(site: Site) -> None:
    site.bench.terminal.core.parameters[BINDING_TAG] = b"\x01\x02"
    assert facts_of(site.bench).has_garbage
    params = rehearse(site).error["params"]
    assert (params["cause"], params["found"]) == ("terminal.answer",) * 2


def test_a_terminal_that_shows_no_tag(site: Site) -> None:
    """The office misses it, hours later: the rehearsal says so now."""
    site.bench.terminal.core.parameters.pop(BINDING_TAG)
    params = rehearse(site).error["params"]
    assert params["cause"] == "tag.missing" and "approve" in params["step"]


def test_a_reader_that_is_not_there(site: Site) -> None:
    words = ("change", "run", "--rehearse", "--port", site.bench.port)
    pictures = ("--pictures", str(site.bench.pictures), "--reader", "none such")
    found = site.run(*words, *pictures).ok()["problems"]
    absent = {"reader.none", "reader.unknown", "pcsc.no_service"}
    absent |= {"pcsc.unavailable"}
    assert found[0]["code"] in absent and found[0]["blocks"] is True


@pytest.mark.req("R4")
def test_what_stops_the_twin_stops_the_real_one(site: Site, tmp_path: Path) -> None:
    change = swapped('models = ["*"]', 'models = ["Z*"]')
    other = with_rules(site.bench, tmp_path / "other", change)
    before = hashes(other.home)
    stopped = rehearse(other, "--then-change", answers=RUN_ANSWERS)
    error = stopped.error
    assert (error["code"], error["exit_code"]) == ("rehearse.stopped", 7)
    assert error["params"]["cause"] == "terminal.model"
    assert error["params"]["found"] == "terminal.model"
    words = ("change", "run", "--rehearse", *other.means())
    told = run(*words, stdin="BEGIN\n", **of(other))
    assert told.code == 7 and "BEGIN" not in told.err
    assert "terminal.model" in told.out and "posctl change confirm" in told.out
    assert hashes(other.home) == before


@pytest.mark.req("R12")
def test_a_clock_that_is_a_day_off_stops_the_twin_too(site: Site) -> None:
    site.bench.terminal.core.clock_ahead += timedelta(days=2)
    error = rehearse(site).error
    assert error["params"]["cause"] == "terminal.clock"


@pytest.mark.req("R8")
def test_closed_now_is_told_and_rehearsed_at_the_next_opening(
    site: Site, tmp_path: Path
) -> None:
    def closed(text: str) -> str:
        """For longer than a terminal's clock may be off: the twin's goes along."""
        local = datetime.now(twin.TWIN_ZONE)
        begins, ends = local - timedelta(days=1), local + timedelta(days=3)
        span = f"begins = {begins:%Y-%m-%dT%H:%M:00}\nends = {ends:%Y-%m-%dT%H:%M:00}"
        return f'{text}\n[[windows.closures]]\n{span}\nwhy = "test"\n'

    other = with_rules(site.bench, tmp_path / "other", closed)
    done = report(other)
    assert done["passed"] is True and done["clock_set"]
    codes = {p["code"]: p["blocks"] for p in done["problems"]}
    assert codes["window.closed"] is True


@pytest.mark.req("R31")
def test_cooling_off_is_not_waited_for(site: Site, tmp_path: Path) -> None:
    change = swapped("cooling_hours = 0", "cooling_hours = 72")
    other = with_rules(site.bench, tmp_path / "other", change)
    steps = report(other)["steps"]
    assert [s["happened"] for s in steps] == ["PROPOSED", "COOLING", *STATES[2:]]


def test_the_opening_is_after_a_notice_that_stops() -> None:
    text = RULES + (
        '\n[[notices]]\nid = "n"\nbegins = 2026-11-01T00:00:00\n'
        'ends = 2026-12-01T00:00:00\ntext = "t"\nstops = true\n'
    )
    profile = profiles.parse(text, source="-")
    now = datetime(2026, 11, 20, tzinfo=UTC)
    assert opening(profile, now) == datetime(2026, 11, 30, 16, tzinfo=UTC)
    after = datetime(2026, 12, 2, tzinfo=UTC)
    assert opening(profile, after) == after


# -- no twin -----------------------------------------------------------------------


def test_no_half_rehearsal(site: Site, tmp_path: Path) -> None:
    core = site.bench.terminal.core
    core.asked.clear()
    corporate = rehearse(site, "--corporate").error
    assert (corporate["code"], corporate["exit_code"]) == ("rehearse.not_here", 9)
    for number, (old, new) in enumerate(
        (
            ('provider = "chinaums"', 'provider = "wechatpay"'),
            ('protocol = "poslink"', 'protocol = "label"'),
            ('checkers = ["office"]', 'checkers = ["office", "merchant"]'),
        )
    ):
        rules = RULES.replace(old, new, 1)
        with pytest.raises(Exception, match=r"rehearse\.not_here"):
            twin.check_rules(profiles.parse(rules, source=str(number)), corporate=False)
    assert core.asked == []


def test_a_terminal_of_another_merchant_is_refused(site: Site) -> None:
    error = rehearse(site, "--merchant", "898110054110002").error
    assert error["code"] == "look.other_merchant"


def test_the_approver_does_not_rehearse_as_the_technician(site: Site) -> None:
    error = rehearse(site, "--operator", "wang").error
    assert error["code"] == "signature.role"


def test_the_survey_answers_nothing() -> None:
    from posctl.model.errors import Declined

    with pytest.raises(Declined):
        Unasked().ask("ask.pictures", str, secret=False)
    with pytest.raises(Declined):
        Unasked().confirm("propose.confirm", "CHANGE")


# -- on every console, interrupted, on a screen -----------------------------------


@pytest.mark.parametrize("console", CONSOLES)
def test_no_console_stops_it(site: Site, console: str) -> None:
    words = ("change", "run", "--rehearse", *site.means())
    done = run(*words, stdin="NO\n", **{**of(site), **CONSOLES[console]})
    assert done.code == 0 and "CLOSED" in done.out, done.err


@pytest.mark.skipif(os.name != "posix", reason="signals")
@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)]
)
def test_an_interrupt_leaves_nothing_of_the_twin(
    site: Site, rooms: Path, number: int, code: int
) -> None:
    before = hashes(site.home)
    words = [sys.executable, "-m", "posctl", "change", "run", "--rehearse"]
    given = clean_environment(**of(site), TMPDIR=str(rooms), PYTHONUNBUFFERED="1")
    with subprocess.Popen(
        [*words, *site.means()],
        stdin=subprocess.DEVNULL,  # an interrupt that is lost ends it otherwise
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=given,
    ) as process:
        assert process.stderr
        for line in process.stderr:
            if "preflight" in line:
                process.send_signal(number)
                break
        rest = process.stderr.read()
    assert process.returncode == code, rest
    assert list(rooms.iterdir()) == []
    assert hashes(site.home) == before
    last = rest[rest.index("nothing was changed") :]
    assert "TEST-" not in last


@pytest.mark.req("R43")
@pytest.mark.parametrize(("lang", "columns"), [("en", 80), ("zh", 80), ("en", 60)])
def test_a_rehearsal_on_a_terminal(site: Site, lang: str, columns: int) -> None:
    given = {**of(site), "POSCTL_LANG": lang, "PS1": "$ "}
    with screen(SHELL, columns, **given) as window:
        window.line(
            f"clear; {sys.executable} -m posctl change run --rehearse"
            f" --shop x --port {site.bench.port} --reader {site.bench.reader}"
            f" --pictures {site.bench.pictures}"
        )
        window.until("BEGIN")
        window.line("no")
        shown = window.until(NOTHING[lang])
    lines = shown.split("\n")
    assert all(cells(line) <= columns for line in lines)
    marked = [line for line in lines if line.startswith(MARK[lang].strip())]
    assert len(marked) > 40
    assert any(re.search("TEST-", line) for line in marked)
