"""BER-TLV: strict on what comes in, exact on what goes out."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols import tlv
from protocols.errors import LocalError, RemoteError
from protocols.tlv import Tlv

TAGS = st.sampled_from([0x5A, 0x57, 0x5F20, 0x9F38, 0xDF69, 0x70, 0x6F, 0xA5, 0xBF0C])


@given(st.lists(st.tuples(TAGS, st.binary(max_size=300)), max_size=6))
def test_what_is_written_is_read(objects: list[tuple[int, bytes]]) -> None:
    data = b"".join(tlv.write(tag, value) for tag, value in objects)
    assert tlv.read(data) == [Tlv(tag, value) for tag, value in objects]


@given(st.binary(max_size=200))
def test_garbage_is_read_or_refused(data: bytes) -> None:
    for use in (tlv.read, lambda d: list(tlv.walk(d)), lambda d: tlv.find(d, 0x5A)):
        try:
            use(data)
        except RemoteError as error:
            assert error.position is None or 0 <= error.position <= len(data)


@given(st.binary(min_size=1, max_size=150), st.data())
def test_no_piece_of_an_object_passes_for_it(value: bytes, data: st.DataObject) -> None:
    whole = tlv.write(0x5F20, value)
    cut = data.draw(st.integers(1, len(whole) - 1))
    with pytest.raises(RemoteError):
        tlv.read(whole[:cut])


@pytest.mark.parametrize(
    ("size", "head"), [(127, "5A7F"), (128, "5A8180"), (256, "5A820100")]
)
def test_the_shortest_length_form(size: int, head: str) -> None:
    assert tlv.write(0x5A, bytes(size)).hex().upper().startswith(head)


def test_padding_between_objects_is_skipped() -> None:
    data = bytes.fromhex("0000 5A0112 FF 500141 00")
    assert [item.tag for item in tlv.read(data)] == [0x5A, 0x50]


def test_walk_gives_templates_before_what_they_hold() -> None:
    data = bytes.fromhex("6F07 A505 BF0C02 5000")
    assert [item.tag for item in tlv.walk(data)] == [0x6F, 0xA5, 0xBF0C, 0x50]
    assert tlv.find(data, 0x50) == b""
    assert tlv.find(data, 0x5A) is None


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ("9F", "cut short"),
        ("5A", "length missing"),
        ("5A80", "not readable"),
        ("5A8400000001AA", "not readable"),
        ("5A8101", "present"),
        ("5A0212", "present"),
        ("9F8181818101", "more than 4"),
    ],
)
def test_each_fault_is_named(data: str, reason: str) -> None:
    with pytest.raises(RemoteError, match=reason):
        tlv.read(bytes.fromhex(data))


def test_nesting_has_an_end() -> None:
    data = b""
    for _ in range(20):
        data = tlv.write(0x70, data)
    with pytest.raises(RemoteError, match="deep"):
        list(tlv.walk(data))


def test_too_long_to_write() -> None:
    with pytest.raises(LocalError):
        tlv.write(0x5A, bytes(1 << 24))


@pytest.mark.req("R48")
def test_an_object_does_not_show_its_value() -> None:
    item = Tlv(0x5A, bytes.fromhex("6216261000000000018F"))
    assert repr(item) == "Tlv(5A, 10 bytes)"
