"""ChinaUMS's self-contract interface (1.1.13): its wire format, both ends.

A request is a form of three fields: ``json_data`` (hexadecimal of 3DES-ECB with PKCS5
padding over UTF-8 JSON), ``sign_data`` (hexadecimal SHA-256 of the same JSON bytes)
and ``accesser_id`` in clear. An answer is plain JSON. The link by which a merchant
signs in his browser holds the same fields in its query; a push comes as the same form.

This protects little: ECB shows equal blocks, 3DES is obsolete, and a bare hash proves
no sender. So the format is only ever carried by verified TLS. Who knows the text of
some blocks can put a push together from them: it may prompt a question, never more.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from binascii import hexlify
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlencode

from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import Cipher, modes
from cryptography.hazmat.primitives.padding import PKCS7

from protocols.errors import LocalError, RemoteError
from protocols.jsonobject import read_object

PATH = "/self-contract-nmrs/interface/autoReg"
CONTENT_TYPE = "application/x-www-form-urlencoded"
KEY_SIZE = 24
LONGEST_SEQ = 30
NOTICE = "alter_notify"
PICTURE_LIMIT = 2 * 1024 * 1024

OK = "0000"
BAD_SIGNATURE = "1001"
DUPLICATE_SEQ = "1002"
BAD_FIELD = "1003"
BAD_JSON = "1004"
BAD_CIPHER = "1005"
VERIFY_TOO_EARLY = "1057"
USER_SYSTEM = "1111"
REFUSED = "2000"
SYSTEM = "9999"

RES_CODES: Mapping[str, str] = {
    OK: "success",
    BAD_SIGNATURE: "bad signature",
    DUPLICATE_SEQ: "duplicate request_seq",
    BAD_FIELD: "bad field",
    BAD_JSON: "bad JSON",
    BAD_CIPHER: "decryption failed",
    VERIFY_TOO_EARLY: "penny drop already triggered",
    USER_SYSTEM: "user system error",
    REFUSED: "refused",
    SYSTEM: "system error",
}

APPLY_STATUS: Mapping[str, str] = {
    "18": "being filled in",
    "05": "corporate account to verify",
    "00": "signing",
    "01": "signed, not final",
    "06": "risk review",
    "02": "manual review",
    "03": "done",
    "04": "failed",
    "99": "other",
}

_FORM_START = b"json_data="
_TEXT_END = b'"}'
_BLOCK = TripleDES.block_size // 8
_PIECE = 3 * 16 * 1024  # of a picture: whole groups of three bytes
_SEALED_FIELDS = {"json_data", "sign_data"}
_FORM_FIELDS = {*_SEALED_FIELDS, "accesser_id"}
_HEAD = {
    "service": re.compile(r"[a-z_]{1,64}"),
    "accesser_id": re.compile(r".{1,64}"),
    "sign_type": re.compile("SHA-256"),
    "request_date": re.compile(r"[0-9]{14}"),
    "request_seq": re.compile(r"[!-~]{1,30}"),
}


@dataclass(frozen=True)
class Credentials:
    """What ChinaUMS gives to a party that may call it: a name and a 3DES key.

    Raises:
        LocalError: the key is not 24 ASCII bytes, or the name is empty.
    """

    accesser_id: str
    key: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.key) != KEY_SIZE or not self.key.isascii():
            raise LocalError("key: 24 ASCII bytes are expected")
        if not self.accesser_id:
            raise LocalError("accesser_id is empty")


class RequestError(RemoteError):
    """A request that the service refuses; ``res_code`` is what it answers."""

    def __init__(self, res_code: str, reason: str, *, field: str | None = None):
        self.res_code = res_code
        super().__init__(reason, field=field)


@dataclass(frozen=True)
class Answer:
    """An answer: ``res_code``, and all its fields (not shown by ``repr``)."""

    res_code: str
    fields: Mapping[str, Any] = field(repr=False)

    @property
    def ok(self) -> bool:
        return self.res_code == OK

    def text(self, name: str) -> str:
        """A field that must be text.

        Raises:
            RemoteError: missing, empty or not text.
        """
        value = self.optional(name)
        if not value:
            raise RemoteError("field is missing or empty", field=name)
        return value

    def optional(self, name: str) -> str:
        """A field that may be missing, null or empty: then ``""``.

        Raises:
            RemoteError: present, but not text.
        """
        value = self.fields.get(name)
        if value is None:
            return ""
        if not isinstance(value, str):
            raise RemoteError("text is expected", field=name)
        return value


def build_request(
    service: str,
    params: Mapping[str, object],
    credentials: Credentials,
    *,
    request_seq: str,
    request_date: str,
) -> bytes:
    """The form body of one call.

    Args:
        request_seq: 1 to 30 visible ASCII characters, never used before.
        request_date: yyyyMMddHHmmss, Beijing time.

    Raises:
        LocalError: a head field of a wrong shape, or ``params`` that redefine one.
    """
    text = _request_text(service, params, credentials, request_seq, request_date)
    return seal_json(text, credentials)


def _request_text(
    service: str,
    params: Mapping[str, object],
    credentials: Credentials,
    request_seq: str,
    request_date: str,
) -> bytes:
    head = {
        "service": service,
        "accesser_id": credentials.accesser_id,
        "sign_type": "SHA-256",
        "request_date": request_date,
        "request_seq": request_seq,
    }
    wrong = sorted(_wrong_fields(head) | (head.keys() & params.keys()))
    if wrong:
        raise LocalError(f"request head: {', '.join(wrong)}")
    text = json.dumps({**head, **params}, ensure_ascii=False, separators=(",", ":"))
    return text.encode()


def seal_json(data: bytes, credentials: Credentials) -> bytes:
    """The form body around these very JSON bytes: encrypted, hashed, named."""
    return b"".join(_sealed([data], credentials))


class SealedPicture:
    """The form body of a ``pic_upload``, made while it is sent: of the picture's text
    and its cipher no more than a piece is held at a time.

    ``len`` is its size in bytes; it can be gone through again. See ``build_request``.

    Args:
        media_type: as in ``image/jpeg``.
        data: the picture; nothing here looks at its size.

    Raises:
        LocalError: as ``build_request``.
    """

    def __init__(
        self,
        media_type: str,
        data: bytes,
        credentials: Credentials,
        *,
        request_seq: str,
        request_date: str,
    ) -> None:
        params = {"pic_base64": picture_prefix(media_type)}
        text = _request_text(
            "pic_upload", params, credentials, request_seq, request_date
        )
        self._head, self._tail = text[: -len(_TEXT_END)], _TEXT_END
        self._data = data
        self._credentials = credentials

    def __iter__(self) -> Iterator[bytes]:
        return _sealed(self._pieces(), self._credentials)

    def __len__(self) -> int:
        plain = len(self._head) + base64_size(len(self._data)) + len(self._tail)
        padded = (plain // _BLOCK + 1) * _BLOCK
        return (
            len(_FORM_START) + 2 * padded + len(_form_end("0" * 64, self._credentials))
        )

    def _pieces(self) -> Iterator[bytes]:
        yield self._head
        for at in range(0, len(self._data), _PIECE):
            yield base64.b64encode(self._data[at : at + _PIECE])
        yield self._tail


def picture_prefix(media_type: str) -> str:
    """What stands before a picture's base64 text; both together are limited."""
    return f"data:{media_type};base64,"


def base64_size(size: int) -> int:
    """Characters of the base64 text of so many bytes."""
    return (size + 2) // 3 * 4


def open_request(
    body: bytes, find_key: Callable[[str], bytes | None]
) -> dict[str, Any]:
    """The fields of a request, checked as the service checks them.

    Args:
        find_key: gives the 24-byte key of an accesser, None for an unknown one.

    Raises:
        RequestError: 1005 unknown accesser or not decryptable, 1001 signature,
            1004 not a JSON object, 1003 a head field missing or wrong.
    """
    form = _read_form(body, _FORM_FIELDS)
    key = find_key(form["accesser_id"])
    if key is None:
        raise RequestError(BAD_CIPHER, "unknown accesser", field="accesser_id")
    fields = _unsealed(form, key)
    for name in sorted(_wrong_fields(fields)):
        raise RequestError(BAD_FIELD, "missing or wrong", field=name)
    if fields["accesser_id"] != form["accesser_id"]:
        raise RequestError(BAD_FIELD, "two accessers", field="accesser_id")
    return fields


def build_notice(fields: Mapping[str, object], credentials: Credentials) -> bytes:
    """The service's side of ``open_notice``: the form body of a push."""
    text = json.dumps({"service_type": NOTICE, **fields}, ensure_ascii=False)
    return seal_json(text.encode(), credentials)


def open_notice(body: bytes, credentials: Credentials) -> dict[str, Any]:
    """The fields of a push to this accesser. Its name may be missing: the key tells.

    Raises:
        RequestError: 1005 not decryptable or for another accesser, 1001 signature,
            1004 not a form or not a JSON object, 1003 a form field missing or twice,
            or no ``service_type``.
    """
    form = _read_form(body, _SEALED_FIELDS)
    if form.get("accesser_id", credentials.accesser_id) != credentials.accesser_id:
        raise RequestError(BAD_CIPHER, "another accesser", field="accesser_id")
    fields = _unsealed(form, credentials.key)
    if not isinstance(fields.get("service_type"), str):
        raise RequestError(BAD_FIELD, "missing or not text", field="service_type")
    return fields


def build_answer(
    res_code: str, fields: Mapping[str, object], *, res_msg: str = ""
) -> bytes:
    """The service's side of ``parse_answer``."""
    head = {"res_code": res_code, "res_msg": res_msg or RES_CODES[res_code]}
    return json.dumps({**head, **fields}, ensure_ascii=False).encode()


def parse_answer(body: bytes) -> Answer:
    """Read an answer; nothing in it is believed beyond its form.

    Raises:
        RemoteError: not UTF-8, not one JSON object, a name twice, no ``res_code``.
    """
    fields = read_object(body)
    if fields is None:
        raise RemoteError("not a JSON object")
    code = fields.get("res_code")
    if not (isinstance(code, str) and re.fullmatch(r"[0-9A-Za-z-]{1,8}", code)):
        raise RemoteError("missing or not a code", field="res_code")
    return Answer(code, fields)


def _cipher(key: bytes) -> Cipher[modes.ECB]:
    return Cipher(TripleDES(key), modes.ECB())  # noqa: S305 (the service's choice)


def _sealed(pieces: Iterable[bytes], credentials: Credentials) -> Iterator[bytes]:
    """The form around the JSON text that the pieces make up, piece by piece."""
    padder = PKCS7(TripleDES.block_size).padder()
    encryptor = _cipher(credentials.key).encryptor()
    digest = hashlib.sha256()
    yield _FORM_START
    for piece in pieces:
        digest.update(piece)
        yield hexlify(encryptor.update(padder.update(piece))).upper()
    last = encryptor.update(padder.finalize()) + encryptor.finalize()
    yield hexlify(last).upper()
    yield _form_end(digest.hexdigest(), credentials)


def _form_end(signature: str, credentials: Credentials) -> bytes:
    rest = {"sign_data": signature, "accesser_id": credentials.accesser_id}
    return b"&" + urlencode(rest).encode("ascii")


def _decrypt(text: str, key: bytes) -> bytes:
    decryptor = _cipher(key).decryptor()
    unpadder = PKCS7(TripleDES.block_size).unpadder()
    try:
        padded = decryptor.update(bytes.fromhex(text)) + decryptor.finalize()
        return unpadder.update(padded) + unpadder.finalize()
    except ValueError:
        raise RequestError(BAD_CIPHER, "not decryptable", field="json_data") from None


def _unsealed(form: Mapping[str, str], key: bytes) -> dict[str, Any]:
    data = _decrypt(form["json_data"], key)
    signature = hashlib.sha256(data).hexdigest().encode()
    if not hmac.compare_digest(signature, form["sign_data"].lower().encode()):
        raise RequestError(BAD_SIGNATURE, "signature does not fit", field="sign_data")
    fields = read_object(data)
    if fields is None:
        raise RequestError(BAD_JSON, "not a JSON object", field="json_data")
    return fields


def _read_form(body: bytes, required: set[str]) -> dict[str, str]:
    try:
        pairs = parse_qsl(body.decode("ascii"), strict_parsing=True, max_num_fields=8)
    except ValueError:
        raise RequestError(BAD_JSON, "not a form") from None
    form = dict(pairs)
    missing = required - form.keys()
    if missing or len(form) != len(pairs):
        name = min(missing, default=None)
        raise RequestError(BAD_FIELD, "form field missing or twice", field=name)
    return form


def _wrong_fields(fields: Mapping[str, Any]) -> set[str]:
    return {
        name
        for name, shape in _HEAD.items()
        if not isinstance(fields.get(name), str) or not shape.fullmatch(fields[name])
    }
