"""`posctl emulate`: a bench on real wires, until it is stopped."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import tempfile
import threading
from pathlib import Path
from typing import Any

import click

from emulator.bench import (
    BRANCH,
    CARDS,
    MID,
    MOBILE,
    NEW_NUMBER,
    PROTOCOLS,
    Bench,
    Scenario,
)
from emulator.benchfile import BenchFile, read_bench
from posctl.cli.command import command, options
from posctl.cli.console import Console
from posctl.cli.options import SECONDS
from posctl.cli.text.messages import _
from posctl.model.canonical import Json
from posctl.model.errors import UsageError

_SPEEDS = ("1200", "2400", "4800", "9600", "19200", "38400", "57600", "115200")


def scenario_options(body: Any) -> Any:
    """What `emulate` and `demo` can put on the bench."""
    return options(
        click.option(
            "--card",
            metavar="CARD",
            type=click.Choice(list(CARDS)),
            default="debit",
            show_default=True,
            help=_("option.card", cards=", ".join(CARDS)),
        ),
        click.option("--direct", is_flag=True, help=_("option.direct")),
        click.option("--open-ports", is_flag=True, help=_("option.open_ports")),
        click.option(
            "--audit",
            metavar="SECONDS",
            type=SECONDS,
            default=0.3,
            show_default=True,
            help=_("option.audit"),
        ),
        click.option("--reject", is_flag=True, help=_("option.reject")),
        click.option("--wrong-terminal", is_flag=True, help=_("option.wrong_terminal")),
        click.option("--unbound", is_flag=True, help=_("option.unbound")),
    )(body)


def _line_options(body: Any) -> Any:
    """What the terminal is, as far as its line goes."""
    return options(
        click.option(
            "--protocol",
            type=click.Choice(PROTOCOLS),
            default="poslink",
            show_default=True,
            help=_("option.emulated_protocol"),
        ),
        click.option(
            "--baud",
            metavar="BAUD",
            type=click.Choice(_SPEEDS),
            default="9600",
            show_default=True,
            help=_("option.emulated_baud"),
        ),
        click.option("--paced", is_flag=True, help=_("option.paced")),
        click.option("--rfc2217", is_flag=True, help=_("option.network_serial")),
    )(body)


@command(None, "emulate", "help.emulate")
@scenario_options
@_line_options
@click.option(
    "--bench",
    "bench_file",
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help=_("option.bench"),
)
@click.option(
    "--directory",
    metavar="FOLDER",
    type=click.Path(file_okay=False, path_type=Path),
    help=_("option.directory"),
)
def emulate(
    console: Console,
    directory: Path | None,
    bench_file: Path | None,
    baud: str,
    **scenario: Any,
) -> Json:
    """The result is printed when the bench is up; then it stays until stopped."""
    told = _read(bench_file)
    typed = _typed({**scenario, "baud": int(baud)})
    with tempfile.TemporaryDirectory(prefix="posctl-") as temporary:
        scene = Scenario(**{**told.scenario(), **typed})
        with Bench(directory or Path(temporary), scene) as bench:
            told.arm(bench)
            stopped = until_signal()
            console.result(bench.connect_to())
            if not console.as_json:
                _tell_use(console, bench)
                tell_end(console, directory)
            with console.working().silent():
                while not stopped.wait(0.5):
                    pass
    return {}


def _read(path: Path | None) -> BenchFile:
    """Raises UsageError ``bench.file``."""
    if path is None:
        return BenchFile()
    try:
        return read_bench(path)
    except (ValueError, OSError) as error:
        raise UsageError("bench.file", file=path, reason=error) from None


def _typed(scenario: dict[str, Any]) -> dict[str, Any]:
    """Those options that somebody gave: they count before the file."""
    context = click.get_current_context()
    default = click.core.ParameterSource.DEFAULT
    return {
        name: value
        for name, value in scenario.items()
        if context.get_parameter_source(name) is not default
    }


def _tell_use(console: Console, bench: Bench) -> None:
    """A change needs a terminal that tells its MID."""
    if bench.scenario.protocol != "poslink":
        return console.tell("emulate.up")
    console.tell("emulate.ready")
    click.echo("\n".join(to_paste(bench)), err=True)
    tell_answers(console, bench)


def tell_answers(console: Console, bench: Bench) -> None:
    """To what `change run` will ask: published test numbers, all of them."""
    with bench.ledger.locked() as ledger:
        old = ledger.merchants[MID].account
    known = {"branch": BRANCH, "mobile": MOBILE, "digits": NEW_NUMBER[-4:]}
    console.tell("emulate.answers", old=old or "-", **known)


def tell_end(console: Console, directory: Path | None) -> None:
    if directory is None:
        console.tell("emulate.removed")
    else:
        console.tell("emulate.kept", folder=directory)


def _free_home(folder: Path) -> Path:
    """A set-up of an earlier bench knows another CA and another address."""
    names = ("home", *(f"home-{number}" for number in range(2, 1000)))
    return next(folder / name for name in names if not (folder / name).exists())


def to_paste(bench: Bench) -> list[str]:
    """What to type in another shell, from the set-up to the proposal."""
    exports = {"POSCTL_HOME": str(_free_home(bench.directory)), **bench.environment}
    people = ["--technician", "li", "--approver", "wang", "--profile", "emulator"]
    provider = ["--provider-url", bench.url, "--provider-ca", str(bench.ca_file)]
    issued = ["--credentials", str(bench.credentials_file)]
    issued += ["--ca-keys", str(bench.ca_keys_file)]
    means = ["--port", bench.port, "--reader", bench.reader]
    commands = (
        *_variables(exports),
        ["posctl", "setup", "--test", *people, *provider, *issued],
        ["posctl", "merchant", "fetch", MID],
        ["posctl", "change", "run", *means, "--pictures", str(bench.pictures)],
    )
    return [f"    {_joined(words)}" for words in commands]


def _variables(exports: dict[str, str]) -> list[list[str]]:
    """As the shell of this system sets them."""
    if os.name == "nt":
        return [["set", f"{name}={value}"] for name, value in exports.items()]
    return [["export", *(f"{name}={value}" for name, value in exports.items())]]


def _joined(words: list[str]) -> str:
    return subprocess.list2cmdline(words) if os.name == "nt" else shlex.join(words)


def until_signal() -> threading.Event:
    """Set by Ctrl-C or SIGTERM, from now on: whoever reads the result may send one."""
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    return stopped
