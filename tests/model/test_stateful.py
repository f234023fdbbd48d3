"""Any order of what people, wires and clocks may do, over real stores (Hypothesis).

Two fields with stores of their own, one office, four operators, an approver who has a
maker's name, two merchants, and ChinaUMS's emulated service behind the real adapter;
no socket in between (``stores``). After every step the promises of R14, R35, R37, R39,
R40 and R41 must hold, whatever went before.

``POSCTL_HYPOTHESIS=long`` looks for other examples, and many more, each time.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from stores import (
    FIELDS,
    MERCHANTS,
    OPEN_PER_TECHNICIAN,
    TECHNICIANS,
    TROUBLE,
    Crash,
    World,
)

from emulator.bench import NEW_NUMBER, OLD_NUMBER
from posctl.change import control
from posctl.change.order import Order
from posctl.change.states import State
from posctl.model.errors import CheckFailed, PosctlError
from posctl.office import approve, commit
from posctl.office.place import OfficePlace
from posctl.store.eventlog import EventLog
from protocols.sensitive import AccountNumber

SHM = Path("/dev/shm")  # noqa: S108 - a store without a disk is quicker
LONG = os.environ.get("POSCTL_HYPOTHESIS") == "long"
NEGATIVE = {State.REJECTED, State.EXPIRED, State.CANCELLED, State.ROLLED_BACK}
DECIDED = {
    *("provider.rejected", "provider.effective", "provider.auditing"),
    *("provider.unknown", "provider.waiting", "readback.done"),
}
fields, approvers = st.sampled_from(FIELDS), st.sampled_from(["wang", "qian"])
merchants, which = st.sampled_from(sorted(MERCHANTS)), st.integers(0, 30)


def masked(number: str) -> str:
    return AccountNumber(number).masked


def has_orders(machine: Any) -> bool:
    return bool(machine.world.office.orders())


class Change(RuleBasedStateMachine):
    """``mail`` are order files on their way, old ones too; anybody may find one."""

    reached: ClassVar[Counter[str]] = Counter()

    def __init__(self) -> None:
        super().__init__()
        folder = SHM if SHM.is_dir() else None
        self.folder = Path(tempfile.mkdtemp(prefix="posctl-model-", dir=folder))
        self.world = World(self.folder)
        self.mail: list[Path] = []
        self.requests: list[tuple[str, str]] = []
        self.broken = ""
        self.looked_at: Any = None
        self.done = contextlib.ExitStack()
        self.done.enter_context(self.world.power.on(self.hear))
        self.world.fetch_lists()

    def teardown(self) -> None:
        self.done.close()
        self.world.close()
        shutil.rmtree(self.folder)

    def hear(self, log: EventLog, kind: str) -> None:
        """R41: what the provider decided is only ever written after a question."""
        asked = self.world.wire.calls[-1:]
        if kind in DECIDED and asked not in (["alter_qry"], ["terminals_qry"]):
            self.broken = f"{kind} after {asked}"
        Change.reached[kind] += 1

    # -- how a rule acts -----------------------------------------------------------

    def act(self, do: Callable[[], Any]) -> Any:
        """None for a refusal in words; after a crash the stores are opened again."""
        try:
            return do()
        except PosctlError as error:
            Change.reached[error.code] += 1
        except Crash:
            Change.reached["(crash)"] += 1
        finally:
            if self.world.power.dead:
                self.world.open()
        return None

    def order(self, number: int) -> Order | None:
        """Mostly one that is not decided yet."""
        orders = self.world.office.orders()
        going_on = [order for order in orders if order.blocks]
        pool = (going_on if number % 4 else orders) or orders
        return pool[number % len(pool)] if pool else None

    def on_order(self, number: int, do: Callable[[str], Any]) -> Any:
        order = self.order(number)
        return self.act(lambda: do(order.number)) if order else None

    # -- the fields ----------------------------------------------------------------

    @rule(field=fields, mid=merchants, other=st.booleans(), new=st.booleans())
    def propose(self, field: str, mid: str, other: bool, new: bool) -> None:
        """``new``: to another account than the one in force."""
        operator = TECHNICIANS[FIELDS[FIELDS.index(field) - other]]
        in_force = self.world.ledger.merchants[mid].account
        number = NEW_NUMBER if new == (in_force == OLD_NUMBER) else OLD_NUMBER
        file = self.act(lambda: self.world.propose(field, operator, mid, number))
        if file:
            self.mail.append(file)

    @rule(number=which, field=fields)
    def field_takes(self, number: int, field: str) -> None:
        """Its own, the other's, an old one, one that was for the office."""
        if self.mail:
            path = self.mail[number % len(self.mail)]
            self.act(lambda: self.world.places[field].take(path))

    @rule()
    def bring_back(self) -> None:
        """What the office has written goes to the field that it is from."""
        for path in self._returned():
            self.act(lambda path=path: self.world.places[path.name[:4]].take(path))

    def _returned(self) -> list[Path]:
        folder = self.world.homes["office"].office / "outgoing"
        return sorted(folder.glob("*")) if folder.is_dir() else []

    @rule()
    def keep_a_copy(self) -> None:
        for path in self._returned():
            copy = self.folder / "mail" / f"{len(self.mail)}.posctl-order"
            copy.parent.mkdir(exist_ok=True)
            self.mail.append(Path(shutil.copy(path, copy)))

    # -- the office ----------------------------------------------------------------

    @rule(field=fields, mid=merchants, approver=approvers)
    def goes_well(self, field: str, mid: str, approver: str) -> None:
        """From the first look to the approval, where nothing stands in the way."""
        self.propose(field, mid, other=False, new=True)
        self.office_takes(0, newest=True)
        newest = max(self.world.office.orders(), key=lambda o: o.opened, default=None)
        if newest:
            self._approve(newest, approver)

    @precondition(lambda self: self.mail)
    @rule(number=which, newest=st.booleans())
    def office_takes(self, number: int, newest: bool) -> None:
        if self.mail:
            path = self.mail[-1 if newest else number % len(self.mail)]
            self.act(lambda: self.world.office.take(path))

    @precondition(has_orders)
    @rule(number=which, name=st.sampled_from(["wang", "qian", "Li"]))
    def approve(self, number: int, name: str) -> None:
        order = self.order(number)
        if order:
            self._approve(order, name)

    def _approve(self, order: Order, name: str) -> None:
        session = self.world.at_office(name, last_four=order.new_mask[-4:])
        done = self.act(lambda: approve.approve(session, order.number))
        assert done is None or done.approver.casefold() != done.operator

    @precondition(has_orders)
    @rule(number=which)
    def ask_elsewhere(self, number: int) -> None:
        session = self.world.at_office("wang")
        ask = lambda n: (n, approve.ask_elsewhere(session, n))  # noqa: E731
        if asked := self.on_order(number, ask):
            self.requests.append(asked)

    @precondition(lambda self: self.requests)
    @rule(number=which, forger=st.booleans())
    def answer(self, number: int, forger: bool) -> None:
        order, text = self.requests[number % len(self.requests)]
        name = "Li" if forger else "qian"
        digits = {"last_four": text and self._digits(order)}
        person = self.world.at_office(name, **digits).place.person
        qian, session = self.world.people[name], self.world.at_office("wang")
        answer = self.act(lambda: approve.sign_elsewhere(qian, person, text))
        if answer:
            self.act(lambda: approve.take_answer(session, order, answer))

    def _digits(self, number: str) -> str:
        order = next(o for o in self.world.office.orders() if o.number == number)
        return order.new_mask[-4:]

    @precondition(has_orders)
    @rule(number=which, name=approvers)
    def commit(self, number: int, name: str) -> None:
        session = self.world.at_office(name)
        self.on_order(number, lambda n: commit.commit(session, n, 0.0))

    @precondition(has_orders)
    @rule(number=which, what=st.sampled_from(TROUBLE), after=st.integers(1, 7))
    def commit_in_trouble(self, number: int, what: str, after: int) -> None:
        """It strikes the application, the signature, or a question."""
        self.world.wire.trouble = [*["none"] * after, what]
        self.commit(number, "qian")

    @precondition(has_orders)
    @rule(number=which, left=st.integers(0, 7), after=st.booleans())
    def commit_until_the_power_cut(self, number: int, left: int, after: bool) -> None:
        self.world.power.cut(left, after=after)
        self.commit(number, "wang")

    @precondition(has_orders)
    @rule(number=which)
    def commit_to_the_end(self, number: int) -> None:
        self.commit(number, "wang")
        self.time_passes(1.1)
        self.commit(number, "qian")

    @precondition(has_orders)
    @rule(number=which, name=approvers)
    def commit_three_times(self, number: int, name: str) -> None:
        """An order that has ended gives the same answer again, and nothing else."""
        order = self.order(number)
        if order is None or order.state is not State.CLOSED:
            return
        before = self._outside()
        session = self.world.at_office(name)
        answers = [commit.commit(session, order.number, 0.0) for _n in range(3)]
        assert answers == [order] * 3
        assert self._outside() == before

    def _outside(self) -> Any:
        merchants = self.world.ledger.merchants
        changed = [(m.account, m.version) for m in merchants.values()]
        return changed, self.world.office.log.outbox(), self.world.office.log.head()

    @precondition(has_orders)
    @rule(
        number=which,
        what=st.sampled_from(
            ["roll back", "cancel", "freeze", "thaw", "thaw", "expire"]
        ),
    )
    def steer(self, number: int, what: str) -> None:
        session = self.world.at_office("qian")
        acts: dict[str, Callable[[Any], Order]] = {
            "cancel": lambda j: control.cancel(j, "qian", "order.withdrawn"),
            "freeze": lambda j: control.freeze(j, "qian", "frozen.dispute"),
            "thaw": lambda j: control.thaw(j, "qian"),
        }
        if what == "expire":
            self.act(lambda: commit.expire(session))
        elif what == "roll back":
            self.on_order(number, lambda n: commit.roll_back(session, n))
        else:
            self.on_order(number, lambda n: commit.act(session, n, acts[what]))

    # -- what goes wrong -----------------------------------------------------------

    @rule(what=st.lists(st.sampled_from(["none", *TROUBLE]), max_size=3))
    def trouble(self, what: list[str]) -> None:
        self.world.wire.trouble = list(what)

    @precondition(lambda self: self.world.wire.late)
    @rule(number=which)
    def a_late_call_arrives(self, number: int) -> None:
        self.world.wire.deliver(number)

    @rule(left=st.integers(0, 6), after=st.booleans())
    def power_cut(self, left: int, after: bool) -> None:
        self.world.power.cut(left, after=after)

    @rule()
    def power_is_back(self) -> None:
        self.world.power.mend()

    @rule(hours=st.sampled_from([0.5, *[1.1] * 8, 25, 16 * 24]))
    def time_passes(self, hours: float) -> None:
        if self.world.clock.passed < timedelta(days=300):
            self.world.clock.passed += timedelta(hours=hours)
        trouble, self.world.wire.trouble = self.world.wire.trouble, []
        self.world.fetch_lists()
        self.world.wire.trouble = trouble
        self.world.service.advance()

    # -- what must hold ------------------------------------------------------------

    @invariant()
    def promises(self) -> None:
        """Looked at when anything has changed."""
        heads = [place.log.head() for place in self.world.places.values()]
        paid = [(m.account, m.version) for m in self.world.ledger.merchants.values()]
        if (heads, paid) == self.looked_at:
            return
        self.looked_at = (heads, paid)
        self.one_open_order()
        self.every_log_folds()
        self.one_effective_account()
        self.one_notice()
        self.one_holder_and_one_history()

    def one_open_order(self) -> None:
        """R14: one that blocks, a merchant and terminal; so many, a technician."""
        open_now = [o for o in self.world.office.orders() if o.blocks and self._in(o)]
        for part in ("mid", "tid"):
            most = Counter(getattr(order, part) for order in open_now)
            assert max(most.values(), default=0) <= 1, most
        makers = Counter(order.operator for order in open_now if order.approver)
        assert max(makers.values(), default=0) <= OPEN_PER_TECHNICIAN

    def _in(self, order: Order) -> bool:
        """A run that died while it took a file has not received the order yet."""
        events = self.world.office.log.events(order.number)
        return any(event.kind == "order.received" for event in events)

    def every_log_folds(self) -> None:
        """R35: chains and projections are what the events make."""
        assert not self.broken
        for place in self.world.places.values():
            place.log.verify()

    def one_effective_account(self) -> None:
        """R37, R40: the provider pays to what the newest effective order says, or an
        order that is past its commit point has still to learn it."""
        orders = self.world.office.orders()
        for mid, merchant in self.world.ledger.merchants.items():
            own = [order for order in orders if order.mid == mid]
            done = sorted(
                (o for o in own if o.effective_at), key=lambda o: o.effective_at
            )
            said = done[-1].new_mask if done else masked(OLD_NUMBER)
            ahead = merchant.version - 1 - len(done)
            if ahead == 0:
                assert masked(merchant.account) == said
                continue
            assert ahead == 1, (merchant.version, own)
            under_way = [o for o in own if o.committed and not o.final]
            new = [order.new_mask for order in under_way if not order.effective_at]
            assert new == [masked(merchant.account)], own

    def one_notice(self) -> None:
        """R39, R46: one a final result, and none before."""
        told = Counter(order for _key, order, _notice in self.world.office.log.outbox())
        assert set(told.values()) <= {1}
        for order in self.world.office.orders():
            if told[order.number]:
                assert order.final or order.state is State.EFFECTIVE
            elif order.holder == "field":
                pytest.fail(f"{order.number} went back, and nobody is told")

    def one_holder_and_one_history(self) -> None:
        office = self.world.office
        for order in office.orders():
            field = self.world.places[order.number[:4]]
            there = next(o for o in field.orders() if o.number == order.number)
            assert not (there.holder == "field" and order.holder == "office"), order
            pair = (office.log.events(order.number), field.log.events(order.number))
            hashes = [[event.hash for event in events] for events in pair]
            assert all(a == b for a, b in zip(*hashes, strict=False)), order.number


settings.register_profile(
    "posctl-ci",
    max_examples=150,
    stateful_step_count=50,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)
settings.register_profile(
    "posctl-long",
    settings.get_profile("posctl-ci"),
    max_examples=1500,
    stateful_step_count=80,
    derandomize=False,
    print_blob=True,
)


@pytest.mark.req("R14")
@pytest.mark.req("R35")
@pytest.mark.req("R37")
@pytest.mark.req("R39")
@pytest.mark.req("R40")
@pytest.mark.req("R41")
def test_whatever_happens_the_promises_hold() -> None:
    Change.reached.clear()
    profile = settings.get_profile("posctl-long" if LONG else "posctl-ci")
    run_state_machine_as_test(Change, settings=profile)
    print(dict(Change.reached.most_common()))
    for kind in ("order.closed", "order.refused", "rollback.done", "(crash)"):
        assert Change.reached[kind], f"{kind} was never reached"


BROKEN: dict[str, tuple[Any, str, Any]] = {
    "the office takes every order": (OfficePlace, "_why_not", lambda *_a: None),
    "nobody is told": (EventLog, "_notify", lambda *_a: None),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_office_is_found(name: str) -> None:
    """The machine can fail; without looking for the shortest way to it."""
    where, what, instead = BROKEN[name]
    quick = settings(settings.get_profile("posctl-ci"), phases=[Phase.generate])
    with patch.object(where, what, instead), pytest.raises(BaseException) as caught:
        run_state_machine_as_test(Change, settings=quick)
    assert isinstance(caught.value, AssertionError | pytest.fail.Exception)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    with made.power.on():
        made.fetch_lists()
        yield made
    made.close()


@pytest.mark.req("R14")
@pytest.mark.req("R37")
@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("left", range(3))
def test_a_second_order_is_refused_whenever_the_power_fails(
    world: World, left: int, after: bool
) -> None:
    """Both technicians were at the merchant; the office dies while it takes the later
    order, and takes it again."""
    mid = min(MERCHANTS)
    first = world.propose("AAAA", "li", mid, NEW_NUMBER)
    second = world.propose("BBBB", "zhao", mid, NEW_NUMBER)
    one = world.office.take(first)
    world.power.cut(left, after=after)
    with contextlib.suppress(Crash):
        world.office.take(second)
    world.open()
    assert world.office.take(second).state is State.REJECTED
    assert [o.number for o in world.office.orders() if o.blocks] == [one.number]


@pytest.mark.req("R30")
def test_no_request_is_made_for_an_order_that_is_approved(world: World) -> None:
    file = world.propose("AAAA", "li", min(MERCHANTS), NEW_NUMBER)
    number = world.office.take(file).number
    session = world.at_office("wang", last_four=NEW_NUMBER[-4:])
    approve.approve(session, number)
    with pytest.raises(CheckFailed) as caught:
        approve.ask_elsewhere(session, number)
    assert caught.value.code == "order.not_proposed"
