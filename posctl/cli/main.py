"""Where the program begins: streams, signals, settings and language, in this order,
before anything is imported that speaks."""

from __future__ import annotations

import contextlib
import os
import signal
import sys

TYPE_CHECKING = False  # the real one costs imports in which Ctrl-C could strike
if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import FrameType
    from typing import Any, NoReturn

_OF_THE_ROOT = ("--lang", "--config", "--color")
"""Options of the root that take a value; people may type them anywhere."""
_UNEXPECTED, _SYSTEM = 1, 5
_INTERRUPTED, _TERMINATED, _NOBODY_READS = 130, 143, 141
_MISSING = "\0"
"""No argument can be this."""


class Terminated(BaseException):
    """SIGTERM: leave at once, as Ctrl-C does; the event log knows how far we were."""


def _terminate(number: int, frame: FrameType | None) -> None:
    raise Terminated


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run the command line and exit with the design's exit code."""
    signal.signal(signal.SIGTERM, _terminate)
    _prepare_streams()
    code = _run(arguments)
    _let_go()
    sys.exit(code)


def _prepare_streams() -> None:
    """None of them may be missing, and none may end a command by a character: a name
    may hold one that a GBK console has not, a terminal may send bytes that are none."""
    for name, mode, errors in (
        ("stdin", "r", "surrogateescape"),
        ("stdout", "w", "backslashreplace"),
        ("stderr", "w", "backslashreplace"),
    ):
        stream: Any = getattr(sys, name)
        if stream is None:  # closed by whoever started us
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))
        elif hasattr(stream, "reconfigure"):
            stream.reconfigure(errors=errors)


def _let_go() -> None:
    """What could not be written stays in a buffer, which the interpreter would write
    out again at its end, and complain: it goes nowhere instead."""
    for stream in filter(None, (sys.__stdout__, sys.__stderr__)):
        try:
            stream.flush()
        except (OSError, ValueError):
            with contextlib.suppress(OSError, ValueError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _run(arguments: list[str] | None) -> int:
    words = sys.argv[1:] if arguments is None else arguments
    try:
        return _begin(words)
    except KeyboardInterrupt as interrupt:
        return _leave("interrupted", _INTERRUPTED, words, interrupt)
    except Terminated as interrupt:
        return _leave("interrupted", _TERMINATED, words, interrupt)
    except BrokenPipeError:
        sys.stdout = open(os.devnull, "w")
        return _NOBODY_READS
    except OSError as error:
        return _leave("system.refused", _SYSTEM, words, error)
    except Exception as error:
        if isinstance(error.__cause__, KeyboardInterrupt):
            return _leave("interrupted", _INTERRUPTED, words, error)
        return _leave("unexpected", _UNEXPECTED, words, error)


def _begin(words: list[str]) -> int:
    from posctl.cli import settings
    from posctl.cli.text import language

    environment = dict(os.environ)
    words, given = _root_first(words)
    known = settings.load(given.get("--config"), environment)
    configured = known.general.get("lang")
    language.use(language.choose(given.get("--lang"), environment, configured))
    from posctl.cli.root import run

    return run(words, known)


def _leave(code: str, exit_code: int, words: list[str], error: BaseException) -> int:
    """The last thing that is said, whatever state the program is in. An exception's
    own words are not: they may hold anything."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second Ctrl-C
    try:
        _say_last(code, exit_code, words, error)
    finally:
        signal.signal(signal.SIGINT, before)
    return exit_code


def _say_last(
    code: str, exit_code: int, words: list[str], error: BaseException
) -> None:
    from posctl.cli.console import Console
    from posctl.model.errors import PosctlError, interrupted_at

    told = interrupted_at(error)
    command = told.pop("command", "")
    if code == "interrupted" and "order" not in told:
        code = "interrupted.no_order"
    if isinstance(error, OSError):
        told["reason"] = error.strerror or type(error).__name__
        told["path"] = str(error.filename or "-")
    if code == "unexpected":
        _log_place(error)
    failure = PosctlError(code, kind=type(error).__name__, **told)
    failure.exit_code = exit_code  # type: ignore[misc]
    try:
        Console(command, as_json="--json" in words).failure(failure)
    except OSError:  # nobody is there to read it
        sys.stdout = open(os.devnull, "w")


def _log_place(error: BaseException) -> None:
    """Where it happened: files, lines and functions, without any value."""
    import logging
    import traceback

    for line in traceback.format_tb(error.__traceback__):
        logging.getLogger("posctl.unexpected").error("%s", " ".join(line.split()))


def _root_first(words: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """The words with the root's options moved to the front, as click wants them, and
    the values of these options, which count before click sees any."""
    first: list[str] = []
    others: list[str] = []
    values: dict[str, str] = {}
    rest = iter(words)
    for word in rest:
        name, equals, value = word.partition("=")
        if word == "--":
            others += [word, *rest]
        elif name not in _OF_THE_ROOT:
            others.append(word)
        elif equals or (value := next(rest, _MISSING)) is not _MISSING:
            first.append(f"{name}={value}")
            values[name] = value
        else:
            first.append(name)
    return first + others, values
