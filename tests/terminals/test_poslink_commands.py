"""The commands that posctl's driver never sends, at the emulated terminal."""

from __future__ import annotations

import binascii
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from emulator.bench import Bench, Scenario
from posctl.links.line import open_line
from posctl.model.deadline import Deadline
from posctl.model.errors import PosctlError
from posctl.terminals import open_terminal
from protocols import poslink
from protocols.poslink import Asking, Request, Response

Ask = Callable[..., Response]


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with Bench(tmp_path, Scenario(direct=True)) as made:
        yield made


@pytest.fixture
def ask(bench: Bench) -> Ask:
    """One exchange on the serial line."""

    def exchange(command: str, *fields: str) -> Response:
        deadline, asking = Deadline(5), Asking(Request(command, fields))
        with closing(open_line(bench.port, baud=9600)) as line:
            line.write(asking.start(), deadline)
            while asking.response is None:
                if out := asking.receive(line.read(deadline)):
                    line.write(out, deadline)
        return asking.response

    return exchange


def test_a_variable_that_was_set_survives_a_power_cut(bench: Bench, ask: Ask) -> None:
    request = poslink.set_variables({"hostRspBeep": "N", "language": "zh"})
    assert ask("A04", *request.fields).code == poslink.OK
    bench.cut_power()
    shown = ask("A02", poslink.EDC_ALL, "hostRspBeep", "language", "merchantID")
    assert shown.fields[:2] == ("N", "zh")


@pytest.mark.parametrize("name", ["merchantID", "posctlBindingTag", "terminalClock"])
def test_what_the_acquirer_set_is_not_the_tills(
    bench: Bench, ask: Ask, name: str
) -> None:
    before = ask("A02", poslink.EDC_ALL, "merchantID", "posctlBindingTag").fields
    assert ask("A04", poslink.EDC_ALL, "beep", "1", name, "x").code == "100005"
    assert ask("A02", poslink.EDC_ALL, "beep").fields == ("",)  # none of it
    assert (
        ask("A02", poslink.EDC_ALL, "merchantID", "posctlBindingTag").fields == before
    )


def test_a_file_is_whole_or_not_there(bench: Bench, ask: Ask) -> None:
    data = bytes(range(256)) * 40
    first, second, last = poslink.pieces(data)
    for piece in (first, second):
        assert ask("A18", *piece.to_fields()).code == poslink.OK
    assert ask("A38", "resource 0").code == "100023"
    assert ask("A18", *first.to_fields()).code == poslink.OK  # begun anew
    assert ask("A18", *last.to_fields()).code == "100003"  # out of order: all is gone
    assert ask("A18", *second.to_fields()).code == "100003"
    for piece in (first, second, last):
        assert ask("A18", *piece.to_fields()).code == poslink.OK
    bench.cut_power()
    checked = poslink.FileCheck.from_fields(ask("A38", "resource 0").fields)
    assert checked.checksum == f"{binascii.crc32(data):08X}"


def test_half_a_file_does_not_survive_a_power_cut(bench: Bench, ask: Ask) -> None:
    first, last = poslink.pieces(bytes(5000))
    assert ask("A18", *first.to_fields()).code == poslink.OK
    bench.cut_power()
    assert ask("A18", *last.to_fields()).code == "100003"


def test_a_signature_comes_in_parts(bench: Bench, ask: Ask) -> None:
    assert ask("A08", "0", "").code == "100023"
    bench.terminal.core.signature = whole = "12,34^" * 700 + "~"
    got = ""
    while len(got) < len(whole):
        part = poslink.Signature.from_fields(ask("A08", str(len(got)), "999").fields)
        assert part.total == len(whole) and len(part.data) <= 999
        got += part.data
    assert got == whole
    assert ask("A08", str(len(whole) + 1), "").code == "100023"


@pytest.mark.parametrize(
    ("number", "kind", "amount"), [(1, poslink.SALE, 12800), (3, poslink.REFUND, 550)]
)
def test_a_transaction_of_the_batch(
    ask: Ask, number: int, kind: str, amount: int
) -> None:
    wanted = poslink.DetailWanted(number)
    found = poslink.Detail.from_fields(ask("R02", *wanted.to_fields()).fields)
    told = (found.total, found.number, found.transaction_type, found.amount)
    assert told == (3, number, kind, amount)


@pytest.mark.parametrize(
    "wanted",
    [poslink.DetailWanted(4), poslink.DetailWanted(-1), poslink.DetailWanted(1, "02")],
)
def test_a_transaction_that_is_not_there(
    ask: Ask, wanted: poslink.DetailWanted
) -> None:
    assert ask("R02", *wanted.to_fields()).code == "100023"


@pytest.mark.parametrize("command", ["A06", "A28", "B02"])
def test_other_commands_are_refused(ask: Ask, command: str) -> None:
    assert ask(command).code == "100004"


def test_a_reboot_answers_first_and_then_every_line_is_dead(
    bench: Bench, ask: Ask
) -> None:
    before = bench.endpoints.pty
    assert ask("A26").code == poslink.OK
    deadline = Deadline(10)
    while bench.endpoints.pty == before and not deadline.passed:
        time.sleep(0.01)
    while True:  # the same name leads to the new line
        try:
            with closing(open_terminal("poslink", bench.port)) as driver:
                assert driver.identify(Deadline(2)).serial == "0820000001"
                return
        except PosctlError:
            if deadline.passed:
                raise


def test_a_bench_may_end_while_its_terminal_starts(bench: Bench, ask: Ask) -> None:
    assert ask("A26").code == poslink.OK
    time.sleep(0.05)
    bench.stop()
