"""Delivers notices: at least once each, under the key of its order (R46).

An adapter gets one notice and returns, or raises; it is marked as delivered after that.
A crash between the two delivers it again, with the same key.
"""

from __future__ import annotations

import errno
import os
import shlex
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

from posctl.change.journal import exclusive
from posctl.change.order import replay
from posctl.model.canonical import Json, canonical
from posctl.model.errors import CheckFailed, LinkFailed
from posctl.office.each import for_each
from posctl.office.place import OfficePlace
from posctl.office.receipt import notice_of
from posctl.store.files import unwritable

Adapter = Callable[[Json], None]
_SECONDS = 60.0
RETURNED = "order.returned"


def deliver_all(place: OfficePlace, adapter: Adapter) -> list[str]:
    """The keys that were delivered now. One that fails waits for the next time; it
    keeps none of the others.

    Raises:
        PosctlError: what the adapter raised first.
    """
    with exclusive(place.log, "outbox"):
        waiting = {key: notice for key, _order, notice in place.log.undelivered()}

        def deliver(key: str) -> bool:
            adapter({"key": key, **waiting[key]})
            place.log.mark_delivered(key)
            return True

        return for_each(waiting, deliver, place.person)


def check_outbox(place: OfficePlace) -> None:
    """The notices of results, which no chain holds, against the events.

    Raises:
        CheckFailed: ``outbox.altered`` with the order: edited, or taken out.
    """
    kept = {key: notice for key, _order, notice in place.log.outbox()}
    for order in place.orders():
        events = place.log.events(order.number)
        kinds = [event.kind for event in events]
        if RETURNED not in kinds:
            continue
        decided = replay(events[: kinds.index(RETURNED)])
        if kept.get(order.number) != notice_of(decided):
            raise CheckFailed("outbox.altered", order=order.number)


def to_file(path: Path) -> Adapter:
    """One line of JSON each, at the end of the file, durable."""

    def write(notice: Json) -> None:
        try:
            with open(path, "ab", opener=_private) as file:
                if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                    raise OSError(errno.EINVAL, "not a regular file")
                file.write(canonical(notice) + b"\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise unwritable(path, error) from error

    return write


def _private(path: str, flags: int) -> int:
    """A pipe that nobody reads must not hold it up."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0), 0o600)


def to_command(line: str) -> Adapter:
    """A program that gets the JSON on its standard input; 0 means delivered.

    Raises:
        LinkFailed: ``outbox.failed`` with the exit code.
    """
    words = shlex.split(line)

    def run(notice: Json) -> None:
        try:
            done = subprocess.run(
                words,
                input=canonical(notice),
                stdout=subprocess.DEVNULL,  # a child that stays would keep a pipe open
                stderr=subprocess.DEVNULL,
                timeout=_SECONDS,
            )
            failed = str(done.returncode) if done.returncode else ""
        except (OSError, subprocess.TimeoutExpired, IndexError) as error:
            failed = type(error).__name__
        if failed:
            raise LinkFailed("outbox.failed", key=notice["key"], reason=failed)

    return run
