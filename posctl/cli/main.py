"""Where the program begins: streams, signals, settings and language, in this order,
before anything is imported that speaks."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from types import FrameType
from typing import Any, NoReturn

_WITH_VALUE = ("--lang", "--config", "--color")
"""The root's options; they stand before the command."""
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
    known = settings.load(_root_option(words, "--config"), environment)
    named = _root_option(words, "--lang")
    language.use(language.choose(named, environment, known.general.get("lang")))
    from posctl.cli.root import run

    return run(words, known)


def _leave(code: int) -> int:
    from posctl.cli.text.messages import _

    print(_("error.interrupted"), file=sys.stderr)  # noqa: T201 - click may be missing
    return code


def _root_option(words: Sequence[str], wanted: str) -> str | None:
    """The value of an option that counts before click sees any."""
    rest = iter(words)
    for word in rest:
        name, equals, value = word.partition("=")
        if not word.startswith("-"):
            return None
        if name in _WITH_VALUE and not equals:
            value = next(rest, "")
        if name == wanted:
            return value
    return None
