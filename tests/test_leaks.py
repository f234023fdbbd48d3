"""No number and no key in clear, in any file, argument, output or terminal (R48, R49).

The numbers are published test numbers. After each way a course can go, every file
below the home, the bench, HOME and TMPDIR is searched, with all that was printed and
with the arguments and the environment of the running processes. What may hold a key:
the credentials file that the emulator itself hands out, and a test set-up, whose keys
are open by design.
"""

from __future__ import annotations

import base64
import json
import os
import select
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from commands import (
    BAD_CHECK_DIGIT,
    LI,
    OTHER_NUMBER,
    PHRASES,
    WANG,
    environment,
    guarded_site,
    pay_to,
)
from secrets_in import (
    KEY_FORMS,
    NUMBER_FORMS,
    NUMBER_NEEDLES,
    NUMBERS,
    Watched,
    found_in,
    key_needles,
    keys_of,
    newest,
    seen,
)
from world import MOBILE, RUN_ANSWERS, MakeSite, Site
from zygote import Plan, Strike, Zygote

from emulator.bench import (
    BRANCH,
    CREDIT_NUMBER,
    ID_NUMBER,
    MID,
    NEW_NUMBER,
    OLD_NUMBER,
)
from emulator.card.applet import DEBIT_CARD
from emulator.card.hierarchy import hierarchy

# -- what is looked for --------------------------------------------------------


# -- the search finds what is there --------------------------------------------


@pytest.mark.parametrize("form", NUMBER_FORMS)
def test_the_search_finds_a_planted_number(tmp_path: Path, form: str) -> None:
    for number in NUMBERS:
        planted = os.urandom(1000) + NUMBER_FORMS[form](number) + os.urandom(1000)
        (tmp_path / "log.db-wal").write_bytes(planted)
        hits = found_in(tmp_path, NUMBER_NEEDLES)
        assert any(f"{number[-4:]} as" in hit for hit in hits), number


def test_the_search_finds_numbers_as_programs_would_leave_them(tmp_path: Path) -> None:
    """Forms made by others than the table: JSON in base64, track 2, a file's name."""
    inside = json.dumps({"pan": NEW_NUMBER}).encode()
    bodies = {
        "a": base64.b64encode(inside),
        "b": base64.b64encode(b"x" + inside),
        "c": base64.b64encode(b"xy" + inside),
        "d": bytes.fromhex(f"57{NEW_NUMBER}D3012" + "0" * 6),
        "e": bytes.fromhex(f"5A0A{NEW_NUMBER}F"),
        f"{NEW_NUMBER}.txt": b"",
    }
    for name, body in bodies.items():
        (tmp_path / name).write_bytes(body)
    hits = found_in(tmp_path, NUMBER_NEEDLES)
    assert {Path(hit.rpartition(": ")[0]).name for hit in hits} == set(bodies)


@pytest.mark.parametrize("form", KEY_FORMS)
def test_the_search_finds_a_planted_key(tmp_path: Path, form: str) -> None:
    key = os.urandom(24)
    (tmp_path / "x").write_bytes(b"noise" + KEY_FORMS[form](key) + b"noise")
    assert found_in(tmp_path, key_needles(planted=key)) != []


def test_the_watch_sees_arguments_and_environment(site: Site, tmp_path: Path) -> None:
    watched = Watched(site, tmp_path)
    site.environment["LEFT_BEHIND"] = f"number {MOBILE}"
    watched.talk("merchant", "fetch", MID, "--operator", NEW_NUMBER)
    where = {hit.partition(" ")[0] for hit in watched.hits}
    assert where == {"cmdline", "environ", "printed:"}


# -- courses -------------------------------------------------------------------


@pytest.fixture
def watch(make_site: MakeSite, tmp_path: Path) -> Iterator[Callable[..., Watched]]:
    def watched(**scenario: object) -> Watched:
        return Watched(make_site(**scenario), tmp_path)

    yield watched


def run(watched: Watched, *more: str, answers: tuple[str, ...] = RUN_ANSWERS) -> int:
    means = watched.site.means()
    return watched.talk("change", "run", *means, *more, answers=answers)


@pytest.mark.req("R48")
@pytest.mark.req("R49")
def test_a_whole_course_with_keys_under_passphrases(
    watch: Callable[..., Watched], tmp_path: Path
) -> None:
    watched = watch()
    bench = watched.site.bench
    site = guarded_site(bench, tmp_path / "guarded")
    watched.site = Site(bench, site.home, watched.site.environment)
    port = ["--port", bench.port]

    assert watched.talk("merchant", "fetch", MID, answers=(WANG,)) == 0
    assert run(watched, answers=(LI, *RUN_ANSWERS)) == 0
    number = newest(site)
    digits = NEW_NUMBER[-4:]
    approve = ("change", "approve", number, "--json")
    assert watched.talk(*approve, answers=(WANG, "CHIP", digits)) == 0
    assert watched.talk("change", "commit", number, answers=(WANG,)) == 0
    confirm = ("change", "confirm", number, *port)
    assert watched.talk(*confirm, answers=(LI, "SETTLE")) == 0
    for shown in (["receipt", "show", number], ["orders", "show", number]):
        watched.note(json.dumps(site.run(*shown).ok()))

    assert site.account() == NEW_NUMBER
    assert watched.looks >= 5 + 10  # at each start and at each question
    assert "621626*********0018" in watched.said
    assert " > A00 | 1.28" in (watched.folder / "posctl.log").read_text("utf-8")
    assert watched.everywhere() == []

    needles = key_needles(**keys_of(bench.credentials_file))
    needles |= {phrase.encode(): phrase for phrase in PHRASES}
    assert found_in(site.home, needles) == []
    assert seen("printed", watched.said.encode(), needles) == []
    issued = found_in(bench.directory, needles)
    assert {hit.rpartition(": ")[0] for hit in issued} == {str(bench.credentials_file)}


def test_in_a_test_set_up_the_keys_are_open_by_design(site: Site) -> None:
    """And only there: its root is refused outside the emulator."""
    needles = key_needles(**keys_of(site.bench.credentials_file))
    found = {hit.rpartition(": ")[0] for hit in found_in(site.home, needles)}
    assert found == {str(site.home / "office" / "credentials.key")}
    for box in site.home.rglob("*.key"):
        assert box.stat().st_mode & 0o077 == 0
        if box.name != "root.key":
            assert json.loads(box.read_bytes())["kdf"] == "none"


@pytest.mark.req("R18", "R23", "R48")
def test_a_chip_that_holds_numbers_wherever_it_can(
    watch: Callable[..., Watched],
) -> None:
    """The number in label, name, discretionary data and under tags of any use, the
    holder's ID number, track data: read, shown, explained, and a change begun."""
    watched = watch()
    site, number = watched.site, DEBIT_CARD.number
    pan, ident = number.encode().hex(), ID_NUMBER.encode().hex()
    packed = f"{number}F"
    extra = {"9F61": ident, "9F62": "00", "9F1F": pan, "9F10": packed, "9F05": pan}
    extra |= {"9F63": packed, "9F20": pan, "56": f"42{pan}"}
    card = replace(DEBIT_CARD, holder=f"LI {number}", label="SF", extra=extra)
    labelled = replace(card, label=number[:16])
    for profile in (card, labelled):
        site.bench.slot.insert(hierarchy().personalise(profile))
        reader = ("--reader", site.bench.reader)
        assert watched.talk("card", "show", *reader) == 0
        assert watched.talk("card", "verify", *reader) == 0
        select, options = "00A4040008A000000333010101", "80A80000128310" + "00" * 16
        reads = ("00B2011400", "00B2021400", "00B2011C00", "00B2021C00")
        sent = ("card", "apdu", *reader, "--yes", select, options, *reads)
        assert watched.talk(*sent) == 0
        assert watched.talk(*sent, "--json") == 0
    assert run(watched) == 0
    kept = newest(site)
    assert watched.talk("orders", "show", kept) == 0
    assert watched.talk("change", "rollback", kept) == 0
    for needles in (NUMBER_NEEDLES, ID_NEEDLES, TRACK_NEEDLES):
        assert seen("printed", watched.said.encode(), needles) == []
        assert found_in(watched.folder, needles) == []
    assert watched.everywhere() == []
    assert "621626*********0018" in watched.said


ID_NEEDLES = {make(ID_NUMBER): f"ID as {name}" for name, make in NUMBER_FORMS.items()}
AFTER_NUMBER = "D4912220"
"""Expiry and service code behind the number on track 2."""
TRACK_NEEDLES = {AFTER_NUMBER.encode(): "track", AFTER_NUMBER[1:].encode(): "track"}


@pytest.mark.req("R48")
def test_runs_that_were_refused_in_the_field(watch: Callable[..., Watched]) -> None:
    watched = watch(card="credit")
    assert run(watched) == 7
    resume = ("change", "resume", newest(watched.site), *watched.site.means())
    other = (OTHER_NUMBER, CREDIT_NUMBER, NEW_NUMBER)
    typed = (BAD_CHECK_DIGIT, NEW_NUMBER, NEW_NUMBER)
    assert watched.talk(*resume, "--typed", answers=(*typed, *other)) == 3
    assert "the check digit is wrong" in watched.said
    assert "is not the account that the terminal shows" in watched.said
    entries = (NEW_NUMBER, OTHER_NUMBER, OLD_NUMBER, NEW_NUMBER + "0")
    assert watched.talk(*resume, "--typed", "--json", answers=entries) == 3
    assert watched.everywhere() == []


@pytest.mark.req("R48")
@pytest.mark.parametrize("wrong", ["new", "old"])
def test_a_change_that_the_provider_refuses(
    watch: Callable[..., Watched], wrong: str
) -> None:
    watched = watch(reject=wrong == "new")
    number = watched.site.approved()
    if wrong == "old":
        pay_to(watched.site, OTHER_NUMBER)
    assert watched.talk("change", "commit", number, "--json") == 6
    assert watched.talk("orders", "show", number) == 0
    assert watched.everywhere() == []


# -- killed half-way -----------------------------------------------------------

KILLS = (
    ("field", "account.sealed"),
    ("field", "order.sent"),
    ("office", "apply.intended"),
    ("office", "sign.intended"),
    ("field", "settle.intended"),
)
TYPED = [
    [r"Type (\w+) to go on", r"\1"],
    ["Number of the present", OLD_NUMBER],
    ["Bank code", BRANCH],
    ["Mobile number", MOBILE],
    ["Last four digits", NEW_NUMBER[-4:]],
]


@pytest.mark.req("R48")
@pytest.mark.req("R49")
@pytest.mark.parametrize(("place", "kind"), KILLS)
def test_a_run_that_was_killed(
    watch: Callable[..., Watched], place: str, kind: str
) -> None:
    watched = watch()
    site = watched.site
    plan = Plan(site.home, (Strike(place, kind, 1, "after", "SIGKILL"),))
    with Zygote(environment(site)) as zygote, zygote.fork(plan) as child:
        ran = child.run("change", "run", *site.means(), answers=TYPED)
        watched.note(ran.err + json.dumps(ran.data))
        number = str(ran.result.get("order"))
        for command in ("approve", "commit", "confirm"):
            if ran.code:
                break
            port = ["--port", site.bench.port] if command == "confirm" else []
            ran = child.run("change", command, number, *port, answers=TYPED)
            watched.note(ran.err + json.dumps(ran.data))
    assert ran.code == -9, ran.err
    assert list(site.home.rglob("*-wal")), "what SQLite had not moved yet"
    assert watched.everywhere() == []


# -- on a terminal -------------------------------------------------------------


@pytest.mark.req("R48")
def test_typed_numbers_do_not_show_on_the_terminal(
    watch: Callable[..., Watched],
) -> None:
    """A real tty, which would echo: the scrollback holds no number afterwards."""
    watched = watch()
    site = watched.site
    answers = {
        "Number of the new card (not shown)": NEW_NUMBER,
        "The same number once more": NEW_NUMBER,
        "Number of the present settlement account": OLD_NUMBER,
        "Bank code of the new account's branch": BRANCH,
        "Mobile number": MOBILE,
        "Type CHANGE to go on": "CHANGE",
    }
    arguments = ["change", "run", *site.means(), "--typed"]
    code, scrollback = on_a_terminal(site, arguments, answers)
    assert code == 0, scrollback
    assert BRANCH in scrollback  # the terminal does echo
    watched.note(scrollback)
    assert watched.everywhere() == []


def on_a_terminal(
    site: Site, arguments: list[str], answers: dict[str, str]
) -> tuple[int, str]:
    """A command whose controlling terminal is a pty; each answer waits for its
    question, as a person does."""
    master, slave = os.openpty()
    process = subprocess.Popen(
        ["setsid", "--ctty", sys.executable, "-m", "posctl", *arguments],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        env=environment(site),
    )
    os.close(slave)
    try:
        shown = converse(master, dict(answers))
        return process.wait(timeout=30), shown
    finally:
        process.kill()
        process.wait()
        os.close(master)


def converse(master: int, answers: dict[str, str]) -> str:
    """Until the other side hangs up, or says nothing for ten seconds."""
    shown, new = "", ""
    while select.select([master], [], [], 10.0)[0]:
        try:
            text = os.read(master, 4096).decode("utf-8", "replace")
        except OSError:  # EIO: nobody has the slave open any more
            break
        shown, new = shown + text, new + text
        asked = next((q for q in answers if q in new and new.endswith(": ")), None)
        if asked:
            os.write(master, answers.pop(asked).encode() + b"\n")
            new = ""
    return shown
