"""The emulated terminal and its host over TCP: payments, reversals, uploads, downloads.

Both ends are ours; what the messages hold was checked against the source of a real
terminal's application (see docs/terminals.md). Nothing between them is mocked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from zvtworld import MID, NEW, OLD, SERIAL_NUMBER, TID, TMK, World

from emulator.acquirer.isohost import ACTIONS, IsoHost
from emulator.acquirer.ledger import Payment
from emulator.card.hierarchy import hierarchy
from emulator.faults import Fault
from emulator.loop import LoopThread
from emulator.terminal.core import PAYER, TerminalConfig
from emulator.terminal.device import EmulatedTerminal
from emulator.terminal.hostline import (
    HostError,
    HostLine,
    HostRefused,
    HostSilent,
    HostUnreachable,
    HostUntrusted,
)
from protocols.iso8583 import downloads, keys
from protocols.iso8583.codec import ProcessingRequest

APPLICATIONS = {
    bytes.fromhex(f"A0000003330101{number:02}"): {
        downloads.AID: bytes.fromhex(f"A0000003330101{number:02}"),
        0xDF01: b"\0",
    }
    for number in range(1, 21)
}
PAID, SETTLED = "0200 000", "0500 201"


@pytest.fixture
def world() -> Iterator[World]:
    with LoopThread() as loop:
        made = World(loop)
        made.record.payments = [
            Payment(f"{n:06}", PAYER, fen) for n, fen in enumerate((1250, 990, -240), 1)
        ]
        yield made
        made.stop()


@pytest.fixture
def terminal(world: World) -> EmulatedTerminal:
    terminal, _ = world.terminal(protocol="poslink", host_seconds=0.3)
    return terminal


Call = Callable[[HostLine], Any]


def run(world: World, terminal: EmulatedTerminal, call: Call) -> Any:
    return world.loop.run(call(terminal.host))


def paid(world: World) -> list[int]:
    assert world.record.payments is not None
    return [payment.amount for payment in world.record.payments]


def asked(world: World, service: str) -> int:
    return world.host.faults.asked[service]


# --- payments and what becomes of them ------------------------------------------------


def test_takings_go_to_the_account_of_the_moment(
    world: World, terminal: EmulatedTerminal
) -> None:
    run(world, terminal, lambda host: host.pay(500))
    run(world, terminal, lambda host: host.settle())
    world.ledger.change_account(MID, NEW, request=6)
    run(world, terminal, lambda host: host.pay(700))
    run(world, terminal, lambda host: host.settle())
    told = [(t.account, t.amount, t.batch) for t in world.ledger.takings]
    assert told == [(OLD, 2500, 1), (NEW, 700, 2)]
    assert OLD not in repr(world.ledger.takings)


# What becomes of a payment: the error, whether the host has booked it meanwhile.
LOST = [
    (Fault(PAID, "silence"), HostSilent, False),
    (Fault(PAID, "hang_up"), HostUnreachable, False),
    (Fault(PAID, "drop_answer"), HostSilent, True),
    (Fault(PAID, "hang_up_after"), HostUnreachable, True),
    (Fault(PAID, "truncate_answer"), HostSilent, True),
    (Fault(PAID, "corrupt_answer"), HostUntrusted, True),
    (Fault(PAID, "lie"), HostUntrusted, True),
    (Fault(PAID, "delay_answer", seconds=0.6), HostSilent, True),
]


@pytest.mark.parametrize(
    ("fault", "error", "booked"), LOST, ids=lambda value: getattr(value, "action", "")
)
@pytest.mark.parametrize("power", [False, True])
def test_a_payment_without_an_answer_is_taken_back_first(
    world: World,
    terminal: EmulatedTerminal,
    fault: Fault,
    error: type[HostError],
    booked: bool,
    power: bool,
) -> None:
    world.host.faults.add(fault)
    with pytest.raises(error):
        run(world, terminal, lambda host: host.pay(500))
    assert (500 in paid(world)) is booked
    assert terminal.core.count == 3
    if power:
        world.loop.run(terminal.cut_power())
    run(world, terminal, lambda host: host.settle())
    assert terminal.core.reversal is None and asked(world, "0400 000") == 1
    [takings] = world.ledger.takings
    assert takings.amount == 2000 and terminal.core.count == 0


def test_a_reversal_whose_answer_is_lost_is_sent_again(
    world: World, terminal: EmulatedTerminal
) -> None:
    world.host.faults.add(Fault(PAID, "drop_answer"))
    world.host.faults.add(Fault("0400 000", "drop_answer", times=2))
    with pytest.raises(HostSilent):
        run(world, terminal, lambda host: host.pay(500))
    for _ in range(2):
        with pytest.raises(HostSilent):
            run(world, terminal, lambda host: host.settle())
        assert terminal.core.reversal is not None and asked(world, SETTLED) == 0
    run(world, terminal, lambda host: host.pay(500))
    assert paid(world) == [1250, 990, -240, 500]


def test_a_refused_payment_owes_nothing(
    world: World, terminal: EmulatedTerminal
) -> None:
    world.host.faults.add(Fault(PAID, "refuse", body=b"51"))
    with pytest.raises(HostRefused) as caught:
        run(world, terminal, lambda host: host.pay(500))
    assert caught.value.code == "51" and terminal.core.reversal is None


@pytest.mark.parametrize("action", ["duplicate_answer", "split_answer"])
def test_an_answer_that_comes_in_another_shape(
    world: World, terminal: EmulatedTerminal, action: str
) -> None:
    world.host.faults.add(Fault(PAID, action))
    run(world, terminal, lambda host: host.pay(500))
    assert paid(world)[-1] == 500 and terminal.core.amount == 2500


def test_every_fault_of_the_host_is_tried_here() -> None:
    tried = {fault.action for fault, _, _ in LOST} | {"refuse", "unbalanced"}
    assert tried | {"duplicate_answer", "split_answer"} == ACTIONS


# --- a settlement whose totals differ -------------------------------------------------


def test_an_unbalanced_batch_is_uploaded(
    world: World, terminal: EmulatedTerminal
) -> None:
    assert world.record.payments is not None
    world.record.payments.pop()  # the host does not know of the refund
    run(world, terminal, lambda host: host.settle())
    memory = world.host.memory(TID)
    assert [s.result for s in memory.settlements] == ["2"]
    assert [r.amount for r in memory.uploads[1].values()] == [1250, 990, 240]
    assert memory.uploaded == {1} and terminal.core.batch == 2
    assert world.ledger.takings[0].amount == 2240


def test_twenty_payments_take_three_messages(
    world: World, terminal: EmulatedTerminal
) -> None:
    terminal.core.transactions[:] = range(100, 120)
    run(world, terminal, lambda host: host.settle())
    held = world.host.memory(TID).uploads[1].values()
    assert [r.amount for r in held] == list(range(100, 120))
    assert asked(world, "0320 201") == 3


@pytest.mark.parametrize("message", ["0320 201", "0320 202"])
@pytest.mark.parametrize("action", ["silence", "drop_answer"])
def test_an_upload_that_broke_is_made_again(
    world: World, terminal: EmulatedTerminal, message: str, action: str
) -> None:
    terminal.core.transactions[:] = range(100, 120)
    world.host.faults.add(Fault(message, action))
    with pytest.raises(HostSilent):
        run(world, terminal, lambda host: host.settle())
    assert terminal.core.batch == 1 and terminal.core.upload_due
    world.loop.run(terminal.cut_power())
    run(world, terminal, lambda host: host.settle())
    memory = world.host.memory(TID)
    assert len(memory.uploads[1]) == 20 and memory.uploaded == {1}
    assert (asked(world, SETTLED), len(world.ledger.takings)) == (1, 1)
    assert terminal.core.batch == 2 and not terminal.core.upload_due


def test_a_host_that_says_so_whatever_the_totals(
    world: World, terminal: EmulatedTerminal
) -> None:
    world.host.faults.add(Fault(SETTLED, "unbalanced"))
    run(world, terminal, lambda host: host.settle())
    assert world.host.memory(TID).uploaded == {1}


# --- what the host asks for -----------------------------------------------------------


def test_ca_keys_are_fetched_when_the_host_wants_it(world: World) -> None:
    world.host.ca_keys = dict(hierarchy().downloads())
    terminal, _ = world.terminal(protocol="poslink")
    world.record.processing_request = ProcessingRequest.CA_KEYS
    run(world, terminal, lambda host: host.echo())
    run(world, terminal, lambda host: host.obey())
    assert terminal.core.ca_keys == list(hierarchy().downloads().values())
    assert world.record.processing_request == 0


def test_a_list_in_three_answers(world: World, terminal: EmulatedTerminal) -> None:
    world.host.applications = dict(APPLICATIONS)
    world.record.processing_request = ProcessingRequest.CHIP_PARAMETERS
    run(world, terminal, lambda host: host.echo())
    run(world, terminal, lambda host: host.obey())
    assert terminal.core.applications == list(APPLICATIONS.values())
    assert asked(world, "0820 382") == 3 and world.record.processing_request == 0


def test_an_empty_list(world: World, terminal: EmulatedTerminal) -> None:
    run(world, terminal, lambda host: host.fetch_applications())
    assert terminal.core.applications == []


def test_a_download_that_breaks_keeps_the_old_ones(
    world: World, terminal: EmulatedTerminal
) -> None:
    world.host.applications = dict(APPLICATIONS)
    run(world, terminal, lambda host: host.fetch_applications())
    world.host.faults.add(Fault("0800 380", "hang_up", after=5))
    with pytest.raises(HostUnreachable):
        run(world, terminal, lambda host: host.fetch_applications())
    assert len(terminal.core.applications) == 20


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        (ProcessingRequest.UPLOAD_STATUS, "0820 362"),
        (ProcessingRequest.TMS_PARAMETERS, "0800 364"),
        (ProcessingRequest.SIGN_IN_AGAIN, "0800 003"),
        (ProcessingRequest.BLACK_LIST, "0800 360"),
    ],
)
def test_what_the_host_wants_is_done_once(
    world: World, terminal: EmulatedTerminal, wanted: ProcessingRequest, message: str
) -> None:
    before = asked(world, message)
    world.record.processing_request = wanted
    run(world, terminal, lambda host: host.echo())
    run(world, terminal, lambda host: host.obey())
    run(world, terminal, lambda host: host.echo())
    assert asked(world, message) == before + 1
    assert world.record.processing_request == 0
    run(world, terminal, lambda host: host.obey())
    assert asked(world, message) == before + 1


def test_the_status_tells_what_the_terminal_has(
    world: World, terminal: EmulatedTerminal
) -> None:
    run(world, terminal, lambda host: host.tell_status())
    assert world.host.memory(TID).status["12"].decode("gb18030") == "全渠道便利店"


def test_numbers_by_the_serial_number(world: World) -> None:
    config = TerminalConfig(SERIAL_NUMBER, "00000000", "0" * 15, TMK)
    terminal = EmulatedTerminal(config, ("127.0.0.1", world.port))
    run(world, terminal, lambda host: host.learn_numbers())
    assert (terminal.core.tid, terminal.core.mid) == (TID, MID)
    run(world, terminal, lambda host: host.sign_in())


def test_a_serial_number_that_nobody_knows(world: World) -> None:
    config = TerminalConfig("999", "00000000", "0" * 15, TMK)
    terminal = EmulatedTerminal(config, ("127.0.0.1", world.port))
    with pytest.raises(HostRefused) as caught:
        run(world, terminal, lambda host: host.learn_numbers())
    assert caught.value.code == "97"


def test_after_signing_off_the_next_call_signs_in(
    world: World, terminal: EmulatedTerminal
) -> None:
    run(world, terminal, lambda host: host.sign_off())
    assert world.record.working_keys is None
    run(world, terminal, lambda host: host.settle())
    assert terminal.core.batch == 2


# --- an acquirer's ciphers ------------------------------------------------------------


@pytest.mark.parametrize(
    "ciphers",
    [
        keys.CipherProfile("tdes", "x9.9"),
        keys.CipherProfile("tdes", "x9.19"),
        keys.CipherProfile("sm4", "sm4-cbc"),
    ],
    ids=lambda ciphers: ciphers.mac,
)
def test_a_whole_day_under_other_ciphers(ciphers: keys.CipherProfile) -> None:
    with LoopThread() as loop:
        world = World(loop)
        loop.run(world.host.stop())
        world.host = IsoHost(world.ledger, ciphers=ciphers)
        world.port = loop.run(world.host.start())
        terminal, _ = world.terminal(protocol="poslink", ciphers=ciphers)
        run(world, terminal, lambda host: host.pay(500))
        run(world, terminal, lambda host: host.settle())
        assert terminal.core.batch == 2 and terminal.host_error is None
        world.stop()


def test_ciphers_that_differ_are_noticed(world: World) -> None:
    other = keys.CipherProfile("sm4", "sm4-cbc")
    terminal, _ = world.terminal(protocol="poslink", ciphers=other)
    assert isinstance(terminal.host_error, HostUntrusted)
    with pytest.raises(HostUntrusted):
        run(world, terminal, lambda host: host.settle())
    assert world.ledger.takings == []
