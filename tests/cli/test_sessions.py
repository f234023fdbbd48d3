"""A technician's and an approver's session on a real terminal, in both languages, at
80 and 60 columns. Each is recorded in build/sessions, to be looked at."""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path

import pytest
from cli_runs import of
from commands import LI, WANG, guarded_site
from terminals import Screen, screen
from world import MOBILE, MakeSite, Site

from emulator.bench import BRANCH, MID, NEW_NUMBER, OLD_NUMBER
from posctl.model.cells import cells

RECORDINGS = Path(__file__).resolve().parents[2] / "build" / "sessions"
SHELL = ["bash", "--norc", "--noprofile"]
SIZES = [("en", 80), ("zh", 80), ("en", 60), ("zh", 60)]
WORDS = {
    "en": {
        "passphrase": "Passphrase of",
        "old": "present settlement account",
        "branch": "Bank code of",
        "mobile": "Mobile number",
        "change": "Type CHANGE",
        "left": "you may leave",
        "chip": "Type CHIP",
        "digits": "Last four digits",
        "approved": "approved by wang",
        "effective": "EFFECTIVE: takings go to",
        "settle": "Type SETTLE",
        "closed": "CLOSED",
        "next": "next: posctl orders list",
    },
    "zh": {
        "passphrase": "的口令",
        "old": "当前结算账户的号码",
        "branch": "联行号",
        "mobile": "手机号",
        "change": "输入 CHANGE",
        "left": "您可以离开了",
        "chip": "输入 CHIP",
        "digits": "后四位",
        "approved": "已由 wang 审批通过",
        "effective": "已生效（EFFECTIVE）：收款付至",
        "settle": "输入 SETTLE",
        "closed": "已关闭（CLOSED）",
        "next": "下一步：posctl orders list",
    },
}


@pytest.mark.req("R43")
@pytest.mark.req("R44")
@pytest.mark.parametrize(("lang", "columns"), SIZES)
def test_a_whole_change_on_a_terminal(
    make_site: MakeSite, tmp_path: Path, lang: str, columns: int
) -> None:
    bench = make_site().bench
    site = guarded_site(bench, tmp_path / "guarded")
    given = {**of(site), "POSCTL_LANG": lang, "PS1": "$ ", "TZ": "Asia/Shanghai"}
    with screen(SHELL, columns, **given) as window:
        play(window, site, WORDS[lang])
        recorded, joined = window.colored(), window.tmux(*"capture-pane -pJS -".split())
    RECORDINGS.mkdir(parents=True, exist_ok=True)
    (RECORDINGS / f"{lang}-{columns}.txt").write_text(recorded, "utf-8")
    for secret in (OLD_NUMBER, NEW_NUMBER, MOBILE, LI, WANG):
        assert secret not in joined
    assert folded_by_the_terminal(joined, columns) == []


def play(window: Screen, site: Site, words: dict[str, str]) -> None:
    bench = site.bench
    port, reader = shlex.quote(bench.port), shlex.quote(bench.reader)
    ask(window, f"posctl merchant fetch {MID}", (words["passphrase"], WANG))
    window.until(MID + r"\.json|terminals/")
    command(window, f"posctl terminal info --port {port}")
    window.until("0820000001")
    command(window, f"posctl card show --reader {reader}")
    window.until("A000000333010101  UnionPay")
    means = f"--port {port} --reader {reader} --pictures {bench.pictures}"
    ask(
        window,
        f"posctl change run {means}",
        (words["passphrase"], LI),
        (words["old"], OLD_NUMBER),
        (words["branch"], BRANCH),
        (words["mobile"], MOBILE),
        (words["change"], "CHANGE"),
    )
    number = number_after(window, words["left"])
    digits = (words["digits"], NEW_NUMBER[-4:])
    approve = f"posctl change approve {number}"
    chip = (words["chip"], "CHIP")  # this set-up knows no key of the emulator's CA
    ask(window, approve, (words["passphrase"], WANG), chip, digits)
    window.until(spread(words["approved"]))
    ask(window, f"posctl change commit {number}", (words["passphrase"], WANG))
    window.until(spread(words["effective"]))
    confirm = f"posctl change confirm {number} --port {port}"
    ask(window, confirm, (words["passphrase"], LI), (words["settle"], "SETTLE"))
    window.until(spread(words["closed"]))
    command(window, "posctl orders list")
    command(window, f"posctl orders show {number.lower()}")
    window.until("order.closed")
    command(window, "posctl orders show AAAA-22222")
    window.until(words["next"])
    command(window, "echo the''end")
    window.until("^theend")


ASKS = """
from posctl.cli.console import Console
console = Console("x", as_json=False)
for secret in (True, False):
    console.ask("ask.bank", lambda text: print(f"got {text!r}"), secret=secret)
"""


def test_no_answer_is_an_answer_on_a_terminal() -> None:
    """As where a document has no date of expiry, or a code did not come."""
    python = [sys.executable, "-c", ASKS]
    with screen(SHELL, 80, POSCTL_LANG="en", PS1="$ ") as window:
        command(window, shlex.join(python))
        for asked in (1, 2):
            window.until(
                r"(Name of the new account's bank:[^:]*)" + f"{{{asked}}}" + r"\Z"
            )
            window.type("Enter")
        window.until(r"(got ''[^$]*){2}\$\s*\Z")


def command(window: Screen, text: str) -> None:
    """Type a command when the shell is ready for it."""
    window.until(r"^\$\s*\Z")
    window.line(text)


def ask(window: Screen, text: str, *answers: tuple[str, str]) -> None:
    """A command, then each answer when its question is the last line."""
    command(window, text)
    for question, answer in answers:
        window.until(rf"{spread(question)}[^:：]*[:：]\s*\Z", 30.0)
        window.line(answer)


def spread(text: str) -> str:
    """A pattern for a text that may be broken over lines anywhere."""
    return r"\s*".join(re.escape(c) for c in text if c != " ")


def number_after(window: Screen, text: str) -> str:
    shown = window.until(spread(text), 30.0)
    found = re.findall(r"[0-9A-Z]{4}-[0-9A-Z]{5}", shown)
    assert found
    return str(found[-1])


def folded_by_the_terminal(joined: str, columns: int) -> list[str]:
    """Lines that posctl left wider than the terminal, but for what cannot be broken
    (a path, a hash) and for what was typed."""
    return [
        line
        for line in joined.splitlines()
        if cells(line.rstrip()) > columns
        and not line.startswith("$ ")
        and not line.endswith(BRANCH)  # typed behind its question
        and max(map(cells, line.split())) < columns // 2
    ]
