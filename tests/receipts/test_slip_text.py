"""Receipts and submission slips as text: both languages, every console, any words."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from papers import Issued, posctl, told
from world import RUN_ANSWERS, MakeSite, Site

from emulator.bench import NEW_NUMBER, OLD_NUMBER
from posctl.model.cells import cells
from posctl.receipts import text
from posctl.receipts.slip import Slip

TITLES = {"en": "Receipt: settlement account changed", "zh": "回执：结算账户已变更"}
CONSOLES = {
    "utf-8": {"PYTHONIOENCODING": "utf-8"},
    "gbk": {"PYTHONIOENCODING": "gbk"},
    "C": {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"},
}
IN_HALVES = ("order_head", "store_head")


def flat(shown: str) -> str:
    """Without what the layout adds."""
    return "".join(shown.split())


# -- receipts ------------------------------------------------------------------


@pytest.mark.req("R45", "R50")
@pytest.mark.parametrize("lang", TITLES)
def test_a_receipt_as_text_says_all_that_is_signed(issued: Issued, lang: str) -> None:
    words = ("receipt", "show", issued.number, "--format", "text", "--lang", lang)
    shown = posctl(*words, home=issued.site.home).stdout.decode()
    assert TITLES[lang] in shown
    assert max(map(cells, shown.splitlines())) <= text.WIDTH == 48
    times = {"proposed", "approved", "effective_at", "issued"}
    for name, value in issued.body.items():
        expected = value[:19].replace("T", "") if name in times else value
        assert flat(expected) in flat(shown), name
    assert shown.count("T  E  S  T") == 2


@pytest.mark.req("R45")
def test_times_on_paper_carry_their_zone(issued: Issued) -> None:
    words = ("receipt", "show", issued.number, "--format", "text")
    shown = posctl(*words, home=issued.site.home, TZ="Asia/Shanghai").stdout.decode()
    utc = datetime.fromisoformat(issued.body["issued"])
    (found,) = re.findall(r"^issued +(.+)$", shown, re.MULTILINE)
    assert found.endswith(" +0800")
    printed = datetime.strptime(found, "%Y-%m-%d %H:%M:%S %z")
    assert printed == utc.replace(microsecond=0)


@pytest.mark.req("R45")
@pytest.mark.parametrize("console", CONSOLES)
def test_no_console_stops_a_receipt(
    issued: Issued, console: str, tmp_path: Path
) -> None:
    words = ("receipt", "show", issued.number, "--lang", "zh")
    how = {"home": issued.site.home}
    done = posctl(*words, "--format", "text", **how, **CONSOLES[console])
    assert done.returncode == 0, done.stderr
    encoding = "gbk" if console == "gbk" else "utf-8"
    assert issued.body["order_head"] in flat(done.stdout.decode(encoding))
    path = tmp_path / "receipt.txt"
    posctl(*words, "--output", str(path), **how, **CONSOLES[console])
    written = path.read_bytes()
    assert written.decode("utf-8").splitlines() == (
        done.stdout.decode(encoding).splitlines()
    )


@pytest.mark.req("R45")
def test_the_signed_json_can_go_down_a_pipe(issued: Issued, elsewhere: Path) -> None:
    words = ("receipt", "show", issued.number, "--format", "json")
    done = posctl(*words, home=issued.site.home)
    assert done.stdout == issued.stored
    root = ("--root", str(elsewhere / "root.pem"), "--json")
    there = elsewhere / "no-home"
    checked = posctl("receipt", "verify", "-", *root, home=there, stdin=done.stdout)
    assert told(checked)["order"] == issued.number and not there.exists()


def test_json_output_holds_the_text_when_it_is_asked_for(issued: Issued) -> None:
    plain = issued.site.run("receipt", "show", issued.number).ok()
    assert "text" not in plain
    words = ("receipt", "show", issued.number, "--format", "text")
    assert "EFFECTIVE" in issued.site.run(*words).ok()["text"]


@pytest.mark.parametrize(
    ("name", "form", "begins"),
    [
        ("a.json", None, b'{"body"'),
        ("a", None, b'{"body"'),
        ("a.txt", None, b"****"),
        ("a.TXT", None, b"****"),
        ("a.json", "text", b"****"),
        ("a.txt", "json", b'{"body"'),
    ],
)
def test_the_ending_says_the_form_unless_it_is_said(
    issued: Issued, tmp_path: Path, name: str, form: str | None, begins: bytes
) -> None:
    path = tmp_path / name
    words = ("receipt", "show", issued.number, "--output", str(path))
    asked = ("--format", form) if form else ()
    assert issued.site.run(*words, *asked).ok()["file"] == str(path)
    assert path.read_bytes().startswith(begins)
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.req("R48")
def test_no_text_holds_a_card_number(issued: Issued) -> None:
    for form in ("text", "json"):
        words = ("receipt", "show", issued.number, "--format", form)
        shown = flat(posctl(*words, home=issued.site.home).stdout.decode())
        assert "621626*********0018" in shown
        for number in (NEW_NUMBER, OLD_NUMBER):
            assert number not in shown and number[6:-4] not in shown


# -- before it -----------------------------------------------------------------


def submission(site: Site, number: str, lang: str = "en") -> str:
    done = posctl("receipt", "slip", number, "--lang", lang, home=site.home)
    assert done.returncode == 0, done.stderr
    shown = done.stdout.decode()
    assert max(map(cells, shown.splitlines())) <= text.WIDTH
    return shown


@pytest.mark.req("R45", "R50")
def test_a_submission_slip_from_proposal_to_effect(make_site: MakeSite) -> None:
    site = make_site(audit=60)
    number = str(site.propose().ok()["order"])
    shown = submission(site, number)
    assert "NOT SIGNED" in shown and "still go to the OLD account" in shown
    assert "621626*************" in shown and "*0018" not in shown  # R30
    assert "没有签名" in submission(site, number, "zh")
    site.approve(number).ok()
    told = site.run("receipt", "slip", number).ok()
    assert (told["effective"], told["signed"], told["test_root"]) == (
        *("621234******1265", False),
        True,
    )
    assert told["new"] == "621626*********0018"
    assert site.commit(number, "--wait", "0").code == 11
    shown = submission(site, number)
    told = site.run("receipt", "slip", number).ok()
    assert told["order_head"] in flat(shown) and told["store_head"] in flat(shown)
    assert told["effective"] is None and "still go to" not in shown
    assert flat("Takings go to the OLD account until the change is") in flat(shown)


@pytest.mark.req("R45", "R47")
def test_orders_that_have_no_submission_slip(issued: Issued) -> None:
    site = issued.site
    error = site.run("receipt", "slip", issued.number).error
    assert (error["code"], error["exit_code"]) == ("slip.effective", 7)
    assert error["next"] == f"posctl receipt show {issued.number}"


@pytest.mark.req("R45", "R47")
def test_a_slip_of_an_order_that_is_over_and_of_one_not_submitted(site: Site) -> None:
    declined = site.run(
        "change", "run", *site.means(), answers=(*RUN_ANSWERS[:-1], "NO")
    )
    number = declined.error["params"]["order"]
    error = site.run("receipt", "slip", number).error
    assert (error["code"], error["params"]["state"]) == ("slip.draft", "BACKED_UP")
    number = str(
        site.run("change", "propose", number, answers=["CHANGE"]).ok()["order"]
    )
    site.run("change", "rollback", number).ok()
    shown = submission(site, number)
    assert "has changed no account" in shown and "OLD" not in shown


@pytest.mark.req("R45")
def test_a_submission_slip_proves_nothing(site: Site, tmp_path: Path) -> None:
    number = str(site.propose().ok()["order"])
    path = tmp_path / "slip.json"
    site.run("receipt", "slip", number, "--output", str(path)).ok()
    assert json.loads(path.read_bytes())["signed"] is False
    error = site.run("receipt", "verify", str(path)).error
    assert error["code"] == "receipt.unreadable"
    path.write_text(f"POSCTL:SLIP:1:{number}:PROPOSED:{'0' * 64}:{'0' * 64}\n")
    assert site.run("receipt", "verify", str(path)).error["code"] == "receipt.slip"


# -- any words -----------------------------------------------------------------

WORDS = st.text(
    st.characters(exclude_categories=("C", "Z", "M")) | st.sampled_from(" 中，（"),
    max_size=90,
)


@example(rows=[("n" * 40, "v" * 90), ("", "中" * 40)], notes=["h" * 64], title="t" * 60)
@given(
    rows=st.lists(st.tuples(WORDS, WORDS), min_size=1, max_size=4),
    notes=st.lists(WORDS, max_size=3),
    title=WORDS,
)
def test_no_words_make_a_line_wider_than_the_paper(
    rows: list[tuple[str, str]], notes: list[str], title: str
) -> None:
    moment = datetime(2026, 11, 25, tzinfo=UTC)
    slip = Slip(title, "proves nothing", tuple(rows), tuple(notes), "", moment)
    shown = text.render(slip)
    assert max(map(cells, shown.split("\n"))) <= text.WIDTH
    printed = flat(shown)
    for note in notes:
        assert flat(note) in printed
