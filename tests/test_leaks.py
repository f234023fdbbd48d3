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
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from commands import (
    BAD_CHECK_DIGIT,
    LI,
    OTHER_NUMBER,
    PHRASES,
    WANG,
    Command,
    environment,
    guarded_site,
    pay_to,
)
from world import MOBILE, RUN_ANSWERS, MakeSite, Site
from zygote import Plan, Strike, Zygote

from emulator.bench import BRANCH, CREDIT_NUMBER, MID, NEW_NUMBER, OLD_NUMBER

NUMBERS = (OLD_NUMBER, NEW_NUMBER, CREDIT_NUMBER, OTHER_NUMBER, BAD_CHECK_DIGIT, MOBILE)


# -- what is looked for --------------------------------------------------------


def grouped(number: str, separator: str) -> bytes:
    return separator.join(number[i : i + 4] for i in range(0, len(number), 4)).encode()


def bcd(number: str, head: str = "", tail: str = "") -> bytes:
    digits = head + number + tail
    return bytes.fromhex(digits if len(digits) % 2 == 0 else digits[:-1])


def base64_at(secret: bytes, offset: int) -> bytes:
    """The part of the base64 that is the same whatever stands around the secret."""
    text = base64.b64encode(bytes(offset) + secret)
    return text[-(-offset * 8 // 6) : (offset + len(secret)) * 8 // 6]


NUMBER_FORMS: dict[str, Callable[[str], bytes]] = {
    "ASCII": str.encode,
    "groups": lambda n: grouped(n, " "),
    "hyphens": lambda n: grouped(n, "-"),
    "mobile groups": lambda n: f"{n[:3]} {n[3:7]} {n[7:]}".encode(),
    "UTF-16 LE": lambda n: n.encode("utf-16-le"),
    "UTF-16 BE": lambda n: n.encode("utf-16-be"),
    "BCD, padded right": lambda n: bcd(n, tail="F" * (len(n) % 2)),
    "BCD, zero on the right": lambda n: bcd(n, tail="0" * (len(n) % 2)),
    "BCD, padded left": lambda n: bcd(n, head="0" * (len(n) % 2)),
    "BCD, whole bytes": bcd,
    "BCD, off by one digit": lambda n: bcd(n[1:]),
    "hex": lambda n: n.encode().hex().encode(),
    "base64 0": lambda n: base64_at(n.encode(), 0),
    "base64 1": lambda n: base64_at(n.encode(), 1),
    "base64 2": lambda n: base64_at(n.encode(), 2),
    "reversed": lambda n: n[::-1].encode(),
}

KEY_FORMS: dict[str, Callable[[bytes], bytes]] = {
    "raw": bytes,
    "hex": lambda k: k.hex().encode(),
    "HEX": lambda k: k.hex().upper().encode(),
    "hex of hex": lambda k: k.hex().encode().hex().encode(),
    "base64 0": lambda k: base64_at(k, 0),
    "base64 1": lambda k: base64_at(k, 1),
    "base64 2": lambda k: base64_at(k, 2),
    "base64 of hex": lambda k: base64_at(k.hex().encode(), 0),
}

NUMBER_NEEDLES = {
    make(number): f"{number[-4:]} as {name}"
    for number in NUMBERS
    for name, make in NUMBER_FORMS.items()
}


def key_needles(**keys: bytes) -> dict[bytes, str]:
    return {
        make(key): f"{owner} as {name}"
        for owner, key in keys.items()
        for name, make in KEY_FORMS.items()
    }


def seen(where: str, body: bytes, needles: dict[bytes, str]) -> list[str]:
    return [f"{where}: {what}" for needle, what in needles.items() if needle in body]


def found_in(folder: Path, needles: dict[bytes, str]) -> list[str]:
    """Every file, with its name, links not followed; pcscd's sockets are no files."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    assert files, f"nothing to search in {folder}"
    return [
        hit
        for path in files
        for hit in seen(str(path), path.name.encode() + path.read_bytes(), needles)
    ]


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


@dataclass
class Watched:
    """A set-up whose commands are watched while they run."""

    site: Site
    folder: Path
    hits: list[str] = field(default_factory=list)
    looks: int = 0
    said: str = ""

    def __post_init__(self) -> None:
        for name in ("HOME", "TMPDIR", "XDG_CACHE_HOME", "XDG_STATE_HOME"):
            place = self.folder / f"of-the-user-{name}"
            place.mkdir()
            self.site.environment[name] = str(place)

    def talk(self, *arguments: str, answers: tuple[str, ...] = ()) -> int:
        """As talkative as it can be: each frame on stderr and in a log file."""
        talkative = ("--verbose", "--log-file", str(self.folder / "posctl.log"))
        words = (*arguments, *talkative)
        command = Command(self.site, words, answers, watch=self.look)
        done = command.start().finish()
        self.note(done.out + done.err)
        return done.code

    def look(self, process: int) -> None:
        """At its arguments and its environment, while it works or waits."""
        self.looks += 1
        for name in ("cmdline", "environ"):
            body = Path(f"/proc/{process}/{name}").read_bytes()
            self.hits += seen(f"{name} of {process}", body, NUMBER_NEEDLES)

    def note(self, printed: str) -> None:
        assert "Traceback" not in printed
        self.said += printed
        self.hits += seen("printed", printed.encode(), NUMBER_NEEDLES)

    def everywhere(self) -> list[str]:
        """All hits; the numbers may stand in no file at all."""
        return self.hits + found_in(self.folder, NUMBER_NEEDLES)


@pytest.fixture
def watch(make_site: MakeSite, tmp_path: Path) -> Iterator[Callable[..., Watched]]:
    def watched(**scenario: object) -> Watched:
        return Watched(make_site(**scenario), tmp_path)

    yield watched


def run(watched: Watched, *more: str, answers: tuple[str, ...] = RUN_ANSWERS) -> int:
    means = watched.site.means()
    return watched.talk("change", "run", *means, *more, answers=answers)


def newest(site: Site) -> str:
    return str(site.run("orders", "list").ok()["orders"][-1]["order"])


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
    assert watched.talk(*approve, answers=(WANG, digits)) == 0
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


def keys_of(credentials: Path) -> dict[str, bytes]:
    issued = json.loads(credentials.read_text())
    return {
        "provider key": issued["key"].encode(),
        "verification token": issued["verification_token"].encode(),
        "tag key": bytes.fromhex(issued["tag_key"]),
    }


def test_in_a_test_set_up_the_keys_are_open_by_design(site: Site) -> None:
    """And only there: its root is refused outside the emulator."""
    needles = key_needles(**keys_of(site.bench.credentials_file))
    found = {hit.rpartition(": ")[0] for hit in found_in(site.home, needles)}
    assert found == {str(site.home / "office" / "credentials.key")}
    for box in site.home.rglob("*.key"):
        assert box.stat().st_mode & 0o077 == 0
        if box.name != "root.key":
            assert json.loads(box.read_bytes())["kdf"] == "none"


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
