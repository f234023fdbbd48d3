"""What must be true when an attempt has ended, and what at every moment before."""

from __future__ import annotations

import json
import re
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path

from stage import Stage

from emulator.bench import OLD_NUMBER
from posctl.change.audit import check_heads
from posctl.change.order import Order
from posctl.change.states import State
from posctl.store.eventlog import EventLog
from protocols.sensitive import mask

DOCS = Path(__file__).resolve().parents[2] / "docs" / "recovery.md"
PAID_TO_NEW = ("EFFECTIVE", "CLOSED")
_HEADS = ("head", "order_head", "store_head")
_ONCE = ("apply.done", "sign.done", "receipt.issued", "terminal.confirmed")


def check_meanwhile(stage: Stage) -> None:
    """The provider holds exactly one effective account at all times (R37), and it is
    the new one only where a signature was sent."""
    assert stage.account() in (OLD_NUMBER, stage.setting.new_number)
    assert (stage.account() == OLD_NUMBER) == (stage.version() == 1)
    assert stage.signed() <= 1


def check_all(stage: Stage, state: str) -> None:
    """``state`` is where the tool said that it ended."""
    with stage.logs() as logs:
        for log in logs.values():
            log.verify()
        orders = newest(logs)
        check_states(orders, state)
        check_ledger(stage, orders)
        check_terminal(stage, orders)
        for order in orders:
            check_order(logs, order)
            check_settled(stage, logs["field"], order)
        check_outbox(logs["office"], orders)
        check_heads(list(logs.values()), carried_out(stage, logs))
    check_files(stage.home)


def check_committed(stage: Stage) -> bool:
    """Whether an order's commit point is behind it."""
    with stage.logs() as logs:
        return any(order.committed for order in newest(logs))


def newest(logs: dict[str, EventLog]) -> list[Order]:
    """Every order as the place that knows most of it has it."""
    found: dict[str, Order] = {}
    for log in logs.values():
        for projection in log.projections():
            order = Order.from_json(projection)
            known = found.get(order.number)
            if known is None or order.position > known.position:
                found[order.number] = order
    return list(found.values())


def check_states(orders: list[Order], state: str) -> None:
    """None is left that blocks the merchant, and the tool told the truth."""
    assert not [order for order in orders if order.blocks or order.effect]
    back = [order for order in orders if order.state is State.ROLLED_BACK]
    assert not any(order.committed for order in back), "a signature may be on its way"
    states = [str(order.state) for order in orders]
    assert state in (states or ["none"]), f"{states}, but it said {state}"


def check_ledger(stage: Stage, orders: list[Order]) -> None:
    """Old or new, as the log says; no effect but the one that it knows of."""
    paid = [order for order in orders if order.state in PAID_TO_NEW]
    assert len(paid) <= 1
    expected = stage.setting.new_number if paid else OLD_NUMBER
    assert stage.account() == expected
    assert (stage.version(), stage.signed()) == (1 + len(paid), len(paid))
    with stage.bench.ledger.locked() as ledger:
        open_there = [a for a in ledger.applications.values() if a.signed_at]
        if paid:
            assert [a.reg_id for a in open_there] == [paid[0].application]


def check_terminal(stage: Stage, orders: list[Order]) -> None:
    """Settled once at most; it shows what is paid to where the log says it does."""
    core = stage.bench.terminal.core
    assert core.batch - 1 == stage.settlements() <= 1
    shown = core.binding_tag()
    assert shown is not None
    closed = any(order.state is State.CLOSED for order in orders)
    if closed:
        assert (shown.version, shown.mask) == (2, mask(stage.setting.new_number))
    elif not any(order.state is State.EFFECTIVE for order in orders):
        assert (shown.version, shown.mask) == (1, mask(OLD_NUMBER))
        assert stage.settlements() == 0


def check_settled(stage: Stage, field: EventLog, order: Order) -> None:
    """What the log says of the settlement is what the host knows of it."""
    if order.state is State.CLOSED:
        kinds = [event.kind for event in field.events(order.number)]
        assert kinds.count("settle.done") == stage.settlements()


def check_order(logs: dict[str, EventLog], order: Order) -> None:
    """One receipt where the new account is paid, none elsewhere; in both stores the
    same events."""
    paid = order.state in PAID_TO_NEW
    kinds = [
        [event.kind for event in log.events(order.number)] for log in logs.values()
    ]
    for known in kinds:
        assert all(known.count(kind) <= 1 for kind in _ONCE), known
    assert ("receipt.issued" in max(kinds, key=len)) == paid
    field, office = (log.events(order.number) for log in logs.values())
    both = min(len(field), len(office))
    assert field[:both] == office[:both]


def check_outbox(office: EventLog, orders: list[Order]) -> None:
    """One row for each result that came from the office, and no other (R46)."""
    numbers = sorted(order.number for order in orders if _went_back(office, order))
    assert sorted(key for key, _order, _notice in office.outbox()) == numbers


def _went_back(office: EventLog, order: Order) -> bool:
    kinds = [event.kind for event in office.events(order.number)]
    assert kinds.count("order.returned") <= 1
    return "order.returned" in kinds


def carried_out(stage: Stage, logs: dict[str, EventLog]) -> set[str]:
    """Heads that receipts, order files and the other place's events hold (R50)."""
    found: set[str] = set()
    for log in logs.values():
        for order in log.projections():
            for event in log.events(order["number"]):
                found |= _heads(event.payload)
            if sha256 := order["receipt"]:
                found |= _heads(json.loads(log.attachment(sha256))["body"])
    for path in stage.home.rglob("*.posctl-order"):
        found |= _heads(json.loads(path.read_bytes())["body"])
    return found


def _heads(body: dict[str, object]) -> set[str]:
    return {str(body[name]) for name in _HEADS if name in body}


# -- files -------------------------------------------------------------------------


@cache
def named_files() -> tuple[str, ...]:
    """The patterns that docs/recovery.md names."""
    text = DOCS.read_text("utf-8")
    block = re.search(r"<!-- files -->\n(.*?)<!-- /files -->", text, re.DOTALL)
    assert block
    return tuple(re.findall(r"^\| `([^`]+)`", block[1], re.MULTILINE))


def check_files(home: Path) -> None:
    """Nothing is left but what the documentation names."""
    files = [p.relative_to(home).as_posix() for p in home.rglob("*") if p.is_file()]
    left = [f for f in files if not any(fnmatchcase(f, n) for n in named_files())]
    assert not left, f"left behind: {left}"
