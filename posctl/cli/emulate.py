"""`posctl emulate`: a bench on real wires, until it is stopped."""

from __future__ import annotations

import signal
import tempfile
import threading
from pathlib import Path
from typing import Any

import click

from emulator.bench import CARDS, Bench, Scenario
from posctl.cli.command import SECONDS, command
from posctl.cli.console import Console
from posctl.cli.messages import _
from posctl.model.canonical import Json


def scenario_options(body: Any) -> Any:
    """What `emulate` and `demo` can put on the bench."""
    options = (
        click.option(
            "--card",
            type=click.Choice(list(CARDS)),
            default="debit",
            show_default=True,
            help=_("option.card"),
        ),
        click.option("--direct", is_flag=True, help=_("option.direct")),
        click.option("--open-ports", is_flag=True, help=_("option.open_ports")),
        click.option(
            "--audit",
            type=SECONDS,
            default=0.3,
            show_default=True,
            help=_("option.audit"),
        ),
        click.option("--reject", is_flag=True, help=_("option.reject")),
        click.option("--wrong-terminal", is_flag=True, help=_("option.wrong_terminal")),
    )
    for option in reversed(options):
        body = option(body)
    return body


@command(None, "emulate", "help.emulate")
@scenario_options
@click.option(
    "--directory",
    type=click.Path(file_okay=False, path_type=Path),
    help=_("option.directory"),
)
def emulate(console: Console, directory: Path | None, **scenario: Any) -> Json:
    """The result is printed when the bench is up; then it stays until stopped."""
    with tempfile.TemporaryDirectory(prefix="posctl-") as temporary:
        with Bench(directory or Path(temporary), Scenario(**scenario)) as bench:
            console.result(bench.connect_to())
            console.tell("emulate.ready")
            wait_for_signal(console)
    return {}


def wait_for_signal(console: Console) -> None:
    """Until Ctrl-C or SIGTERM."""
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    with console.working().silent():
        while not stopped.wait(0.5):
            pass
