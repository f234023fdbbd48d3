"""POSLink without a line: frames, both session machines, message layouts."""

from datetime import datetime
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols import poslink
from protocols.errors import LocalError, RemoteError
from protocols.poslink import (
    Answering,
    Asking,
    Control,
    Ended,
    Feeder,
    Frame,
    Request,
    Response,
)

ACK, NAK, EOT = b"\x06", b"\x15", b"\x04"
FIELD = st.text(st.characters(min_codepoint=0x20, codec="gb18030"), max_size=12)
GOOD = Response("A01", "000000", "OK", ("1150000001",))
GOOD_FRAME = poslink.frame(GOOD.to_bytes())


def test_frame_by_hand() -> None:
    # STX A00 FS 1.28 ETX, the LRC summed by hand: 41^30^30^1C^31^2E^32^38^03 = 4B.
    assert poslink.frame(Request("A00").to_bytes()) == (b"\x02A00\x1c1.28\x03\x4b")


@given(st.binary(max_size=300), st.lists(st.integers(0, 300), max_size=6))
def test_whole_input_equals_pieces(noise: bytes, cuts: list[int]) -> None:
    stream = noise + GOOD_FRAME + ACK + noise
    whole, pieces, single = Feeder(), Feeder(), Feeder()
    events = whole.feed(stream)
    edges = [0, *sorted(min(c, len(stream)) for c in cuts), len(stream)]
    parts = [stream[a:b] for a, b in pairwise(edges)]
    assert [e for part in parts for e in pieces.feed(part)] == events
    assert [e for b in stream for e in single.feed(bytes([b]))] == events
    assert whole.skipped == pieces.skipped == single.skipped


@given(st.binary(max_size=50).filter(lambda b: not set(b) & {2, 3, 4, 6, 0x15}))
def test_garbage_is_skipped_and_counted(noise: bytes) -> None:
    feeder = Feeder()
    assert feeder.feed(noise + GOOD_FRAME) == [Frame(GOOD.to_bytes())]
    assert feeder.skipped == len(noise)


def test_feeder_holds_a_bounded_frame() -> None:
    feeder = Feeder()
    events = feeder.feed(b"\x02" + b"x" * 3 * poslink.MAX_PAYLOAD)
    assert events == [Frame(b"", intact=False)]
    assert feeder.feed(GOOD_FRAME)[-1] == Frame(GOOD.to_bytes())


def test_new_stx_starts_anew() -> None:
    feeder = Feeder()
    assert feeder.feed(b"\x02cut off" + GOOD_FRAME) == [Frame(GOOD.to_bytes())]
    assert feeder.skipped == 8


@given(st.integers(0, len(GOOD_FRAME) - 3), st.integers(0, 7))
def test_one_flipped_bit_is_noticed(at: int, bit: int) -> None:
    spoilt = bytearray(GOOD_FRAME)
    spoilt[at + 1] ^= 1 << bit
    events = Feeder().feed(bytes(spoilt))
    assert Frame(GOOD.to_bytes()) not in events


@given(FIELD, st.lists(FIELD, max_size=4))
def test_messages_round_trip(text: str, fields: list[str]) -> None:
    response = Response("B01", "000100", text, tuple(fields))
    assert Response.from_bytes(response.to_bytes()) == response
    request = Request("A02", ("00", *fields))
    assert Request.from_bytes(request.to_bytes()) == request


@given(st.binary(max_size=60))
def test_garbage_payload_gives_remote_error_only(payload: bytes) -> None:
    for read in (Response.from_bytes, Request.from_bytes):
        try:
            read(payload)
        except RemoteError:
            pass


def test_control_characters_cannot_be_sent() -> None:
    with pytest.raises(LocalError):
        Request("A02", ("a\x03b",)).to_bytes()


def test_asking_course() -> None:
    asking = Asking(Request("A00"))
    asking.start()
    assert asking.receive(ACK) == b""
    assert asking.acknowledged
    assert asking.receive(b"\xff\xff" + GOOD_FRAME) == ACK
    assert asking.response == GOOD
    assert asking.skipped == 2


def test_asking_repeats_on_nak_then_ends() -> None:
    asking = Asking(Request("A00"))
    first = asking.start()
    assert asking.receive(NAK) == first
    assert asking.receive(NAK) == first
    with pytest.raises(Ended) as caught:
        asking.receive(NAK)
    assert caught.value.farewell == EOT


def test_asking_naks_spoilt_answers_then_ends() -> None:
    asking = Asking(Request("A00"))
    asking.start()
    spoilt = GOOD_FRAME[:-1] + bytes([GOOD_FRAME[-1] ^ 1])
    assert asking.receive(ACK + spoilt) == NAK
    assert asking.receive(spoilt) == NAK
    with pytest.raises(Ended) as caught:
        asking.receive(spoilt)
    assert caught.value.farewell == EOT


def test_asking_skips_one_stale_eot_only() -> None:
    asking = Asking(Request("A00"))
    asking.start()
    asking.receive(EOT)
    with pytest.raises(Ended):
        asking.receive(EOT)


def test_asking_refuses_the_answer_to_another_command() -> None:
    asking = Asking(Request("B00"))
    asking.start()
    with pytest.raises(RemoteError, match="another command"):
        asking.receive(ACK + GOOD_FRAME)


def _asked(machine: Answering) -> Request:
    out, request = machine.receive(poslink.frame(Request("A00").to_bytes()))
    assert out == ACK and request is not None
    return request


def test_answering_repeats_on_nak_then_eot() -> None:
    machine = Answering()
    assert _asked(machine).command == "A00"
    sent = machine.respond(GOOD)
    assert machine.receive(NAK) == (sent, None)
    assert machine.receive(NAK) == (sent, None)
    assert machine.receive(NAK) == (EOT, None)
    assert machine.receive(NAK) == (b"", None)


def test_answering_while_busy_and_cancel() -> None:
    machine = Answering()
    _asked(machine)
    again = poslink.frame(Request("A00").to_bytes())
    assert machine.receive(again) == (NAK, None)
    assert machine.receive(poslink.frame(Request("A14").to_bytes())) == (ACK, None)
    machine.respond(GOOD)
    assert machine.receive(ACK) == (b"", None)
    _asked(machine)


def test_answering_refuses_spoilt_requests() -> None:
    machine = Answering()
    spoilt = GOOD_FRAME[:-1] + bytes([GOOD_FRAME[-1] ^ 1])
    assert [machine.receive(spoilt)[0] for _ in range(3)] == [NAK, NAK, EOT]


def test_edc_types_are_added_up() -> None:
    parts = ("00", "2\x1f1\x1f\x1f0", "1250\x1f-300\x1f\x1f0")
    assert poslink.LocalTotals.from_fields(parts) == poslink.LocalTotals(3, 950)
    with pytest.raises(RemoteError):
        poslink.LocalTotals.from_fields(("00", "two", "0"))


def test_batch_closed_layout() -> None:
    host = poslink.HostInformation("00", "APPROVED", "", "261123000005", "5", "000001")
    when = datetime(2026, 11, 23, 1, 2, 3)
    closed = poslink.BatchClosed(host, 3, 950, when, "12345678", "123456789012345")
    fields = closed.to_fields()
    assert fields[0] == "00\x1fAPPROVED\x1f\x1f261123000005\x1f5\x1f000001"
    assert fields[1:4] == ("3", "950", "20261123010203")
    assert poslink.BatchClosed.from_fields(fields) == closed
    for short in ((), fields[:3], (fields[0], "x", *fields[2:])):
        with pytest.raises(RemoteError):
            poslink.BatchClosed.from_fields(short)


def test_initialised_takes_short_answers() -> None:
    assert poslink.Initialised.from_fields(("S1", "A920")).model == "A920"
    full = poslink.Initialised("S1", "A920", app_version="V2")
    assert poslink.Initialised.from_fields(full.to_fields()) == full
    with pytest.raises(RemoteError):
        poslink.Initialised.from_fields(())


def test_variables_by_name() -> None:
    names = ("terminalID", "other")
    response = Response("A03", "000000", "OK", ("12345678", ""))
    found = poslink.variables(response, names)
    assert found == {"terminalID": "12345678", "other": ""}
    with pytest.raises(RemoteError):
        poslink.variables(GOOD, names)
    with pytest.raises(LocalError):
        poslink.get_variables(tuple("abcdef"))


def test_controls_between_frames() -> None:
    assert Feeder().feed(ACK + NAK + EOT) == [Control.ACK, Control.NAK, Control.EOT]
