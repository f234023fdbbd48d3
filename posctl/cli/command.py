"""What every command has: output options, settings, failures shown the same way."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import click

from posctl.cli.console import NORMAL, QUIET, VERBOSE, Console, start_log
from posctl.cli.grammar import Command
from posctl.cli.settings import Settings
from posctl.cli.text.messages import _
from posctl.model.canonical import Json
from posctl.model.errors import LinkFailed, PosctlError, note

Body = Callable[..., Json]
Decorator = Callable[[Any], Any]


def command(
    group: click.Group | None, name: str, help_id: str, *, settings: bool = True
) -> Callable[[Body], Any]:
    """A click command around a function that takes a Console and returns data.

    Args:
        settings: end with what is wrong with the settings, if anything.
    """

    def decorate(body: Body) -> click.Command:
        @wraps(body)
        def run(
            as_json: bool,
            quiet: bool,
            verbose: bool,
            log_file: Path | None,
            yes: bool = False,
            **options: Any,
        ) -> int:
            level = QUIET if quiet else VERBOSE if verbose else NORMAL
            color = click.get_current_context().find_root().params["color"]
            console = Console(
                _path(), as_json=as_json, level=level, color=color, yes=yes
            )
            try:
                if settings:
                    current_settings().usable()
                start_log(log_file, console)
                with console.working():
                    data = body(console, **options)
                console.result(data)
                return 0
            except BrokenPipeError:
                return _nobody_reads()
            except OSError as error:
                return console.failure(_system_failure(error))
            except PosctlError as failure:
                if "number" in options:  # for what to do next
                    failure.params.setdefault("order", options["number"])
                    if isinstance(failure, LinkFailed):
                        failure.params.setdefault("resume", options["number"])
                return console.failure(failure)
            except BaseException as interrupt:
                if "number" in options:  # likewise; see main
                    note(interrupt, "order", options["number"])
                note(interrupt, "command", console.command)
                raise

        made = click.command(name, cls=Command, help=_(help_id))(_output_options(run))
        made.params.sort(key=lambda param: param.name in _OUTPUT)  # own ones first
        if group is not None:
            group.add_command(made)
        return made

    return decorate


_OUTPUT = ("as_json", "quiet", "verbose", "log_file")


def _output_options(body: Any) -> Any:
    return options(
        click.option("--json", "as_json", is_flag=True, help=_("option.json")),
        click.option("-q", "--quiet", is_flag=True, help=_("option.quiet")),
        click.option("-v", "--verbose", is_flag=True, help=_("option.verbose")),
        click.option(
            "--log-file",
            metavar="FILE",
            type=click.Path(dir_okay=False, path_type=Path),
            envvar="POSCTL_LOG_FILE",
            help=_("option.log_file"),
        ),
    )(body)


def options(*given: Decorator) -> Decorator:
    """Several options, shown in the order given."""

    def decorate(body: Any) -> Any:
        for option in reversed(given):
            body = option(body)
        return body

    return decorate


def current_settings() -> Settings:
    """Of this run."""
    found: Settings = click.get_current_context().find_root().obj
    return found


def _nobody_reads() -> int:
    """As after ``| head``: no more output, and the code that a shell gives SIGPIPE."""
    sys.stdout = open(os.devnull, "w")
    return 141


def _system_failure(error: OSError) -> PosctlError:
    """A folder of somebody else, a full disk, a closed pipe: a line, no traceback."""
    reason = error.strerror or type(error).__name__
    return LinkFailed("system.refused", reason=reason, path=error.filename or "-")


def _path() -> str:
    """``change run``: the command without the program's name."""
    return click.get_current_context().command_path.partition(" ")[2]
