"""What goes where: data on stdout, the rest on stderr, colours for people only."""

from __future__ import annotations

import json
import os
import pty
import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from cli_runs import clean_environment, on, run
from world import RUN_ANSWERS, MakeSite, Site

from emulator.bench import NEW_NUMBER, OLD_NUMBER, SERIAL
from emulator.faults import Fault
from posctl import __version__

ANSI = re.compile(r"\x1b\[")
MISSING = ("orders", "show", "AAAA-11111")


def on_a_terminal(words: tuple[str, ...], columns: int = 80, **more: str) -> str:
    """All that a person sees: stdout and stderr of one terminal."""
    _code, shown = terminal(words, columns, **more)
    assert "Traceback" not in shown
    return shown


def terminal(words: tuple[str, ...], columns: int, **more: str) -> tuple[int, str]:
    main, other = pty.openpty()
    subprocess.run(["stty", "cols", str(columns)], stdin=other, check=True)
    process = subprocess.Popen(
        [sys.executable, "-m", "posctl", *words],
        stdin=other,
        stdout=other,
        stderr=other,
        env=clean_environment(**{"TERM": "xterm-256color", **more}),
    )
    os.close(other)
    shown = b""
    while True:
        try:
            more_bytes = os.read(main, 4096)
        except OSError:
            break
        if not more_bytes:
            break
        shown += more_bytes
    os.close(main)
    return process.wait(), shown.decode().replace("\r\n", "\n")


# -- colours -------------------------------------------------------------------


def test_colours_are_for_a_terminal_only(site: Site) -> None:
    home = str(site.home)
    assert ANSI.search(on_a_terminal(MISSING, POSCTL_HOME=home))
    assert not ANSI.search(on(site, *MISSING).err)


@pytest.mark.parametrize(
    ("words", "more", "colored"),
    [
        ((), {"NO_COLOR": "1"}, False),
        ((), {"NO_COLOR": ""}, True),
        ((), {"TERM": "dumb"}, False),
        (("--color", "never"), {}, False),
        (("--color", "always"), {"NO_COLOR": "1"}, True),
        ((), {"POSCTL_COLOR": "never"}, False),
    ],
)
def test_colours_can_be_refused(
    tmp_path: Path, words: tuple[str, ...], more: dict[str, str], colored: bool
) -> None:
    command = (*words, "receipt", "verify", str(Path(__file__)))
    shown = on_a_terminal(command, POSCTL_HOME=str(tmp_path), **more)
    assert "receipt.root" in shown
    assert bool(ANSI.search(shown)) is colored


def test_colours_in_a_pipe_when_asked_for(tmp_path: Path) -> None:
    words = ("receipt", "verify", str(Path(__file__)))
    done = run("--color", "always", *words, POSCTL_HOME=str(tmp_path))
    assert ANSI.search(done.err)


# -- where ---------------------------------------------------------------------


def test_stdout_carries_one_json_object_and_nothing_else(site: Site) -> None:
    answers = "".join(f"{line}\n" for line in RUN_ANSWERS)
    done = on(site, "change", "run", *site.means(), "--json", stdin=answers)
    assert done.result["state"] == "PROPOSED"
    assert "? " in done.err and "look:" in done.err


def test_a_failure_says_nothing_on_stdout(site: Site) -> None:
    done = on(site, *MISSING)
    assert (done.code, done.out) == (2, "")
    assert done.err.splitlines()[-2:] == [
        "posctl: order.missing: no order AAAA-11111 here",
        "next: posctl orders list; one that another machine holds comes with its"
        " order file",
    ]


@pytest.mark.parametrize(
    ("words", "path"),
    [
        (("change", "run", "--bla"), "change run"),
        (("orders", "show", "x"), "orders show"),
        (("nonsense",), ""),
        (("terminal", "blow-up"), "terminal"),
    ],
)
def test_what_click_refuses_looks_like_every_failure(
    words: tuple[str, ...], path: str
) -> None:
    plain, as_json = run(*words), run(*words, "--json")
    assert (plain.code, plain.out) == (2, "")
    assert plain.err.startswith("posctl: usage: ")
    assert f"next: posctl {path}".rstrip() + " --help" in plain.err
    assert as_json.data["command"] == path and as_json.error["code"] == "usage"


def test_a_pipe_that_is_closed_ends_it_silently(site: Site) -> None:
    script = f"{sys.executable} -m posctl profile show | true; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(
        ["bash", "-c", script],
        capture_output=True,
        text=True,
        timeout=60,
        env=clean_environment(POSCTL_HOME=str(site.home)),
    )
    assert done.stdout.strip() in ("141", "0") and done.stderr == ""


# -- how much ------------------------------------------------------------------


def test_quiet_leaves_questions_warnings_and_what_is_signed(site: Site) -> None:
    answers = "".join(f"{line}\n" for line in RUN_ANSWERS)
    words = ("change", "run", *site.means(), "--quiet")
    done = on(site, *words, stdin=answers)
    assert done.code == 0
    assert "look:" not in done.err and "backed up" not in done.err
    for part in ("? Number of", "terms:", "fee", "are yours to delete", "158.00"):
        assert part in done.err, part
    number = done.out.split()[1]
    shown = on(site, "change", "approve", number, "-q", stdin="0018\n")
    assert shown.code == 0 and "from      621234******1265" in shown.err


def test_verbose_shows_each_frame_masked(site: Site) -> None:
    done = on(site, "terminal", "info", "--port", site.bench.port, "--verbose")
    assert done.code == 0
    assert re.search(r"posctl\.line \S+ > A00 \| 1\.28\n", done.err)
    assert re.search(r"posctl\.line \S+ < 0 \| A01 \| 1\.28 \| 000000", done.err)
    assert "898110" not in done.err and SERIAL not in done.err


def test_a_log_file_is_its_owners_and_holds_no_number(
    site: Site, tmp_path: Path
) -> None:
    log = tmp_path / "posctl.log"
    log.write_text("before\n")
    log.chmod(0o644)
    answers = "".join(f"{line}\n" for line in RUN_ANSWERS)
    words = ("change", "run", *site.means(), "--log-file", str(log))
    assert on(site, *words, stdin=answers).code == 0
    assert on(site, *MISSING, POSCTL_LOG_FILE=str(log)).code == 2
    text = log.read_text("utf-8")
    assert stat.S_IMODE(log.stat().st_mode) == 0o600
    assert text.startswith("before\n") and " > A00 | 1.28" in text
    assert "00 A4 04 00" in text and "order.missing exit 2" in text
    for secret in (OLD_NUMBER, NEW_NUMBER, RUN_ANSWERS[2], "全渠道"):
        assert secret not in text


def test_a_log_file_that_cannot_be_written(site: Site, tmp_path: Path) -> None:
    words = ("orders", "list", "--json", "--log-file", str(tmp_path / "no" / "log"))
    done = on(site, *words)
    assert (done.code, done.error["code"]) == (5, "system.refused")


# -- the last frames -----------------------------------------------------------


def test_a_failure_of_the_line_shows_its_last_frames(make_site: MakeSite) -> None:
    site = make_site()
    site.bench.terminal.faults.add(Fault("A02", "nak", times=99))
    words = ("terminal", "info", "--port", site.bench.port)
    done = on(site, *words)
    assert done.code == 5
    frames = done.err.partition("last frames on the line, numbers masked:\n")[2]
    lines = [line.split(" s ")[1] for line in frames.splitlines()]
    assert lines[:4] == [
        "> A00 | 1.28",
        "< ACK",
        "< 0 | A01 | 1.28 | 000000 | 13 more fields, 46 B",
        "> ACK",
    ]
    assert [line for line in lines if "NAK" in line] == ["< NAK"] * 3
    assert sum("A02" in line for line in lines) == 3
    as_json = on(site, *words, "--json")
    assert len(as_json.error["frames"]) <= 12
    assert "0820000001" not in as_json.out + done.err


def test_a_failure_of_the_provider_shows_its_last_calls(site: Site) -> None:
    number = site.approved()
    site.bench.provider.faults.add(Fault("alter_sign", "drop_answer"))
    done = on(site, "change", "commit", number, "--json")
    assert (done.code, done.error["code"]) == (8, "effect.unknown")
    assert any("POST /" in frame for frame in done.error["frames"])
    assert NEW_NUMBER not in json.dumps(done.data)


# -- progress ------------------------------------------------------------------


def test_on_a_terminal_the_waiting_line_is_written_over(make_site: MakeSite) -> None:
    site = make_site(card="none")
    words = ("card", "show", "--reader", site.bench.reader, "--wait-card", "4.5")
    code, shown = terminal(words, 80, LANG="C.UTF-8")
    assert code == 4
    waits = re.findall(r"… waiting for the card, (\d+) s", shown)
    assert waits and waits == sorted(set(waits))  # when, is the machine's affair
    before = shown.partition("posctl:")[0]
    assert before.count("\n") <= 1 and before.count("\r") > len(waits)
    done = run(*words)
    lines = re.findall(r"… waiting for the card, (\d+) s\n", done.err)
    assert lines and lines == sorted(set(lines))


# -- the version ---------------------------------------------------------------


def test_the_version_has_what_a_bug_report_needs(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text('operator = "li"\n')
    done = run("--version", POSCTL_CONFIG=str(config), POSCTL_LANG="zh")
    first, *rows = done.out.splitlines()
    assert first == f"posctl {__version__}"
    told = dict(row.split(None, 1) for row in rows)
    for name in ("python", "system", "click", "pyserial", "pyscard", "cryptography"):
        assert told[name] and told[name] != "not installed", name
    assert told["language"] == "zh" and told["encodings"] == "utf-8 utf-8 utf-8"
    assert told["settings"] == str(config)
    assert "li" not in told.values()
