"""The till against posctl's bench: one fixture, and whatever may go wrong."""

from __future__ import annotations

import pytest
import till


def test_who_the_terminal_is(pos_bench):
    assert till.serial_number(pos_bench.terminal.port) == pos_bench.terminal.serial


def test_takings_reach_the_account(pos_bench):
    pos_bench.terminal.pay(1990)
    assert till.close_batch(pos_bench.terminal.port) == "000000"
    [(batch, account, fen)] = pos_bench.acquirer.takings
    assert (batch, account, fen) == (1, pos_bench.acquirer.account, 15800 + 1990)


def test_a_terminal_that_does_not_answer(pos_bench):
    pos_bench.faults.add("terminal", "silence", on="A00")
    with pytest.raises(till.TerminalSilent):
        till.ask(pos_bench.terminal.port, "A00", seconds=0.3)
    assert pos_bench.faults.struck("terminal") == ["A00 silence"]


def test_a_host_that_is_out_of_order(pos_bench):
    pos_bench.faults.add("host", "refuse", on="0500 201", body=b"96")
    assert till.close_batch(pos_bench.terminal.port) != "000000"
    assert len(pos_bench.terminal.transactions) == 3


@pytest.mark.pos_bench(card="none", transactions=(500,))
def test_what_is_on_the_bench_is_the_tests_to_say(pos_bench):
    assert pos_bench.terminal.transactions == [500]
    pos_bench.card.insert("credit")
    assert pos_bench.card.kind == "credit"
