"""Strict and lenient unpacking: what was read, where it stopped, and why."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.errors import RemoteError
from protocols.iso8583 import Message, Reading, pack, unpack

PAN = "6216261000000000018"
FIELDS: dict[int, str | bytes] = {
    2: PAN,
    3: "000000",
    11: "000074",
    22: "021",
    23: "001",
    35: f"{PAN}D301",
    41: "12345678",
    43: "墨文",
    62: b"abc",
    64: bytes(8),
}
BODY = pack("0200", FIELDS)
AT_22 = 2 + 8 + 11 + 3 + 3  # MTI, bitmap, F2, F3, F11


@given(st.binary(max_size=80))
def test_lenient_never_raises_and_agrees_with_strict(body: bytes) -> None:
    reading = unpack(body, strict=False)
    assert not any(number in reading.fields for number in (0, 1))
    try:
        strict = unpack(body)
    except RemoteError as error:
        first = reading.notes[0] if reading.notes else reading.error
        assert str(first) == str(error)
        return
    assert reading == Reading(*strict)


@given(st.integers(0, len(BODY) - 1), st.integers(0, 255), st.integers(0, len(BODY)))
def test_damaged_message_keeps_what_was_read(at: int, byte: int, cut: int) -> None:
    spoilt = (BODY[:at] + bytes([byte]) + BODY[at + 1 :])[:cut]
    reading = unpack(spoilt, strict=False)
    if reading.error is not None:
        assert reading.error.read == tuple(reading.fields)
        assert reading.error.position is not None
    if reading.mti and at >= 10 and cut >= 10:  # before the damage all is as it was
        assert len(reading.fields) == len(FIELDS) or reading.error is not None
        wrong = [n for n, v in reading.fields.items() if FIELDS[n] != v]
        assert len(wrong) <= 1 or reading.error is not None


def test_whole_message_has_neither_notes_nor_error() -> None:
    assert unpack(BODY, strict=False) == Reading("0200", FIELDS)
    assert unpack(BODY, strict=True) == unpack(BODY) == ("0200", FIELDS)


def test_a_cut_message_keeps_the_fields_before_the_cut() -> None:
    reading = unpack(BODY[: AT_22 + 1], strict=False)
    assert reading.mti == "0200"
    assert dict(reading.fields) == {n: FIELDS[n] for n in (2, 3, 11)}
    error = reading.error
    assert error is not None
    assert (error.field, error.position, error.read) == ("F22", AT_22, (2, 3, 11))
    assert str(error) == "1 bytes missing (field F22, byte 27, after F2 F3 F11)"


@pytest.mark.parametrize(
    ("at", "byte", "number"),
    [
        (AT_22 + 1, 0x1F, 22),  # right of left-aligned digits; F is met, too
        (AT_22 + 2, 0x70, 23),  # left of right-aligned ones
        (2 + 8 + 10, 0x85, 2),  # right of a variable length's
    ],
)
def test_padding_is_tolerated_with_a_note(at: int, byte: int, number: int) -> None:
    spoilt = BODY[:at] + bytes([byte]) + BODY[at + 1 :]
    reading = unpack(spoilt, strict=False)
    assert (reading.mti, reading.fields, reading.error) == ("0200", FIELDS, None)
    [note] = reading.notes
    assert (note.reason, note.field) == ("padding is not zero", f"F{number}")
    assert note.read == tuple(n for n in FIELDS if n < number)
    with pytest.raises(RemoteError) as caught:
        unpack(spoilt)
    assert str(caught.value) == str(note)
    assert caught.value.read == note.read


def test_what_follows_the_last_field_is_an_error_after_all_fields() -> None:
    reading = unpack(BODY + b"\0", strict=False)
    assert reading.fields == FIELDS
    assert reading.error is not None
    assert reading.error.reason == "1 bytes after the last field"
    assert reading.error.position == len(BODY)
    assert reading.error.read == tuple(FIELDS)


def test_an_empty_second_bitmap_is_told_after_the_fields() -> None:
    wide = pack("0200", {11: "000074", 128: bytes(8)})[:-8]
    reading = unpack(wide[:2] + b"\x80" + wide[3:17] + b"\0" + wide[18:], strict=False)
    assert reading.fields == {11: "000074"}
    assert str(reading.error) == "second bitmap is empty (byte 2, after F11)"


@pytest.mark.parametrize("body", [b"", b"\2", b"\2\0\0", b"\x0a\0" + bytes(8)])
def test_unreadable_heads(body: bytes) -> None:
    reading = unpack(body, strict=False)
    assert reading.fields == {}
    assert reading.error is not None
    assert reading.mti == ("0200" if body == b"\2\0\0" else "")


def test_message_tells_the_position_in_the_whole_and_what_was_read() -> None:
    data = Message("0200", FIELDS).to_bytes()
    with pytest.raises(RemoteError) as caught:
        Message.from_bytes(data[: 11 + AT_22])
    assert caught.value.position == 11 + AT_22
    assert caught.value.read == (2, 3, 11)


@pytest.mark.req("R48")
def test_readings_and_their_errors_show_no_value() -> None:
    spoilt = BODY[: AT_22 + 1] + b"\x1f" + BODY[AT_22 + 2 : -1]
    reading = unpack(spoilt, strict=False)
    assert reading.fields[2] == PAN
    assert reading.notes and reading.error
    shown = f"{reading!r} {reading.error} {reading.notes}"
    assert not any(part in shown for part in (PAN[:8], PAN[-8:], "12345678", "墨"))
