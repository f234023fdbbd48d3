"""Keys and MACs of UnionPay POS terminals: TDES (8, 16, 24-byte keys) or SM4 (16).

A working key travels in F62 under the terminal master key (TMK), followed by its key
check value (KCV): the first 4 bytes of a zero block under the key. Which cipher and
which MAC an acquirer uses is a ``CipherProfile``.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from dataclasses import dataclass, field

from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import Cipher, modes
from cryptography.hazmat.primitives.ciphers.algorithms import SM4 as _SM4Algorithm

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


def _sm4_encrypt(key: bytes, data: bytes) -> bytes:
    cipher = Cipher(_SM4Algorithm(key), modes.ECB()).encryptor()  # noqa: S305
    return cipher.update(data) + cipher.finalize()


def _sm4_decrypt(key: bytes, data: bytes) -> bytes:
    cipher = Cipher(_SM4Algorithm(key), modes.ECB()).decryptor()  # noqa: S305
    return cipher.update(data) + cipher.finalize()


@dataclass(frozen=True)
class BlockCipher:
    """A cipher in ECB over whole blocks; ``block`` and ``key_sizes`` in bytes."""

    name: str
    block: int
    key_sizes: frozenset[int]
    encrypt: Callable[[bytes, bytes], bytes]
    decrypt: Callable[[bytes, bytes], bytes]

    def check(self, key: bytes, what: str = "key") -> None:
        """Raises LocalError when the cipher has no keys of this length."""
        if len(key) not in self.key_sizes:
            raise LocalError(f"{what} of {len(key)} bytes: {self.name} has none such")

    def kcv(self, key: bytes, size: int = KCV_SIZE) -> bytes:
        """Key check value. Raises LocalError: a length that the cipher lacks."""
        self.check(key)
        return self.encrypt(key, bytes(self.block))[:size]


TDES = BlockCipher("tdes", _BLOCK, frozenset({8, 16, 24}), encrypt, decrypt)
SM4 = BlockCipher("sm4", 16, frozenset({16}), _sm4_encrypt, _sm4_decrypt)
CIPHERS: dict[str, BlockCipher] = {cipher.name: cipher for cipher in (TDES, SM4)}


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


def wrap(
    keys: WorkingKeys, tmk: bytes, length: int, cipher: BlockCipher = TDES
) -> bytes:
    """F62 of a sign-in answer of this length (24, 40, 56, 60 or 84 bytes).

    Raises:
        LocalError: another length, keys that do not fit it, or that the cipher lacks.
    """
    cipher.check(tmk, "master key")
    places = _LAYOUTS.get(length)
    given = [key for key in (keys.pik, keys.mak, keys.tdk) if key]
    if places is None or len(places) != len(given):
        raise LocalError(f"working keys do not fit F62 of {length} bytes")
    parts: list[bytes] = []
    for key, place in zip(given, places, strict=True):
        cipher.check(key, "working key")
        if len(key) > place:
            raise LocalError(f"working keys do not fit F62 of {length} bytes")
        parts += [cipher.encrypt(tmk, key).ljust(place, b"\0"), cipher.kcv(key)]
    return b"".join(parts)


def unwrap(f62: bytes, tmk: bytes, cipher: BlockCipher = TDES) -> WorkingKeys:
    """Working keys of a sign-in answer, each proved by its KCV.

    Raises:
        RemoteError: a length that no layout or the cipher has, or a KCV that does not
            match.
        LocalError: a master key of a length that the cipher lacks.
    """
    cipher.check(tmk, "master key")
    places = _LAYOUTS.get(len(f62))
    if places is None:
        raise RemoteError(f"working keys of {len(f62)} bytes", field="F62")
    found: list[bytes] = []
    at = 0
    for name, place in zip(("PIK", "MAK", "TDK"), places, strict=False):
        end = at + place
        opened = _open_key(f62[at:end], tmk, name, cipher)
        if not hmac.compare_digest(cipher.kcv(opened), f62[end : end + KCV_SIZE]):
            raise RemoteError(f"key check value of the {name} differs", field="F62")
        found.append(opened)
        at = end + KCV_SIZE
    return WorkingKeys(*found)


def _open_key(wrapped: bytes, tmk: bytes, name: str, cipher: BlockCipher) -> bytes:
    while len(wrapped) > _BLOCK and wrapped.endswith(_ZERO):
        wrapped = wrapped[:-_BLOCK]
    if len(wrapped) not in cipher.key_sizes:
        reason = f"{name} of {len(wrapped)} bytes: {cipher.name} has none such"
        raise RemoteError(reason, field="F62")
    return cipher.decrypt(tmk, wrapped)


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


def sm4_cbc(key: bytes, data: bytes) -> bytes:
    """CBC-MAC with SM4: zero-padded to 16 bytes, the first 8 of the last block."""
    padded = data + bytes(-len(data) % SM4.block)
    chain = Cipher(_SM4Algorithm(key), modes.CBC(bytes(SM4.block))).encryptor()
    return (bytes(SM4.block) + chain.update(padded))[-SM4.block :][:MAC_SIZE]


MAC_ALGORITHMS: dict[str, Callable[[bytes, bytes], bytes]] = {
    "cup-ecb": cup_ecb,
    "x9.9": x9_9,
    "x9.19": x9_19,
    "sm4-cbc": sm4_cbc,
}

# MAC algorithm -> lengths in bytes of the MAK that it is defined for.
_MAK_SIZES: dict[str, frozenset[int]] = {
    "cup-ecb": frozenset({8, 16, 24}),
    "x9.9": frozenset({8, 16, 24}),
    "x9.19": frozenset({8, 16}),
    "sm4-cbc": frozenset({16}),
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


@dataclass(frozen=True)
class CipherProfile:
    """How one acquirer guards its messages: names of a cipher and of a MAC algorithm.

    Raises:
        LocalError: a name that CIPHERS or MAC_ALGORITHMS lacks.
    """

    cipher: str = "tdes"
    mac: str = "cup-ecb"

    def __post_init__(self) -> None:
        if self.cipher not in CIPHERS:
            raise LocalError("no such cipher")
        if self.mac not in MAC_ALGORITHMS:
            raise LocalError("no such MAC algorithm")

    def kcv(self, key: bytes) -> bytes:
        """4 bytes. Raises LocalError: a length that the cipher lacks."""
        return CIPHERS[self.cipher].kcv(key)

    def wrap(self, keys: WorkingKeys, tmk: bytes, length: int) -> bytes:
        """F62 of a sign-in answer; see ``wrap``."""
        return wrap(keys, tmk, length, CIPHERS[self.cipher])

    def unwrap(self, f62: bytes, tmk: bytes) -> WorkingKeys:
        """Working keys of a sign-in answer; see ``unwrap``."""
        return unwrap(f62, tmk, CIPHERS[self.cipher])

    def mac_of(self, mak: bytes, data: bytes) -> bytes:
        """8 bytes. Raises LocalError: a length that the algorithm lacks."""
        self._check(mak)
        return MAC_ALGORITHMS[self.mac](mak, data)

    def sealed(self, message: Message, mak: bytes) -> Message:
        """The message with its MAC. Raises LocalError as ``mac_of``."""
        self._check(mak)
        return sealed(message, mak, self.mac)

    def mac_holds(self, message: Message, mak: bytes) -> bool:
        """Whether its MAC holds. Raises LocalError as ``mac_of``."""
        self._check(mak)
        return mac_holds(message, mak, self.mac)

    def _check(self, mak: bytes) -> None:
        if len(mak) not in _MAK_SIZES[self.mac]:
            raise LocalError(f"MAK of {len(mak)} bytes: {self.mac} has none such")


UNIONPAY = CipherProfile()
"""What most acquirers use: TDES and UnionPay's own MAC."""
