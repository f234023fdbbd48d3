"""The UnionPay dialect against other people's bytes and another library's codec."""

import json
from pathlib import Path
from typing import Any

import iso8583
import pytest
from hypothesis import given
from hypothesis import strategies as st
from isopeer import specification

from protocols.errors import LocalError, RemoteError
from protocols.iso8583 import (
    FrameFeeder,
    Header,
    Message,
    frame,
    keys,
    pack,
    parameters,
    unpack,
)
from protocols.iso8583.spec import UNIONPAY_POS, Coding, Field

VECTORS = json.loads(
    (Path(__file__).parents[1] / "vectors" / "cup8583.json").read_text("utf-8")
)
SIGN_IN = VECTORS["sign_in_request"]
MESSAGES = [
    (case["name"], bytes.fromhex(case["hex"]), case)
    for case in VECTORS["messages"]["cases"]
] + [("framed_sign_in", bytes.fromhex(SIGN_IN["hex"])[2:], SIGN_IN)]
MAK16 = bytes.fromhex("0123456789ABCDEFFEDCBA9876543210")


@pytest.mark.parametrize(("name", "data", "case"), MESSAGES)
def test_third_party_messages_both_ways(name: str, data: bytes, case: Any) -> None:
    message = Message.from_bytes(data)
    for number, value in case["fields"].items():
        got = message.fields[int(number)]
        assert (got.decode() if isinstance(got, bytes) else got) == value
    assert message.to_bytes() == data


def test_header_and_length_of_the_framed_vector() -> None:
    data = bytes.fromhex(SIGN_IN["hex"])
    [payload] = FrameFeeder().feed(data)
    message = Message.from_bytes(payload)
    assert message.tpdu.hex() == SIGN_IN["tpdu"]
    assert message.header == Header("60", "32", 0, 0, "320501")
    assert frame(message.to_bytes()) == data


def test_pyiso8583_reads_and_writes_the_same_bytes() -> None:
    fields = {
        2: "6216261000000000018",
        3: "000000",
        11: "000074",
        32: "03062900",
        37: "261123000074",
        39: "00",
        41: "12345678",
        42: "123456789123456",
        48: "0" * 62,
        60: "00000001201",
        62: b"\x01\x02",
        64: bytes(8),
    }
    ours = pack("0510", fields)
    text = {
        str(n): v.hex().upper() if isinstance(v, bytes) else v
        for n, v in fields.items()
    }
    theirs, _ = iso8583.encode({"t": "0510", **text}, specification())
    assert ours == bytes(theirs)
    decoded, _ = iso8583.decode(ours, specification())
    assert {n: decoded[n] for n in text} == text


DIGITS = st.text("0123456789")


@st.composite
def values(draw: st.DrawFn, field: Field) -> str | bytes:
    low = 0 if field.prefix else field.size
    if field.coding is Coding.B:
        return draw(st.binary(min_size=low, max_size=field.size))
    alphabet = {
        Coding.Z: "0123456789D",
        Coding.A: "A0z -",
        Coding.G: "墨全A1",
    }.get(field.coding, "0123456789")
    if field.coding is Coding.G:
        return draw(st.text(alphabet, max_size=field.size // 2))
    return draw(st.text(alphabet, min_size=low, max_size=field.size))


@given(st.data())
def test_every_field_round_trips(data: st.DataObject) -> None:
    numbers = data.draw(st.sets(st.sampled_from(sorted(UNIONPAY_POS)), min_size=1))
    fields = {n: data.draw(values(UNIONPAY_POS[n])) for n in numbers}
    assert unpack(pack("0200", fields)) == ("0200", fields)


@given(st.binary(max_size=80))
def test_garbage_is_refused_or_packs_to_itself(body: bytes) -> None:
    try:
        mti, fields = unpack(body)
    except RemoteError:
        return
    assert len(pack(mti, fields)) == len(body)


@given(st.data())
def test_damaged_message_never_raises_anything_else(data: st.DataObject) -> None:
    good = bytearray(MESSAGES[3][1])
    at = data.draw(st.integers(0, len(good) - 1))
    good[at] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(good)))
    for payload in (bytes(good), bytes(good[:cut])):
        try:
            Message.from_bytes(payload)
        except RemoteError:
            pass


def test_left_aligned_and_odd_digits() -> None:
    assert pack("0200", {22: "021"})[-2:].hex() == "0210"
    assert pack("0200", {23: "001"})[-2:].hex() == "0001"
    assert pack("0200", {60: "123"})[-4:].hex() == "00031230"


@pytest.mark.parametrize(
    ("body", "field", "position"),
    [
        ("0800002000000000000000007A", "F11", 10),  # a nibble that is no digit
        ("080000200000000000000000", "F11", 10),  # cut short
        ("08000000000100000000FF", "F32", 10),  # length is not BCD
        ("080000000001000000001212", "F32", 10),  # longer than 11
        ("0800000040000000000000", "F18", 10),  # not in the table
        ("020000000400000000000215", "F22", 10),  # padding is not zero
        ("0800002000000000000000007400", None, 13),  # bytes left over
        ("080080000000000000000000000000000000", None, 2),  # empty 2nd bitmap
        ("08F00000000000000000", None, 0),  # MTI
    ],
)
def test_errors_name_field_and_position(
    body: str, field: str | None, position: int
) -> None:
    with pytest.raises(RemoteError) as caught:
        unpack(bytes.fromhex(body))
    assert (caught.value.field, caught.value.position) == (field, position)


def test_local_errors_name_the_field_but_not_the_value() -> None:
    for number, value in ((2, "6" * 20), (41, "short"), (11, b"x"), (5, "1")):
        with pytest.raises(LocalError, match=f"F{number}") as caught:
            pack("0200", {number: value})
        assert "666" not in str(caught.value)


@pytest.mark.req("R48")
def test_repr_shows_no_value() -> None:
    message = Message("0200", {2: "6216261000000000018"})
    assert "621626" not in repr(message)
    assert "01" not in repr(keys.WorkingKeys(b"\x01" * 16, b"\x01" * 8))


def test_feeder_cuts_and_refuses_a_huge_length() -> None:
    stream = frame(b"one") + frame(b"two")
    feeder = FrameFeeder()
    found = [p for byte in stream for p in feeder.feed(bytes([byte]))]
    assert found == FrameFeeder().feed(stream) == [b"one", b"two"]
    with pytest.raises(RemoteError):
        FrameFeeder(limit=100).feed(b"\x00\x65")


def test_working_keys_of_the_vector() -> None:
    vector = VECTORS["working_keys"]
    tmk, f62 = bytes.fromhex(vector["tmk"]), bytes.fromhex(vector["f62"])
    opened = keys.unwrap(f62, tmk)
    assert opened.pik.hex().upper() == vector["pik"]
    assert opened.mak.hex().upper() == vector["mak"]
    assert keys.kcv(opened.pik).hex().upper() == vector["pik_kcv"]
    assert keys.wrap(opened, tmk, 40) == f62


def test_master_key_of_the_vector() -> None:
    vector = VECTORS["master_key"]
    transport = bytes.fromhex(vector["transport_key"])
    tmk = keys.decrypt(transport, bytes.fromhex(vector["ciphertext"]))
    assert tmk.hex().upper() == vector["tmk"]
    assert keys.kcv(tmk, 8).hex().upper() == vector["kcv"]


@pytest.mark.parametrize("length", [24, 40, 56, 60, 84])
def test_working_keys_of_every_length(length: int) -> None:
    size = {24: 8, 40: 16, 60: 16}.get(length, 24)
    track = bytes(range(40, 40 + size)) if length in (60, 84) else None
    issued = keys.WorkingKeys(bytes(range(size)), bytes(range(30, 30 + size)), track)
    assert keys.unwrap(keys.wrap(issued, MAK16, length), MAK16) == issued


def test_working_keys_refused() -> None:
    f62 = bytes.fromhex(VECTORS["working_keys"]["f62"])
    with pytest.raises(RemoteError, match="PIK"):
        keys.unwrap(f62, MAK16)
    spoilt = f62[:-1] + bytes([f62[-1] ^ 1])
    with pytest.raises(RemoteError, match="MAK"):
        keys.unwrap(spoilt, bytes.fromhex(VECTORS["working_keys"]["tmk"]))
    with pytest.raises(RemoteError, match="41 bytes"):
        keys.unwrap(f62 + b"\0", MAK16)


def test_single_des_chain_is_the_known_answer() -> None:
    # FIPS 81, appendix F, CBC authentication example, key 0123456789ABCDEF.
    text = b"7654321 Now is the time for "
    assert keys.x9_9(MAK16[:8], text).hex() == "f1d30f6849312ca4"


def test_retail_mac_is_the_known_answer() -> None:
    # ISO 9797-1 annex B, algorithm 3 with padding 1 and DES.
    mac = keys.x9_19(MAK16, b"Now is the time for all ")
    assert mac.hex() == "a1c72e74ea3fa9b6"


def test_cup_ecb_step_by_step() -> None:
    folded = b"0000000000000000"
    first = keys.encrypt(MAK16, folded[:8])
    mixed = bytes(a ^ b for a, b in zip(first, folded[8:], strict=True))
    expected = keys.encrypt(MAK16, mixed).hex().upper()[:8].encode()
    assert keys.cup_ecb(MAK16, bytes(16)) == expected
    assert keys.cup_ecb(MAK16, b"\x01" * 16) == expected  # equal blocks cancel out


@pytest.mark.parametrize("algorithm", keys.MAC_ALGORITHMS)
def test_mac_seals_and_finds_any_change(algorithm: str) -> None:
    sealed = keys.sealed(Message("0500", {11: "000001", 41: "12345678"}), MAK16)
    sealed = keys.sealed(Message("0500", dict(sealed.fields)), MAK16, algorithm)
    data = sealed.to_bytes()
    assert keys.mac_holds(Message.from_bytes(data), MAK16, algorithm)
    for at in (22, 25, len(data) - 1):
        spoilt = data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
        try:
            message = Message.from_bytes(spoilt)
        except RemoteError:
            continue
        assert not keys.mac_holds(message, MAK16, algorithm)


def test_parameter_list_round_trips_and_is_strict() -> None:
    items = {"11": b"FFC0", "12": "全渠道".encode("gbk"), "98": b"\xe0\x20\x20"}
    data = parameters.write_list(items)
    assert parameters.read_list(data) == items
    for bad in (b"77x", data[:-1], b"98x01a", b"9800"):
        with pytest.raises(RemoteError):
            parameters.read_list(bad)
    with pytest.raises(LocalError):
        parameters.write_list({"12": b"x" * 41})


def test_management_and_totals() -> None:
    text = parameters.Management("201", 7).to_text()
    assert text == "00000007201"
    assert parameters.Management.from_text(text).batch == 7
    totals = parameters.Totals(1250, 2, 300, 1)
    assert len(totals.to_text()) == 62
    assert parameters.Totals.from_text(totals.to_text()) == totals
    with pytest.raises(RemoteError):
        parameters.Management.from_text("0000")
