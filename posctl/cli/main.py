"""Where the program begins: streams, signals, settings and language, in this order,
before anything is imported that speaks."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from types import FrameType
from typing import Any, NoReturn

_OF_THE_ROOT = ("--lang", "--config", "--color")
"""Options of the root that take a value; people may type them anywhere."""
_INTERRUPTED, _TERMINATED = 130, 143


class Terminated(BaseException):
    """SIGTERM: leave at once, as Ctrl-C does; the event log knows how far we were."""


def _terminate(number: int, frame: FrameType | None) -> None:
    raise Terminated


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run the command line and exit with the design's exit code."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure: Any = getattr(stream, "reconfigure", None)
        if reconfigure:
            # A name may hold a character that a GBK console or LC_ALL=C has not.
            reconfigure(errors="backslashreplace")
    signal.signal(signal.SIGTERM, _terminate)
    sys.exit(_run(arguments))


def _run(arguments: list[str] | None) -> int:
    words = sys.argv[1:] if arguments is None else arguments
    try:
        return _begin(words)
    except KeyboardInterrupt:
        return _leave(_INTERRUPTED)
    except Terminated:
        return _leave(_TERMINATED)


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


def _leave(code: int) -> int:
    from posctl.cli.text.messages import _

    print(_("error.interrupted"), file=sys.stderr)  # noqa: T201 - click may be missing
    return code


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
        elif equals or (value := next(rest, "")):
            first.append(f"{name}={value}")
            values[name] = value
        else:
            first.append(name)
    return first + others, values
