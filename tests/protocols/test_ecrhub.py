"""ECR Hub without a line: packets and both session machines."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols import ecrhub
from protocols.ecrhub import (
    CONFIRM,
    HANDSHAKE,
    HEARTBEAT,
    Answering,
    Asking,
    Ended,
    Feeder,
    Kind,
    Packet,
)
from protocols.errors import LocalError

MESSAGE = Packet(Kind.COMMON, number=7, data=b"\x55\xaa\xcc\x33 anything")
ACK = Packet(Kind.COMMON, ack=7)


@pytest.mark.parametrize(
    ("packet", "data"),
    [
        (HANDSHAKE, "55AA010000000001CC33"),
        (CONFIRM, "55AA020000000002CC33"),
        (HEARTBEAT, "55AA000000000000CC33"),
        # By hand: 00 ^ 07 ^ 00 = 07; 00 ^ 00 ^ 01 ^ 0002 ^ 41 ^ 42 = 00.
        (Packet(Kind.COMMON, ack=7), "55AA000700000007CC33"),
        (Packet(Kind.COMMON, number=1, data=b"AB"), "55AA0000010002414200CC33"),
    ],
)
def test_known_packets_both_directions(packet: Packet, data: str) -> None:
    assert packet.to_bytes() == bytes.fromhex(data)
    assert Feeder().feed(bytes.fromhex(data)) == [packet]


NUMBERS = st.integers(0, 255)


@given(st.sampled_from(Kind), NUMBERS, NUMBERS, st.binary(max_size=ecrhub.MAX_DATA))
def test_packets_round_trip(kind: Kind, ack: int, number: int, data: bytes) -> None:
    packet = Packet(kind, ack, number, data)
    assert len(packet.to_bytes()) <= ecrhub.MAX_PACKET
    assert Feeder().feed(packet.to_bytes()) == [packet]


@pytest.mark.parametrize(
    "packet",
    [
        Packet(Kind.COMMON, data=bytes(ecrhub.MAX_DATA + 1)),
        Packet(Kind.COMMON, ack=256),
        Packet(Kind.COMMON, number=-1),
    ],
)
def test_packets_that_cannot_be_sent(packet: Packet) -> None:
    with pytest.raises(LocalError):
        packet.to_bytes()


NOISE = st.binary(max_size=300) | st.lists(
    st.sampled_from([b"\x55\xaa", b"\x55", b"\0", b"\1", b"\xcc\x33", b"x" * 9])
).map(b"".join)


@given(NOISE, st.lists(st.integers(0, 400), max_size=6))
def test_whole_input_equals_pieces(noise: bytes, cuts: list[int]) -> None:
    stream = noise + MESSAGE.to_bytes() + noise + HEARTBEAT.to_bytes() * 110
    whole, pieces, single = Feeder(), Feeder(), Feeder()
    packets = whole.feed(stream)
    edges = [0, *sorted(min(c, len(stream)) for c in cuts), len(stream)]
    parts = [stream[a:b] for a, b in pairwise(edges)]
    assert [p for part in parts for p in pieces.feed(part)] == packets
    assert [p for b in stream for p in single.feed(bytes([b]))] == packets
    assert whole.skipped == pieces.skipped == single.skipped
    assert HEARTBEAT in packets  # whatever came before


def test_a_packet_inside_one_that_does_not_hold_is_found() -> None:
    feeder = Feeder()
    false_start = b"\x55\xaa\0\0\0\0\x20"
    stream = false_start + MESSAGE.to_bytes() + HEARTBEAT.to_bytes() * 2
    assert feeder.feed(stream) == [MESSAGE, HEARTBEAT, HEARTBEAT]
    assert feeder.skipped == len(false_start)


@pytest.mark.parametrize("head", [b"\0\0\0\x03\xf7", b"\3\0\0\0\x20"])
def test_a_head_that_cannot_be_is_not_waited_for(head: bytes) -> None:
    assert Feeder().feed(b"\x55\xaa" + head + HEARTBEAT.to_bytes()) == [HEARTBEAT]


def test_feeder_is_bounded() -> None:
    feeder = Feeder()
    for _ in range(20):
        assert feeder.feed(b"\x55\xaa\0\0\0\x03\xf6" + b"\x55" * 5000) == []
    assert 20 * 5007 - feeder.skipped < ecrhub.MAX_PACKET


@given(st.integers(0, len(MESSAGE.to_bytes()) - 1), st.integers(0, 7))
def test_one_flipped_bit_is_noticed(at: int, bit: int) -> None:
    spoilt = bytearray(MESSAGE.to_bytes())
    spoilt[at] ^= 1 << bit
    assert Feeder().feed(bytes(spoilt)) == []


def connected() -> tuple[Asking, Answering]:
    till, terminal = Asking(), Answering()
    assert till.receive(terminal.receive(till.start())) == b""
    assert till.idle and terminal.idle
    return till, terminal


def test_course_of_both_ends() -> None:
    till, terminal = connected()
    ack = terminal.receive(till.send(b"pay"))
    assert terminal.messages == [b"pay"]
    assert not till.idle
    assert till.receive(ack) == b"" and till.idle
    terminal.receive(till.receive(terminal.send(b"paid")))
    assert till.messages == [b"paid"] and terminal.idle


def test_a_message_is_repeated_and_taken_once() -> None:
    till, terminal = connected()
    first = till.send(b"pay")
    assert till.repeat_after == ecrhub.REPEAT_SECONDS
    assert till.repeat() == first
    acks = terminal.receive(first + first)
    assert Feeder().feed(acks) == [Packet(Kind.COMMON, ack=1)] * 2
    assert terminal.messages == [b"pay"]
    till.receive(acks)
    assert till.idle and till.repeat() == b"" and till.repeat_after is None


def test_repetition_has_an_end() -> None:
    till, _ = connected()
    till.send(b"pay")
    for _ in range(ecrhub.MAX_REPEATS):
        till.repeat()
    with pytest.raises(Ended, match=ecrhub.UNACKNOWLEDGED):
        till.repeat()


def test_handshake_is_repeated_until_it_is_confirmed() -> None:
    till = Asking()
    first = till.start()
    assert till.repeat_after == ecrhub.HANDSHAKE_SECONDS
    assert till.repeat() == first
    till.receive(HEARTBEAT.to_bytes() + MESSAGE.to_bytes())
    assert not till.connected and till.messages == [] and till.heartbeat() == b""
    till.receive(CONFIRM.to_bytes())
    assert till.idle
    for _ in range(ecrhub.MAX_REPEATS):
        till.start()
    for _ in range(ecrhub.MAX_REPEATS):
        till.repeat()
    with pytest.raises(Ended, match=ecrhub.UNCONFIRMED):
        till.repeat()


def test_another_acknowledgement_does_not_count() -> None:
    till, _ = connected()
    till.send(b"pay")
    till.receive(ACK.to_bytes())
    assert not till.idle


def test_one_message_at_a_time() -> None:
    till = Asking()
    with pytest.raises(LocalError):
        till.send(b"pay")
    till, _ = connected()
    with pytest.raises(LocalError):
        till.send(b"")
    till.send(b"pay")
    with pytest.raises(LocalError):
        till.send(b"pay")


def test_a_message_too_long_leaves_the_line_as_it_was() -> None:
    till, terminal = connected()
    with pytest.raises(LocalError):
        till.send(bytes(ecrhub.MAX_DATA + 1))
    assert till.idle
    terminal.receive(till.send(b"pay"))
    assert terminal.messages == [b"pay"]


def test_numbers_go_round() -> None:
    till, terminal = connected()
    for sent in range(300):
        till.receive(terminal.receive(till.send(b"%d" % sent)))
    assert terminal.messages == [b"%d" % sent for sent in range(300)]


def test_heartbeats_are_counted_and_not_answered() -> None:
    till, terminal = connected()
    assert till.receive(terminal.heartbeat()) == b""
    assert terminal.receive(till.heartbeat()) == b""
    assert (till.heartbeats, terminal.heartbeats) == (1, 1)
    assert Answering().heartbeat() == b""


def test_a_new_handshake_begins_anew() -> None:
    till, terminal = connected()
    terminal.send(b"lost")
    terminal.receive(till.send(b"pay"))
    again = Asking()
    again.receive(terminal.receive(again.start()))
    assert terminal.idle
    terminal.receive(again.send(b"query"))
    assert terminal.messages == [b"pay", b"query"]


@given(NOISE)
def test_any_bytes_raise_nothing(data: bytes) -> None:
    for end in connected():
        end.receive(data + MESSAGE.to_bytes())
    ecrhub.Shown().feed(data)


def test_trace_shows_no_data() -> None:
    sent = b"zz" + b"".join(
        each.to_bytes() for each in (HANDSHAKE, CONFIRM, HEARTBEAT, MESSAGE, ACK)
    )
    assert ecrhub.Shown().feed(sent) == [
        "(2 bytes that are no packet)",
        "HANDSHAKE",
        "CONFIRM",
        "HEARTBEAT",
        "message 7, 13 B",
        "ack 7",
    ]
