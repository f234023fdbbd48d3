"""What stands inside F48, F55, F60, F62 and F63, and the header's request."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols import tlv
from protocols.errors import LocalError, RemoteError
from protocols.iso8583 import Header, Message, ProcessingRequest, keys, values
from protocols.iso8583.parameters import Management, Totals

VECTORS = json.loads(
    (Path(__file__).parents[1] / "vectors" / "cup8583.json").read_text("utf-8")
)
TMK = bytes.fromhex("0123456789ABCDEFFEDCBA9876543210")
PAN = "6216261000000000018"
SIGN_IN = Message.from_bytes(bytes.fromhex(VECTORS["sign_in_request"]["hex"])[2:])

AMOUNT, COUNT = st.integers(0, 10**12 - 1), st.integers(0, 999)
TOTALS = st.builds(Totals, AMOUNT, COUNT, AMOUNT, COUNT, st.sampled_from("0123"))
DIGITS = "0123456789"
TAGS = st.sampled_from([0x57, 0x5A, 0x82, 0x95, 0x9F26, 0x9F10, 0xDF8101])
READERS: dict[int, list[Callable[[Message], object]]] = {
    48: [values.settlement],
    55: [values.chip_data],
    60: [values.management],
    62: [
        values.parameter_list,
        values.terminal_serial,
        lambda message: values.working_keys(message, TMK),
    ],
    63: [values.operator, values.scheme],
}


def test_typed_values_of_the_third_party_sign_in() -> None:
    assert values.management(SIGN_IN) == Management("003")
    assert values.terminal_serial(SIGN_IN) == "9491000001041812CA859291"
    assert values.serial_field("9491000001041812CA859291") == SIGN_IN.data(62)
    assert values.operator(SIGN_IN) == "123"
    with pytest.raises(RemoteError, match="another meaning"):
        values.scheme(SIGN_IN)


@given(
    st.builds(
        Management,
        st.text(DIGITS, min_size=3, max_size=3),
        st.integers(0, 999999),
        st.text(DIGITS, min_size=2, max_size=2),
        st.text(DIGITS, max_size=6),
    )
)
def test_management_round_trips(management: Management) -> None:
    message = Message("0800", {60: management.to_text()})
    assert values.management(message) == management


def test_parts_of_f60() -> None:
    read = Management.from_text("220000070005012")
    assert (read.kind, read.batch, read.code) == ("22", 7, "000")
    assert (read.read_capability, read.chip_condition) == ("5", "0")
    bare = Management.from_text("22000007000")
    assert (bare.read_capability, bare.chip_condition) == ("", "")


@given(TOTALS, TOTALS)
def test_settlement_round_trips(domestic: Totals, foreign: Totals) -> None:
    both = values.Settlement(domestic, foreign)
    text = both.to_text()
    assert len(text) == 62
    assert values.settlement(Message("0500", {48: text})) == both
    assert Totals.from_text(text) == domestic


def test_settlement_refuses_what_does_not_fit() -> None:
    bad = (Totals(10**12), Totals(0, 1000), Totals(-1), Totals(result="x"))
    for totals in bad:
        with pytest.raises(LocalError):
            values.Settlement(foreign=totals).to_text()
    for text in ("0" * 61, "0" * 63, "a" * 62, "٣" * 62):
        with pytest.raises(RemoteError, match="F48"):
            values.Settlement.from_text(text)


@given(st.dictionaries(TAGS, st.binary(max_size=20), max_size=6))
def test_chip_data_round_trips(objects: dict[int, bytes]) -> None:
    chip = values.ChipData(objects)
    message = Message("0200", {55: chip.to_bytes()})
    assert values.chip_data(message) == chip
    assert list(values.chip_data(message).objects) == list(objects)


def test_chip_data_is_strict() -> None:
    assert values.ChipData({0x9F26: b"\1"}).get(0x9F26) == b"\1"
    assert values.ChipData({}).get(0x9F26) is None
    with pytest.raises(RemoteError, match="twice"):
        values.ChipData.from_bytes(tlv.write(0x82, b"ab") * 2)
    with pytest.raises(RemoteError) as caught:
        values.ChipData.from_bytes(bytes.fromhex("8202ab"))
    assert (caught.value.field, caught.value.position) == ("F55", 2)
    with pytest.raises(LocalError, match="256 bytes"):
        values.ChipData({0x9F10: bytes(252)}).to_bytes()


@pytest.mark.req("R48")
def test_repr_of_typed_values_shows_no_value() -> None:
    pan = bytes.fromhex(PAN + "F")
    shown = repr(values.ChipData({0x5A: pan, 0x9F26: b"\x12" * 8, 0x62: b""}))
    assert shown == "ChipData(9F26, 2 others)"
    assert "note" not in repr(values.Private63("CUP", "note"))


@given(st.text(DIGITS + "AZ", min_size=1, max_size=99))
def test_serial_round_trips(serial: str) -> None:
    message = Message("0800", {62: values.serial_field(serial)})
    assert values.terminal_serial(message) == serial


def test_serial_refused() -> None:
    for serial in ("", "1" * 100, "墨"):
        with pytest.raises(LocalError):
            values.serial_field(serial)
    ends = (b"", b"00", b"031", b"x11", b"01\xff")
    for data in (*(b"Sequence No" + end for end in ends), b"sequence No011"):
        with pytest.raises(RemoteError, match="F62"):
            values.terminal_serial(Message("0800", {62: data}))


@given(st.text("CUP019 ", min_size=3, max_size=3), st.text("A 0", max_size=160))
def test_f63_round_trips_and_is_read_by_mti(owner: str, rest: str) -> None:
    private = values.Private63(owner, rest)
    text = private.to_text()
    assert values.Private63.from_text(text) == private
    assert values.scheme(Message("0210", {63: text})) == owner
    assert values.operator(Message("0820", {63: text})) == owner
    with pytest.raises(RemoteError):
        values.operator(Message("0210", {63: text}))


def test_f63_refused() -> None:
    with pytest.raises(LocalError):
        values.Private63("CU").to_text()
    with pytest.raises(RemoteError, match="2 characters"):
        values.scheme(Message("0210", {63: "CU"}))


def test_working_keys_and_parameters_are_read_on_demand() -> None:
    issued = keys.WorkingKeys(bytes(range(16)), bytes(range(8)))
    message = Message("0810", {62: keys.wrap(issued, TMK, 40)})
    assert values.working_keys(message, TMK) == issued
    assert values.parameter_list(Message("0810", {62: b"251"})) == {"25": b"1"}


@given(st.binary(max_size=90), st.text(max_size=70), st.sampled_from(sorted(READERS)))
def test_garbage_gives_the_remote_error_only(data: bytes, text: str, at: int) -> None:
    for fields in ({at: data}, {at: text}, {}):
        for mti in ("0800", "0200"):
            for read in READERS[at]:
                try:
                    read(Message(mti, fields))
                except RemoteError as error:
                    assert f"F{at}" in str(error)


@given(st.sampled_from(ProcessingRequest))
def test_processing_request_is_the_fourth_part(wanted: ProcessingRequest) -> None:
    data = Header(request=wanted).to_bytes()
    assert data.hex()[5] == str(wanted.value)
    read = Header.from_bytes(data).request
    assert read is wanted
    assert SIGN_IN.answer({}, int(wanted)).header.request is wanted


def test_ten_requests_and_no_more() -> None:
    assert sorted(ProcessingRequest) == list(range(10))
    assert ProcessingRequest(3) is ProcessingRequest.SIGN_IN_AGAIN
    for wanted in (-1, 10):
        with pytest.raises(LocalError):
            SIGN_IN.answer({}, wanted)
    for header in (Header("6"), Header(state=10), Header(reserved="3101xx")):
        with pytest.raises(LocalError):
            header.to_bytes()
