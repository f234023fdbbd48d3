"""Each POSLink command as bytes and back; fields that are none are told."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols import poslink
from protocols.errors import LocalError, RemoteError

Fields = tuple[str, ...]
TEXT = st.text(st.characters(min_codepoint=0x20, codec="gb18030"), max_size=12)
NAME = TEXT.filter(bool)
COUNT = st.integers(0, 10**9)
HOST = st.builds(poslink.HostInformation, *[TEXT] * 6)
SIGNATURES = st.text("0123456789,^~", max_size=60).flatmap(
    lambda whole: st.builds(
        poslink.Signature, st.integers(len(whole), 999), st.just(whole)
    )
)
MESSAGES: dict[str, st.SearchStrategy[Any]] = {
    "A01": st.builds(poslink.Initialised, NAME, *[TEXT] * 11),
    "A08": st.builds(poslink.SignatureWanted, COUNT, COUNT),
    "A09": SIGNATURES,
    "A18": st.builds(
        poslink.FilePiece, COUNT, st.binary(max_size=60), st.booleans(), st.just("1")
    ),
    "A39": st.builds(poslink.FileCheck, NAME),
    "B01": st.builds(
        poslink.BatchClosed,
        HOST,
        COUNT,
        st.integers(-(10**9), 10**9),
        st.datetimes(datetime(2000, 1, 1), datetime(2099, 1, 1)).map(
            lambda time: time.replace(microsecond=0)
        ),
        TEXT,
        TEXT,
    ),
    "R01": st.builds(poslink.LocalTotals, COUNT, st.integers(-(10**9), 10**9)),
    "R02": st.builds(
        poslink.DetailWanted, st.none() | COUNT, TEXT, TEXT, TEXT, TEXT, TEXT
    ),
    "R03": st.builds(poslink.Detail, HOST, COUNT, COUNT, TEXT, COUNT, TEXT, TEXT, TEXT),
}
READERS: dict[str, Callable[[Fields], object]] = {
    "A01": poslink.Initialised.from_fields,
    "A04": poslink.assignments,
    "A08": poslink.SignatureWanted.from_fields,
    "A09": poslink.Signature.from_fields,
    "A18": poslink.FilePiece.from_fields,
    "A39": poslink.FileCheck.from_fields,
    "B01": poslink.BatchClosed.from_fields,
    "R01": poslink.LocalTotals.from_fields,
    "R02": poslink.DetailWanted.from_fields,
    "R03": poslink.Detail.from_fields,
}


@pytest.mark.parametrize("name", MESSAGES)
@given(data=st.data())
def test_there_and_back(name: str, data: st.DataObject) -> None:
    message = data.draw(MESSAGES[name])
    request = poslink.Request(name, message.to_fields())
    arrived = poslink.Request.from_bytes(request.to_bytes())
    assert READERS[name](arrived.fields) == message


@given(st.dictionaries(NAME, TEXT, min_size=1, max_size=5))
def test_variables_there_and_back(values: dict[str, str]) -> None:
    request = poslink.set_variables(values)
    assert poslink.assignments(request.fields) == values


@pytest.mark.parametrize("name", READERS)
@given(fields=st.lists(TEXT, max_size=12))
def test_any_fields_are_a_message_or_a_remote_error(
    name: str, fields: list[str]
) -> None:
    try:
        READERS[name](tuple(fields))
    except RemoteError:
        pass


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("A04", ("00",)),
        ("A04", ("00", "", "value")),
        ("A04", ("00", "name", "1", "name", "2")),
        ("A04", ("00", *(text for n in range(6) for text in (f"n{n}", "")))),
        ("A08", ("-1",)),
        ("A08", ("1" * 5000,)),
        ("A08", ("１",)),
        ("A09", ("3", "3", "ab")),
        ("A09", ("2", "3", "abc")),
        ("A18", ("0", "no base64", "0")),
        ("A18", ("-1", "", "0")),
        ("A18", ("0", "", "2")),
        ("A18", ("0", "AAAA" * 1334, "0")),
        ("A39", ()),
        ("R02", ("00", "", "", "x")),
        ("R03", ("", "1", "1", "00", "01", "", "5", "")),
    ],
)
def test_fields_that_are_none(name: str, fields: Fields) -> None:
    with pytest.raises(RemoteError):
        READERS[name](fields)


@pytest.mark.parametrize("count", [0, 6])
def test_one_to_five_variables_are_set_at_a_time(count: int) -> None:
    with pytest.raises(LocalError):
        poslink.set_variables({f"n{n}": "" for n in range(count)})


@pytest.mark.parametrize(
    ("size", "cut"),
    [(0, [0]), (4000, [4000]), (4001, [4000, 1]), (9000, [4000, 4000, 1000])],
)
def test_a_file_in_pieces(size: int, cut: list[int]) -> None:
    pieces = list(poslink.pieces(bytes(size)))
    assert [len(piece.data) for piece in pieces] == cut
    assert [piece.last for piece in pieces] == [False] * (len(cut) - 1) + [True]
    assert [piece.offset for piece in pieces] == [4000 * n for n in range(len(cut))]
    largest = poslink.Request(poslink.UPDATE_FILE, pieces[0].to_fields())
    poslink.frame(largest.to_bytes())  # fits a frame
