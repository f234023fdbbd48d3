"""What goes wrong at a till, through the real command line, in both languages: the
code, the cause in words, what to do next; and neither account nor terminal moves."""

from __future__ import annotations

import errno
import grp
import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import serial
from cli_runs import Done, clean_environment, of, run
from commands import (
    BAD_CHECK_DIGIT,
    LI,
    Command,
    Talked,
    guarded_site,
    setup_options,
    untouched,
)
from smalldisk import may_mount, small_disk
from world import RUN_ANSWERS, MakeSite, Site

from emulator.bench import CARDS, MID, NEW_NUMBER, OLD_NUMBER
from emulator.card.pcscd import PrivatePcscd, available
from emulator.faults import Fault
from posctl.cli.text import language
from posctl.cli.text.errors import ERRORS
from posctl.cli.text.failures import next_context
from posctl.cli.text.messages import MESSAGES
from posctl.links.serialline import _cause
from posctl.store.profiles import example

LANGUAGES = ("en", "zh")
MAIN = "from posctl.cli.main import main; main()"
NOBODY = 65534


def on(site: Site, lang: str, *words: str, stdin: str = "", **more: str) -> Done:
    return run(*words, stdin=stdin, **{**of(site), "POSCTL_LANG": lang, **more})


def typed(*lines: str) -> str:
    return "".join(f"{line}\n" for line in lines)


# -- what must be said ---------------------------------------------------------


@pytest.fixture(autouse=True)
def english_again() -> Iterator[None]:
    yield
    language.use("en")


def filled(context: str, pattern: str, lang: str) -> re.Pattern[str]:
    """The text of that language, whatever it is filled with."""
    language.use(lang)
    parts = re.split(r"\{[^}]*\}", language.translated(context, pattern))
    return re.compile("(.+)".join(map(re.escape, parts)))


def told(done: Done | Talked, lang: str, code: str, exit_code: int) -> None:
    """Code, cause and remedy, in that language and no other, on stderr."""
    assert done.code == exit_code, done.err
    assert done.out == ""
    said, head = done.err, f"posctl: {code}:"
    assert head in said, said
    cause, following = ERRORS[code]
    rest = said[said.index(head) + len(head) :].splitlines()
    assert filled(code, cause, lang).fullmatch(rest[0].strip()), rest[0]
    word = {"en": "next: ", "zh": "下一步："}[lang]
    assert rest[1].startswith(word), rest
    ways = [(next_context(code), following)]
    ways += [("next.resume_only", MESSAGES["next.resume_only"])]
    told_next = rest[1].removeprefix(word)
    assert any(filled(*way, lang).match(told_next) for way in ways), rest[1]
    assert not re.search(r"<\w+>|\{\w+\}|None", rest[0] + rest[1])
    if lang == "zh":
        assert re.search(r"[一-鿿]", rest[0])


both = pytest.mark.parametrize("lang", LANGUAGES)


# -- the port ------------------------------------------------------------------


@pytest.mark.req("R47")
@both
def test_no_such_port(site: Site, lang: str) -> None:
    done = on(site, lang, "terminal", "info", "--port", "/dev/ttyNONE9")
    told(done, lang, "port.missing", 4)
    assert "/dev/ttyNONE9" in done.err


@pytest.mark.req("R47")
@both
def test_a_port_that_another_program_holds(site: Site, lang: str) -> None:
    with closing(serial.Serial(site.bench.port, exclusive=True)):
        done = on(site, lang, "terminal", "info", "--port", site.bench.port)
    told(done, lang, "port.busy", 4)


@pytest.mark.req("R47")
@both
def test_a_port_that_this_user_may_not_open(site: Site, lang: str) -> None:
    """As an ordinary user. The one privilege left is to read files, since root's
    Python may lie in root's own folder; a port must be written to."""
    port = site.bench.port
    os.chown(port, -1, grp.getgrnam("dialout").gr_gid) if os.geteuid() == 0 else None
    os.chmod(port, 0o600)
    words = [sys.executable, "-m", "posctl", "terminal", "info", "--port", port]
    done = subprocess.run(
        [*as_nobody(), *words],
        capture_output=True,
        text=True,
        timeout=60,
        env=clean_environment(POSCTL_LANG=lang, HOME="/nonexistent"),
    )
    told(Done(done.returncode, done.stdout, done.stderr), lang, "port.denied", 4)
    if os.geteuid() == 0:
        assert "sudo usermod -aG dialout $USER" in done.stderr


def as_nobody() -> list[str]:
    if os.geteuid() != 0:
        return []
    user = ["--reuid", str(NOBODY), "--regid", str(NOBODY), "--clear-groups"]
    reads = ["--inh-caps", "-all,+dac_read_search", "--ambient-caps"]
    return ["setpriv", *user, *reads, "+dac_read_search"]


@pytest.mark.parametrize(
    ("error", "code"),
    [
        ("could not open port 'COM9': FileNotFoundError(2, '…', None, 2)", "missing"),
        ("could not open port 'COM3': PermissionError(13, '…', None, 5)", "busy"),
        ("Cannot configure port, something went wrong. OSError(22, …)", "unusable"),
    ],
)
def test_windows_tells_it_in_words_only(error: str, code: str) -> None:
    """As pyserial does there; no Windows was at hand."""
    assert _cause(serial.SerialException(error)) == f"port.{code}"
    assert _cause(OSError(errno.EBUSY, "")) == "port.busy"


# -- the line ------------------------------------------------------------------

SHORT = "from posctl.field import look; look.LOOK_SECONDS = 1.2; " + MAIN


def change_run(site: Site, lang: str, program: str = MAIN) -> Done:
    given = {**of(site), "POSCTL_LANG": lang}
    words = ("change", "run", *site.means())
    return run(*words, stdin=typed(*RUN_ANSWERS), program=("-c", program), **given)


@pytest.mark.req("R43")
@pytest.mark.req("R47")
@both
@pytest.mark.parametrize(
    ("answer", "code"),
    [("silence", "terminal.silent"), ("garbage", "terminal.garbage")],
)
def test_another_baud_rate(
    make_site: MakeSite, lang: str, answer: str, code: str
) -> None:
    site = make_site(baud=115200, wrong_baud=answer)
    done = change_run(site, lang, SHORT)
    told(done, lang, code, 5)
    assert "> A00 | 1.28" in done.err
    untouched(site)


@pytest.mark.req("R47")
@both
def test_nak_for_ever(site: Site, lang: str) -> None:
    site.bench.terminal.faults.add(Fault("*", "nak", times=10**6))
    done = change_run(site, lang)
    told(done, lang, "terminal.session", 5)
    assert done.err.count("< NAK") == 3
    assert {"en": "refused 3 times", "zh": "被拒绝 3 次"}[lang] in done.err
    untouched(site)


# -- the terminal --------------------------------------------------------------


@pytest.mark.req("R2")
@pytest.mark.req("R47")
@both
def test_the_terminal_of_another_merchant(site: Site, lang: str) -> None:
    other = "898110054110999"
    words = ("change", "run", *site.means(), "--merchant", other)
    done = on(site, lang, *words)
    told(done, lang, "look.other_merchant", 7)
    assert MID in done.err and other in done.err
    (order,) = site.run("orders", "list").ok()["orders"]
    assert order["state"] == "CANCELLED"
    untouched(site)


@pytest.mark.req("R11")
@pytest.mark.req("R47")
@both
def test_a_batch_that_is_not_empty(site: Site, lang: str) -> None:
    """Takings go to the new account already; the terminal lags, and says so."""
    number = site.approved()
    site.commit(number).ok()
    words = ("change", "confirm", number, "--port", site.bench.port)
    done = on(site, lang, *words, stdin=typed("no"))
    told(done, lang, "settle.declined", 3)
    assert "3" in done.err and "621626*********0018" in done.err
    core = site.bench.terminal.core
    assert (core.batch, core.count, site.account()) == (1, 3, NEW_NUMBER)


# -- reader and card -----------------------------------------------------------


@pytest.mark.req("R47")
@pytest.mark.req("R55")
@both
def test_no_pcsc_service(tmp_path: Path, lang: str) -> None:
    """Its socket leads nowhere."""
    none = str(tmp_path / "none.comm")
    words = ("card", "show", "--wait-card", "0")
    done = run(*words, POSCTL_LANG=lang, PCSCLITE_CSOCK_NAME=none)
    told(done, lang, "pcsc.no_service", 5)


@pytest.fixture(scope="module")
def empty_pcscd(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Callable[[int], dict[str, str]]]:
    """A real pcscd with so many pairs of readers, and no card in any."""
    reason = available()
    if reason is not None:
        assert os.environ.get("CI") != "true", reason
        pytest.skip(reason)
    running: dict[int, PrivatePcscd] = {}

    def start(pairs: int) -> dict[str, str]:
        if pairs not in running:
            folder = tmp_path_factory.mktemp(f"pcscd{pairs}")
            running[pairs] = PrivatePcscd(folder, entries=pairs)
            running[pairs].start()
        return dict(running[pairs].environment)

    yield start
    for pcscd in running.values():
        pcscd.stop()


@pytest.mark.pcsc
@pytest.mark.req("R47")
@pytest.mark.req("R55")
@both
@pytest.mark.parametrize(
    ("pairs", "reader", "code"),
    [
        (0, (), "reader.none"),
        (1, (), "reader.ambiguous"),
        (1, ("--reader", "POS CARD 00"), "reader.unknown"),
        (1, ("--reader", "POS CARD 00 00"), "card.none"),
    ],
)
def test_which_reader_and_no_card(
    empty_pcscd: Callable[[int], dict[str, str]],
    lang: str,
    pairs: int,
    reader: tuple[str, ...],
    code: str,
) -> None:
    """A reader is named exactly: the beginning of a name is no name."""
    words = ("card", "show", *reader, "--wait-card", "0")
    done = run(*words, POSCTL_LANG=lang, **empty_pcscd(pairs))
    told(done, lang, code, 4)
    if pairs and code != "card.none":
        assert "POS CARD 00 00 | POS CARD 00 01" in done.err


@pytest.mark.pcsc
@pytest.mark.req("R47")
@both
def test_a_card_that_is_pulled_while_it_is_read(
    tmp_path: Path, in_ci: bool, lang: str
) -> None:
    reason = available()
    if reason is not None:
        assert not in_ci, reason
        pytest.skip(reason)
    pcscd = PrivatePcscd(tmp_path / "pcscd")
    debit = CARDS["debit"]
    assert debit
    try:
        given = dict(pcscd.start())
        pcscd.insert(0, replace(debit, fault="gone", fault_after=5))
        words = ("card", "show", "--reader", "POS CARD 00 00")
        done = run(*words, POSCTL_LANG=lang, **given)
    finally:
        pcscd.stop()
    told(done, lang, "card.removed", 5)
    assert "> 00 A4 04 00" in done.err and OLD_NUMBER not in done.err


@pytest.mark.req("R21")
@pytest.mark.req("R47")
@both
def test_a_check_digit_typed_wrongly(site: Site, lang: str) -> None:
    words = ("change", "run", *site.means(), "--typed")
    done = on(site, lang, *words, stdin=typed(*(BAD_CHECK_DIGIT,) * 3))
    told(done, lang, "person.no_answer", 3)
    cause = filled("number.check_digit", ERRORS["number.check_digit"][0], lang)
    assert len(cause.findall(done.err)) == 3
    assert BAD_CHECK_DIGIT not in done.err
    untouched(site)


# -- the provider --------------------------------------------------------------


@pytest.mark.req("R43")
def test_a_host_that_takes_thirty_seconds(site: Site) -> None:
    """The one real wait: it succeeds, and speaks every two seconds."""
    number = site.approved()
    site.bench.provider.faults.add(
        Fault("complex_alter_acctinfo", "delay", seconds=30.0)
    )
    words = ["--lang", "zh", "change", "commit", number, "--json"]
    done = Command(site, words).start().finish()
    assert done.ran().ok()["state"] == "EFFECTIVE"
    assert done.seconds > 30.0
    waits = re.findall(r"^  … 等待支付机构，(\d+) 秒$", done.err, re.MULTILINE)
    seconds = [int(found) for found in waits]
    assert len(seconds) >= 14 and seconds == sorted(set(seconds)), done.err
    assert max(after - before for before, after in pairwise(seconds)) <= 3
    assert (site.account(), site.signed()) == (NEW_NUMBER, 1)


@pytest.mark.req("R32")
@pytest.mark.req("R47")
@both
def test_a_provider_that_is_busy(site: Site, lang: str) -> None:
    number = site.approved()
    site.bench.provider.faults.add(Fault("terminals_qry", "busy"))
    done = on(site, lang, "change", "commit", number)
    told(done, lang, "provider.busy", 6)
    assert f"posctl change resume {number}" in done.err
    assert len(site.bench.provider.faults.struck) == 1  # it did not ask again
    untouched(site)
    assert site.commit(number).ok()["state"] == "EFFECTIVE"
    assert (site.account(), site.signed()) == (NEW_NUMBER, 1)


@pytest.mark.req("R8")
@pytest.mark.req("R47")
@both
def test_a_window_that_is_closed(site: Site, tmp_path: Path, lang: str) -> None:
    now = datetime.now(ZoneInfo("Asia/Shanghai"))
    around = [f"{now + timedelta(hours=h):%H:%M:%S}" for h in (-2, 2)]
    text = example("emulator").replace(
        "closed = []", f"closed = [[{', '.join(around)}]]"
    )
    (tmp_path / "shut.toml").write_text(text, "utf-8")
    options = setup_options(site.bench)
    options[options.index("emulator")] = str(tmp_path / "shut.toml")
    shut = replace(site, home=tmp_path / "shut")
    shut.run(*options, "--test").ok()
    done = on(shut, lang, "change", "run", *shut.means())
    told(done, lang, "window.closed", 10)
    untouched(site)


# -- people, stores, disks -----------------------------------------------------


@pytest.mark.req("R47")
@both
def test_a_wrong_passphrase(site: Site, tmp_path: Path, lang: str) -> None:
    guarded = guarded_site(site.bench, tmp_path / "guarded")
    done = on(guarded, lang, "merchant", "fetch", MID, stdin=typed(LI))
    told(done, lang, "passphrase.wrong", 7)
    assert LI not in done.err


@contextmanager
def locked(path: Path) -> Iterator[None]:
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("PRAGMA locking_mode=EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        yield


@pytest.mark.req("R47")
@both
def test_a_store_that_another_program_has_locked(site: Site, lang: str) -> None:
    quick = "from posctl.store import eventlog; eventlog._BUSY_SECONDS = 0.3; " + MAIN
    with locked(site.home / "field" / "log.db"):
        done = change_run(site, lang, quick)
    told(done, lang, "store.locked", 5)
    untouched(site)
    assert site.propose().ok()["state"] == "PROPOSED"


@pytest.mark.req("R37")
@pytest.mark.req("R47")
@both
def test_a_full_disk(site: Site, tmp_path: Path, lang: str) -> None:
    """A tmpfs of 1.5 MB that is full; then there is room again, and it goes on."""
    if not may_mount():
        assert os.environ.get("CI") != "true"
        pytest.skip("only root may mount a small disk")
    full = replace(site, home=tmp_path / "small")
    full.home.mkdir()
    with small_disk(full.home) as room:
        shutil.copytree(site.home, full.home, dirs_exist_ok=True)
        room.fill()
        done = on(full, lang, "change", "run", *full.means(), stdin=typed(*RUN_ANSWERS))
        assert done.code == 5 and done.out == ""
        code = re.findall(r"posctl: (\S+):", done.err)[-1]
        assert code in ("store.unusable", "file.unwritable", "system.refused")
        told(done, lang, code, 5)
        assert {"en": "full", "zh": "full"}[lang] in done.err
        untouched(site)
        room.free()
        started = full.run("orders", "list").ok()["orders"]
        for order in started:
            full.run("change", "rollback", order["order"]).ok()
        assert full.propose().ok()["state"] == "PROPOSED"
    untouched(site)


def test_json_tells_the_same_in_the_language_of_the_run(site: Site) -> None:
    words = ("terminal", "info", "--port", "/dev/ttyNONE9", "--json")
    one, other = (json.loads(on(site, lang, *words).out) for lang in LANGUAGES)
    for part in ("code", "exit_code", "params"):
        assert one["error"][part] == other["error"][part]
    assert one["error"]["text"] != other["error"]["text"]
