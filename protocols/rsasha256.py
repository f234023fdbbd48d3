"""RSA signatures over SHA-256 (RSASSA-PKCS1-v1_5, RFC 8017 section 8.2) in base64, as
payment platforms put them into HTTP headers; and the keys for them, from PEM."""

from __future__ import annotations

import base64

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    load_pem_private_key,
    load_pem_public_key,
)

from protocols.errors import LocalError

KEY_BITS = 2048
_NO_KEY = (ValueError, TypeError, UnsupportedAlgorithm)


def load_private_key(pem: str) -> RSAPrivateKey:
    """From unencrypted PEM. Raises LocalError: none, no RSA, under 2048 bits."""
    try:
        key = load_pem_private_key(pem.encode(), password=None)
    except _NO_KEY:
        raise LocalError("private key: no unencrypted PEM") from None
    if not isinstance(key, RSAPrivateKey) or key.key_size < KEY_BITS:
        raise LocalError("private key: RSA of 2048 bits is expected")
    return key


def load_public_key(pem: str) -> RSAPublicKey:
    """From PEM. Raises LocalError: none, no RSA, under 2048 bits."""
    try:
        key = load_pem_public_key(pem.encode())
    except _NO_KEY:
        raise LocalError("public key: no PEM") from None
    return long_enough(key)


def long_enough(key: object) -> RSAPublicKey:
    """The same key. Raises LocalError: no RSA key, or under 2048 bits."""
    if not isinstance(key, RSAPublicKey) or key.key_size < KEY_BITS:
        raise LocalError("public key: RSA of 2048 bits is expected")
    return key


def sign(key: RSAPrivateKey, message: bytes) -> str:
    """The signature in base64, without line breaks."""
    return base64.b64encode(key.sign(message, PKCS1v15(), SHA256())).decode("ascii")


def is_signed(key: RSAPublicKey, message: bytes, signature: str) -> bool:
    """Whether this base64 is the key's signature of the message; any text will do."""
    try:
        raw = base64.b64decode(signature, validate=True)
        key.verify(raw, message, PKCS1v15(), SHA256())
    except (ValueError, InvalidSignature):
        return False
    return True
