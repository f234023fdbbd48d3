"""Names and messages that move the cursor, turn the text round, or look like a line of
ours, wherever they are shown."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from attacks import approve
from commands import environment
from procedures import proposed
from world import BRANCH, MOBILE, MakeSite, Site

from emulator.bench import MID, NEW_NUMBER, OLD_NUMBER
from emulator.card.applet import CardProfile
from emulator.faults import Fault
from posctl.cli.calendar import calendar
from posctl.store.home import Home

LINE = "order FAKE-FAKE2 approved by wang"
EVIL = f"A\r\n  {LINE}\x1b[2K\x1b[1A\x9b2J\u202e\u2028\u200f\ufeff\x00\x7fZ"
SHORT = "A\n\x1b[2K\u202eFAKE\x9b2J"
"""As long as a card's name may be, in gb18030."""
ANSWERS = (OLD_NUMBER, BRANCH, MOBILE, "CHANGE")


def harmless(text: str) -> None:
    """Only line ends of ours, nothing that a terminal obeys, no line of theirs."""
    assert text
    odd = {c for c in text if not c.isprintable() and c != "\n"}
    assert odd == set(), sorted(map(hex, map(ord, odd)))
    for line in text.split("\n"):
        assert not line.strip().startswith((LINE, "FAKE")), line


def shown(site: Site, *words: str, answers: tuple[str, ...] = ()) -> str:
    """Both outputs, as text and as JSON, of a command on a UTF-8 console."""
    done = subprocess.run(
        [sys.executable, "-m", "posctl", *words],
        input="".join(f"{line}\n" for line in answers).encode(),
        capture_output=True,
        timeout=60,
        env={**environment(site), "LC_ALL": "C.UTF-8"},
    )
    told = (done.stderr + done.stdout).decode()
    assert "Traceback" not in told
    harmless(told + ".")
    return told


@pytest.fixture
def hostile(make_site: MakeSite) -> Site:
    """A terminal, a card and a provider that say such things wherever they can."""
    site = make_site()
    core = site.bench.terminal.core
    for name in ("model", "os_version", "app_name"):
        object.__setattr__(core.config, name, SHORT)
    site.bench.slot.insert(
        CardProfile(NEW_NUMBER, holder=SHORT, label="A\n\x1b[2KFAKE")
    )
    return site


@pytest.mark.req("R47")
def test_a_terminal_and_a_card_that_write_lines(hostile: Site, tmp_path: Path) -> None:
    port, reader = ("--port", hostile.bench.port), ("--reader", hostile.bench.reader)
    log = ("--log-file", str(tmp_path / "log"), "--verbose")
    for more in ((), ("--json",)):
        shown(hostile, "terminal", "info", *port, *more, *log)
        shown(hostile, "card", "show", *reader, *more, *log)
        shown(hostile, "binding", "show", *port, *more, *log)
    whole = (tmp_path / "log").read_text("utf-8")
    harmless(whole)
    for line in whole.splitlines():
        assert re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} \d+ [A-Z]+ posctl", line)


@pytest.mark.req("R47")
def test_a_course_with_such_names(hostile: Site, tmp_path: Path) -> None:
    """Screens, tables, receipt, slip; JSON has them escaped, and whole."""
    means = hostile.means()
    said = shown(hostile, "change", "run", *means, answers=ANSWERS)
    assert "?" in said
    number = str(hostile.run("orders", "list").ok()["orders"][-1]["order"])
    shown(hostile, "receipt", "slip", number)
    approve(hostile, number)
    for words in (["orders", "list"], ["orders", "show", number]):
        for more in ([], ["--json"]):
            shown(hostile, *words, *more)


@pytest.mark.req("R47")
@pytest.mark.parametrize("service", ["terminals_qry", "complex_alter_acctinfo"])
def test_a_provider_that_writes_lines(site: Site, service: str) -> None:
    number = site.approved()
    body = json.dumps({"res_code": "9998", "res_msg": EVIL}).encode()
    site.bench.provider.faults.add(Fault(service, "garbage", 99, body=body))
    for more in ((), ("--json",)):
        shown(site, "change", "commit", number, *more)
        shown(site, "orders", "show", number, *more)


@pytest.mark.req("R47")
def test_a_reason_that_writes_lines(make_site: MakeSite) -> None:
    """Of a rejection: it stays in the order and in the notice."""
    site = make_site()
    number = site.approved()
    with site.bench.ledger.locked() as ledger:
        ledger.accounts[NEW_NUMBER].is_open = False
    body = {"res_code": "0000", "apply_status": "04", "fail_reason": EVIL}
    site.bench.provider.faults.add(
        Fault("alter_qry", "garbage", 99, after=1, body=json.dumps(body).encode())
    )
    shown(site, "change", "commit", number)
    for more in ((), ("--json",)):
        for words in (("orders", "show", number), ("outbox", "list")):
            shown(site, *words, *more)


@pytest.mark.req("R47")
def test_names_that_an_operator_writes(site: Site, tmp_path: Path) -> None:
    """In the register, in a mandate, in the terminal list that comes from it."""
    name = EVIL.replace("\x00", "")
    words = ["--subject", "individual", "--name", name, "--owner", name]
    words += ["--phone", name, "--mandate", f"{name}:2099-01-01"]
    for more in ((), ("--json",)):
        shown(site, "merchant", "register", *words, MID, *more)
        shown(site, "merchant", "fetch", MID, *more)
        shown(site, "change", "checklist", *more)
    number = proposed(site)
    shown(site, "change", "approve", number, answers=(NEW_NUMBER[-4:],))


@pytest.mark.req("R34")
def test_a_calendar_has_no_line_but_ours() -> None:
    now = datetime.now(UTC)
    evil = "A\r\nBEGIN:VEVENT\nSUMMARY:x"
    item = {"order": evil, "expires": "2026-12-01T00:00:00.000Z", "state": evil}
    lines = calendar([item], now, 3).split("\r\n")
    assert lines.count("BEGIN:VEVENT") == 1
    assert all(line.isprintable() for line in lines)


def test_a_request_that_writes_lines(site: Site, tmp_path: Path) -> None:
    """The colleague's screen shows what somebody else wrote into the request."""
    from posctl.change.approval import armoured_request, read_request

    number = proposed(site)
    request = read_request(site.run("approval", "request", number).ok()["text"])
    request.shown["branch"] = SHORT
    (tmp_path / "request").write_text(armoured_request(request))
    assert Home(site.home).exists()
    digits = (NEW_NUMBER[-4:],)
    shown(site, "approval", "sign", str(tmp_path / "request"), answers=digits)
