"""Sealed boxes: HPKE (RFC 9180) to the office's key, which the field cannot open.

Suite: DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM. One version byte in
front. ``info`` binds a box to its purpose, order, field and recipient.
"""

from __future__ import annotations

import hashlib

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hpke, serialization
from cryptography.hazmat.primitives.asymmetric.x25519 import (
    X25519PrivateKey,
    X25519PublicKey,
)

from posctl.model.canonical import canonical
from posctl.model.errors import CheckFailed

_VERSION = b"\x01"
_SUITE = hpke.Suite(hpke.KEM.X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_256_GCM)


def public_text(key: X25519PublicKey) -> str:
    """The 32-byte public key as 64 hexadecimal digits, as profiles pin it."""
    raw = key.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    return raw.hex()


def binding(purpose: str, order: str, field_id: str, recipient: str) -> bytes:
    """What a box is good for: any other purpose, order or field fails to open it."""
    key_id = hashlib.sha256(bytes.fromhex(recipient)).hexdigest()
    return canonical(["posctl sealed box 1", purpose, order, field_id, key_id])


def seal(recipient: str, info: bytes, plain: bytes) -> bytes:
    """Seal to the public key ``recipient`` (64 hexadecimal digits)."""
    key = X25519PublicKey.from_public_bytes(bytes.fromhex(recipient))
    return _VERSION + _SUITE.encrypt(plain, key, info)


def unseal(key: X25519PrivateKey, info: bytes, box: bytes) -> bytes:
    """Open a box.

    Raises:
        CheckFailed: ``seal.version`` or ``seal.broken`` (altered, or another's).
    """
    if box[:1] != _VERSION:
        raise CheckFailed("seal.version")
    try:
        return _SUITE.decrypt(box[1:], key, info)
    except (InvalidTag, ValueError):
        raise CheckFailed("seal.broken") from None
