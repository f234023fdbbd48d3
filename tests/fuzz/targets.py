"""What is fuzzed: every decoder, each as a function of bytes that may only raise
RemoteError. ``seeds`` are what each begins with.

A decoder of whole messages must also write what it read back to the same bytes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from datetime import date
from functools import cache, partial
from pathlib import Path
from typing import Any

from protocols import (
    abecs,
    apdu,
    bindingtag,
    dol,
    ecrhub,
    emv,
    iso8583,
    poslink,
    tlv,
    zvt,
)
from protocols.atr import read_atr
from protocols.cardproof import Keys, PublicKey, Unproved
from protocols.errors import RemoteError
from protocols.iso8583 import batch, downloads, keys, parameters, values
from protocols.zvt import messages

Target = Callable[[bytes], object]
VECTORS = Path(__file__).parents[1] / "vectors"
_TMK = bytes(range(16))
_ROW = re.compile(r"[0-9]{12}")
_MOST = 100_000
"""Bytes that no machine may hold more of than its protocol's longest message."""


def _each(*readers: Callable[[bytes], object]) -> Target:
    """Each of them gets the same bytes."""

    def target(data: bytes) -> None:
        for read in readers:
            _refusing(read, data)

    return target


def _refusing(read: Callable[[Any], object], data: Any) -> Any:
    try:
        return read(data)
    except RemoteError as error:
        str(error)
        return None


def _there_and_back(read: Callable[[bytes], Any]) -> Target:
    def target(data: bytes) -> None:
        found = _refusing(read, data)
        if found is not None:
            assert found.to_bytes() == data
            repr(found)

    return target


# -- ISO 8583 -------------------------------------------------------------------------

_OF_MESSAGE = (
    values.management,
    values.settlement,
    values.chip_data,
    values.parameter_list,
    values.terminal_serial,
    values.operator,
    values.scheme,
    partial(values.working_keys, tmk=_TMK),
)


def _iso_message(data: bytes) -> None:
    message = _refusing(iso8583.Message.from_bytes, data)
    reading = iso8583.unpack(data[11:], strict=False)
    if message is None:
        return
    assert message.to_bytes() == data and reading.error is None
    for read in _OF_MESSAGE:
        _refusing(read, message)
    keys.mac_holds(message, _TMK)


def _text(read: Callable[[str], object]) -> Callable[[bytes], object]:
    return lambda data: read(data.decode("latin-1"))


# -- machines -------------------------------------------------------------------------


def _cut(data: bytes) -> Iterator[bytes]:
    """The bytes in pieces whose sizes they say themselves."""
    at = 0
    while at < len(data):
        size = 1 + data[at] % 7
        yield data[at : at + size]
        at += size


def _feeding(make: Callable[[], Any]) -> Target:
    """However the bytes are cut, the same is found and as many are skipped."""

    def target(data: bytes) -> None:
        whole, cut = make(), make()
        found = _refusing(whole.feed, data)
        pieces: list[object] | None = []
        for piece in _cut(data):
            part = _refusing(cut.feed, piece)
            pieces = None if part is None or pieces is None else [*pieces, *part]
            if pieces is None:
                break
        assert found == pieces or found is None or pieces is None
        assert (found is None) == (pieces is None)
        if found is not None:
            assert getattr(whole, "skipped", 0) == getattr(cut, "skipped", 0)

    return target


def _showing(make: Callable[[], Any]) -> Target:
    """What people may see: no row of digits that an account could be."""

    def target(data: bytes) -> None:
        shown = make()
        for piece in _cut(data):
            for text in shown.feed(piece):
                assert not _ROW.search(text)

    return target


def _receiving(*makes: Callable[[], Any]) -> Target:
    """A session machine gets the bytes in pieces, and time passes in between."""

    def target(data: bytes) -> None:
        for make in makes:
            _drive(make(), data)

    return target


def _drive(machine: Any, data: bytes) -> None:
    if hasattr(machine, "start"):
        machine.start()
    sent = 0
    for piece in _cut(data):
        try:
            out = machine.receive(piece)
            if piece[:1] == b"\xfe" and hasattr(machine, "expired"):
                machine.expired()
        except RemoteError:
            return
        sent += len(out) if isinstance(out, bytes) else 0
        assert sent <= _MOST


def _zvt_asking(transport: zvt.Transport) -> zvt.Asking:
    return zvt.Asking(messages.EndOfDay("000000").to_apdu(), transport)


_BUSY = messages.refused(messages.PLEASE_WAIT)
_ZVT_MESSAGES = [
    kind
    for kind in vars(messages).values()
    if isinstance(kind, type)
    and issubclass(kind, messages.Message)
    and hasattr(kind, "CONTROL")
]


def _zvt_apdu(data: bytes) -> None:
    found = _refusing(zvt.Apdu.from_bytes, data)
    if found is None:
        return
    assert zvt.Apdu.from_bytes(found.to_bytes()) == found  # a length may be too long
    for kind in _ZVT_MESSAGES:
        if kind.CONTROL == found.control:
            _refusing(kind.from_apdu, found)


def _poslink(data: bytes) -> None:
    _refusing(poslink.Request.from_bytes, data)
    answer = _refusing(poslink.Response.from_bytes, data)
    if answer is None:
        return
    kinds = (poslink.Initialised, poslink.LocalTotals, poslink.BatchClosed)
    for kind in (*kinds, poslink.Detail, poslink.FileCheck, poslink.Signature):
        _refusing(kind.from_fields, answer.fields)
    _refusing(lambda a: poslink.variables(a, ("a", "b")), answer)


def _abecs(data: bytes) -> None:
    command = _refusing(abecs.Command.from_bytes, data)
    response = _refusing(abecs.Response.from_bytes, data)
    for told in (command, response):
        if told is not None:
            _refusing(lambda t: abecs.unpack(t.blocks), told)
    if response is not None:
        _refusing(abecs.Facts.from_response, response)
        for index in ("00", "02", "07"):
            _refusing(partial(abecs.information, index=index), response)


# -- cards ----------------------------------------------------------------------------

_KEY = PublicKey(b"\xc1" * 127 + b"\x01", 3)


def _recover(data: bytes) -> None:
    try:
        _KEY.recover(data)
    except Unproved:
        return


def _answers(data: bytes) -> Iterator[bytes]:
    """An answer after each length byte; then 6A82 for ever."""
    at = 0
    while at < len(data):
        size = data[at]
        yield data[at + 1 : at + 1 + size] + b"\x90\x00"
        at += 1 + size
    while True:
        yield b"\x6a\x82"


def _card(data: bytes) -> None:
    answers = _answers(data)
    steps = emv.read_card(today=date(2026, 1, 1), keys=Keys((), ()), random=bytes)
    _refusing(lambda _: apdu.run(steps, lambda sent: next(answers)), data)


def _tag(data: bytes) -> None:
    found = _refusing(bindingtag.BindingTag.from_hex, data.hex())
    if found is not None:
        assert bytes.fromhex(found.to_hex()) == data


TARGETS: dict[str, Target] = {
    "iso8583-message": _iso_message,
    "iso8583-stream": _feeding(iso8583.FrameFeeder),
    "iso8583-values": _each(
        parameters.read_list,
        downloads.Listing.from_bytes,
        downloads.read_entry,
        downloads.read_name,
        downloads.read_query,
        values.ChipData.from_bytes,
        partial(keys.unwrap, tmk=_TMK),
        _text(batch.read),
        _text(batch.read_count),
        _text(values.Settlement.from_text),
        _text(parameters.Management.from_text),
    ),
    "poslink-stream": _feeding(poslink.Feeder),
    "poslink-message": _poslink,
    "poslink-session": _receiving(
        lambda: poslink.Asking(poslink.Request("A00")), poslink.Answering
    ),
    "poslink-shown": _showing(poslink.Shown),
    "zvt-serial": _feeding(zvt.SERIAL.feeder),
    "zvt-tcp": _feeding(zvt.TCP.feeder),
    "zvt-message": _zvt_apdu,
    "zvt-session": _receiving(
        partial(_zvt_asking, zvt.SERIAL),
        partial(_zvt_asking, zvt.TCP),
        partial(zvt.Answering, _BUSY, zvt.SERIAL),
        partial(zvt.Answering, _BUSY, zvt.TCP),
    ),
    "zvt-shown": _showing(partial(zvt.Shown, zvt.SERIAL)),
    "abecs-stream": _feeding(abecs.Feeder),
    "abecs-message": _abecs,
    "abecs-session": _receiving(
        lambda: abecs.Asking(abecs.OPEN), abecs.Cancelling, abecs.Answering
    ),
    "abecs-shown": _showing(partial(abecs.Shown, answers=True)),
    "ecrhub-stream": _feeding(ecrhub.Feeder),
    "ecrhub-session": _receiving(ecrhub.Asking, ecrhub.Answering),
    "ecrhub-shown": _showing(ecrhub.Shown),
    "tlv": _each(lambda data: list(tlv.walk(data)), lambda data: tlv.find(data, 0x5A)),
    "dol": _each(lambda data: list(dol.read_dol(data)), lambda d: dol.fill_dol(d, {})),
    "atr": _each(read_atr),
    "apdu": _each(apdu.shown, apdu.shown_answer),
    "apdu-command": _there_and_back(apdu.Command.from_bytes),
    "card": _card,
    "certificate": _recover,
    "binding-tag": _tag,
}


# -- what they begin with -------------------------------------------------------------


@cache
def seeds() -> tuple[bytes, ...]:
    """Every hexadecimal text in the vectors, for all targets: what is no message of
    one is garbage to it."""
    texts: list[bytes] = []
    for path in sorted(VECTORS.glob("*.json")):
        texts += _hexadecimal(json.loads(path.read_text(encoding="utf-8")))
    return tuple(dict.fromkeys(texts))


def _hexadecimal(told: object) -> Iterable[bytes]:
    if isinstance(told, dict):
        told = list(told.values())
    if isinstance(told, list):
        for each in told:
            yield from _hexadecimal(each)
    elif isinstance(told, str) and len(told) > 3:
        try:
            yield bytes.fromhex(told)
        except ValueError:
            return
