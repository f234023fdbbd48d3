"""Batch uploads and downloads of CA keys: what stands in F48 and F62."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.errors import LocalError, RemoteError
from protocols.iso8583 import batch, downloads
from protocols.iso8583.downloads import Following, Listing

NUMBER = "6216261000000000018"
RECORDS = st.builds(
    batch.Record,
    stan=st.from_regex(r"[0-9]{6}", fullmatch=True),
    number=st.from_regex(r"[1-9][0-9]{12,18}", fullmatch=True),
    amount=st.integers(0, 10**12 - 1),
    kind=st.sampled_from([batch.DOMESTIC, batch.FOREIGN]),
)
VALUES = st.binary(min_size=1, max_size=20)
NAMES = st.lists(
    st.fixed_dictionaries({0x9F06: VALUES}, optional={0x9F22: VALUES, 0xDF05: VALUES}),
    max_size=40,
)


def test_a_message_as_a_terminal_writes_it() -> None:
    """Two digits, then 40 a record, the card number with zeros on its left."""
    record = batch.Record("000123", NUMBER, 1250)
    text = batch.write([record])
    assert text == "01" + "00" + "000123" + "0" + NUMBER + "000000001250"
    assert batch.read(text) == [record]
    assert NUMBER not in repr(record)


@given(st.lists(RECORDS, min_size=1, max_size=30))
def test_records_round_trip(records: list[batch.Record]) -> None:
    texts = list(batch.messages(records))
    assert max(len(text) for text in texts) <= 322
    assert [each for text in texts for each in batch.read(text)] == records


@pytest.mark.parametrize("records", [[], [batch.Record("000001", "1", 1)] * 9])
def test_too_few_or_too_many(records: list[batch.Record]) -> None:
    with pytest.raises(LocalError, match="1 to 8"):
        batch.write(records)


@pytest.mark.parametrize(
    "record",
    [
        batch.Record("1", NUMBER, 1),
        batch.Record("000001", "x", 1),
        batch.Record("000001", NUMBER, -1),
        batch.Record("000001", "1" * 21, 1),
        batch.Record("000001", NUMBER, 10**12),
    ],
)
def test_a_record_that_does_not_fit_shows_no_number(record: batch.Record) -> None:
    with pytest.raises(LocalError) as caught:
        batch.write([record])
    assert NUMBER not in str(caught.value)


@given(st.text(max_size=100))
def test_any_text_is_records_or_the_remote_error(text: str) -> None:
    for read in (batch.read, batch.read_count):
        try:
            read(text)
        except RemoteError as error:
            assert not text or text not in str(error) or len(text) < 4


@pytest.mark.parametrize("count", [0, 1, 9999])
def test_counts_round_trip(count: int) -> None:
    assert batch.read_count(batch.write_count(count)) == count


def test_counts_that_are_none() -> None:
    with pytest.raises(LocalError):
        batch.write_count(10000)
    with pytest.raises(RemoteError):
        batch.read_count("00001")


@given(NAMES, st.integers(1, 9))
def test_a_list_is_told_in_parts(names: list[dict[int, bytes]], most: int) -> None:
    found: list[downloads.Objects] = []
    while True:
        told = downloads.listing(names, len(found), most)
        assert Listing.from_bytes(told.to_bytes()) == told
        found += told.entries
        if not told.more:
            break
    assert found == names


def test_the_first_character_says_what_follows() -> None:
    names = [{0x9F06: bytes([number])} for number in range(3)]
    told = [downloads.listing(names, start, 2).following for start in (0, 2, 3)]
    assert told == [Following.MORE_LATER, Following.THE_LAST, Following.NOTHING]
    assert downloads.listing(names, 0, 3).following is Following.ALL
    assert downloads.listing([], 0, 3).to_bytes() == b"0"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"4",
        b"1",
        b"0\x9f\x06\x01\x01",
        b"1\x9f\x22\x01\x01",
        b"1\x9f\x06\x05\x01",
        b"1\x9f\x06\x01\x01\x9f\x22\x01\x01\x9f\x22\x01\x01",
    ],
)
def test_lists_that_do_not_hold(data: bytes) -> None:
    with pytest.raises(RemoteError) as caught:
        Listing.from_bytes(data)
    assert caught.value.field == "F62"


@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_the_remote_error(data: bytes) -> None:
    readers = (Listing.from_bytes, downloads.read_entry)
    for read in (*readers, downloads.read_name, downloads.read_query):
        try:
            read(data)
        except RemoteError as error:
            assert error.field == "F62"


def test_questions_round_trip() -> None:
    assert downloads.read_query(downloads.write_query(7)) == 7
    assert downloads.write_query(7) == b"107"
    with pytest.raises(LocalError):
        downloads.write_query(100)


def test_one_entry() -> None:
    key = {0x9F06: b"\xa0\0\0\x03\x33", 0x9F22: b"\xf1", 0xDF02: b"\x01" * 128}
    name = downloads.read_name(downloads.write_name(key))
    assert name == {0x9F06: key[0x9F06], 0x9F22: key[0x9F22]}
    assert downloads.read_entry(downloads.write_entry(key)) == key
    assert downloads.read_entry(downloads.write_entry(None)) is None
