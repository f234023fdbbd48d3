"""Completion by real shells, with ports, readers, shops and order numbers."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from cli_runs import of, run
from terminals import Screen, screen
from world import RUN_ANSWERS, MakeSite, Site

from emulator.card.pcscd import available

SETTINGS = '[shops.noodles]\nport = "COM3"\n'
SHELLS = {
    "bash": (
        ["bash", "--norc", "--noprofile", "-i"],
        'eval "$(posctl completion bash)"',
    ),
    "zsh": (
        ["zsh", "-f", "-i"],
        'autoload -U compinit && compinit -u -D && eval "$(posctl completion zsh)"',
    ),
    "fish": (["fish", "--no-config"], "posctl completion fish | source"),
}


@pytest.fixture
def known(make_site: MakeSite, tmp_path: Path) -> tuple[Site, dict[str, str]]:
    """A site with one order and one shop, its readers in a real pcscd."""
    reason = available()
    if reason is not None:
        assert os.environ.get("CI") != "true", reason
    site = make_site(direct=reason is not None)
    site.spawn("change", "run", *site.means(), answers=RUN_ANSWERS).ok()
    config = tmp_path / "config.toml"
    config.write_text(SETTINGS, "utf-8")
    given = {"POSCTL_CONFIG": str(config), "HOME": str(tmp_path)}
    return site, {**of(site), **given}


@pytest.mark.parametrize("shell", SHELLS)
def test_a_shell_completes(known: tuple[Site, dict[str, str]], shell: str) -> None:
    site, given = known
    number = str(site.run("orders", "list").ok()["orders"][0]["order"])
    program, load = SHELLS[shell]
    with screen(program, 100, **given) as window:
        window.line(load)
        window.line("echo load''ed")
        window.until("^loaded")
        completes(window, "posctl bin", r"posctl binding")
        completes(window, "posctl change res", r"posctl change resume")
        completes(window, f"posctl orders show {number[:2]}", number)
        completes(window, "posctl card show --shop noo", r"--shop noodles")
        if not site.bench.no_pcscd:
            # a name with blanks stays one word, however the shell quotes it
            name = r"POS(\\ | )CARD(\\ | )00(\\ | )0"
            completes(window, "posctl card show --reader PO", name)


def completes(window: Screen, begun: str, pattern: str) -> None:
    window.type("-l", begun)
    window.until(begun.replace("-", r"\-") + "$")
    window.type("Tab")
    window.until(pattern)
    window.type("C-e", "C-u")
    mark = f"{len(begun)}{begun[-3:].strip()}"
    window.line(f"echo ma''rk{mark}")
    window.until(f"^mark{mark}")


def asked(site: Site, given: dict[str, str], typed: str, word: str) -> list[str]:
    """As the PowerShell script asks; no PowerShell is at hand."""
    done = run(
        **given,
        _POSCTL_COMPLETE="powershell_complete",
        COMP_WORDS=typed,
        COMP_WORD=word,
    )
    assert done.code == 0
    return done.out.splitlines()


def test_powershell_by_its_protocol(known: tuple[Site, dict[str, str]]) -> None:
    site, given = known
    number = str(site.run("orders", "list").ok()["orders"][0]["order"])
    assert asked(site, given, "posctl bin", "bin")[0].startswith("binding\t")
    assert asked(site, given, "posctl orders show ", "") == [f"{number}\tPROPOSED"]
    assert asked(site, given, "posctl card show --shop ", "") == ["noodles\tCOM3"]
    script = run("completion", "powershell").out
    assert "Register-ArgumentCompleter -Native -CommandName posctl" in script
    assert "$" in script and "%(" not in script


def test_completion_fails_silently(tmp_path: Path) -> None:
    """No set-up, no pcscd, a settings file that is wrong: nothing is completed."""
    wrong = tmp_path / "config.toml"
    wrong.write_text("prot = 1", "utf-8")
    given = {"POSCTL_HOME": str(tmp_path / "none"), "POSCTL_CONFIG": str(wrong)}
    for typed in ("posctl orders show ", "posctl card show --reader "):
        done = run(
            **given,
            PCSCLITE_CSOCK_NAME=str(tmp_path / "none.comm"),
            _POSCTL_COMPLETE="powershell_complete",
            COMP_WORDS=typed,
            COMP_WORD="",
        )
        assert (done.code, done.out.strip(), done.err) == (0, "", "")
    assert not (tmp_path / "none").exists()


def test_the_scripts_are_what_the_shells_can_read() -> None:
    for shell, syntax in (("bash", "-n"), ("zsh", "-n"), ("fish", "-n")):
        script = run("completion", shell).out
        done = subprocess.run([shell, syntax], input=script, text=True, timeout=20)
        assert done.returncode == 0, shell
