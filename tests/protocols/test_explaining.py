"""What bytes from a card mean: answers to reset, beside pyscard's reading of them, and
TLV data, of which nothing is shown that must not be."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.card.applet import ATRS, DEBIT_CARD, Applet
from protocols import tlv
from protocols.atr import is_contactless, read_atr
from protocols.errors import RemoteError
from protocols.tagnames import explain

NUMBER = DEBIT_CARD.number
PACKED = bytes.fromhex(NUMBER + "F")
ID_NUMBER = b"11010519491231002X".ljust(40, b"\0")


@pytest.mark.req("R55")
@pytest.mark.parametrize(
    ("atr", "protocols", "contactless"),
    [
        (ATRS["T=0"], (0,), False),
        (ATRS["T=1"], (1,), False),
        (ATRS["contactless"], (0, 1), True),
        (bytes.fromhex("3F650000") + b"POSCT", (0,), False),
        (bytes.fromhex("3B00"), (0,), False),
    ],
)
def test_what_an_atr_offers(
    atr: bytes, protocols: tuple[int, ...], contactless: bool
) -> None:
    found = read_atr(atr)
    assert (found.protocols, is_contactless(atr)) == (protocols, contactless)
    assert found.check is (None if protocols == (0,) else True)
    assert found.historical == (b"" if len(atr) == 2 else b"POSCT")


def test_with_t_0_and_t_15_there_is_a_check_byte() -> None:
    """As of most SIM cards (ISO/IEC 7816-3, 8.2.5); pyscard says the same."""
    from smartcard.ATR import ATR

    raw = bytes.fromhex("3B9F96801FC78031A073BE21136743200718000001A5")
    found, theirs = read_atr(raw), ATR(list(raw))
    assert found.check is True and theirs.hasChecksum and theirs.checksumOK
    assert found.protocols == (0,)
    assert bytes(theirs.getHistoricalBytes()) == found.historical


def test_a_check_byte_that_is_wrong_is_told() -> None:
    spoilt = ATRS["T=1"][:-1] + bytes([ATRS["T=1"][-1] ^ 1])
    assert read_atr(spoilt).check is False


@pytest.mark.parametrize(
    "atr", ["", "3B", "4065", "3B65", "3BF0", "3B6500", "3B00" * 17]
)
def test_what_is_no_atr(atr: str) -> None:
    with pytest.raises(RemoteError):
        read_atr(bytes.fromhex(atr))


@given(st.binary(max_size=40))
def test_any_bytes_are_an_atr_or_refused(data: bytes) -> None:
    try:
        found = read_atr(data)
    except RemoteError:
        return
    assert len(found.historical) == data[1] & 0x0F
    rest = data[2 + len(found.interface) :]
    assert rest == found.historical + rest[len(found.historical) :]
    assert len(rest) - len(found.historical) == (found.check is not None)


@given(
    interface=st.lists(st.integers(0, 255), max_size=3),
    historical=st.binary(max_size=15),
    first=st.sampled_from([0, 1]),
)
def test_pyscard_reads_the_same(
    interface: list[int], historical: bytes, first: int
) -> None:
    """TA1 to TC1, as many as there are, and TD1 where T=1 is offered."""
    from smartcard.ATR import ATR

    bits = sum(0x10 << n for n in range(len(interface))) | (0x80 if first else 0)
    raw = bytes([0x3B, bits | len(historical), *interface])
    raw += bytes([first]) if first else b""
    raw += historical
    if first:
        check = 0
        for byte in raw[1:]:
            check ^= byte
        raw += bytes([check])
    ours, theirs = read_atr(raw), ATR(list(raw))
    assert bytes(theirs.getHistoricalBytes()) == ours.historical
    assert theirs.isT1Supported() == (1 in ours.protocols)
    assert theirs.isT0Supported() == (0 in ours.protocols)


# -- TLV ---------------------------------------------------------------------------


def shown(data: bytes, **more: str) -> dict[str, str]:
    return {one.tag: one.value for one in explain(data, **more)}


@pytest.mark.req("R48")
def test_numbers_are_masked_and_secrets_left_out() -> None:
    aid = tlv.write(0x4F, bytes.fromhex("A000000333010101"))
    inner = aid + tlv.write(0x5A, PACKED)
    inner += tlv.write(0x57, bytes.fromhex(NUMBER + "D49122201234567"))
    inner += tlv.write(0x5F20, "全渠道".encode("gb18030")) + tlv.write(
        0x5F24, b"I\x12("
    )
    inner += tlv.write(0x9F61, ID_NUMBER) + tlv.write(0x9F1F, b"1234567890")
    found = shown(tlv.write(0x70, inner))
    assert found["5A"] == "621626*********0018"
    assert found["57"] == "621626*********0018 …"
    assert found["5F20"] == "全渠道"
    assert found["9F61"] == found["9F1F"] == found["5F24"] == "…"
    text = str(found)
    assert NUMBER[6:-4] not in text and "110105" not in text and "491222" not in text


@pytest.mark.req("R48")
def test_a_number_where_none_belongs_is_masked() -> None:
    """In a name, and in track data without a separator."""
    data = tlv.write(0x5F20, NUMBER.encode()) + tlv.write(0x57, PACKED + PACKED)
    text = str(explain(data))
    assert NUMBER[6:-4] not in text and "…" in text


@pytest.mark.req("R23")
def test_9f61_is_an_id_number_under_unionpays_rid_only() -> None:
    data = tlv.write(0x9F61, b"\x12\x34")
    (ours,) = explain(data, aid="A000000333010101")
    (other,) = explain(data, aid="A0000000041010")
    assert ours.name == "cardholder's ID number" and other.name == ""
    assert ours.value == other.value == "…"


@pytest.mark.req("R48")
@pytest.mark.parametrize("tag", [0xDF01, 0x9F55, 0xC1])
def test_a_number_in_an_object_that_is_not_known_is_masked_too(tag: int) -> None:
    assert NUMBER[6:-4] not in str(explain(tlv.write(tag, PACKED)))


def test_a_whole_answer_is_explained_by_depth() -> None:
    card = Applet(DEBIT_CARD)
    card.process(bytes.fromhex("00A4040008A000000333010101"))
    data = card.process(bytes.fromhex("00C0000000"))[:-2]
    found = explain(data)
    assert [(one.depth, one.tag) for one in found][:3] == [
        (0, "6F"),
        (1, "84"),
        (1, "A5"),
    ]
    assert {"50", "87", "9F38"} <= {one.tag for one in found}


@given(st.binary(max_size=300))
def test_any_bytes_are_explained_or_refused(data: bytes) -> None:
    try:
        explain(data)
    except RemoteError as error:
        assert data.hex() not in str(error) or len(data) < 2


@pytest.mark.req("R48")
@pytest.mark.parametrize(
    "tag",
    [0x9F10, 0x9F05, 0x80, 0x83, 0x9F24, 0x9F63, 0x4F, 0x84, 0x88, 0x8C, 0x94, 0x8E],
)
def test_a_number_shows_under_no_tag(tag: int) -> None:
    """As of track 2: neither the number nor what stands behind it."""
    track = bytes.fromhex(NUMBER + "D491222012345678F")
    told = str(explain(tlv.write(tag, track)) + explain(tlv.write(tag, PACKED)))
    assert NUMBER not in told and "4912220" not in told and "12345678" not in told


def test_what_cannot_hold_a_number_is_shown_whole() -> None:
    shown = {
        0x4F: "A000000333010101",
        0x84: "A000000333010101",
        0x82: "7C00",
        0x94: "0801010010010201",
        0x9F38: "9F7A019F02065F2A029A039F3704",
        0x9F36: "001234",
    }
    for tag, value in shown.items():
        (one,) = explain(tlv.write(tag, bytes.fromhex(value)))
        assert one.value == value
