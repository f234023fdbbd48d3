"""The QR code of a slip. That of a receipt holds all of it: the signed body, the
signature and the signer's certificate, so that paper alone can be checked
(docs/decisions/0009-receipts.md).

A receipt's text is ``POSCTL:RECEIPT:1:`` and base 32 (RFC 4648, section 6, without
padding) of a CRC-32 and a raw DEFLATE stream (RFC 1951) of: length of the certificate
(2 bytes), certificate (DER), signature (64 bytes), canonical body. All of it is in the
alphanumeric set of QR codes (ISO/IEC 18004), and blanks mean nothing.
"""

from __future__ import annotations

import json
import struct
import zlib
from base64 import b32decode, b32encode

import segno
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from segno.encoder import DataOverflowError

from posctl.model.canonical import Json, canonical
from posctl.model.errors import CheckFailed

RECEIPT = "POSCTL:RECEIPT:1:"
SUBMISSION = "POSCTL:SLIP:1:"
ERROR_LEVEL = "m"  # 15 % of the code may be spoilt
_SIGNATURE = 64
_LARGEST = 64 * 1024
"""Bytes that a code may unpack to: 20 times what the largest could hold of ours."""


def receipt_text(signed: Json) -> str:
    """The text for a receipt as ``receipt show --output`` writes it."""
    proof = signed["proof"]
    loaded = x509.load_pem_x509_certificate(proof["certificate"].encode())
    certificate = loaded.public_bytes(Encoding.DER)
    signature = bytes.fromhex(proof["signature"])
    size = struct.pack(">H", len(certificate))
    packer = zlib.compressobj(9, wbits=-zlib.MAX_WBITS)
    parts = size + certificate + signature + canonical(signed["body"])
    packed = packer.compress(parts) + packer.flush()
    whole = struct.pack(">I", zlib.crc32(packed)) + packed
    return RECEIPT + b32encode(whole).decode().rstrip("=")


def read_receipt(text: str) -> Json:
    """Back from ``receipt_text``; nothing is verified yet.

    Raises:
        ValueError: it is none, or one character is not what it was.
    """
    packed = _unspoilt("".join(text.split()).removeprefix(RECEIPT))
    unpacker = zlib.decompressobj(wbits=-zlib.MAX_WBITS)
    try:
        parts = unpacker.decompress(packed, _LARGEST)
        (size,) = struct.unpack_from(">H", parts)
    except (zlib.error, struct.error) as error:
        raise ValueError("no receipt in it") from error
    if not unpacker.eof or unpacker.unused_data:
        raise ValueError("too long, or cut")
    certificate, rest = parts[2 : 2 + size], parts[2 + size :]
    signature, body = rest[:_SIGNATURE], rest[_SIGNATURE:]
    try:
        loaded = x509.load_der_x509_certificate(certificate)
    except x509.InvalidVersion as error:  # no ValueError, as the others are
        raise ValueError("no certificate in it") from error
    pem = loaded.public_bytes(Encoding.PEM).decode()
    proof = {"certificate": pem, "signature": signature.hex()}
    return {"body": json.loads(body), "proof": proof}


def _unspoilt(code: str) -> bytes:
    """What the CRC is of. Raises ValueError."""
    whole = b32decode(code + "=" * (-len(code) % 8))
    spare_bits = b32encode(whole).decode().rstrip("=") != code
    if spare_bits or whole[:4] != struct.pack(">I", zlib.crc32(whole[4:])):
        raise ValueError("spoilt")
    return whole[4:]


def submission_text(order: str, state: str, order_head: str, store_head: str) -> str:
    """Order, state and both heads: what the log can be held against later."""
    return SUBMISSION + ":".join((order, state, order_head, store_head))


def matrix(text: str) -> tuple[bytes, ...]:
    """Rows of modules, 1 for a dark one, without the margin of 4.

    Raises:
        CheckFailed: ``receipt.long``: more than the largest code holds.
    """
    try:
        code = segno.make(text, error=ERROR_LEVEL, micro=False, boost_error=False)
    except DataOverflowError:
        raise CheckFailed("receipt.long", characters=len(text)) from None
    return tuple(bytes(row) for row in code.matrix)
