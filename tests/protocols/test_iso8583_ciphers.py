"""An acquirer's ciphers against psec (TDES) and cryptography (SM4)."""

import os

import psec
import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, modes
from cryptography.hazmat.primitives.ciphers.algorithms import SM4
from hypothesis import given
from hypothesis import strategies as st

from protocols.errors import LocalError, RemoteError
from protocols.iso8583 import Message, keys
from protocols.iso8583.keys import CipherProfile, WorkingKeys

# psec still calls TripleDES by its old name and with short keys.
pytestmark = pytest.mark.filterwarnings("ignore:.*TripleDES")
SM4_HOST = CipherProfile("sm4", "sm4-cbc")
KEYS = {size: st.binary(min_size=size, max_size=size) for size in (8, 16, 24)}
DATA = st.binary(max_size=70)
ANY_KEY = st.one_of(*KEYS.values())


@given(ANY_KEY)
def test_check_value_is_that_of_psec(key: bytes) -> None:
    assert CipherProfile().kcv(key) == psec.des.generate_kcv(key, 4)


@given(ANY_KEY, DATA.filter(bool))
def test_x9_9_is_psecs_chain(key: bytes, data: bytes) -> None:
    expected = psec.mac.generate_cbc_mac(key, data, 1)
    assert CipherProfile(mac="x9.9").mac_of(key, data) == expected


@given(KEYS[16], DATA.filter(bool))
def test_x9_19_is_psecs_retail_mac(key: bytes, data: bytes) -> None:
    expected = psec.mac.generate_retail_mac(key[:8], key[8:], data, 1)
    assert CipherProfile(mac="x9.19").mac_of(key, data) == expected


@given(KEYS[16], DATA.filter(bool))
def test_sm4_block_by_block(key: bytes, data: bytes) -> None:
    mixed = bytes(16)
    for at in range(0, len(data), 16):
        block = data[at : at + 16].ljust(16, b"\0")
        mixed = bytes(a ^ b for a, b in zip(mixed, block, strict=True))
        one = Cipher(SM4(key), modes.ECB()).encryptor()  # noqa: S305
        mixed = one.update(mixed)
    assert SM4_HOST.mac_of(key, data) == mixed[:8]


def test_sm4_check_value_is_of_sixteen_zero_bytes() -> None:
    # GB/T 32907, annex A: the key encrypted by itself.
    key = bytes.fromhex("0123456789ABCDEFFEDCBA9876543210")
    assert keys.SM4.encrypt(key, key).hex() == "681edf34d206965e86b3e94f536e4246"
    one = Cipher(SM4(key), modes.ECB()).encryptor()  # noqa: S305
    assert SM4_HOST.kcv(key) == one.update(bytes(16))[:4]


@pytest.mark.parametrize("cipher", keys.CIPHERS)
@pytest.mark.parametrize("length", [40, 60])
def test_working_keys_under_either_cipher(cipher: str, length: int) -> None:
    tmk, host = os.urandom(16), CipherProfile(cipher)
    track = os.urandom(16) if length == 60 else None
    issued = WorkingKeys(os.urandom(16), os.urandom(16), track)
    f62 = host.wrap(issued, tmk, length)
    assert host.unwrap(f62, tmk) == issued
    (other,) = set(keys.CIPHERS) - {cipher}
    with pytest.raises(RemoteError, match="check value of the PIK"):
        CipherProfile(other).unwrap(f62, tmk)


@pytest.mark.parametrize("length", [24, 56, 84])
def test_sm4_refuses_keys_that_are_not_of_16_bytes(length: int) -> None:
    with pytest.raises(RemoteError, match="PIK of"):
        SM4_HOST.unwrap(b"\1" * length, bytes(16))
    short = WorkingKeys(b"\1" * 8, b"\1" * 8)
    with pytest.raises(LocalError, match="working key of 8"):
        SM4_HOST.wrap(short, bytes(16), 24)
    with pytest.raises(LocalError, match="master key of 24"):
        SM4_HOST.unwrap(bytes(40), bytes(24))


@given(st.binary(max_size=90))
def test_garbage_for_keys_gives_the_remote_error_only(f62: bytes) -> None:
    for host in (CipherProfile(), SM4_HOST):
        with pytest.raises(RemoteError, match="F62"):
            host.unwrap(f62, b"\7" * 16)


@pytest.mark.parametrize(
    ("mac", "sizes"),
    [
        ("cup-ecb", {8, 16, 24}),
        ("x9.9", {8, 16, 24}),
        ("x9.19", {8, 16}),
        ("sm4-cbc", {16}),
    ],
)
def test_unknown_key_lengths_are_refused(mac: str, sizes: set[int]) -> None:
    host, message = CipherProfile(mac=mac), Message("0500", {11: "000001"})
    for size in range(33):
        if size in sizes:
            assert len(host.mac_of(bytes(size), b"data")) == 8
            continue
        for use in (
            lambda mak: host.mac_of(mak, b"data"),
            lambda mak: host.sealed(message, mak),
            lambda mak: host.mac_holds(message, mak),
        ):
            with pytest.raises(LocalError, match=f"MAK of {size} bytes"):
                use(bytes(size))


@pytest.mark.parametrize("mac", keys.MAC_ALGORITHMS)
def test_sealed_by_a_profile_holds_under_it_alone(mac: str) -> None:
    mak, host = bytes(range(16)), CipherProfile(mac=mac)
    sealed = host.sealed(Message("0500", {11: "000001", 41: "12345678"}), mak)
    received = Message.from_bytes(sealed.to_bytes())
    assert host.mac_holds(received, mak)
    for other in keys.MAC_ALGORITHMS:
        assert CipherProfile(mac=other).mac_holds(received, mak) is (other == mac)


def test_names_are_data_and_unknown_ones_are_refused() -> None:
    for names in (("aes", "x9.9"), ("tdes", "cmac")):
        with pytest.raises(LocalError, match="no such"):
            CipherProfile(*names)
