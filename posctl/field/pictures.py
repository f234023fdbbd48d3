"""The pictures of an order: found, checked, never copied (R7)."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from posctl.change.person import Person
from posctl.field.place import FieldPlace
from posctl.model.canonical import Json
from posctl.model.errors import CheckFailed
from posctl.model.profile import Document
from posctl.store.files import read_as, texts, write_json

_TYPES = {b"\xff\xd8\xff": "image/jpeg", b"\x89PNG": "image/png"}


def find_pictures(
    place: FieldPlace, wanted: Sequence[Document], folder: Path | None
) -> dict[str, Path]:
    """The wanted documents in the folder: ``KIND.jpg`` or ``KIND.png`` each.

    Asks for the folder when it was not given and documents are wanted.
    """
    if not wanted:
        return {}
    kinds = [document.kind for document in wanted]
    if folder is None:
        labels = "; ".join(f"{d.kind}.jpg = {d.label}" for d in wanted)
        place.person.tell("document.wanted", labels=labels)
        folder = _ask_folder(place.person, kinds)
    return {kind: _picture(folder, kind) for kind in kinds}


def _ask_folder(person: Person, kinds: list[str]) -> Path:
    """A folder that holds all the pictures; asked again until it does."""

    def check(text: str) -> Path:
        folder = Path(text.strip()).expanduser()
        for kind in kinds:
            _picture(folder, kind)
        return folder

    return person.ask("ask.pictures", check, secret=False)


def _picture(folder: Path, kind: str) -> Path:
    for ending in ("jpg", "jpeg", "png", "JPG", "JPEG", "PNG"):
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
        size = path.stat().st_size
        if not 0 < size <= largest:
            raise CheckFailed("document.size", path=str(path), size=size, limit=largest)
        body = path.read_bytes()
    except OSError:
        raise CheckFailed("document.missing", kind=kind, path=str(path)) from None
    media = next((m for start, m in _TYPES.items() if body.startswith(start)), None)
    if media is None:
        raise CheckFailed("document.type", path=str(path))
    return {
        "kind": kind,
        "sha256": hashlib.sha256(body).hexdigest(),
        "size": len(body),
        "type": media,
    }


def known_means(place: FieldPlace, number: str) -> Json:
    """What an order was made with; empty once it is proposed, or on another machine.

    Raises:
        UsageError: ``setup.damaged``.
    """
    path = place.means_file(number)
    return read_as(path, _means) if path.exists() else {}


def _means(data: Any) -> Json:
    texts(data.get("paths", {}))
    told = (data[name] for name in data if name != "paths")
    if any(not isinstance(value, str | bool | None) for value in told):
        raise TypeError("no means of an order")
    return dict(data)


def remember(place: FieldPlace, number: str, pictures: dict[str, Path]) -> None:
    """Where they are, until they are sealed; this file never leaves the machine."""
    known = known_means(place, number)
    paths = {kind: str(found.resolve()) for kind, found in pictures.items()}
    write_json(place.means_file(number), {**known, "paths": paths})
