"""Pushes: whatever is said in them, they only say what to ask."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from urllib.parse import parse_qs, urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from provider_world import (
    ACCESSER,
    CORPORATE,
    KEY,
    MID,
    NEW,
    SETTINGS,
    MakeWorld,
    World,
    soon,
)

from emulator.acquirer.notices import NoticeQueue
from emulator.faults import Fault
from posctl.model.errors import CheckFailed
from posctl.providers import Notice, Progress, Provider, open_provider
from protocols import chinaums as wire
from protocols.chinaums import Credentials
from protocols.sensitive import AccountNumber

OWN = Credentials(ACCESSER, KEY)
HOUR = 3600.0


@pytest.fixture
def provider() -> Provider:
    return adapter()


def adapter() -> Provider:
    return open_provider(
        "chinaums",
        url="https://127.0.0.1:1",
        ca_file=None,
        credentials=SETTINGS,
        clock=lambda: datetime(2026, 11, 23, tzinfo=UTC),
    )


class Receiver:
    """Acknowledges what it can open; the first ``refusals`` not."""

    def __init__(self, *refusals: bytes | Exception) -> None:
        self.refusals = list(refusals)
        self.bodies: list[bytes] = []

    def __call__(self, body: bytes) -> bytes:
        self.bodies.append(body)
        if self.refusals:
            refusal = self.refusals.pop(0)
            if isinstance(refusal, Exception):
                raise refusal
            return refusal
        return adapter().open_notice({}, body).reply

    @property
    def notices(self) -> list[Notice]:
        return [adapter().open_notice({}, body) for body in self.bodies]


def advanced(world: World, at: float) -> None:
    """The service's own thread may have been quicker: the result is the same."""
    world.clock.now = at
    world.service.stop()
    world.service.account_change.advance()


# From the service to the adapter.


@pytest.mark.req("R46")
@pytest.mark.parametrize(
    ("new_is_open", "raw", "progress"),
    [(True, "03", Progress.EFFECTIVE), (False, "04", Progress.REJECTED)],
)
def test_a_final_state_is_pushed_once_it_is_acknowledged(
    make_world: MakeWorld, new_is_open: bool, raw: str, progress: Progress
) -> None:
    receiver = Receiver()
    world = make_world(notify=receiver)
    world.ledger.accounts[NEW].is_open = new_is_open
    unsigned, signed = world.applied("A1"), world.applied("A2")
    world.provider.sign(signed, soon())
    world.clock.now = 179
    assert world.provider.query(MID, signed, soon()).raw == "02"
    assert receiver.bodies == []
    world.clock.now = 180
    assert world.provider.query(MID, signed, soon()).progress is progress
    for hours in (1, 2):
        advanced(world, hours * 2 * HOUR)
    (notice,) = receiver.notices
    assert (notice.application, notice.raw, notice.mid) == (signed, raw, None)
    assert world.ledger.applications[unsigned].status == "00"


def test_the_fifth_wrong_amount_is_pushed(make_world: MakeWorld) -> None:
    receiver = Receiver()
    world = make_world(notify=receiver)
    application = world.applied(new=CORPORATE, pictures=())
    account = AccountNumber(CORPORATE)
    world.provider.request_payment(application, account, soon())
    for _ in range(5):
        with pytest.raises(Exception, match="penny_wrong"):
            world.provider.report_payment(application, account, 100, soon())
    advanced(world, 0)
    (notice,) = receiver.notices
    assert (notice.application, notice.raw) == (application, "04")


@pytest.mark.req("R48")
def test_a_push_holds_no_more_than_it_must(make_world: MakeWorld) -> None:
    receiver = Receiver()
    world = make_world(notify=receiver)
    world.provider.sign(world.applied(), soon())
    advanced(world, 180)
    (body,) = receiver.bodies
    fields = wire.open_notice(body, OWN)
    assert set(fields) == {"service_type", "ums_reg_id", "apply_status"}
    assert repr(receiver.notices[0].reply).count("0000") == 1


@pytest.mark.parametrize(
    "refusal",
    [
        b"",
        b"ok",
        b'{"res_code": "9999"}',
        b'{"res_code": 0}',
        OSError("down"),
        RuntimeError("its own fault"),
    ],
    ids=repr,
)
def test_it_comes_again_until_it_is_acknowledged(
    make_world: MakeWorld, refusal: bytes | Exception
) -> None:
    receiver = Receiver(refusal, refusal)
    world = make_world(notify=receiver)
    world.provider.sign(world.applied(), soon())
    came = []
    for at in (180, 181, 180 + HOUR, 180 + HOUR, 180 + 2 * HOUR, 180 + 9 * HOUR):
        advanced(world, at)
        came.append(len(receiver.bodies))
    assert came == [1, 1, 2, 2, 3, 3]
    assert len(set(receiver.bodies)) == 1


@pytest.mark.req("R46")
@pytest.mark.parametrize(
    ("action", "told"),
    [
        ("duplicate", ["first", "first", "second"]),
        ("lose_answer", ["first", "second", "first"]),
        ("late", ["second", "first"]),
    ],
)
def test_faults_of_pushes(make_world: MakeWorld, action: str, told: list[str]) -> None:
    receiver = Receiver()
    world = make_world(notify=receiver)
    queue = world.service.account_change.notices
    assert queue is not None
    queue.faults.add(Fault(wire.NOTICE, action))
    names = {}
    for name in ("first", "second"):
        application = world.applied(name)
        names[application] = name
        world.provider.sign(application, soon())
    for at in (180, 180 + HOUR, 180 + 2 * HOUR):
        advanced(world, at)
    found = [names[notice.application or ""] for notice in receiver.notices]
    assert found == told


def test_a_receiver_may_ask_while_it_is_told() -> None:
    """No lock of the queue is held meanwhile, and nothing is told twice."""
    told: list[bytes] = []

    def receive(body: bytes) -> bytes:
        told.append(body)
        queue.deliver()
        if len(told) == 1:
            queue.add(b"later")
        return wire.build_answer(wire.OK, {})

    queue = NoticeQueue(receive, lambda: 0.0)
    queue.add(b"now")
    queue.deliver()
    assert told == [b"now"]
    queue.deliver()
    queue.deliver()
    assert told == [b"now", b"later"]


# What is no push of ours.


def sealed(value: object, credentials: Credentials = OWN) -> bytes:
    return wire.seal_json(json.dumps(value).encode(), credentials)


def changed(**fields: str) -> bytes:
    body = wire.build_notice({"ums_reg_id": "reg"}, OWN)
    form = {name: values[0] for name, values in parse_qs(body.decode()).items()}
    return urlencode({**form, **fields}).encode()


KIND = {"service_type": "alter_notify"}


@pytest.mark.req("R46")
@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"", "json_data"),
        (b"\xff", "form"),
        (b'{"service_type": "alter_notify"}', "form"),
        (changed(json_data="00" * 8), "json_data"),
        (changed(json_data="zz"), "json_data"),
        (changed(sign_data="00" * 32), "sign_data"),
        (changed(accesser_id="office2"), "accesser_id"),
        (changed() + b"&sign_data=00", "form"),
        (sealed([KIND]), "json_data"),
        (sealed({"ums_reg_id": "reg"}), "service_type"),
        (sealed({"service_type": 1}), "service_type"),
        (sealed({**KIND, "ums_reg_id": 1}), "ums_reg_id"),
        (sealed({**KIND, "ums_reg_id": "two words"}), "ums_reg_id"),
        (sealed({**KIND, "ums_reg_id": "x" * 65}), "ums_reg_id"),
        (sealed({**KIND, "mer_no": []}), "mer_no"),
        (sealed({**KIND, "apply_status": {}}), "apply_status"),
    ],
)
def test_a_forged_push(provider: Provider, body: bytes, field: str) -> None:
    with pytest.raises(CheckFailed) as caught:
        provider.open_notice({}, body)
    assert caught.value.code == "notice.forged"
    assert caught.value.params == {"name": "chinaums", "field": field}


def test_a_push_under_another_key(provider: Provider) -> None:
    body = sealed({**KIND, "ums_reg_id": "reg"}, Credentials(ACCESSER, KEY[::-1]))
    with pytest.raises(CheckFailed, match=r"notice\.forged"):
        provider.open_notice({}, body)


def test_what_a_push_says(provider: Provider) -> None:
    fields = {**KIND, "ums_reg_id": "reg", "mer_no": MID, "apply_status": "03"}
    notice = provider.open_notice({"X": "y"}, sealed(fields))
    assert (notice.application, notice.mid, notice.raw) == ("reg", MID, "03")
    assert wire.parse_answer(notice.reply).ok
    bare = provider.open_notice({}, sealed({**KIND, "mer_no": None}))
    assert (bare.application, bare.mid, bare.raw) == (None, None, "")


def test_a_push_of_another_kind_is_acknowledged_and_names_nothing(
    provider: Provider,
) -> None:
    fields = {"service_type": "apply_notify", "ums_reg_id": "reg", "apply_status": "03"}
    notice = provider.open_notice({}, sealed(fields))
    assert notice == Notice(None, None, "", wire.build_answer(wire.OK, {}))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=80),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=5,
)
names = st.sampled_from(["service_type", "ums_reg_id", "mer_no", "apply_status"])
pushes: st.SearchStrategy[bytes] = st.dictionaries(
    names, json_values | st.just("alter_notify"), max_size=4
).map(lambda fields: sealed(fields))


@settings(max_examples=200, deadline=None)
@given(
    st.binary(max_size=200)
    | st.binary(max_size=64).map(lambda data: wire.seal_json(data, OWN))
    | pushes
)
def test_any_bytes_are_a_push_or_forged(body: bytes) -> None:
    try:
        notice = adapter().open_notice({}, body)
    except CheckFailed as error:
        assert error.code == "notice.forged"
        return
    for said in (notice.application or "x", notice.mid or "x", notice.raw or "x"):
        assert said.isascii() and said.isprintable() and len(said) <= 64
