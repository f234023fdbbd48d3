"""Back up what can be read from the terminal, and prove the back-up (R36)."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path

from posctl.change.journal import Journal
from posctl.change.order import Order
from posctl.field.look import LOOK_SECONDS
from posctl.field.place import FieldPlace
from posctl.model.canonical import Json, canonical
from posctl.model.deadline import Deadline
from posctl.model.errors import CheckFailed, UsageError
from posctl.store.files import read_json, remove, write_private
from posctl.terminals import TerminalDriver

_RUNNING = ("clock",)
"""Differs between two reads of the same terminal: no parameter to keep."""


def back_up(place: FieldPlace, journal: Journal, driver: TerminalDriver) -> Order:
    """Store the terminal's parameters and prove that the copy can be used.

    The event is appended only after the stored copy was opened again, decoded, and
    found equal to a second read. The driver reads no track data and masks numbers in
    free texts, so the copy holds none.

    Raises:
        CheckFailed: ``backup.differs`` with the parameters that moved.
    """
    names = sorted(place.profile.terminal.variables)
    if not names:
        why = "this terminal shows no parameters"
        return journal.append(
            "backup.proved", {"backup": "", "parameters": 0, "not_applicable": why}
        )
    body = canonical(parameters(driver, names))
    sha256 = hashlib.sha256(body).hexdigest()
    place.log.attach(journal.number, [body])
    stored: Json = json.loads(place.log.attachment(sha256))
    second = parameters(driver, names)
    check_same(stored, second)
    return journal.append(
        "backup.proved", {"backup": sha256, "parameters": len(second)}
    )


def write_backup(driver: TerminalDriver, names: Sequence[str], path: Path) -> Json:
    """A back-up in a file of its own, outside any order, proved in the same way. It
    has its name only when it is proved.

    Raises:
        UsageError: ``file.exists``: nothing is written over.
        CheckFailed: ``backup.differs``; no file is left.
        LinkFailed: ``file.unwritable``.
    """
    if os.path.lexists(path):
        raise UsageError("file.exists", path=str(path))
    unproved = path.with_name(f".{path.name}.unproved")
    body = canonical(parameters(driver, names))
    write_private(unproved, body)
    try:
        check_same(read_json(unproved), parameters(driver, names))
        os.rename(unproved, path)
    except BaseException:
        remove(unproved)
        raise
    sha256 = hashlib.sha256(body).hexdigest()
    return {"file": str(path), "sha256": sha256, "parameters": len(json.loads(body))}


def check_same(stored: Json, second: Json) -> None:
    """Raises CheckFailed ``backup.differs`` with the parameters that moved."""
    moved = sorted(k for k in stored | second if stored.get(k) != second.get(k))
    if moved:
        raise CheckFailed("backup.differs", parameters=", ".join(moved))


def parameters(driver: TerminalDriver, names: Sequence[str]) -> Json:
    """Who the terminal is, and those of its variables that stand still."""
    deadline = Deadline(LOOK_SECONDS)
    identity = driver.identify(deadline)
    standing = [name for name in names if name not in _RUNNING]
    values = driver.read_variables(standing, deadline)
    return {
        "serial": identity.serial,
        "model": identity.model,
        "firmware": identity.firmware,
        **values,
    }
