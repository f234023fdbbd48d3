"""A breadth-first search over posctl's own commit code, a log and a modelled provider.

The state of the log IS the projection that ``posctl.change.order.fold`` makes. What
the operators do is the real code of ``posctl.office.commit``: a command that runs is a
function of what it has seen so far (what it read, what was appended, what the provider
answered), so it is run again from its start with those observations, up to the next
one. Each observation is one step of the search; what a command does next is kept in a
tree, so that it is computed once.

A crash forgets a command in the middle: only log and provider remain. Files, keys,
signatures and sealed boxes are left out (other tests are about them); times are three
moments, hashes and positions are not part of the state.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple
from unittest.mock import patch

from outsiders import ModelProvider

from posctl.change import control, journal
from posctl.change import order as order_module
from posctl.change.journal import Journal
from posctl.change.order import Order, fold
from posctl.change.states import Holder
from posctl.model.canonical import Json
from posctl.model.clock import stamp
from posctl.model.errors import CheckFailed, PosctlError
from posctl.model.profile import Profile
from posctl.office import application, commit, receipt
from posctl.store import profiles
from posctl.store.eventlog import Event

NUMBER = "AAAA-22222"
BEGAN = datetime(2026, 11, 23, 4, tzinfo=UTC)
MOMENTS = (BEGAN, BEGAN + timedelta(hours=30), BEGAN + timedelta(days=16))
"""Now; after cooling-off and the hours of an undecided application; after the 15 days
of an order. Nobody's command runs on from one to the next."""

_TIMES = tuple(map(stamp, MOMENTS))
_CONSTANT = {"position": 0, "hash": "", "changed": _TIMES[0], "receipt": "r"}
_SEEN = {name for names in order_module._COPIED.values() for name in names}
_SEEN |= {"not_reached", "steps"}


class Log(NamedTuple):
    """What is durable: the projection, as text; how often it was applied for; whether
    the order has been given back; when it was applied for last."""

    projection: str
    attempts: int
    returned: bool
    applied: int = 0

    @property
    def order(self) -> Json:
        return _read(self.projection)


class State(NamedTuple):
    """``log`` and ``provider`` by their numbers in ``Search``. ``running`` are the
    command that runs and the one that was stopped in its middle by it (0: none), as
    nodes of the tree. The last four say how much may still happen: ``switches`` is how
    often one command may yet break into another."""

    log: int
    provider: int
    running: tuple[int, int]
    now: int
    crashes: int
    faults: int
    late: int
    switches: int


class Numbered:
    """Gives each value a number, and the value back: states are small and quick to
    compare."""

    def __init__(self) -> None:
        self.values: list[Any] = []
        self._numbers: dict[Any, int] = {}

    def of(self, value: Any) -> int:
        number = self._numbers.setdefault(value, len(self.values))
        if number == len(self.values):
            self.values.append(value)
        return number


@cache
def _read(text: str) -> Json:
    return dict(json.loads(text))


@cache
def _order(text: str) -> Order:
    return Order.from_json(_read(text))


class Stopped(BaseException):
    """The command wants to see something that has not been seen yet."""


class Tape:
    """What a command has seen so far, in order; then it stops.

    ``known`` are answers that nobody else can change meanwhile: it is not stopped for
    those.
    """

    def __init__(self, seen: list[Any], known: dict[str, Any]) -> None:
        self.seen = seen
        self.known = known
        self.at = 0
        self.wanted: tuple[str, ...] | None = None

    def ask(self, *wanted: str) -> Any:
        if self.wanted:
            raise Stopped
        if self.at == len(self.seen):
            if wanted[0] not in self.known:
                self.wanted = wanted
                raise Stopped
            self.seen.append(self.known[wanted[0]])
        self.at += 1
        return self.seen[self.at - 1]


@dataclass
class Node:
    """A command that has run so far: what it wants next, or how it ended.

    ``asked`` is the last word of the provider that it has seen.
    """

    command: str
    seen: list[Any]
    wants: tuple[str, ...] | None
    result: str = ""
    asked: Any = None
    following: dict[Any, int] = field(default_factory=dict)


class _TapeLog:
    """The event log as a command sees it."""

    path = Path("/model/log.db")

    def __init__(self, tape: Tape) -> None:
        self._tape = tape

    def order(self) -> Order:
        return _order(self._tape.ask("projection"))

    def head(self) -> str:
        return ""

    def events(self, number: str) -> list[Event]:
        return _events(*self._tape.ask("events"))

    def append(self, number: str, kind: str, payload: Json, **_rest: Any) -> None:
        kept = {name: payload[name] for name in sorted(_SEEN & payload.keys())}
        refusal = self._tape.ask("append", kind, json.dumps(kept))
        if refusal is not None:
            raise CheckFailed("order.transition", order=number, kind=kind)


@cache
def _events(attempts: int, returned: bool, applied: int) -> list[Event]:
    """Of the whole history, what the office's code looks for in it."""
    kinds = ["order.proposed", "order.received", "look.done", "order.approved"]
    kinds += ["apply.intended"] * attempts + ["readback.done"]
    kinds += ["order.returned"] * returned
    told = {"order.received": {"by": "office", "fingerprint": "f"}}
    times = {"apply.intended": _TIMES[applied]}
    return [
        Event(NUMBER, 1, times.get(kind, _TIMES[0]), kind, told.get(kind, {}), "", "")
        for kind in kinds
    ]


class _TapeClock:
    def __init__(self, tape: Tape) -> None:
        self._tape = tape

    def now(self) -> datetime:
        return MOMENTS[self._tape.ask("now")]

    def sleep(self, seconds: float) -> None:
        pass


def _nothing(*_args: Any, **_named: Any) -> None:
    return None


class Office:
    """Runs the office's real code on tapes.

    Args:
        checkers: as in a profile; with ``merchant`` the merchant signs by himself.
    """

    def __init__(self, profile: Profile, capabilities: Any) -> None:
        self.profile = profile
        self.capabilities = capabilities
        self.nodes: list[Node] = [Node("", [], None)]
        self.starts: dict[Any, int] = {}

    def start(self, command: str, known: dict[str, Any]) -> int:
        """The node of a command that begins; ``known`` as for ``Tape``."""
        key = (command, *known.values())
        if key not in self.starts:
            self.starts[key] = self._node(command, [], known)
        return self.starts[key]

    def follow(
        self, number: int, saw: Any, known: dict[str, Any], *, asked: bool
    ) -> int:
        """The node after one more observation."""
        node = self.nodes[number]
        key = (saw, *known.values())
        if key not in node.following:
            word = saw if asked else node.asked
            seen = [*node.seen, saw]
            node.following[key] = self._node(node.command, seen, known, word)
        return node.following[key]

    def _node(
        self, command: str, seen: list[Any], known: dict[str, Any], asked: Any = None
    ) -> int:
        wants, result = self._run(command, Tape(seen, known))
        self.nodes.append(Node(command, seen, wants, result, asked))
        return len(self.nodes) - 1

    def _run(self, command: str, tape: Tape) -> tuple[tuple[str, ...] | None, str]:
        result = "done"
        try:
            COMMANDS[command](self._session(tape))
        except Stopped:
            return tape.wanted, ""
        except PosctlError as failure:
            result = failure.code
        return (tape.wanted, "") if tape.wanted else (None, result)

    def _session(self, tape: Tape) -> Any:
        log = _TapeLog(tape)
        provider = ModelProvider(self.capabilities, tape.ask)
        person = SimpleNamespace(tell=_nothing, waiting=_nothing)
        settings = SimpleNamespace(mode="solo")
        home = SimpleNamespace(settings=settings, field=Path("/m"), office=Path("/m"))
        place = SimpleNamespace(
            holder=Holder.OFFICE,
            log=log,
            clock=_TapeClock(tape),
            person=person,
            profile=self.profile,
            home=home,
            order_path=lambda number: Path("/m"),
            journal=lambda number: Journal(log, Holder.OFFICE, number),  # type: ignore[arg-type]
            open_orders=lambda: [log.order()],
            orders=lambda **_which: [log.order()],
            trust=SimpleNamespace(check=_nothing),
        )
        return SimpleNamespace(
            place=place,
            operator=SimpleNamespace(name="wang", sign=lambda *_a: {}),
            secrets=SimpleNamespace(tag_key=None),
            provider=lambda: provider,
        )


COMMANDS: dict[str, Callable[[Any], Any]] = {
    "commit": lambda session: commit.commit(session, NUMBER, 0.0),
    "rollback": lambda session: commit.roll_back(session, NUMBER),
    "cancel": lambda session: commit.act(
        session, NUMBER, lambda own: control.cancel(own, "wang", "order.withdrawn")
    ),
    "freeze": lambda session: commit.act(
        session, NUMBER, lambda own: control.freeze(own, "wang", "frozen.dispute")
    ),
    "thaw": lambda session: commit.act(
        session, NUMBER, lambda own: control.thaw(own, "wang")
    ),
    "expire": lambda session: commit.expire(session),
    "amount": lambda session: commit.report_amount(session, NUMBER, 7, 0.0),
}
"""What the operators of the office can do with an order, by the code that does it."""


@contextmanager
def only_the_course() -> Iterator[None]:
    """Leaves out files, sealed boxes, signatures, and waiting."""
    parts: list[tuple[Any, str, Any]] = [
        (journal, "load", lambda log, number: log.order()),  # the same, kept
        (commit, "exclusive", _unlocked),
        (commit, "open_account", _nothing),
        (commit, "check_approval", _nothing),
        (commit, "check_again", _nothing),
        (application, "open_account", lambda *_a: SimpleNamespace(new=None)),
        (application, "SIGN_SECONDS", 0.0),
        (application.Application, "prepare", _prepare),
        (receipt.orderfile, "write", _nothing),
        (receipt, "remove", _nothing),
    ]
    with ExitStack() as stack:
        for where, name, instead in parts:
            stack.enter_context(patch.object(where, name, instead))
        yield


@contextmanager
def _unlocked(log: Any, name: str, *, wait: float = 0.0) -> Iterator[None]:
    """The search itself decides who may run beside whom."""
    yield


def _prepare(self: Any, account: Any) -> None:
    self._request = None


@cache
def profile_of(name: str) -> Profile:
    return profiles.parse(profiles.example(name), source=name)


# -- the log ---------------------------------------------------------------------

MAX_ATTEMPTS, MAX_LOST = 3, 2
"""Searched no further: an order that was applied for more often, or whose signature
was lost more often."""


def _payload(kind: str, text: str) -> Json:
    payload = dict(json.loads(text))
    if kind == "order.returned":
        payload.setdefault("expected_tag", None)
    return payload


def after(log: Log, kind: str, text: str, now: int) -> Log | CheckFailed:
    """The log with one more event, or why the table refuses it."""
    event = Event(NUMBER, 1, _TIMES[now], kind, _payload(kind, text), "", "")
    try:
        projection = order_module.fold(log.order, event)
    except CheckFailed as refusal:
        return refusal
    return Log(
        _text(projection),
        log.attempts + (kind == "apply.intended"),
        log.returned or kind == "order.returned",
        now if kind == "apply.intended" else log.applied,
    )


def _text(projection: Json) -> str:
    known = {name: value for name, value in _CONSTANT.items() if projection[name]}
    reason = {"reason": "-" if projection["reason"] else ""}
    return json.dumps(projection | known | reason, sort_keys=True)


def begun(profile: Profile, payloads: dict[str, Json], *, cooling_hours: int) -> Log:
    """An order that the office holds, approved (and cooling, where it must)."""
    steps = list(profile.verification.steps)
    opened = {
        "profile": profile.name,
        "profile_version": profile.version,
        "profile_sha256": profile.sha256,
        "steps": steps,
    }
    opened["confirm"] = profile.terminal.confirm
    told: dict[str, Json] = {
        "order.opened": opened,
        "preflight.passed": {"steps": _evidence(profile, 1)},
        "order.proposed": {"steps": _evidence(profile, 2)},
        "order.received": {"by": "office", "fingerprint": "f"},
        "order.approved": {
            "steps": _evidence(profile, 3),
            "cooling_hours": cooling_hours,
        },
    }
    valid = stamp(BEGAN + timedelta(days=15))
    told["order.proposed"]["valid_until"] = valid
    kinds = (
        "order.opened look.done preflight.passed backup.proved account.sealed"
        " order.proposed order.sent order.received order.approved"
    ).split()
    projection: Json | None = None
    for kind in kinds:
        payload = payloads.get(kind, {}) | told.get(kind, {})
        event = Event(NUMBER, 1, _TIMES[0], kind, payload, "", "")
        projection = fold(projection, event)
    assert projection is not None
    log = Log(_text(projection), 0, False)
    if cooling_hours:
        until = {"cool_until": stamp(BEGAN + timedelta(hours=cooling_hours))}
        cooled = after(log, "order.cooling", json.dumps(until), 0)
        assert isinstance(cooled, Log)
        return cooled
    return log


def _evidence(profile: Profile, stage: int) -> Json:
    from posctl.model.steps import STEPS

    return {n: {} for n in profile.verification.steps if STEPS[n] == stage}


# -- the search ------------------------------------------------------------------


class Found(AssertionError):
    """A path to what must not be."""


@dataclass
class Search:
    """Every interleaving from a beginning.

    With no ``switches`` one command runs at a time, as the lock of an order has it.
    With some, the lock is left out: a command may break into another at any step, that
    often, and only the table stands between the two.

    Args:
        check: what is wrong with a log and a provider, or "".
    """

    office: Office
    commands: tuple[str, ...]
    check: Callable[[Json, Any], str]
    came_by: dict[State, tuple[State | None, str]] = field(default_factory=dict)
    into: dict[State, list[State]] = field(default_factory=dict)
    cut: set[State] = field(default_factory=set)
    logs: Numbered = field(default_factory=Numbered)
    providers: Numbered = field(default_factory=Numbered)
    transitions: int = 0
    _appended: dict[Any, Any] = field(default_factory=dict)
    _moved: dict[Any, Any] = field(default_factory=dict)
    _replied: dict[Any, Any] = field(default_factory=dict)
    _checked: dict[Any, str] = field(default_factory=dict)

    def run(self, log: Log, provider: Any, **may: int) -> None:
        """Raises Found with the shortest path to a state that ``check`` refuses."""
        numbers = self.logs.of(log), self.providers.of(provider)
        begin = State(*numbers, (0, 0), 0, **may)
        queue = deque([begin])
        self.came_by[begin] = (None, "")
        while queue:
            state = queue.popleft()
            for how, following in self._moves(state):
                self.transitions += 1
                self.into.setdefault(following, []).append(state)
                if following in self.came_by:
                    continue
                self.came_by[following] = (state, how)
                self._check(following)
                queue.append(following)

    def _check(self, state: State) -> None:
        key = (state.log, state.provider)
        if key not in self._checked:
            self._checked[key] = self.check(self.order(state), self.provider(state))
        if problem := self._checked[key]:
            raise Found(f"{problem}:\n{self.path(state)}")

    def order(self, state: State) -> Json:
        order: Json = self.logs.values[state.log].order
        return order

    def provider(self, state: State) -> Any:
        return self.providers.values[state.provider]

    # -- what may happen next ----------------------------------------------------

    def _moves(self, state: State) -> Iterator[tuple[str, State]]:
        for how, provider in self._alone_there(state):
            yield how, state._replace(provider=provider)
        runs, stopped = state.running
        if not runs:
            yield from self._meanwhile(state)
            yield from self._starts(state)
            return
        yield from self._step(state)
        if state.crashes:
            crashed = state._replace(crashes=state.crashes - 1, running=(stopped, 0))
            yield "the command crashes", crashed
        if state.switches:
            broken = state._replace(switches=state.switches - 1)
            if stopped:
                yield "the other goes on", broken._replace(running=(stopped, runs))
            else:
                yield from self._starts(broken)

    def _alone_there(self, state: State) -> list[tuple[str, int]]:
        """What happens at the provider, whatever anybody here does."""
        by_hand = self.order(state)["state"] == "MANUAL"
        key = (state.provider, by_hand)
        if key not in self._moved:
            now = self.provider(state)
            moves = [*now.moves(), *(now.by_hand() if by_hand else ())]
            self._moved[key] = [(how, self.providers.of(p)) for how, p in moves]
        found: list[tuple[str, int]] = self._moved[key]
        return found

    def _meanwhile(self, state: State) -> Iterator[tuple[str, State]]:
        """Time passes; the technician takes a decided order back and confirms it."""
        last = state.now + 1 == len(MOMENTS) - 1
        if state.now < len(MOMENTS) - 1 and (self.provider(state).settled or not last):
            yield "time passes", state._replace(now=state.now + 1)
        order = self.order(state)
        if (order["holder"], order["state"]) != ("field", "EFFECTIVE"):
            return
        log: Any = self.logs.values[state.log]
        for kind in ("order.received", "terminal.confirmed", "order.closed"):
            text = '{"by": "field"}' if kind == "order.received" else "{}"
            log = after(log, kind, text, state.now)
        yield "the field confirms", state._replace(log=self.logs.of(log))

    def _starts(self, state: State) -> Iterator[tuple[str, State]]:
        known = self._known(state)
        state = state._replace(running=(0, state.running[0]))
        for command in self.commands:
            number = self.office.start(command, known)
            yield f"begin: {command}", self._settled(state, number)

    def _known(self, state: State) -> dict[str, Any]:
        """What a command reads that nobody changes while it runs."""
        if state.switches:
            return {"now": state.now}
        log = self.logs.values[state.log]
        return {
            "now": state.now,
            "projection": log.projection,
            "events": (log.attempts, log.returned, log.applied),
        }

    def _step(self, state: State) -> Iterator[tuple[str, State]]:
        node = self.office.nodes[state.running[0]]
        assert node.wants is not None
        asked = node.wants[0] == "call"
        sees = getattr(self, f"_{node.wants[0]}")
        if node.wants[1:2] == ("provider.rejected",):
            self._check_asked(node, state)
        for how, changed, saw in sees(state, *node.wants[1:]):
            known = self._known(changed)
            number = self.office.follow(state.running[0], saw, known, asked=asked)
            yield how, self._settled(changed, number)

    def _settled(self, state: State, number: int) -> State:
        """A command that has ended makes room; a link that it told is out."""
        ended = self.office.nodes[number]
        stopped = state.running[1]
        if ended.wants is not None:
            return state._replace(running=(number, stopped))
        if ended.result == "commit.link":
            told = replace(self.provider(state), link=self.order(state)["application"])
            state = state._replace(provider=self.providers.of(told))
        return state._replace(running=(stopped, 0))

    def _check_asked(self, node: Node, state: State) -> None:
        """An UNKNOWN never becomes REJECTED without a query that says so (R41)."""
        said = node.asked[1] if node.asked else None
        progress = getattr(said, "progress", None)
        shown = getattr(said, "effective", None)
        never_came = shown is not None and state.now == len(MOMENTS) - 1
        failed = getattr(said, "failed", False)
        if progress != "REJECTED" and not failed and not never_came:
            raise Found(f"rejected without a query:\n{self.path(state)}")

    # What a command may see.

    def _projection(self, state: State, *_no: str) -> Iterator[tuple[str, State, Any]]:
        yield "reads the order", state, self.logs.values[state.log].projection

    def _events(self, state: State, *_no: str) -> Iterator[tuple[str, State, Any]]:
        log = self.logs.values[state.log]
        yield "reads the events", state, (log.attempts, log.returned, log.applied)

    def _append(
        self, state: State, kind: str, payload: str
    ) -> Iterator[tuple[str, State, Any]]:
        key = (state.log, kind, payload, state.now)
        if key not in self._appended:
            self._appended[key] = self._new_log(key)
        log = self._appended[key]
        if log is None:
            self.cut.add(state)
        elif isinstance(log, CheckFailed):
            yield f"may not write {kind}", state, "no"
        else:
            yield f"writes {kind} {payload}", state._replace(log=log), None

    def _new_log(self, key: tuple[int, str, str, int]) -> int | CheckFailed | None:
        number, kind, payload, now = key
        log = after(self.logs.values[number], kind, payload, now)
        if isinstance(log, CheckFailed):
            return log
        if log.attempts > MAX_ATTEMPTS or log.order["lost_signs"] > MAX_LOST:
            return None
        return self.logs.of(log)

    def _call(
        self, state: State, name: str, *args: str
    ) -> Iterator[tuple[str, State, Any]]:
        key = (state.provider, name, *args)
        if key not in self._replied:
            replies = self.provider(state).call(name, *args)
            self._replied[key] = [(r, self.providers.of(r.provider)) for r in replies]
        for reply, provider in self._replied[key]:
            faults, late = state.faults - reply.faults, state.late - reply.late
            if faults < 0 or late < 0:
                continue
            told = reply.seen[1] if reply.seen[0] == "ok" else reply.seen[1][1]
            how = f"calls {name}: {reply.how} ({getattr(told, 'raw', told)})"
            changed = state._replace(provider=provider, faults=faults, late=late)
            yield how, changed, reply.seen

    # -- what was found ----------------------------------------------------------

    def path(self, state: State) -> str:
        """How it came to it, a line a step; what only was read is left out."""
        lines: list[str] = []
        at: State | None = state
        while at is not None:
            before, how = self.came_by.get(at, (None, ""))
            order, pays = self.order(at), self.provider(at).account
            where = f"{order['state']} {order['effect'] or ''}".strip()
            if "reads" not in how:
                lines.append(f"  {how or 'the beginning'} -> {where}, pays {pays}")
            at = before
        return "\n".join(reversed(lines))

    def stuck(self) -> list[State]:
        """States that block the merchant and that nothing leads on from; those beyond
        the bounds of the search count as led on from."""
        good = [s for s in self.came_by if self.order(s)["state"] in _FREE]
        good += self.cut
        reached = set(good)
        while good:
            for before in self.into.get(good.pop(), ()):
                if before not in reached:
                    reached.add(before)
                    good.append(before)
        return [s for s in self.came_by if s not in reached]


_ENDED_BADLY = {"REJECTED", "EXPIRED", "CANCELLED", "ROLLED_BACK"}
_FREE = {"EFFECTIVE", "CLOSED", *_ENDED_BADLY}


def nothing_wrong(order: Json, provider: Any) -> str:
    """The promises of R37, R39 and R40, on one state."""
    if provider.account not in ("old", "new") or provider.effects > 1:
        return f"{provider.effects} effects"
    if problem := provider.wrong():
        return str(problem)
    new, state = provider.account == "new", order["state"]
    if state in ("EFFECTIVE", "CLOSED") and not new:
        return f"{state}, and the old account is paid"
    if state in _ENDED_BADLY and new:
        return f"{state}, and the new account is paid"
    return ""
