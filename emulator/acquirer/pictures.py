"""Pictures of documents, uploaded before the application that names them."""

from __future__ import annotations

import base64
import binascii
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from protocols import chinaums as wire
from protocols.chinaums import RequestError

_SHAPE = re.compile(r"data:image/([a-z]{3,4});base64,([A-Za-z0-9+/=]+)")
_ENTRY = ("document_type", "document_name", "file_path", "file_size")


@dataclass(frozen=True)
class _Upload:
    accesser_id: str
    size: str


class PictureStore:
    """What was uploaded: path, size in bytes, by whom. The pictures are dropped."""

    def __init__(self) -> None:
        self._uploads: dict[str, _Upload] = {}

    def take(self, accesser_id: str, text: str) -> dict[str, object]:
        """A ``data:image/…;base64,`` text without line breaks, 2 MB at most.

        Raises:
            RequestError: 1003, anything else.
        """
        match = _SHAPE.fullmatch(text)
        if not match or len(text) > wire.PICTURE_LIMIT:
            raise _bad("not a picture of 2 MB at most", "pic_base64")
        try:
            size = str(len(base64.b64decode(match[2], validate=True)))
        except binascii.Error:
            raise _bad("not base64", "pic_base64") from None
        path = f"/upload/{secrets.token_hex(8)}.{match[1]}"
        self._uploads[path] = _Upload(accesser_id, size)
        return {"file_path": path, "file_type": match[1], "file_size": size}

    def check(self, accesser_id: str, entries: Any, needed: frozenset[str]) -> None:
        """Whether every entry was uploaded and every needed kind is among them.

        Raises:
            RequestError: 1003, if not.
        """
        if not isinstance(entries, list):
            raise _bad("list expected", "pic_list")
        kinds = {self._check_entry(accesser_id, entry) for entry in entries}
        missing = ", ".join(sorted(needed - kinds))
        if missing:
            raise _bad(f"missing: {missing}", "pic_list")

    def _check_entry(self, accesser_id: str, entry: Any) -> str:
        if not (isinstance(entry, Mapping) and all(_is_text(entry, n) for n in _ENTRY)):
            raise _bad("entry incomplete", "pic_list")
        upload = _Upload(accesser_id, entry["file_size"])
        if self._uploads.get(entry["file_path"]) != upload:
            raise _bad("never uploaded, or of another size", "pic_list")
        return str(entry["document_type"])


def _is_text(entry: Mapping[str, Any], name: str) -> bool:
    value = entry.get(name)
    return isinstance(value, str) and value != ""


def _bad(reason: str, field: str) -> RequestError:
    return RequestError(wire.BAD_FIELD, reason, field=field)
