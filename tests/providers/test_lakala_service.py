"""The adapter against the emulated platform, over real TLS; the ledger is the judge.

Self-consistent: both ends read the same wire module. What is independent of it is in
``tests/protocols/test_lakala.py``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from provider_world import (
    CORPORATE,
    MID,
    NEW,
    NOON,
    OLD,
    OTHER_MID,
    World,
    soon,
)

from emulator.acquirer.faces import HttpRequest, HttpResponse
from emulator.acquirer.lakala import Institution, LakalaFace
from emulator.faults import Fault
from posctl.links.https import HttpAnswer, HttpsLink
from posctl.model.deadline import Deadline
from posctl.model.errors import (
    LinkFailed,
    LinkTimeout,
    OtherChannel,
    Refused,
    UsageError,
)
from posctl.providers import (
    METHODS,
    Capability,
    Provider,
    ReadBinding,
    open_provider,
    provider_names,
)
from protocols import lakala as wire
from protocols.lakala import Caller, Question

OWN, PLATFORM, FORGER = (generate_private_key(65537, 2048) for _ in range(3))
APPID, SERIAL = "OP00000003", "00dfba8194c41b84cf"
TID, OTHER_TID = "12345678", "12345679"
FOREIGN_TID = "99999999"
OLD_SHOWN, NEW_SHOWN = "621234******1265", "621626*********0018"
CORPORATE_SHOWN = "310012**********3456"
Tamper = Callable[[HttpResponse], HttpResponse]


class Hours:
    """Unix seconds, at noon until a test says otherwise."""

    def __init__(self) -> None:
        self.now = NOON.timestamp()

    def __call__(self) -> float:
        return self.now


class TamperedFace(LakalaFace):
    """As the real one, with something between it and the line."""

    tamper: Tamper | None = None

    def respond(self, request: HttpRequest) -> HttpResponse:
        answer = super().respond(request)
        return self.tamper(answer) if self.tamper else answer


@dataclass
class Platform:
    world: World
    face: TamperedFace
    clock: Hours
    provider: Provider

    def opened(self, **changes: str) -> Provider:
        """The adapter, its clock always at noon."""
        settings = {**settings_for(self.face), **changes}
        return open_provider(
            "lakala",
            url=self.world.url,
            ca_file=self.world.ca_file,
            credentials={name: text for name, text in settings.items() if text},
            clock=lambda: NOON,
        )

    def read(self, mid: str = MID, tid: str | None = None) -> ReadBinding:
        return self.provider.read_binding(mid, soon(), tid=tid)

    def lies(self, **fields: object) -> None:
        """Signed by the platform's own key: only what it says is wrong."""

        def lying(answer: HttpResponse) -> HttpResponse:
            told = json.loads(answer.body)
            told["respData"].update(fields)
            return self.face.signed(APPID, json.dumps(told).encode())

        self.face.tamper = lying

    def changes_header(self, name: str, text: str | None) -> None:
        def changed(answer: HttpResponse) -> HttpResponse:
            kept = {n: t for n, t in answer.headers.items() if n != name}
            added = kept if text is None else {**kept, name: text}
            return replace(answer, headers=added)

        self.face.tamper = changed


def private_pem(key: object) -> str:
    form = (Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return str(key.private_bytes(*form).decode())  # type: ignore[attr-defined]


def settings_for(face: LakalaFace) -> dict[str, str]:
    return {
        "appid": APPID,
        "serial_no": SERIAL,
        "private_key": private_pem(OWN),
        "platform_certificate": face.certificate_pem,
    }


@pytest.fixture
def platform(world: World) -> Iterator[Platform]:
    clock = Hours()
    own = Institution(APPID, SERIAL, OWN.public_key(), frozenset({MID}))
    face = TamperedFace(world.ledger, [own], clock=clock, key=PLATFORM)
    world.service.add(face)
    with world.ledger.locked():
        first = world.ledger.terminals[TID]
        other = replace(first, tid=FOREIGN_TID, mid=OTHER_MID)
        world.ledger.terminals[FOREIGN_TID] = other
    made = Platform(world, face, clock, world.provider)
    made.provider = made.opened()
    yield made


def untrusted(platform: Platform, tid: str | None = None) -> str:
    with pytest.raises(LinkFailed) as caught:
        platform.read(tid=tid)
    error = caught.value
    assert (error.code, error.params["sent"]) == ("provider.answer", True)
    assert not any(number in str(error) for number in (OLD, NEW))
    return str(error.params["field"])


def refused(platform: Platform, *question: str) -> tuple[str, str]:
    with pytest.raises(Refused) as caught:
        platform.read(*question)
    assert caught.value.namespace == "lakala"
    return caught.value.code, caught.value.raw


# What is read.


@pytest.mark.req("R2")
def test_the_account_of_a_merchant_and_of_a_terminal(platform: Platform) -> None:
    bank = "某银行北京分行营业部"
    assert platform.read() == ReadBinding(OLD_SHOWN, None, bank)
    assert platform.read(tid=TID) == ReadBinding(OLD_SHOWN, None, bank, tid=TID)


@pytest.mark.req("R2")
def test_one_terminal_may_settle_elsewhere(platform: Platform) -> None:
    with platform.world.ledger.locked():
        platform.world.ledger.terminals[TID].account = CORPORATE
    assert platform.read(tid=TID) == ReadBinding(CORPORATE_SHOWN, None, tid=TID)
    assert platform.read(tid=OTHER_TID).effective == OLD_SHOWN
    assert platform.read().effective == OLD_SHOWN


@pytest.mark.req("R45")
def test_a_binding_that_moved_is_seen(platform: Platform) -> None:
    assert platform.read().effective == OLD_SHOWN
    platform.world.ledger.change_account(MID, NEW, request=0)
    assert platform.read().effective == NEW_SHOWN
    assert platform.read(tid=TID).effective == NEW_SHOWN


@pytest.mark.req("R48")
def test_more_digits_than_we_show_are_masked(platform: Platform) -> None:
    seen: list[bytes] = []

    def looked_at(answer: HttpResponse) -> HttpResponse:
        seen.append(answer.body)
        return answer

    platform.lies(acctNo=OLD, openningBankName=f"某银行 {OLD}")
    lying = platform.face.tamper
    assert lying is not None
    platform.face.tamper = lambda answer: looked_at(lying(answer))
    found = platform.read()
    assert seen[0].count(OLD.encode()) == 2
    assert "全渠道" in json.loads(seen[0])["respData"]["acctName"]
    assert found.effective == OLD_SHOWN
    assert found.bank == f"某银行 {OLD_SHOWN}"
    assert "全渠道" not in repr(found)


def test_it_can_do_nothing_else(platform: Platform) -> None:
    assert platform.provider.capabilities == {Capability.READ_BINDING}
    assert not platform.provider.commits_by_signing
    assert "lakala" in provider_names()
    for capability in set(METHODS) - {Capability.READ_BINDING}:
        for name in METHODS[capability]:
            assert name not in vars(type(platform.provider))
    with pytest.raises(OtherChannel) as caught:
        platform.provider.apply(platform.world.request(pictures=()), "A1", soon())
    assert caught.value.code == "provider.cannot"


def test_the_bare_key_will_do(platform: Platform) -> None:
    key = platform.face.public_key_pem
    platform.provider = platform.opened(
        platform_certificate="", platform_public_key=key
    )
    assert platform.read().effective == OLD_SHOWN


# What the platform refuses.


def test_others_merchants_and_terminals(platform: Platform) -> None:
    unknown = ("provider.refused", "EMU404")
    assert refused(platform, OTHER_MID) == unknown
    assert refused(platform, "898110054110001") == unknown
    assert refused(platform, MID, "87654321") == unknown
    assert refused(platform, MID, FOREIGN_TID) == unknown
    assert refused(platform, OTHER_MID, FOREIGN_TID) == unknown


@pytest.mark.parametrize(
    "changes",
    [
        {"private_key": private_pem(FORGER)},
        {"appid": "OP00000004"},
        {"serial_no": "00dfba8194c41b84ce"},
    ],
    ids=["key", "appid", "serial"],
)
def test_wrong_credentials(platform: Platform, changes: dict[str, str]) -> None:
    platform.provider = platform.opened(**changes)
    assert refused(platform) == ("provider.credentials", "EMU401")


@pytest.mark.parametrize("off", [-301, 301])
def test_a_request_that_is_too_old_or_ahead(platform: Platform, off: int) -> None:
    platform.clock.now += off
    assert refused(platform) == ("provider.credentials", "EMU401")


@pytest.mark.parametrize("off", [-300, 300])
def test_a_request_that_is_just_young_enough(platform: Platform, off: int) -> None:
    platform.clock.now += off
    assert platform.read().effective == OLD_SHOWN


def test_a_platform_that_is_busy(platform: Platform) -> None:
    platform.world.service.faults.add(Fault("queryMerAccount", "busy"))
    assert refused(platform) == ("provider.busy", "EMU429")
    assert platform.read().effective == OLD_SHOWN


def test_a_refusal_shows_no_number(platform: Platform) -> None:
    body = wire.build_answer("100001", f"no: {OLD}\x1b")
    for answer in (
        platform.face.signed(APPID, body),
        HttpResponse(403, {}, body),
    ):
        platform.face.tamper = lambda _, answer=answer: answer  # type: ignore[misc]
        with pytest.raises(Refused) as caught:
            platform.read()
        assert (caught.value.code, caught.value.raw) == ("provider.refused", "100001")
        assert caught.value.params["text"] == f"no: {OLD_SHOWN} "


def test_what_cannot_be_asked_is_not_sent(platform: Platform) -> None:
    platform.world.service.faults.add(Fault("*", "http_500"))
    for mid, tid in (("", None), ("a b", None), (MID, ""), (MID, "1\n")):
        with pytest.raises(UsageError) as caught:
            platform.provider.read_binding(mid, soon(), tid=tid)
        assert caught.value.code == "provider.request"
    assert platform.world.service.faults.struck == []


# What the adapter refuses to believe.


@pytest.mark.req("R38")
@pytest.mark.parametrize("name", ["Appid", "Serial", "Timestamp", "Nonce", "Signature"])
def test_an_answer_without_one_of_its_headers(platform: Platform, name: str) -> None:
    platform.changes_header(f"Lklapi-{name}", None)
    assert untrusted(platform) == f"lklapi-{name.lower()}"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("Appid", "OP00000004"),
        ("Serial", "00"),
        ("Timestamp", str(int(NOON.timestamp()) - 301)),
        ("Timestamp", "x"),
        ("Nonce", "a b"),
        ("Signature", "AAAA"),
    ],
)
def test_an_answer_with_another_header(
    platform: Platform, name: str, text: str
) -> None:
    platform.changes_header(f"Lklapi-{name}", text)
    assert untrusted(platform) == f"lklapi-{name.lower()}"


@pytest.mark.req("R38")
def test_an_old_answer_that_is_played_again(platform: Platform) -> None:
    heard: list[HttpResponse] = []

    def hearing(answer: HttpResponse) -> HttpResponse:
        heard.append(answer)
        return answer

    platform.face.tamper = hearing
    platform.read()
    platform.world.ledger.change_account(MID, NEW, request=0)
    platform.face.tamper = lambda _: heard[0]
    assert untrusted(platform) == "reqId"
    platform.clock.now -= 301
    stale = platform.face.signed(APPID, heard[0].body)
    platform.clock.now += 301
    platform.face.tamper = lambda _: stale
    assert untrusted(platform) == "lklapi-timestamp"


def test_an_answer_of_another_key(platform: Platform) -> None:
    ledger = platform.world.ledger
    forged = LakalaFace(ledger, [], clock=platform.clock, key=FORGER)
    platform.face.tamper = lambda answer: forged.signed(APPID, answer.body)
    assert untrusted(platform) == "lklapi-serial"
    key = platform.face.public_key_pem
    platform.provider = platform.opened(
        platform_certificate="", platform_public_key=key
    )
    assert untrusted(platform) == "lklapi-signature"


def test_a_changed_body(platform: Platform) -> None:
    platform.face.tamper = lambda answer: replace(
        answer, body=answer.body.replace(b"1265", b"1232")
    )
    assert untrusted(platform) == "lklapi-signature"


@pytest.mark.req("R38")
@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"merCupNo": OTHER_MID}, "merCupNo"),
        ({"termNo": OTHER_TID}, "termNo"),
        ({"orderNo": "1"}, "orderNo"),
        ({"acctNo": None}, "acctNo"),
        ({"acctNo": "none"}, "acctNo"),
        ({"acctNo": 1}, "acctNo"),
        ({"openningBankName": ["x"]}, "openningBankName"),
    ],
)
def test_a_lying_answer_is_not_believed(
    platform: Platform, fields: dict[str, object], named: str
) -> None:
    platform.lies(**fields)
    assert untrusted(platform, TID) == named


def test_an_answer_that_names_nobody_is_believed(platform: Platform) -> None:
    platform.lies(merCupNo=None, termNo="", orderNo=None)
    assert platform.read(tid=TID).effective == OLD_SHOWN


# Faults: nothing is done twice, nothing is lost, as nothing is changed.


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (Fault("queryTermAccount", "refuse_before"), "host.lost"),
        (Fault("queryTermAccount", "drop_answer"), "host.lost"),
        (Fault("queryTermAccount", "delay", seconds=30), "host.timeout"),
        (Fault("queryTermAccount", "drip", seconds=0.05), "host.timeout"),
        (Fault("queryTermAccount", "garbage", body=b"<html>"), "provider.answer"),
        (Fault("queryTermAccount", "garbage"), "provider.answer"),
        (Fault("queryTermAccount", "http_500"), "host.status"),
    ],
    ids=lambda value: f"{value.action}" if isinstance(value, Fault) else None,
)
def test_a_lost_answer_is_asked_for_again(
    platform: Platform, fault: Fault, code: str
) -> None:
    platform.world.service.faults.add(fault)
    with pytest.raises(LinkFailed) as caught:
        platform.provider.read_binding(MID, Deadline(1.0), tid=TID)
    assert (caught.value.code, caught.value.params["sent"]) == (code, True)
    assert isinstance(caught.value, LinkTimeout) == (code == "host.timeout")
    assert platform.world.service.faults.struck == [fault]
    assert platform.read(tid=TID).effective == OLD_SHOWN


def test_an_answer_sent_twice_is_read_once(platform: Platform) -> None:
    platform.world.service.faults.add(Fault("*", "duplicate_answer", times=2))
    assert platform.read().effective == OLD_SHOWN
    assert platform.read(tid=TID).effective == OLD_SHOWN


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (400, b"<html>"),
        (404, b""),
        (400, b'{"code":"000000"}'),
        (503, b'{"code":"1"}'),
        (204, b""),
    ],
)
def test_a_status_that_says_nothing(
    platform: Platform, status: int, body: bytes
) -> None:
    platform.face.tamper = lambda _: HttpResponse(status, {}, body)
    with pytest.raises(LinkFailed) as caught:
        platform.read()
    assert (caught.value.code, caught.value.params["sent"]) == ("host.status", True)


# The platform's own checks, which the adapter never provokes.


def posted(
    platform: Platform, path: str, body: bytes, *, nonce: str, key: object = OWN
) -> HttpAnswer:
    caller = Caller(APPID, SERIAL, key)  # type: ignore[arg-type]
    at = int(NOON.timestamp())
    headers = {
        "Authorization": wire.build_authorization(
            caller, body, timestamp=at, nonce=nonce
        ),
        "Content-Type": wire.CONTENT_TYPE,
    }
    link = HttpsLink(platform.world.url, ca_file=platform.world.ca_file)
    return link.call("POST", path, headers=headers, body=body, deadline=soon())


def body_of(order: str, tid: str | None = None) -> bytes:
    return wire.build_request(
        Question(MID, order, "r1", tid), req_time="20261123120000"
    )


def test_nonces_and_order_numbers_are_good_once(platform: Platform) -> None:
    path = wire.MERCHANT_ACCOUNT
    told = [
        posted(platform, path, body_of(order), nonce=nonce)
        for order, nonce in (("1", "a"), ("2", "a"), ("1", "b"), ("2", "c"))
    ]
    codes = [(a.status, wire.parse_answer(a.body).code) for a in told]
    assert codes == [
        (200, wire.OK),
        (401, "EMU401"),
        (200, "EMU409"),
        (200, wire.OK),
    ]
    assert "lklapi-signature" not in told[1].headers


def test_what_is_not_accepted_uses_nothing_up(platform: Platform) -> None:
    body = body_of("1")
    forged = posted(platform, wire.MERCHANT_ACCOUNT, body, nonce="a", key=FORGER)
    right = posted(platform, wire.MERCHANT_ACCOUNT, body, nonce="a")
    assert (forged.status, right.status) == (401, 200)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (wire.MERCHANT_ACCOUNT, b"[]"),
        (wire.MERCHANT_ACCOUNT, b'{"reqData":{}}'),
        (wire.TERMINAL_ACCOUNT, body_of("1")),
    ],
)
def test_wrong_fields(platform: Platform, path: str, body: bytes) -> None:
    answer = posted(platform, path, body, nonce="a")
    assert wire.parse_answer(answer.body).code == "EMU400"
    now, appid = NOON.timestamp(), APPID
    key = wire.Platform(PLATFORM.public_key())
    wire.check_answer(answer.headers, answer.body, key, appid=appid, now=now)


@pytest.mark.parametrize(
    "path", ["/api/v2/mcqs/merchant/queryMerchantDetail", "/api/v2/mcqs/merchant/"]
)
def test_it_offers_nothing_else(platform: Platform, path: str) -> None:
    assert posted(platform, path, body_of("1"), nonce="a").status == 404


def test_no_fault_strikes_what_is_not_signed(platform: Platform) -> None:
    platform.world.service.faults.add(Fault("*", "http_500"))
    platform.provider = platform.opened(private_key=private_pem(FORGER))
    assert refused(platform)[0] == "provider.credentials"
    assert platform.world.service.faults.struck == []


# Credentials.


@pytest.mark.parametrize(
    "changes",
    [
        *({name: ""} for name in ("appid", "serial_no", "private_key")),
        {"platform_certificate": ""},
        {"platform_certificate": "x"},
        {"platform_certificate": "", "platform_public_key": "x"},
        {"private_key": "secret"},
        {"appid": 'a"b'},
    ],
)
def test_credentials_that_are_none(platform: Platform, changes: dict[str, str]) -> None:
    with pytest.raises(UsageError) as caught:
        platform.opened(**changes)
    assert caught.value.code == "provider.settings"
    assert "secret" not in f"{caught.value} {caught.value.params}"


@pytest.mark.req("R48")
def test_no_key_is_shown(platform: Platform) -> None:
    shown = f"{platform.provider!r} {vars(platform.provider)!r}"
    assert "PRIVATE" not in shown
    assert private_pem(OWN).splitlines()[1] not in shown


def test_the_systems_clock_will_do(platform: Platform, ca_file: Path) -> None:
    platform.clock.now = datetime.now(UTC).timestamp()
    provider = open_provider(
        "lakala",
        url=platform.world.url,
        ca_file=ca_file,
        credentials=settings_for(platform.face),
    )
    assert provider.read_binding(MID, soon()).effective == OLD_SHOWN
