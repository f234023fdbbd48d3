"""Preflight: windows first, then documents, fee and terms (R8, R11)."""

from __future__ import annotations

import hashlib
from pathlib import Path

from posctl.change.person import Person
from posctl.field.look import LOOK_SECONDS
from posctl.field.place import FieldPlace
from posctl.model.canonical import Json
from posctl.model.deadline import Deadline
from posctl.model.errors import CheckFailed
from posctl.terminals import TerminalDriver

_TYPES = {b"\xff\xd8\xff": "image/jpeg", b"\x89PNG": "image/png"}


def preflight(
    place: FieldPlace, driver: TerminalDriver, pictures: dict[str, Path]
) -> Json:
    """What must be right before anything is read or typed.

    Settlement is not asked for: the change is the provider's, nothing is written to
    the terminal, so the batch is a note (R11).

    Raises:
        ClosedNow: ``window.closed``.
        CheckFailed: ``document.missing``, ``document.type``, ``document.size``.
    """
    profile = place.profile
    profile.windows.check(place.clock.now())
    totals = driver.totals(Deadline(LOOK_SECONDS))
    if totals.count:
        place.person.tell("preflight.batch", count=totals.count, amount=totals.amount)
    return {
        "batch": {"count": totals.count, "amount": str(totals.amount)},
        "documents": [
            check_picture(kind, path, profile.largest_picture)
            for kind, path in sorted(pictures.items())
        ],
        "fee": str(profile.fee),
        "terms_sha256": profile.terms_sha256,
    }


def find_pictures(place: FieldPlace, folder: Path | None) -> dict[str, Path]:
    """The profile's documents in the folder: ``KIND.jpg`` or ``KIND.png`` each.

    Asks for the folder when it was not given and the profile wants documents.
    """
    wanted = place.profile.documents
    if not wanted:
        return {}
    kinds = [document.kind for document in wanted]
    if folder is None:
        labels = "; ".join(f"{d.kind}.jpg = {d.label}" for d in wanted)
        place.person.tell("document.wanted", labels=labels)
        folder = ask_folder(place.person, kinds)
    return {kind: _picture(folder, kind) for kind in kinds}


def ask_folder(person: Person, kinds: list[str]) -> Path:
    """A folder that holds all the pictures; asked again until it does."""

    def check(text: str) -> Path:
        folder = Path(text.strip()).expanduser()
        for kind in kinds:
            _picture(folder, kind)
        return folder

    return person.ask("ask.pictures", check, secret=False)


def _picture(folder: Path, kind: str) -> Path:
    for ending in ("jpg", "jpeg", "png"):
        path = folder / f"{kind}.{ending}"
        if path.is_file():
            return path
    raise CheckFailed("document.missing", kind=kind, path=str(folder / f"{kind}.jpg"))


def check_picture(kind: str, path: Path, largest: int) -> Json:
    """Kind, hash, size and type of a picture; nothing of it is copied.

    Raises:
        CheckFailed: ``document.missing``, ``document.size``, ``document.type``.
    """
    try:
        body = path.read_bytes()
    except OSError:
        raise CheckFailed("document.missing", kind=kind, path=str(path)) from None
    if not 0 < len(body) <= largest:
        raise CheckFailed(
            "document.size", path=str(path), size=len(body), limit=largest
        )
    media = next((m for start, m in _TYPES.items() if body.startswith(start)), None)
    if media is None:
        raise CheckFailed("document.type", path=str(path))
    return {
        "kind": kind,
        "sha256": hashlib.sha256(body).hexdigest(),
        "size": len(body),
        "type": media,
    }
