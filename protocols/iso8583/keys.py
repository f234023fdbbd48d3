"""Keys and MACs of UnionPay POS terminals: TDES, 8, 16 and 24-byte keys.

A working key travels in F62 under the terminal master key (TMK), followed by its key
check value (KCV): the first 4 bytes of TDES(key, 8 zero bytes).
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from dataclasses import dataclass, field

from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import Cipher, modes

from protocols.errors import LocalError, RemoteError
from protocols.iso8583.codec import Message, Value, pack

KCV_SIZE = 4
MAC_SIZE = 8
_BLOCK = 8
_ZERO = bytes(_BLOCK)
_UNSET_MAC = bytes(MAC_SIZE)


def expand(key: bytes) -> bytes:
    """An 8 or 16-byte key as the 24 bytes that mean the same (K K K, K1 K2 K1).

    Raises:
        LocalError: another length.
    """
    if len(key) not in (8, 16, 24):
        raise LocalError(f"key of {len(key)} bytes: 8, 16 or 24 expected")
    return (key * 3)[:24] if len(key) == 8 else (key + key[:8])[:24]


def encrypt(key: bytes, data: bytes) -> bytes:
    """TDES-ECB over whole blocks."""
    cipher = Cipher(TripleDES(expand(key)), modes.ECB()).encryptor()  # noqa: S305
    return cipher.update(data) + cipher.finalize()


def decrypt(key: bytes, data: bytes) -> bytes:
    """TDES-ECB over whole blocks."""
    cipher = Cipher(TripleDES(expand(key)), modes.ECB()).decryptor()  # noqa: S305
    return cipher.update(data) + cipher.finalize()


def kcv(key: bytes, size: int = KCV_SIZE) -> bytes:
    """Key check value: the first ``size`` bytes of the encrypted zero block."""
    return encrypt(key, _ZERO)[:size]


@dataclass(frozen=True)
class WorkingKeys:
    """PIN key, MAC key and, where issued, track key, in clear; ``repr`` hides them."""

    pik: bytes = field(repr=False)
    mak: bytes = field(repr=False)
    tdk: bytes | None = field(default=None, repr=False)


# Length of F62 -> bytes that each key takes before its KCV, in the order PIK, MAK,
# TDK. A key shorter than its place is filled with zero bytes (the MAK in 40).
_LAYOUTS: dict[int, tuple[int, ...]] = {
    24: (8, 8),
    40: (16, 16),
    56: (24, 24),
    60: (16, 16, 16),
    84: (24, 24, 24),
}


def wrap(keys: WorkingKeys, tmk: bytes, length: int) -> bytes:
    """F62 of a sign-in answer of this length (24, 40, 56, 60 or 84 bytes).

    Raises:
        LocalError: another length, or keys that do not fit it.
    """
    places = _LAYOUTS.get(length)
    given = [key for key in (keys.pik, keys.mak, keys.tdk) if key]
    if places is None or len(places) != len(given):
        raise LocalError(f"working keys do not fit F62 of {length} bytes")
    parts: list[bytes] = []
    for key, place in zip(given, places, strict=True):
        if len(key) > place:
            raise LocalError(f"working keys do not fit F62 of {length} bytes")
        parts += [encrypt(tmk, key).ljust(place, b"\0"), kcv(key)]
    return b"".join(parts)


def unwrap(f62: bytes, tmk: bytes) -> WorkingKeys:
    """Working keys of a sign-in answer, each proved by its KCV.

    Raises:
        RemoteError: a length that no layout has, or a KCV that does not match.
    """
    places = _LAYOUTS.get(len(f62))
    if places is None:
        raise RemoteError(f"working keys of {len(f62)} bytes", field="F62")
    found: list[bytes] = []
    at = 0
    for name, place in zip(("PIK", "MAK", "TDK"), places, strict=False):
        end = at + place
        found.append(_open_key(f62[at:end], f62[end : end + KCV_SIZE], tmk, name))
        at = end + KCV_SIZE
    return WorkingKeys(*found)


def _open_key(wrapped: bytes, check: bytes, tmk: bytes, name: str) -> bytes:
    while len(wrapped) > _BLOCK and wrapped.endswith(_ZERO):
        wrapped = wrapped[:-_BLOCK]
    key = decrypt(tmk, wrapped)
    if not hmac.compare_digest(kcv(key), check):
        raise RemoteError(f"key check value of the {name} differs", field="F62")
    return key


def _blocks(data: bytes) -> list[bytes]:
    padded = data + bytes(-len(data) % _BLOCK)
    return [padded[at : at + _BLOCK] for at in range(0, len(padded), _BLOCK)]


def _xor(one: bytes, other: bytes) -> bytes:
    mixed = int.from_bytes(one, "big") ^ int.from_bytes(other, "big")
    return mixed.to_bytes(_BLOCK, "big")


def cup_ecb(key: bytes, data: bytes) -> bytes:
    """UnionPay's own MAC: XOR of all blocks, then two encryptions of its hex."""
    folded = _ZERO
    for block in _blocks(data):
        folded = _xor(folded, block)
    text = folded.hex().upper().encode()
    first = encrypt(key, text[:_BLOCK])
    second = encrypt(key, _xor(first, text[_BLOCK:]))
    return second.hex().upper().encode()[:MAC_SIZE]


def x9_9(key: bytes, data: bytes) -> bytes:
    """ANSI X9.9: CBC-MAC with the whole key."""
    mixed = _ZERO
    for block in _blocks(data):
        mixed = encrypt(key, _xor(mixed, block))
    return mixed


def x9_19(key: bytes, data: bytes) -> bytes:
    """ANSI X9.19 (ISO 9797-1 algorithm 3): DES chain, TDES on the last block."""
    left, right = key[:8], key[8:16] or key[:8]
    chained = x9_9(left, data)
    return encrypt(left, decrypt(right, chained))


MAC_ALGORITHMS: dict[str, Callable[[bytes, bytes], bytes]] = {
    "cup-ecb": cup_ecb,
    "x9.9": x9_9,
    "x9.19": x9_19,
}


def sealed(message: Message, mak: bytes, algorithm: str = "cup-ecb") -> Message:
    """The message with its MAC in F64, or in F128 when it has fields beyond 64."""
    place = 128 if any(number > 64 for number in message.fields) else 64
    fields: dict[int, Value] = {**message.fields, place: _UNSET_MAC}
    covered = pack(message.mti, fields)[:-MAC_SIZE]
    fields[place] = MAC_ALGORITHMS[algorithm](mak, covered)
    return Message(message.mti, fields, message.tpdu, message.header)


def mac_holds(message: Message, mak: bytes, algorithm: str = "cup-ecb") -> bool:
    """Whether a received message ends in the MAC of all before it."""
    place = max(message.fields, default=0)
    if place not in (64, 128):
        return False
    expected = MAC_ALGORITHMS[algorithm](mak, message.body[:-MAC_SIZE])
    return hmac.compare_digest(expected, message.data(place))
