"""Numbers that must not leak: every way Python has to write a value down."""

from __future__ import annotations

import copy
import json
import logging
import pickle
import traceback
from collections.abc import Callable
from dataclasses import asdict, dataclass
from types import FrameType, TracebackType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.sensitive import (
    AccountNumber,
    CardNumber,
    clean_digits,
    consistent,
    mask,
    masked_text,
)

PAN, MASK = "6216261000000000018", "621626*********0018"


@pytest.mark.req("R48")
@pytest.mark.parametrize(
    ("number", "masked"),
    [
        (PAN, MASK),
        ("6212345678901265", "621234******1265"),
        ("62123456789002", "621234****9002"),
        ("6212345678900", "*********8900"),
        ("123456", "**3456"),
        ("12345", "*2345"),
        ("1234", "****"),
        ("1", "*"),
        ("", ""),
    ],
)
def test_first_6_and_last_4(number: str, masked: str) -> None:
    assert mask(number) == masked


@pytest.mark.req("R48")
@given(st.text("0123456789", max_size=45))
def test_a_mask_never_shows_more_than_10_digits(number: str) -> None:
    masked = mask(number)
    assert len(masked) == len(number)
    assert sum(c != "*" for c in masked) <= 10
    assert all(m in ("*", n) for m, n in zip(masked, number, strict=True))
    if 5 <= len(number) <= 13:
        assert masked == "*" * (len(number) - 4) + number[-4:]


def _logged(number: AccountNumber) -> str:
    record = logging.LogRecord("x", 20, "x", 1, "%s %r", (number, number), None)
    return record.getMessage()


def _traced(number: AccountNumber) -> str:
    try:
        raise RuntimeError(number)
    except RuntimeError:
        return traceback.format_exc()


def _with_locals(holder: object) -> str:
    """A traceback with every local variable."""
    try:
        raise RuntimeError
    except RuntimeError as error:
        told = traceback.TracebackException.from_exception(error, capture_locals=True)
        return "".join(told.format())


@pytest.mark.req("R48")
@pytest.mark.parametrize(
    "write",
    [str, repr, "{}".format, "{!r:>40}".format, _logged, _traced, lambda n: f"{[n]}"],
)
@pytest.mark.parametrize("kind", [AccountNumber, CardNumber])
def test_every_text_form_is_the_mask(
    write: Callable[[object], str], kind: type[AccountNumber]
) -> None:
    text = write(kind(PAN))
    assert MASK in text
    assert PAN not in text and PAN[6:-4] not in text


@pytest.mark.req("R48")
@pytest.mark.parametrize(
    "write",
    [pickle.dumps, json.dumps, vars, "{:>30}".format],
)
def test_no_other_form_exists(write: Callable[[object], object]) -> None:
    with pytest.raises(TypeError) as caught:
        write(CardNumber(PAN))
    assert PAN not in str(caught.value)


@dataclass
class _Holder:
    number: CardNumber


@pytest.mark.req("R48")
@pytest.mark.parametrize("write", [copy.copy, copy.deepcopy, asdict, _with_locals])
def test_what_holds_a_number_shows_its_mask(write: Callable[[_Holder], object]) -> None:
    text = repr(write(_Holder(CardNumber(PAN))))
    assert MASK in text
    assert PAN not in text and PAN[6:-4] not in text


@pytest.mark.req("R48")
@pytest.mark.parametrize("bad", [PAN + "X", PAN * 3, "62162 61000\n0000018", PAN[:12]])
def test_a_refused_number_is_not_quoted(bad: str) -> None:
    with pytest.raises(ValueError) as caught:
        CardNumber(bad)
    shown = "".join(traceback.format_exception(caught.value))
    assert bad not in shown and PAN[:8] not in shown


@pytest.mark.req("R19")
def test_lengths() -> None:
    for digits in (13, 19):
        assert len(CardNumber("6" * digits).reveal()) == digits
    for digits in (12, 20):
        with pytest.raises(ValueError, match=f"{digits} digits"):
            CardNumber("6" * digits)
    assert AccountNumber("6" * 40).masked.count("*") == 30
    with pytest.raises(ValueError):
        AccountNumber("6" * 41)


def test_how_people_and_papers_write_numbers() -> None:
    assert clean_digits("6216 2610-0000 0000018") == PAN
    assert clean_digits("６２１６2610000\u20110000\u20130018") == "6216261000000000018"
    for text in ("", " ", "٦٢١٦", "62.16", "6216_26"):
        with pytest.raises(ValueError):
            clean_digits(text)


@pytest.mark.req("R48")
def test_equality_and_hash_go_by_the_digits() -> None:
    assert CardNumber(PAN) == CardNumber(PAN[:4] + " " + PAN[4:])
    assert CardNumber(PAN) != CardNumber("6212345678901265")
    assert CardNumber(PAN) != PAN
    assert len({CardNumber(PAN), CardNumber(PAN)}) == 1


@pytest.mark.req("R48")
def test_a_keyed_hash_needs_the_key() -> None:
    number = CardNumber(PAN)
    one, other = number.keyed_hash(b"k" * 32), number.keyed_hash(b"j" * 32)
    assert one == CardNumber(PAN).keyed_hash(b"k" * 32) and one != other
    assert len(bytes.fromhex(one)) == 32


@pytest.mark.req("R2")
@pytest.mark.parametrize(
    ("one", "other", "digits"),
    [
        (MASK, MASK, 10),
        (MASK, "***************0018", 4),
        (MASK, "*" * 19, 0),
        (MASK, "621626*********0019", None),
        (MASK, "621626********0018", None),
        ("", "", 0),
    ],
)
def test_masks_of_different_shape(one: str, other: str, digits: int | None) -> None:
    assert consistent(one, other) == consistent(other, one) == digits


@pytest.mark.req("R48")
@pytest.mark.parametrize("kind", [AccountNumber, CardNumber])
@pytest.mark.parametrize("wrong", ["x", "0" * 30])
def test_a_number_that_is_refused_is_in_no_frame(
    kind: type[AccountNumber], wrong: str
) -> None:
    try:
        kind(f"{PAN[:19]}{wrong}")
    except ValueError as error:
        told = traceback.TracebackException.from_exception(error, capture_locals=True)
        frames = [f for f in told.stack if "sensitive.py" in f.filename]
        assert frames and PAN not in str([f.locals for f in frames])
        assert error.__traceback__ is not None
        for frame in _frames(error.__traceback__):
            assert PAN not in repr(frame.f_locals.get("self"))
    else:
        pytest.fail("it was taken")


def _frames(trace: TracebackType) -> list[FrameType]:
    following = trace.tb_next
    return [trace.tb_frame, *(_frames(following) if following else [])]


@pytest.mark.req("R48")
def test_the_state_of_a_number_is_not_given() -> None:
    with pytest.raises(TypeError):
        CardNumber(PAN).__getstate__()


@pytest.mark.req("R48")
@pytest.mark.parametrize(
    "between",
    [
        "\u200b",
        "\u2060",
        "\u200f",
        "\u00ad",
        "    ",
        "+",
        "*",
        "·",
        "⁃",
        "\u3000",
        "()",
    ],
)
def test_a_number_in_pieces_is_found_in_a_text(between: str) -> None:
    pieces = between.join(PAN[at : at + 4] for at in range(0, len(PAN), 4))
    told = masked_text(f"card {pieces} of li")
    assert "1000" not in told and told.startswith("card 6") and told.endswith(" of li")
    each = masked_text(between.join(PAN))
    assert "261000" not in each.translate({ord(c): None for c in between})
