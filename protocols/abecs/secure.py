"""ABECS secure communication (clause 5.2).

The till sends the public half of an RSA key of 2,048 bits in OPN; the pinpad makes a
key of 16 bytes, KSEC, and gives it back under that key (PKCS #1, block type 2). From
then on a packet's data is 12h and, under AES-128-CBC with KSEC and a zero start: length
(2 bytes), CRC (2 bytes) of the message, the message, zeros up to a multiple of 16.
"""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from protocols.abecs.frames import crc
from protocols.abecs.messages import MAX_ABECS, Command, Response
from protocols.abecs.records import KeyCryptogram, PublicKey, only_block
from protocols.errors import LocalError, RemoteError

DC2 = 0x12
KEY_SIZE = 16
MODULUS_SIZE = 256
_BLOCK, _HEAD = 16, 4


class Channel:
    """Messages to packet data and back, under one KSEC."""

    def __init__(self, key: bytes) -> None:
        """Raises LocalError: not 16 bytes."""
        if len(key) != KEY_SIZE:
            raise LocalError("KSEC has 16 bytes")
        self._cipher = Cipher(algorithms.AES128(key), modes.CBC(bytes(_BLOCK)))

    def seal(self, message: bytes) -> bytes:
        """Raises LocalError: more than ``MAX_ABECS`` bytes."""
        if len(message) > MAX_ABECS:
            raise LocalError(f"at most {MAX_ABECS} bytes are sealed")
        head = len(message).to_bytes(2) + crc(message).to_bytes(2)
        clear = head + message
        encryptor = self._cipher.encryptor()
        sealed = encryptor.update(clear + bytes(-len(clear) % _BLOCK))
        return bytes([DC2]) + sealed + encryptor.finalize()

    def open(self, data: bytes) -> bytes:
        """Raises RemoteError: not sealed, or its length or inner CRC does not hold."""
        sealed = data[1:]
        if not is_sealed(data) or not sealed or len(sealed) % _BLOCK:
            raise RemoteError("not a sealed packet")
        decryptor = self._cipher.decryptor()
        clear = decryptor.update(sealed) + decryptor.finalize()
        end = _HEAD + int.from_bytes(clear[:2])
        if end > len(clear):
            raise RemoteError("length inside the sealed packet does not hold")
        if crc(clear[_HEAD:end]) != int.from_bytes(clear[2:_HEAD]):
            raise RemoteError("CRC inside the sealed packet does not hold")
        return clear[_HEAD:end]


def is_sealed(data: bytes) -> bool:
    """Whether a packet's data begins with DC2."""
    return data[:1] == bytes([DC2])


def new_key() -> rsa.RSAPrivateKey:
    """The till's own, for one session."""
    return rsa.generate_private_key(public_exponent=65537, key_size=MODULUS_SIZE * 8)


def open_secure(key: rsa.RSAPublicKey) -> Command:
    """OPN with the till's key. Raises LocalError: not of 2,048 bits, or its exponent
    has more than 3 bytes."""
    numbers = key.public_numbers()
    if key.key_size != MODULUS_SIZE * 8 or numbers.e >= 1 << 24:
        raise LocalError("an RSA key of 2,048 bits and a short exponent are needed")
    exponent = numbers.e.to_bytes((numbers.e.bit_length() + 7) // 8)
    record = PublicKey(numbers.n.to_bytes(MODULUS_SIZE), exponent)
    return Command("OPN", (record.to_block(),))


def key_in(response: Response, key: rsa.RSAPrivateKey) -> bytes | None:
    """KSEC; None from a pinpad without secure communication, which answers no block.

    Raises:
        RemoteError: a cryptogram that is none, or not of this key.
    """
    if not response.blocks:
        return None
    sealed = KeyCryptogram.from_block(only_block(response)).cryptogram
    try:
        ksec = key.decrypt(sealed, padding.PKCS1v15())
    except ValueError:
        raise RemoteError("cryptogram does not open", field="OPN_CRKSEC") from None
    if len(ksec) != KEY_SIZE:
        raise RemoteError("key of 16 bytes expected", field="OPN_CRKSEC")
    return ksec


def answer_with_key(asked: Command, ksec: bytes) -> Response:
    """The pinpad's answer to a secure OPN.

    Raises:
        RemoteError: the block or the key in it is none.
    """
    record = PublicKey.from_block(only_block(asked))
    if len(record.modulus) != MODULUS_SIZE or not record.exponent:
        raise RemoteError("modulus of 256 bytes and exponent expected", field="OPN")
    numbers = rsa.RSAPublicNumbers(
        int.from_bytes(record.exponent), int.from_bytes(record.modulus)
    )
    try:
        sealed = numbers.public_key().encrypt(ksec, padding.PKCS1v15())
    except ValueError:
        raise RemoteError("public key not usable", field="OPN") from None
    return Response("OPN", blocks=(KeyCryptogram(sealed).to_block(),))


def wants_security(asked: Command) -> bool:
    """An OPN with data is the secure one; OPN000 is the plain one (clause 6.4.1)."""
    return asked.code == "OPN" and any(asked.blocks)
