"""Both sides of a ZVT exchange without a line: courses, repetitions, timers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols import zvt
from protocols.errors import LocalError, RemoteError
from protocols.zvt import SERIAL, TCP, Answering, Apdu, Asking, Ended, Timers, messages

ACK, NAK = b"\x06", b"\x15"
COMMAND = messages.TurnoverTotals("000000").to_apdu()
ACCEPTED, REFUSED = messages.accepted(), messages.refused(0x83)
STATUS = messages.StatusInformation(amount=1250).to_apdu()
END = messages.Completion().to_apdu()
ABORTED = messages.Aborted(messages.NO_CONNECTION).to_apdu()
LINE = messages.PrintLine("").to_apdu()
TRANSPORTS = pytest.mark.parametrize("transport", [SERIAL, TCP], ids=lambda t: t.name)


def said(apdu: Apdu, transport: zvt.Transport = SERIAL) -> bytes:
    return transport.wrap(apdu.to_bytes())


def asked(transport: zvt.Transport = SERIAL, command: Apdu = COMMAND) -> Asking:
    asking = Asking(command, transport)
    assert asking.start() == said(command, transport)
    if transport.acknowledged:
        assert asking.receive(ACK) == b""
    return asking


def ack(transport: zvt.Transport) -> bytes:
    return ACK if transport.acknowledged else b""


# --- the till's side ------------------------------------------------------------------


@TRANSPORTS
@pytest.mark.parametrize("end", [END, ABORTED], ids=lambda apdu: apdu.name)
def test_a_course(transport: zvt.Transport, end: Apdu) -> None:
    asking = asked(transport)
    assert asking.receive(said(ACCEPTED, transport)) == ack(transport)
    assert not asking.finished
    for apdu in (STATUS, LINE):
        reply = asking.receive(said(apdu, transport))
        assert reply == ack(transport) + said(ACCEPTED, transport)
        asking.receive(ack(transport))
    reply = asking.receive(said(end, transport))
    assert reply == ack(transport) + said(ACCEPTED, transport)
    assert asking.finished and asking.heard is not transport.acknowledged
    asking.receive(ack(transport))
    assert asking.heard
    assert (asking.answer, asking.said, asking.end) == (ACCEPTED, [STATUS, LINE], end)


@TRANSPORTS
def test_a_refusal_ends_it(transport: zvt.Transport) -> None:
    asking = asked(transport)
    assert asking.receive(said(REFUSED, transport)) == ack(transport)
    assert asking.finished and asking.heard
    assert (asking.answer, asking.end) == (REFUSED, None)


@pytest.mark.parametrize(
    "command",
    [
        messages.LogOff(),
        messages.Abort(),
        messages.DisplayText(("x",)),
        messages.PrintLine("x"),
        messages.PrintTextBlock(("x",)),
    ],
    ids=lambda message: type(message).__name__,
)
def test_commands_that_have_no_completion(command: messages.Message) -> None:
    asking = asked(command=command.to_apdu())
    asking.receive(said(ACCEPTED))
    assert asking.finished and asking.end is None


def test_84_00_accepts() -> None:
    asking = asked(TCP)
    asking.receive(messages.refused(0).to_bytes())
    assert not asking.finished


def test_a_command_is_repeated_on_nak_twice() -> None:
    asking = Asking(COMMAND)
    first = asking.start()
    assert asking.receive(NAK) == asking.receive(NAK) == first
    with pytest.raises(Ended, match=zvt.REFUSED):
        asking.receive(NAK)


def test_an_acknowledgement_of_before_hides_no_nak() -> None:
    asking = Asking(COMMAND)
    first = asking.start()
    assert asking.receive(ACK + NAK) == first


def test_a_command_is_repeated_on_silence_twice() -> None:
    asking = Asking(COMMAND, timers=Timers(t2=2))
    first = asking.start()
    assert asking.patience == 2
    assert asking.expired() == asking.expired() == first
    with pytest.raises(Ended, match="no acknowledgement in time"):
        asking.expired()


@TRANSPORTS
def test_timers(transport: zvt.Transport) -> None:
    asking = Asking(COMMAND, transport, Timers(t2=2, t3=3, t4=4))
    asking.start()
    asking.receive(ack(transport))
    assert asking.patience == 3
    asking.receive(said(ACCEPTED, transport))
    assert asking.patience == 4
    wait = messages.IntermediateStatus(0x0E, 7).to_apdu()
    asking.receive(said(wait, transport) + ack(transport))
    assert asking.patience == 420
    asking.receive(
        said(messages.IntermediateStatus(0x0E).to_apdu(), transport) + ack(transport)
    )
    assert asking.patience == 4
    with pytest.raises(Ended, match="no answer in time"):
        asking.expired()


def test_the_timers_of_the_specification() -> None:
    assert Timers() == Timers(t1=0.2, t2=5, t3=5, t4=180)


def test_a_message_cut_off_is_asked_for_again_twice() -> None:
    asking = asked()
    for tried in range(3):
        asking.receive(said(ACCEPTED)[:4])
        assert asking.patience == 0.2
        if tried < 2:
            assert asking.expired() == NAK
            assert asking.patience == 5
    with pytest.raises(Ended, match="spoilt 3 times"):
        asking.expired()


def test_a_message_cut_off_and_then_whole() -> None:
    asking = asked()
    asking.receive(said(ACCEPTED)[:4])
    asking.expired()
    assert asking.receive(said(ACCEPTED)) == ACK
    assert (asking.answer, asking.skipped) == (ACCEPTED, 4)


def test_a_spoilt_message_is_asked_for_again_twice() -> None:
    asking = asked()
    spoilt = said(ACCEPTED)[:-1] + b"\xff"
    assert asking.receive(spoilt) == asking.receive(spoilt) == NAK
    with pytest.raises(Ended, match="spoilt 3 times"):
        asking.receive(spoilt)


def test_a_good_message_between_starts_the_count_anew() -> None:
    asking = asked()
    spoilt = said(ACCEPTED)[:-1] + b"\xff"
    assert asking.receive(spoilt + spoilt) == NAK + NAK
    asking.receive(said(ACCEPTED))
    assert asking.receive(spoilt + spoilt) == NAK + NAK


def test_a_repeated_message_is_one() -> None:
    asking = asked()
    asking.receive(said(ACCEPTED))
    reply = asking.receive(said(LINE))
    assert asking.receive(said(LINE)) == reply
    asking.receive(ACK)
    asking.receive(said(LINE))
    assert asking.said == [LINE, LINE]


@TRANSPORTS
def test_what_belongs_to_an_earlier_command(transport: zvt.Transport) -> None:
    asking = Asking(COMMAND, transport)
    first = asking.start()
    earlier = said(STATUS, transport) + said(END, transport)
    one = ack(transport) + said(ACCEPTED, transport)
    assert asking.receive(earlier) == one * 2
    assert not asking.finished and asking.said == [] and asking.dropped == 2
    if transport.acknowledged:
        assert asking.receive(NAK) == first
    asking.receive(said(ACCEPTED, transport) + said(END, transport))
    assert asking.finished


def test_one_that_never_ends() -> None:
    asking = asked(TCP)
    asking.receive(ACCEPTED.to_bytes())
    asking.receive(LINE.to_bytes() * 10_000)
    with pytest.raises(Ended, match="never comes to an end"):
        asking.receive(LINE.to_bytes())


@TRANSPORTS
@given(noise=st.lists(st.binary(max_size=40), max_size=8))
def test_garbage_gives_remote_error_only(
    transport: zvt.Transport, noise: list[bytes]
) -> None:
    asking, answering = asked(transport), Answering(REFUSED, transport)
    for data in noise:
        answering.receive(data)
    try:
        for data in noise:
            asking.receive(data)
    except RemoteError:
        pass


# --- the terminal's side --------------------------------------------------------------

BUSY = messages.refused(messages.PLEASE_WAIT)


def at_work(transport: zvt.Transport = SERIAL, command: Apdu = COMMAND) -> Answering:
    machine = Answering(BUSY, transport)
    assert machine.receive(said(command, transport)) == (ack(transport), [command])
    assert machine.answer(ACCEPTED) == said(ACCEPTED, transport)
    machine.receive(ack(transport))
    return machine


@TRANSPORTS
def test_the_terminal_leads(transport: zvt.Transport) -> None:
    machine = at_work(transport)
    for apdu in (STATUS, END):
        assert machine.lead(apdu) == said(apdu, transport)
        with pytest.raises(LocalError):
            machine.lead(apdu)
        heard = machine.receive(ack(transport) + said(ACCEPTED, transport))
        assert heard == (ack(transport), [ACCEPTED])
    with pytest.raises(LocalError):
        machine.lead(END)
    assert machine.receive(said(COMMAND, transport))[1] == [COMMAND]


def test_the_next_command_in_the_same_breath() -> None:
    machine = at_work(TCP)
    machine.lead(END)
    stream = ACCEPTED.to_bytes() + COMMAND.to_bytes()
    assert machine.receive(stream) == (b"", [ACCEPTED, COMMAND])


def test_a_reply_that_nobody_waits_for() -> None:
    assert Answering(BUSY, TCP).receive(ACCEPTED.to_bytes()) == (b"", [])
    with pytest.raises(LocalError):
        Answering(BUSY).answer(ACCEPTED)


@TRANSPORTS
def test_busy_and_abort(transport: zvt.Transport) -> None:
    machine = at_work(transport)
    other = said(messages.EndOfDay("000000").to_apdu(), transport)
    assert machine.receive(other) == (ack(transport) + said(BUSY, transport), [])
    abort = said(messages.Abort().to_apdu(), transport)
    assert machine.receive(abort) == (ack(transport) + said(ACCEPTED, transport), [])


def test_what_is_said_is_repeated_on_nak_twice() -> None:
    machine = at_work()
    sent = machine.lead(STATUS)
    assert machine.receive(NAK) == machine.receive(NAK) == (sent, [])
    assert machine.receive(NAK) == (b"", [])


def test_the_terminals_timers() -> None:
    machine = Answering(BUSY, timers=Timers(t1=1, t2=2, t3=3))
    assert machine.patience is None
    machine.receive(said(COMMAND)[:3])
    assert machine.patience == 1
    assert machine.expired() == NAK
    machine.receive(said(COMMAND))
    answer = machine.answer(ACCEPTED)
    assert machine.patience == 2
    assert machine.expired() == answer
    machine.receive(ACK)
    assert machine.patience is None
    machine.lead(STATUS)
    machine.receive(ACK)
    assert machine.patience == 3
    with pytest.raises(Ended):
        machine.expired()
    assert not machine.at_work


def test_a_till_that_hears_nothing_is_given_up() -> None:
    machine = at_work()
    sent = machine.lead(STATUS)
    assert machine.expired() == machine.expired() == sent
    with pytest.raises(Ended, match="till does not answer"):
        machine.expired()
    assert not machine.at_work and machine.patience is None


def test_a_repeated_command_is_one() -> None:
    machine = Answering(BUSY)
    machine.receive(said(COMMAND))
    answer = machine.answer(ACCEPTED)
    assert machine.receive(said(COMMAND)) == (ACK + answer, [])


def test_a_spoilt_command_is_refused() -> None:
    machine = Answering(BUSY)
    spoilt = said(COMMAND)[:-1] + b"\xff"
    assert [machine.receive(spoilt)[0] for _ in range(4)] == [NAK, NAK, b"", NAK]
    wrong = zvt.frame(b"\x06\x10\x05\x00")
    assert machine.receive(wrong) == (NAK, [])


@TRANSPORTS
@given(cuts=st.lists(st.integers(1, 9), min_size=40, max_size=40))
def test_both_sides_understand_each_other_however_it_is_cut(
    transport: zvt.Transport, cuts: list[int]
) -> None:
    asking, machine = Asking(COMMAND, transport), Answering(BUSY, transport)
    to_say = [STATUS, LINE, LINE, END]
    to_terminal, to_till = asking.start(), b""
    for size in cuts * 20:
        piece, to_terminal = to_terminal[:size], to_terminal[size:]
        out, got = machine.receive(piece)
        to_till += out
        for apdu in got:
            ours = machine.lead(to_say.pop(0)) if apdu.is_answer and to_say else b""
            to_till += ours if apdu.is_answer else machine.answer(ACCEPTED)
        piece, to_till = to_till[:size], to_till[size:]
        to_terminal += asking.receive(piece)
        if machine_owes(machine, to_say, to_till, to_terminal):
            to_till += machine.lead(to_say.pop(0))
    assert asking.finished and asking.heard
    assert (asking.said, asking.end) == ([STATUS, LINE, LINE], END)


def machine_owes(machine: Answering, to_say: list[Apdu], *on_the_way: bytes) -> bool:
    """The terminal has answered, the line is quiet, and its first word is due."""
    return len(to_say) == 4 and not any(on_the_way) and machine.at_work
