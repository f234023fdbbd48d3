"""What a person sees: data on stdout, everything else on stderr (R43).

The console is the ``Person`` that field and office talk to. Whatever is being done,
a line with the elapsed time appears at least every two seconds.
"""

from __future__ import annotations

import errno
import json
import logging
import os
import re
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO, TypeVar

import click

from posctl.cli.layout import joined, terminal_width, wrap_lines
from posctl.cli.progress import Ticker, echo_err
from posctl.cli.text.failures import describe
from posctl.cli.text.messages import ALWAYS_SAID, WARNINGS, _
from posctl.model.canonical import Json
from posctl.model.cells import cells
from posctl.model.errors import CheckFailed, Declined, PosctlError

T = TypeVar("T")
SCHEMA = "posctl/1"
"""Of what ``--json`` prints: posctl/schema/posctl-1.json."""
ASKS = "? "
"""How a question begins where stdin is not a terminal."""
QUIET, NORMAL, VERBOSE = -1, 0, 1
_TRIES = 3
_YES_IS_ENOUGH = {"propose.confirm", "erase.confirm", "apdu.confirm"}
"""Not settling, and not where a person answers for what he did or saw (R44)."""
log = logging.getLogger("posctl.command")
logging.getLogger("posctl").addHandler(logging.NullHandler())
logging.raiseExceptions = False  # a full disk must not fill the screen


class Console:
    """Tells and asks on stderr, prints results on stdout.

    Args:
        command: its words without the program's name, as in ``change run``.
        as_json: results and failures as one JSON object instead of text.
        level: QUIET (questions, warnings and failures only), NORMAL, VERBOSE.
        color: auto, always, never.
        yes: given for the word of a question that decides, never for a check's.
    """

    def __init__(
        self,
        command: str,
        *,
        as_json: bool,
        level: int = NORMAL,
        color: str = "auto",
        yes: bool = False,
    ) -> None:
        self.command = command
        self.as_json = as_json
        self.level = level
        self._color = color
        self._yes = yes
        self._ticker = Ticker(_("wait.work"), quiet=level == QUIET)
        self._mark = ""

    @contextmanager
    def marked(self, mark: str) -> Iterator[None]:
        """Every line meanwhile begins with this word: it is not what it looks like."""
        self._mark = self._ticker.mark = f"{mark} "
        try:
            yield
        finally:
            self._ticker.spoke()
            self._mark = self._ticker.mark = ""

    def colored(self, stream: TextIO) -> bool:
        """Whether colours go to ``stream``. NO_COLOR: see no-color.org."""
        if self._color != "auto":
            return self._color == "always"
        plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
        return stream.isatty() and not plain

    # -- Person ----------------------------------------------------------------

    def tell(self, message: str, **params: object) -> None:
        self._ticker.label = _("wait.work")
        log.info("%s%s", self._mark, message)
        if self.level == QUIET and message not in WARNINGS | ALWAYS_SAID:
            return
        warns = {"fg": "yellow"} if message in WARNINGS else {}
        told = {name: _in_words(value) for name, value in params.items()}
        self._say(f"  {_(message, **told)}", **warns)

    def waiting(self, message: str, **params: object) -> None:
        self._ticker.label = _(message, **params)

    def ask(
        self,
        question: str,
        check: Callable[[str], T],
        *,
        secret: bool,
        **params: object,
    ) -> T:
        asked = _(question, **params)
        for _try in range(_TRIES):
            try:
                return check(self._read(asked, secret=secret, empty=True))
            except CheckFailed as failure:
                self.tell_failure(failure)
            except Declined as none:
                none.params["asked"] = question  # for scripts, in any language
                raise
        raise Declined("person.no_answer", question=asked, asked=question)

    def confirm(self, question: str, word: str, **params: object) -> bool:
        self._say(_(question, **params))
        if self._yes and question in _YES_IS_ENOUGH:
            self.tell("said.yes", word=word)
            return False
        if self._read(_("ask.word", word=word), secret=False).strip() != word:
            raise Declined("person.declined", word=word)
        return True

    def tell_failure(self, failure: PosctlError) -> None:
        """One that will be asked again."""
        self._say(f"  {describe(failure)['text']}", fg="yellow")

    # -- asking ----------------------------------------------------------------

    def new_passphrase(self, name: str, *, least: int) -> str:
        question = _("ask.new_passphrase", name=name, least=least)
        return self._read(question, secret=True)

    def passphrase(self, name: str, *, again: bool = False) -> str:
        question = _("ask.passphrase", name=name)
        return self._read(
            _("ask.again", question=question) if again else question, secret=True
        )

    def _read(self, question: str, *, secret: bool, empty: bool = False) -> str:
        """``empty``: no answer is one too, on a terminal as in a pipe."""
        with self._ticker.silent():
            if sys.stdin.isatty():
                forget_what_was_typed_ahead()
                shown = wrapped(question)
                if self.colored(sys.stderr):
                    shown = click.style(shown, bold=True)
                line = _typed(shown, question, secret, empty) + "\n"
            else:
                echo_err(f"{ASKS}{question}:")
                line = sys.stdin.readline()
        if not line:
            raise Declined("person.no_answer", question=question)
        if not _is_text(line):
            raise Declined("person.unreadable", question=question)
        return line.rstrip("\r\n")

    def note(self, text: str) -> None:
        """A line of the log, as it happens."""
        self._say(f"  . {text}", dim=True)

    def _say(self, text: str, head: str = "", **style: Any) -> None:
        """``head``, if any, is what the style is for; otherwise the whole text."""
        self._ticker.spoke()
        shown = wrapped(joined(head, text) if head else text, cells(self._mark))
        shown = "\n".join(f"{self._mark}{line}" for line in shown.split("\n"))
        styled = len(head) or len(shown)
        shown = click.style(shown[:styled], **style) + shown[styled:]
        echo_err(shown, color=self.colored(sys.stderr))

    # -- the end of a command --------------------------------------------------

    def working(self) -> Ticker:
        return self._ticker

    def result(self, data: Json) -> None:
        if not data:
            return
        self._ticker.spoke()
        if self.as_json:
            self._print_json({"ok": True, "result": data})
            return
        from posctl.cli.tables import print_text

        print_text(data, colored=self.colored(sys.stdout))

    def failure(self, failure: PosctlError) -> int:
        """Show it; its exit code."""
        shown = describe(failure)
        log.error("%s exit %s", failure.code, failure.exit_code)
        self._ticker.spoke()
        if self.as_json:
            self._print_json({"ok": failure.exit_code == 0, "error": shown})
        else:
            self._tell_failure(failure, shown)
        return failure.exit_code

    def _tell_failure(self, failure: PosctlError, shown: Json) -> None:
        good = failure.exit_code == 0
        head = _("word.note") if good else f"posctl: {failure.code}:"
        self._say(shown["text"], head, fg="green" if good else "red", bold=True)
        if shown["next"]:
            self._say(shown["next"], _("word.next"), bold=True)
        if failure.frames:
            self._say(_("word.frames"))
        for frame in failure.frames:
            self._say(f"  {frame}", dim=True)

    def _print_json(self, data: Json) -> None:
        whole = {"schema": SCHEMA, "command": self.command, **data}
        # A character that stdout lacks must stay a JSON escape, not become Python's.
        utf8 = (sys.stdout.encoding or "").casefold().replace("-", "") == "utf8"
        text = json.dumps(whole, ensure_ascii=not utf8, indent=2)
        click.echo(_MOVES.sub(_escaped, text))


_MOVES = re.compile(r"[\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]")
"""What JSON leaves as it is and a terminal obeys: C1 controls, directions, breaks."""


def _escaped(char: re.Match[str]) -> str:
    return f"\\u{ord(char[0]):04x}"


def _typed(shown: str, question: str, secret: bool, empty: bool) -> str:
    """At a terminal. Ctrl-D there is what the end of a pipe is: no answer."""
    try:
        ends = f"{_('word.colon')} "
        typed = click.prompt(
            shown,
            default="" if empty else None,
            show_default=False,
            hide_input=secret,
            err=True,
            prompt_suffix=ends,
        )
        return str(typed)
    except click.Abort as abort:
        if isinstance(abort.__context__, EOFError):
            raise Declined("person.no_answer", question=question) from None
        raise


def _in_words(value: object) -> object:
    """A failure that stops nothing is told whole within a note."""
    if not isinstance(value, PosctlError):
        return value
    shown = describe(value)
    following = f"; {shown['next']}" if shown["next"] else ""
    return f"{shown['text']} ({value.code}){following}"


def _is_text(line: str) -> bool:
    """Not so: bytes that this console's encoding has no characters for."""
    try:
        line.encode()
    except UnicodeEncodeError:
        return False
    return True


def forget_what_was_typed_ahead() -> None:
    """A confirmation must be typed after its question was shown."""
    try:
        import termios
    except ImportError:  # Windows
        import msvcrt

        while msvcrt.kbhit():  # type: ignore[attr-defined,unused-ignore]
            msvcrt.getwch()  # type: ignore[attr-defined,unused-ignore]
    else:
        termios.tcflush(sys.stdin.fileno(), termios.TCIFLUSH)


def wrapped(text: str, less: int = 0) -> str:
    """Wrapped by cells for a person's terminal, ``less`` cells narrower; in a pipe a
    line stays a line."""
    if not sys.stderr.isatty():
        return text
    return wrap_lines(text, terminal_width(sys.stderr) - 1 - less)


def start_log(path: Path | None, console: Console) -> None:
    """Where log lines go: a file of its owner's (mode 0600), and stderr if VERBOSE.

    Log lines hold message ids, codes and masked frames, never what was typed.

    Raises:
        OSError: the file cannot be written.
    """
    logger = logging.getLogger("posctl")
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    for handler in tuple(logger.handlers):  # of a command before, in one process
        logger.removeHandler(handler)
        handler.close()
    logger.addHandler(logging.NullHandler())
    if path is not None:
        to_file = logging.StreamHandler(_own_file(path))
        pattern = "%(asctime)s %(process)d %(levelname)s %(name)s %(message)s"
        to_file.setFormatter(logging.Formatter(pattern))
        logger.addHandler(to_file)
    if console.level == VERBOSE:
        logger.addHandler(_Spoken(console))


def _own_file(path: Path) -> TextIO:
    """A regular file of ours, opened to append, readable by its owner only, also if it
    was there before (Windows keeps its own rights).

    Raises:
        OSError: something else, a link among them, or somebody else's.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    flags |= getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOFOLLOW", 0)
    handle = os.open(path, flags, 0o600)
    found = os.fstat(handle)
    ours = not hasattr(os, "geteuid") or found.st_uid == os.geteuid()
    if not stat.S_ISREG(found.st_mode) or not ours:
        os.close(handle)
        raise OSError(errno.EINVAL, "not a regular file of yours", str(path))
    if hasattr(os, "fchmod"):
        os.fchmod(handle, 0o600)
    return os.fdopen(handle, "a", encoding="utf-8", errors="backslashreplace")


class _Spoken(logging.Handler):
    """To stderr, in turn with everything else that is said there."""

    def __init__(self, console: Console) -> None:
        super().__init__()
        self._console = console

    def emit(self, record: logging.LogRecord) -> None:
        self._console.note(f"{record.name} {record.getMessage()}")
