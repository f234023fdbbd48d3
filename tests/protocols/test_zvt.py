"""ZVT without a line: transports, APDUs, message layouts, what is shown."""

from __future__ import annotations

import json
from dataclasses import fields
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols import zvt
from protocols.errors import LocalError, RemoteError
from protocols.tlv import Tlv
from protocols.zvt import (
    Apdu,
    Control,
    Feeder,
    Frame,
    SerialFeeder,
    Shown,
    TcpFeeder,
    UnknownField,
    apdu,
    messages,
)

VECTORS = json.loads(
    (Path(__file__).parent.parent / "vectors/zvt-13.08.json").read_text()
)
APDUS = st.builds(
    lambda code, data: Apdu(code, data).to_bytes(),
    st.sampled_from([0x0600, 0x0601, 0x8000, 0x040F, 0x0610]),
    st.binary(max_size=300) | st.just(b"\x10" * 40),
)
ACK, NAK = b"\x06", b"\x15"


# --- the specification's own frames ---------------------------------------------------


def _name(case: dict[str, str]) -> str:
    return f"{case['clause']}-{case['hex'][:12]}"


@pytest.mark.parametrize("case", VECTORS["frames"], ids=_name)
def test_a_printed_frame_both_ways(case: dict[str, str]) -> None:
    printed = bytes.fromhex(case["hex"])
    read = Apdu.from_bytes(printed)
    assert read.to_bytes() == printed
    if layout := case.get("layout"):
        kind = getattr(messages, layout)
        assert kind.from_apdu(read).to_apdu() == read


def test_fields_of_printed_frames() -> None:
    by_hex = [bytes.fromhex(case["hex"]) for case in VECTORS["frames"]]
    registration = messages.Registration.from_apdu(Apdu.from_bytes(by_hex[0]))
    assert (registration.password, registration.config) == ("000000", 0x9E)
    assert registration.currency == messages.EURO
    assert registration.container == (
        Tlv(0x26, b"\x0a\x02\x06\xd3"),
        Tlv(0x1F73, bytes(3)),
    )
    completion = messages.Completion.from_apdu(Apdu.from_bytes(by_hex[1]))
    assert (completion.status, completion.tid) == (0, "65000028")
    payment = apdu.read_fields(Apdu.from_bytes(by_hex[3]).data)
    assert list(payment) == [0x04, 0x49, 0x19, 0x06]
    assert apdu.write_fields(payment) == Apdu.from_bytes(by_hex[3]).data
    last = next(h for h in by_hex if h[:3] == b"\x04\xff\x19")
    status = messages.IntermediateStatus.from_apdu(Apdu.from_bytes(last))
    assert (status.status, status.minutes, status.lines) == (0x17, 3, ("00 Approved",))


def test_the_length_that_the_specification_misprints_is_noticed() -> None:
    [case] = [case for case in VECTORS["frames"] if "printed" in case]
    with pytest.raises(RemoteError, match="12 bytes announced, 20 present"):
        Apdu.from_bytes(bytes.fromhex(case["printed"]))


@pytest.mark.parametrize("case", VECTORS["variable_lengths"])
def test_a_printed_variable_length(case: dict[str, Any]) -> None:
    printed, places = bytes.fromhex(case["hex"]), case["places"]
    value = printed[places:]
    assert apdu.counted(printed[:places], places, "22") == len(value) == case["bytes"]
    assert apdu.var(value, places) == printed
    bmp = {2: 0x22, 3: 0x60}[places]
    assert apdu.read_fields(bytes([bmp]) + printed) == {bmp: value}
    assert apdu.write_fields({bmp: value}) == bytes([bmp]) + printed


def test_a_printed_password_and_tag_list() -> None:
    case = VECTORS["password"]
    assert messages.TurnoverTotals(case["digits"]).data().hex() == case["hex"]
    [tags] = apdu.read_container(bytes.fromhex(VECTORS["tags"]["hex"]))
    assert tags == Tlv(0x1F71, b"\x15\x20\x1f\x6d")


# --- transports -----------------------------------------------------------------------


def _bitwise(data: bytes) -> int:
    """The CRC as PA00P016 3.3 tells it, bit by bit."""
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x8408 if crc & 1 else 0)
    return crc


def test_the_check_value_of_the_crc() -> None:
    case = VECTORS["crc"]
    assert f"{zvt.crc(case['text'].encode()):04X}" == case["crc"]


@given(st.binary(max_size=200))
def test_the_crc_is_that_of_the_definition(data: bytes) -> None:
    assert zvt.crc(data) == _bitwise(data)


def test_a_message_by_hand() -> None:
    # 06 00 03 10 02 10: two DLE doubled, the CRC over the seven bytes with ETX.
    check = _bitwise(b"\x06\x00\x03\x10\x02\x10\x03").to_bytes(2, "little")
    wanted = b"\x10\x02\x06\x00\x03\x10\x10\x02\x10\x10\x10\x03" + check
    assert zvt.frame(b"\x06\x00\x03\x10\x02\x10") == wanted


def _fed(make: type[Any], stream: bytes, parts: list[bytes]) -> tuple[list[Any], int]:
    feeder: Feeder = make()
    events = [event for part in parts for event in feeder.feed(part)]
    assert b"".join(parts) == stream
    return events, feeder.skipped


@pytest.mark.parametrize("make", [SerialFeeder, TcpFeeder])
@given(
    noise=st.binary(max_size=300),
    apdus=st.lists(APDUS, max_size=3),
    cuts=st.lists(st.integers(0, 900), max_size=6),
)
def test_whole_input_equals_pieces(
    make: type[Any], noise: bytes, apdus: list[bytes], cuts: list[int]
) -> None:
    stream = noise + b"".join(map(zvt.frame, apdus)) + ACK + noise + b"".join(apdus)
    edges = [0, *sorted(min(c, len(stream)) for c in cuts), len(stream)]
    pieces = [stream[a:b] for a, b in pairwise(edges)]
    single = [bytes([byte]) for byte in stream]
    whole = _fed(make, stream, [stream])
    assert whole == _fed(make, stream, pieces) == _fed(make, stream, single)


@given(APDUS)
def test_a_message_round_trip(data: bytes) -> None:
    assert SerialFeeder().feed(zvt.frame(data)) == [Frame(data)]
    assert TcpFeeder().feed(data) == [Frame(data)]


@given(st.binary(max_size=50).filter(lambda b: not set(b) & {0x10, 6, 0x15}), APDUS)
def test_garbage_before_a_message_is_skipped_and_counted(
    noise: bytes, data: bytes
) -> None:
    feeder = SerialFeeder()
    assert feeder.feed(noise + zvt.frame(data)) == [Frame(data)]
    assert feeder.skipped == len(noise)


@given(
    st.lists(st.integers(0, 255).filter(lambda b: b not in zvt.frames.CLASSES)), APDUS
)
def test_garbage_before_an_apdu_is_skipped_and_counted(
    noise: list[int], data: bytes
) -> None:
    feeder = TcpFeeder()
    assert feeder.feed(bytes(noise) + data) == [Frame(data)]
    assert feeder.skipped == len(noise)


@given(APDUS, st.data())
def test_one_flipped_bit_is_noticed(data: bytes, draw: st.DataObject) -> None:
    spoilt = bytearray(zvt.frame(data))
    at = draw.draw(st.integers(0, len(spoilt) - 1))
    spoilt[at] ^= 1 << draw.draw(st.integers(0, 7))
    assert Frame(data) not in SerialFeeder().feed(bytes(spoilt))


def test_a_new_beginning_inside_a_message() -> None:
    feeder = SerialFeeder()
    whole = zvt.frame(b"\x05\x01\x00")
    assert feeder.feed(b"\x10\x02cut off" + whole) == [Frame(b"\x05\x01\x00")]
    assert feeder.skipped == 9


def test_a_message_given_up() -> None:
    serial, tcp = SerialFeeder(), TcpFeeder()
    for feeder, begun in ((serial, b"\x10\x02\x05\x01\x10"), (tcp, b"\x05\x01")):
        assert feeder.feed(begun) == []
        assert feeder.inside is (feeder is serial)
        feeder.drop()
        assert not feeder.inside
    assert (serial.skipped, tcp.skipped) == (4, 2)
    assert serial.feed(zvt.frame(b"\x05\x01\x00")) == [Frame(b"\x05\x01\x00")]
    assert tcp.feed(b"\x05\x01\x00") == [Frame(b"\x05\x01\x00")]


def test_a_dle_that_announces_nothing_spoils_the_message() -> None:
    good = zvt.frame(b"\x06\x00\x01\x41")
    spoilt = good.replace(b"\x41", b"\x10\x41")
    [event] = SerialFeeder().feed(spoilt)
    assert isinstance(event, Frame) and not event.intact


def test_controls_between_messages_only() -> None:
    data = b"\x06\x15\x02\x06\x15"
    events = SerialFeeder().feed(ACK + zvt.frame(data) + NAK)
    assert events == [Control.ACK, Frame(data), Control.NAK]


def test_feeders_hold_a_bounded_apdu() -> None:
    serial = SerialFeeder()
    assert serial.feed(b"\x10\x02" + b"x" * (zvt.MAX_APDU + 1))[0] == Frame(b"", False)
    assert serial.feed(zvt.frame(b"\x05\x01\x00"))[-1] == Frame(b"\x05\x01\x00")
    largest = Apdu(0x0814, b"x" * 0xFFFF).to_bytes()
    assert len(largest) == zvt.MAX_APDU
    assert TcpFeeder().feed(largest * 2) == [Frame(largest)] * 2
    with pytest.raises(LocalError):
        zvt.frame(largest + b"x")


# --- APDUs, fields, containers --------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "head"),
    [(0, "060000"), (254, "0600fe"), (255, "0600ffff00"), (65535, "0600ffffff")],
)
def test_lengths(size: int, head: str) -> None:
    data = Apdu(0x0600, bytes(size)).to_bytes()
    assert data[: len(head) // 2].hex() == head
    assert Apdu.from_bytes(data).data == bytes(size)


@pytest.mark.parametrize("text", ["", "06", "0600", "0600ff", "0600ff01", "060001"])
def test_an_apdu_cut_short(text: str) -> None:
    with pytest.raises(RemoteError):
        Apdu.from_bytes(bytes.fromhex(text))


def test_what_cannot_be_an_apdu() -> None:
    for code, size in ((0x0600, 65536), (0x10000, 0), (-1, 0)):
        with pytest.raises(LocalError):
            Apdu(code, bytes(size)).to_bytes()


def _value(bmp: int) -> st.SearchStrategy[bytes]:
    size = apdu.BMP_SIZES[bmp]
    if size > 0:
        return st.binary(min_size=size, max_size=size)
    return st.binary(max_size=90)


FIELDS = st.lists(st.sampled_from(sorted(apdu.BMP_SIZES)), unique=True, max_size=8)


@given(FIELDS.flatmap(lambda bmps: st.fixed_dictionaries({b: _value(b) for b in bmps})))
def test_fields_round_trip_in_their_order(held: dict[int, bytes]) -> None:
    read = apdu.read_fields(apdu.write_fields(held))
    assert list(read.items()) == list(held.items())


def test_every_size_of_the_table() -> None:
    # Counted in chapter 13: 70 to 75 are those of Display Image.
    assert len(apdu.BMP_SIZES) == 75
    assert apdu.BMP_SIZES[0x29] == 4 and apdu.BMP_SIZES[0x04] == 6
    assert apdu.BMP_SIZES[0x60] == apdu.LLL and apdu.BMP_SIZES[0x22] == apdu.LL


@pytest.mark.parametrize(
    "text",
    ["29650000", "2201", "22f1", "22f1fa", "60f0f0", "0683000001", "0680", "06820001",
     "27002701"],
)  # fmt: skip
def test_fields_cut_short(text: str) -> None:
    with pytest.raises(RemoteError):
        apdu.read_fields(bytes.fromhex(text))


def test_an_unknown_field_ends_the_reading() -> None:
    with pytest.raises(UnknownField) as caught:
        apdu.read_fields(b"\x27\x00\x99\x01")
    assert (caught.value.field, caught.value.position) == ("99", 2)
    with pytest.raises(LocalError):
        apdu.write_fields({0x99: b""})
    with pytest.raises(LocalError):
        apdu.write_fields({0x29: b"123"})
    with pytest.raises(LocalError):
        apdu.write_fields({0x22: bytes(100)})


def test_tags_that_end_before_their_announced_end() -> None:
    item = apdu.inside(0x2D, Tlv(0x1F80, b"a.bin"), Tlv(0xFF01, b"x"), Tlv(0x1E, b"\0"))
    [read] = apdu.read_container(apdu.write_container([item]))
    assert [t.tag for t in apdu.read_container(read.value)] == [0x1F80, 0xFF01, 0x1E]
    assert apdu.at_path(apdu.write_container([item]), 0x2D, 0x1F80) == b"a.bin"
    assert apdu.at_path(b"", 0x2D) is None


# --- messages -------------------------------------------------------------------------

BYTE = st.integers(0, 255)
TEXT = st.binary(max_size=30).map(lambda data: data.decode("cp437"))
MOMENT = st.datetimes(datetime(2000, 1, 1), datetime(2068, 12, 31)).map(
    lambda moment: moment.replace(microsecond=0)
)
OBJECTS = st.lists(
    st.builds(
        Tlv, st.sampled_from([0x14, 0x1A, 0x1F37, 0xFF02]), st.binary(max_size=9)
    ),
    max_size=3,
).map(tuple)
FILES = st.builds(
    messages.File,
    st.none() | st.binary(min_size=1, max_size=8),
    st.none() | st.integers(0, 2**32 - 1),
    st.none() | st.integers(0, 2**32 - 1),
    st.none() | st.binary(max_size=300),
)
GROUP = st.tuples(BYTE, st.integers(0, 10**12 - 1))
TOTALS = st.builds(
    messages.SingleTotals,
    st.integers(0, 9999),
    st.integers(0, 9999),
    st.lists(GROUP, min_size=7, max_size=7).map(tuple),
)


def digits(size: int) -> st.SearchStrategy[str]:
    return st.integers(0, 10**size - 1).map(lambda number: f"{number:0{size}}")


def maybe(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | strategy


SECRET = digits(6)
# One that begins with 06 can look like a container.
CURRENCY = digits(4).filter(lambda text: not text.startswith("06"))
ALL: dict[type[messages.Message], st.SearchStrategy[Any]] = {
    messages.Initialisation: st.builds(messages.Initialisation, SECRET),
    messages.TurnoverTotals: st.builds(messages.TurnoverTotals, SECRET),
    messages.LogOff: st.builds(messages.LogOff),
    messages.PrintConfiguration: st.builds(messages.PrintConfiguration),
    messages.Abort: st.builds(messages.Abort),
    messages.Registration: st.builds(messages.Registration, SECRET, BYTE)
    | st.builds(
        messages.Registration, SECRET, BYTE, digits(4), maybe(BYTE), maybe(OBJECTS)
    ),
    messages.StatusEnquiry: st.builds(messages.StatusEnquiry)
    | st.builds(messages.StatusEnquiry, SECRET, maybe(BYTE), maybe(OBJECTS)),
    messages.Diagnosis: st.builds(messages.Diagnosis, maybe(BYTE)),
    messages.EndOfDay: st.builds(messages.EndOfDay, SECRET, st.booleans()),
    messages.SetTerminalId: st.builds(messages.SetTerminalId, SECRET, maybe(digits(8))),
    messages.SetClock: st.builds(messages.SetClock, SECRET, MOMENT),
    messages.ChangePassword: st.builds(messages.ChangePassword, SECRET, SECRET),
    messages.DisplayText: st.builds(
        messages.DisplayText,
        st.lists(TEXT, max_size=8).map(tuple),
        maybe(BYTE),
        maybe(BYTE),
    ),
    messages.WriteFile: st.builds(
        messages.WriteFile, SECRET, st.lists(FILES, min_size=1, max_size=3).map(tuple)
    ),
    **{
        kind: st.builds(kind, st.lists(FILES, min_size=1, max_size=3).map(tuple))
        for kind in (
            messages.ReadFile,
            messages.FileSent,
            messages.ChangeConfiguration,
            messages.FileRequest,
            messages.FileBlock,
        )
    },
    messages.Completion: st.builds(
        messages.Completion,
        maybe(BYTE),
        maybe(BYTE),
        maybe(digits(8)),
        maybe(digits(4)),
        maybe(OBJECTS),
    ),
    messages.StatusReport: st.builds(
        messages.StatusReport, BYTE, maybe(TEXT), maybe(OBJECTS)
    ),
    messages.Aborted: st.builds(messages.Aborted, BYTE, st.none(), maybe(OBJECTS))
    | st.builds(messages.Aborted, st.just(0x6F), CURRENCY, maybe(OBJECTS)),
    messages.StatusInformation: st.builds(
        messages.StatusInformation,
        maybe(BYTE),
        maybe(st.integers(0, 10**12 - 1)),
        maybe(TOTALS),
        maybe(digits(6)),
        maybe(digits(4)),
        maybe(digits(6)),
        maybe(digits(8)),
        maybe(digits(4)),
    ),
    messages.EcrClock: st.builds(messages.EcrClock, MOMENT),
    messages.PrintLine: st.builds(messages.PrintLine, TEXT, BYTE),
    messages.PrintTextBlock: st.builds(
        messages.PrintTextBlock, st.lists(TEXT, max_size=5).map(tuple), maybe(BYTE)
    ),
    messages.IntermediateStatus: st.builds(
        messages.IntermediateStatus, BYTE, maybe(st.integers(0, 99)), maybe(OBJECTS)
    ),
}


def _kinds(base: type[messages.Message]) -> set[type[messages.Message]]:
    below = set(base.__subclasses__())
    return below.union(*map(_kinds, below)) if below else below


def test_every_message_has_its_round_trip() -> None:
    concrete = {k for k in _kinds(messages.Message) if not k.__name__.startswith("_")}
    assert concrete == set(ALL)


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.__name__)
@given(draw=st.data())
def test_messages_round_trip(kind: type[messages.Message], draw: st.DataObject) -> None:
    message = draw.draw(ALL[kind])
    wire = message.to_apdu().to_bytes()
    assert kind.from_apdu(Apdu.from_bytes(wire)) == message


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.__name__)
@given(data=st.binary(max_size=60))
def test_garbage_gives_remote_error_only(
    kind: type[messages.Message], data: bytes
) -> None:
    try:
        message = kind.from_apdu(Apdu(kind.CONTROL, data))
        for name in ("tid", "serial", "model", "firmware", "clock", "lines"):
            getattr(message, name, None)
    except RemoteError:
        pass


def test_another_message_is_no_such_message() -> None:
    with pytest.raises(RemoteError, match="another message"):
        messages.EndOfDay.from_apdu(Apdu(0x0610, bytes(3)))


@pytest.mark.parametrize(
    "message",
    [
        messages.TurnoverTotals("12345"),
        messages.TurnoverTotals("12345a"),
        messages.TurnoverTotals("１２３４５６"),
        messages.Registration("000000", 256),
        messages.Registration("000000", 0, None, 1),
        messages.StatusEnquiry(None, 4),
        messages.SetTerminalId("000000", "123456789"),
        messages.DisplayText(("x",) * 9),
        messages.DisplayText(("终端",)),
        messages.StatusInformation(amount=-1),
        messages.StatusInformation(amount=10**12),
        messages.StatusInformation(totals=messages.SingleTotals(1, 2, ((256, 0),) * 7)),
        messages.ReadFile((messages.File(start=-1),)),
        messages.IntermediateStatus(1, 100),
    ],
    ids=str,
)
def test_what_no_field_can_hold(message: messages.Message) -> None:
    with pytest.raises(LocalError):
        message.to_apdu()


def test_layouts_by_hand() -> None:
    when = datetime(2026, 11, 23, 1, 2, 3)
    assert messages.SetClock("123456", when).to_apdu().to_bytes().hex() == (
        "06910b123456aa2611230c010203"
    )
    assert messages.SetTerminalId("000000", "65000028").to_apdu().to_bytes().hex() == (
        "061b080000002965000028"
    )
    assert messages.EndOfDay("000000").to_apdu().to_bytes().hex() == "065003000000"
    assert messages.ChangePassword("000000", "123456").data().hex() == "000000123456"
    assert messages.PrintLine("Summe", 0x40).to_apdu().to_bytes().hex() == (
        "06d10640" + b"Summe".hex()
    )


def test_a_status_report_tells_who_and_when() -> None:
    when = datetime(2026, 11, 23, 1, 2, 3)
    told = messages.status_objects(
        tid="65000028", serial="123", model="A", version="V2", state=3, clock=when
    )
    report = messages.StatusReport(0, "V1", told)
    read = messages.StatusReport.from_apdu(report.to_apdu())
    assert (read.tid, read.serial, read.model, read.firmware) == (
        "65000028", "123", "A", "V2",
    )  # fmt: skip
    assert (read.device_state, read.clock) == (messages.FRAUD, when)
    bare = messages.StatusReport(0x51)
    assert (bare.tid, bare.serial, bare.clock, bare.device_state) == (None,) * 4


def test_a_state_that_looks_like_a_length_is_a_state() -> None:
    for state in (0xF0, 0xF6):
        for report in (messages.StatusReport(state), messages.StatusReport(state, "")):
            assert messages.StatusReport.from_apdu(report.to_apdu()) == report


# --- what people see ------------------------------------------------------------------

PAN = "6212345678901232"


@pytest.mark.req("R48")
@pytest.mark.parametrize("transport", [zvt.SERIAL, zvt.TCP], ids=lambda t: t.name)
def test_no_value_is_shown(transport: zvt.Transport) -> None:
    read = apdu.write_fields({0x22: bytes.fromhex(PAN), 0x2D: PAN.encode()})
    for message in (
        Apdu(0x040F, read),
        Apdu(0x06C0, PAN.encode()),
        Apdu(0x8412, PAN.encode()),
        messages.PrintLine(PAN).to_apdu(),
        messages.Registration("654321", 0x86).to_apdu(),
    ):
        [text] = Shown(transport).feed(transport.wrap(message.to_bytes()))
        assert message.name in text and f"{len(message.data)} B" in text
        assert PAN[:6] not in text and "654321" not in text
        assert PAN[:6] not in repr(message) and "654321" not in repr(message)


def test_what_is_shown() -> None:
    shown = Shown()
    aborted = messages.Aborted(0x6C).to_apdu().to_bytes()
    stream = b"\xff\xff" + ACK + zvt.frame(b"\x06\x93\x03\0\0\0") + zvt.frame(aborted)
    assert shown.feed(stream + zvt.frame(b"\x80\x00\x00") + zvt.frame(b"\x06")) == [
        "(2 bytes that are no message)",
        "ACK",
        "06 93 initialisation | 3 B",
        "06 1E aborted 6C | 1 B",
        "80 00",
        "(no APDU, 1 B)",
    ]
    spoilt = bytearray(zvt.frame(PAN.encode()))
    spoilt[-1] ^= 1
    assert shown.feed(bytes(spoilt)) == ["(spoilt message, 16 B)"]


def test_a_password_is_in_no_repr() -> None:
    for message in (
        messages.EndOfDay("654321"),
        messages.ChangePassword("654321", "654322"),
        messages.StatusEnquiry("654321"),
    ):
        assert "65432" not in repr(message)
        assert {f.name for f in fields(message) if not f.repr}
