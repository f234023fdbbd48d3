"""Back up what can be read from the terminal, and prove the back-up (R36)."""

from __future__ import annotations

import hashlib
import json

from posctl.change.journal import Journal
from posctl.change.order import Order
from posctl.field.look import LOOK_SECONDS
from posctl.field.place import FieldPlace
from posctl.model.canonical import Json, canonical
from posctl.model.deadline import Deadline
from posctl.model.errors import CheckFailed
from posctl.terminals import TerminalDriver


def back_up(place: FieldPlace, journal: Journal, driver: TerminalDriver) -> Order:
    """Store the terminal's parameters and prove that the copy can be used.

    The event is appended only after the stored copy was opened again, decoded, and
    found equal to a second read. A terminal holds no account number and its driver
    reads no track data, so the copy holds none either.

    Raises:
        CheckFailed: ``backup.differs`` with the parameters that moved.
    """
    body = canonical(_parameters(place, driver))
    sha256 = hashlib.sha256(body).hexdigest()
    place.log.attach(journal.number, [body])
    stored: Json = json.loads(place.log.attachment(sha256))
    second = _parameters(place, driver)
    moved = sorted(k for k in stored | second if stored.get(k) != second.get(k))
    if moved:
        raise CheckFailed("backup.differs", parameters=", ".join(moved))
    return journal.append(
        "backup.proved", {"backup": sha256, "parameters": len(second)}
    )


def _parameters(place: FieldPlace, driver: TerminalDriver) -> Json:
    deadline = Deadline(LOOK_SECONDS)
    identity = driver.identify(deadline)
    values = driver.read_variables(sorted(place.profile.variables), deadline)
    return {
        "serial": identity.serial,
        "model": identity.model,
        "firmware": identity.firmware,
        **values,
    }
