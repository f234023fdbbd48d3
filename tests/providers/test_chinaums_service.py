"""The adapter against the emulated service, over real TLS; the ledger is the judge."""

from __future__ import annotations

import json
import socket
import ssl
import time
from contextlib import suppress
from dataclasses import replace

import pytest
from provider_world import (
    ACCESSER,
    BRANCH,
    CORPORATE,
    KEY,
    MID,
    NEW,
    OLD,
    OTHER_MID,
    SETTINGS,
    World,
    make_ledger,
    soon,
)

from emulator.acquirer.ca import Authority
from emulator.acquirer.https import ProviderService
from emulator.faults import Fault
from posctl.links.https import HttpsLink
from posctl.model.deadline import Deadline
from posctl.model.errors import (
    CheckFailed,
    LinkFailed,
    LinkTimeout,
    Refused,
    UsageError,
)
from posctl.providers import (
    Branch,
    Need,
    Picture,
    Progress,
    UploadedPicture,
    open_provider,
    printable,
)
from posctl.providers.chinaums import PROGRESS, ChinaUms
from protocols import chinaums as wire
from protocols.chinaums import Credentials
from protocols.sensitive import AccountNumber

UNKNOWN_ACCOUNT = "6212345678901232"
REVIEWED = 180.0


def refusal(call: object, *args: object) -> tuple[str, str]:
    with pytest.raises(Refused) as caught:
        call(*args)  # type: ignore[operator]
    assert caught.value.namespace == "chinaums"
    assert not any(n in str(caught.value) for n in (OLD, NEW, CORPORATE))
    return caught.value.code, caught.value.raw


def signed(world: World, **changes: object) -> str:
    reg_id = world.applied(**changes)
    world.provider.sign(reg_id, soon())
    return reg_id


# The course.


@pytest.mark.req("R35")
@pytest.mark.req("R38")
@pytest.mark.req("R40")
def test_whole_course(world: World) -> None:
    reg_id = world.applied()
    seen = [world.provider.query(MID, reg_id, soon())]
    world.provider.sign(reg_id, soon())
    for at in (0, 60, 120, 179.9, REVIEWED):
        world.clock.now = at
        accounts = (world.account, world.version)
        seen.append(world.provider.query(MID, reg_id, soon()))
        assert at == REVIEWED or accounts == (OLD, 1)
    assert [s.raw for s in seen] == ["00", "01", "06", "02", "02", "03"]
    assert [s.progress for s in seen[::5]] == [
        Progress.WAITING_MERCHANT,
        Progress.EFFECTIVE,
    ]
    assert {s.progress for s in seen[1:5]} == {Progress.AUDITING}
    assert (world.account, world.version) == (NEW, 2)
    assert [t.processing_request for t in world.ledger.terminals_of(MID)] == [6, 6]


@pytest.mark.req("R39")
def test_it_becomes_effective_once_and_without_being_asked(world: World) -> None:
    reg_id = signed(world)
    world.clock.now = REVIEWED * 10
    until = time.monotonic() + 3
    while world.account != NEW and time.monotonic() < until:
        time.sleep(0.01)
    assert world.account == NEW
    for _ in range(3):
        assert world.provider.query(MID, reg_id, soon()).raw == "03"
    assert (world.account, world.version) == (NEW, 2)


@pytest.mark.req("R40")
def test_unsigned_it_never_takes_effect(world: World) -> None:
    reg_id = world.applied()
    world.clock.now = 1e9
    status = world.provider.query(MID, reg_id, soon())
    assert status.progress is Progress.WAITING_MERCHANT
    assert (world.account, world.version) == (OLD, 1)


@pytest.mark.parametrize(
    ("number", "closed", "holder", "reason"),
    [
        (UNKNOWN_ACCOUNT, False, "全渠道", "account does not exist"),
        (NEW, True, "全渠道", "account is closed"),
        (NEW, False, "全道渠", "account name differs"),
    ],
)
def test_rejected_it_leaves_the_old_account(
    world: World, number: str, closed: bool, holder: str, reason: str
) -> None:
    with world.ledger.locked():
        world.ledger.accounts[NEW].is_open = not closed
        world.ledger.accounts[NEW].holder = holder
    reg_id = signed(world, new=number)
    world.clock.now = REVIEWED
    status = world.provider.query(MID, reg_id, soon())
    assert (status.raw, status.progress) == ("04", Progress.REJECTED)
    assert status.reason == reason
    assert (world.account, world.version) == (OLD, 1)


# What is refused.


@pytest.mark.req("R3")
def test_another_old_account_is_refused(world: World) -> None:
    request = replace(world.request(), old=AccountNumber(UNKNOWN_ACCOUNT))
    refused = refusal(world.provider.apply, request, "A1", soon())
    assert refused == ("provider.refused", "2000")
    assert world.ledger.applications == {}


@pytest.mark.req("R39")
def test_a_sequence_number_is_good_once(world: World) -> None:
    world.applied("A1")
    refused = refusal(world.provider.apply, world.request(), "A1", soon())
    assert refused == ("provider.duplicate", "1002")
    assert len(world.ledger.applications) == 1


def test_signing_twice_is_refused_and_changes_once(world: World) -> None:
    reg_id = signed(world)
    assert refusal(world.provider.sign, reg_id, soon())[1] == "2000"
    world.clock.now = REVIEWED
    assert refusal(world.provider.sign, reg_id, soon())[1] == "2000"
    assert (world.account, world.version) == (NEW, 2)


@pytest.mark.parametrize("key", [KEY[::-1].decode(), "x" * 24])
def test_a_wrong_key(world: World, key: str) -> None:
    code, raw = refusal(world.opened(key=key).terminals, MID, soon())
    assert (code, raw in {"1001", "1005"}) == ("provider.credentials", True)


def test_a_merchant_of_another_accesser(world: World) -> None:
    assert refusal(world.provider.terminals, OTHER_MID, soon())[1] == "2000"
    request = replace(world.request(), mid=OTHER_MID)
    assert refusal(world.provider.apply, request, "A1", soon())[1] == "2000"
    assert world.ledger.applications == {}


def test_an_unknown_application(world: World) -> None:
    refused = ("provider.refused", "2000")
    assert refusal(world.provider.sign, "no-such", soon()) == refused
    assert refusal(world.provider.query, MID, "no-such", soon()) == refused


@pytest.mark.req("R7")
@pytest.mark.parametrize("change", ["branch", "no pictures", "no back", "size", "path"])
def test_a_wrong_application(world: World, change: str) -> None:
    request = world.request()
    front, back = request.pictures
    wrong = {
        "branch": replace(request, branch="104000000000"),
        "no pictures": replace(request, pictures=()),
        "no back": replace(request, pictures=(front,)),
        "size": replace(request, pictures=(front, replace(back, size="9"))),
        "path": replace(request, pictures=(front, replace(back, path="/upload/x"))),
    }[change]
    refused = refusal(world.provider.apply, wrong, "A1", soon())
    assert refused == ("provider.field", "1003")
    assert world.ledger.applications == {}


def test_the_old_account_may_be_left_out(world: World) -> None:
    reg_id = world.applied(old=None, mobile="13552535506", remark="x")
    assert world.provider.query(MID, reg_id, soon()).raw == "00"


@pytest.mark.req("R16")
@pytest.mark.parametrize("old", [None, AccountNumber(OLD)])
def test_a_merchant_without_an_account_has_none_to_alter(
    world: World, old: AccountNumber | None
) -> None:
    with world.ledger.locked() as ledger:
        ledger.merchants[MID].account = ""
    request = replace(world.request(), old=old)
    refused = refusal(world.provider.apply, request, "A1", soon())
    assert refused == ("provider.refused", "2000")
    assert world.ledger.applications == {}


# Lookups and pictures.


def test_terminals_and_branches(world: World) -> None:
    assert world.provider.terminals(MID, soon()) == ("12345678", "12345679")
    found = world.provider.branches("1000", "北京", soon())
    assert found == (Branch(BRANCH, "某银行北京分行营业部"),)
    adapter = world.provider
    assert isinstance(adapter, ChinaUms)
    for code, name in ((BRANCH, found[0].name), ("105100000017", None)):
        assert adapter.branch(code, area="1000", text="北京", deadline=soon()) == name


def test_a_branch_is_found_by_several_words(world: World) -> None:
    with world.ledger.locked():
        world.ledger.branches |= {
            "102100000011": "某银行北京国贸大厦支行",
            "102100000020": "某银行北京国贸支行",
            "103100000019": "别的银行北京国贸大厦支行",
        }
    found = world.provider.branches("1000", " 某银行  国贸大厦 ", soon())
    assert found == (Branch("102100000011", "某银行北京国贸大厦支行"),)
    assert len(world.provider.branches("1000", "国贸", soon())) == 3
    assert world.provider.branches("1000", "国贸 上海", soon()) == ()


@pytest.mark.parametrize(
    ("area", "text"),
    [("100", "x"), ("10000", "x"), ("１０００", "x"), ("", "x"), ("1000", "  ")],
)
def test_a_search_that_cannot_be_asked(world: World, area: str, text: str) -> None:
    world.service.stop()
    with pytest.raises(UsageError) as caught:
        world.provider.branches(area, text, soon())
    assert caught.value.code == "branch.search"


@pytest.mark.req("R7")
def test_pictures_of_up_to_two_megabytes(world: World) -> None:
    picture = Picture("card_front", "card front", "image/jpeg")
    largest = bytes((wire.PICTURE_LIMIT - len("data:image/jpeg;base64,")) // 4 * 3)
    held = world.provider.upload(picture, largest, soon())
    assert (held.kind, held.size) == ("0025", str(len(largest)))
    with pytest.raises(CheckFailed) as caught:
        world.provider.upload(picture, largest + b"x", soon())
    assert caught.value.code == "document.size"


@pytest.mark.parametrize(
    ("kind", "media_type", "data", "code"),
    [
        ("card_front", "application/pdf", b"x", "document.media_type"),
        ("card_front", "image/png", b"", "document.size"),
        ("selfie", "image/png", b"x", "document.kind"),
    ],
)
def test_what_is_no_picture_is_not_sent(
    world: World, kind: str, media_type: str, data: bytes, code: str
) -> None:
    with pytest.raises((CheckFailed, UsageError)) as caught:
        world.provider.upload(Picture(kind, "x", media_type), data, soon())
    assert caught.value.code == code


# The service's own checks, which the adapter never provokes.


def called(world: World, service: str, seq: str, **params: object) -> wire.Answer:
    body = wire.build_request(
        service,
        params,
        Credentials(ACCESSER, KEY),
        request_seq=seq,
        request_date="20261123120000",
    )
    link = HttpsLink(world.url, ca_file=world.ca_file)
    kind = wire.CONTENT_TYPE
    answer = link.post(wire.PATH, body, content_type=kind, deadline=soon())
    return wire.parse_answer(answer)


@pytest.mark.parametrize(
    ("service", "params"),
    [
        ("alter_cancel", {"ums_reg_id": "x"}),
        ("acctinfo_qry", {"mer_no": MID}),
        ("alter_qry", {}),
        ("alter_qry", {"ums_reg_id": 1}),
        ("branch_bank_list", {"areaCode": "Beijing", "key": "x"}),
        ("pic_upload", {"pic_base64": "aGVsbG8="}),
        ("pic_upload", {"pic_base64": "data:image/png;base64,aGVs\nbG8="}),
        ("pic_upload", {"pic_base64": "data:image/png;base64,aGVsbG8"}),
        ("pic_upload", {"pic_base64": "data:image/png;base64," + "A" * 2**21}),
    ],
)
def test_the_service_refuses_wrong_fields(
    world: World, service: str, params: dict[str, object]
) -> None:
    assert called(world, service, "B1", **params).res_code == "1003"


@pytest.mark.parametrize("number", ["1" * 41, "62123456789012X5", "６２１２３４"])
def test_the_service_refuses_other_shapes_of_a_number(
    world: World, number: str
) -> None:
    params = {"mer_no": MID, "alter_bank_no": BRANCH, "pic_list": []}
    answer = called(
        world, "complex_alter_acctinfo", "B1", alter_bank_acct_no=number, **params
    )
    assert answer.res_code == "1003"


def test_a_corporate_account_is_proved_by_a_penny_drop(world: World) -> None:
    reg_id = world.applied(new=CORPORATE, pictures=())
    assert world.provider.query(MID, reg_id, soon()).raw == "05"
    assert refusal(world.provider.sign, reg_id, soon())[1] == "2000"
    params = {"ums_reg_id": reg_id, "company_account": CORPORATE}
    codes = [called(world, "request_account_verify", "B1", **params).res_code]
    codes.append(called(world, "request_account_verify", "B2", **params).res_code)
    world.clock.now = 4 * 3600.0
    codes.append(called(world, "request_account_verify", "B3", **params).res_code)
    assert codes == ["0000", "1057", "0000"]
    amount = world.service.account_change.penny_drop(reg_id)
    tried = [amount + 1, amount]
    codes = [
        called(
            world, "company_account_verify", f"C{n}", trans_amt=str(n), **params
        ).res_code
        for n in tried
    ]
    assert codes == ["2000", "0000"]
    world.provider.sign(reg_id, soon())
    world.clock.now += REVIEWED
    assert world.provider.query(MID, reg_id, soon()).raw == "03"
    assert world.account == CORPORATE


def test_the_fifth_wrong_amount_fails_the_application(world: World) -> None:
    reg_id = world.applied(new=CORPORATE, pictures=())
    params = {"ums_reg_id": reg_id, "company_account": CORPORATE}
    called(world, "request_account_verify", "B1", **params)
    for n in range(5):
        assert world.provider.query(MID, reg_id, soon()).raw == "05"
        called(world, "company_account_verify", f"C{n}", trans_amt="100", **params)
    assert world.provider.query(MID, reg_id, soon()).raw == "04"
    assert world.account == OLD


# Faults: what the caller is told against what the ledger says.


@pytest.mark.req("R41")
@pytest.mark.parametrize(
    ("fault", "code", "done"),
    [
        (Fault("alter_sign", "refuse_before"), "host.lost", False),
        (Fault("alter_sign", "drop_answer"), "host.lost", True),
        (Fault("alter_sign", "delay", seconds=30), "host.timeout", True),
        (Fault("alter_sign", "drip", seconds=0.05), "host.timeout", True),
        (Fault("alter_sign", "garbage", body=b"<html>"), "provider.answer", True),
        (Fault("alter_sign", "garbage"), "provider.answer", True),
        (Fault("alter_sign", "http_500"), "host.status", False),
    ],
    ids=lambda value: f"{value.action}" if isinstance(value, Fault) else None,
)
def test_a_lost_answer_is_settled_by_a_query(
    world: World, fault: Fault, code: str, done: bool
) -> None:
    reg_id = world.applied()
    world.service.faults.add(fault)
    with pytest.raises(LinkFailed) as caught:
        world.provider.sign(reg_id, Deadline(1.0))
    assert (caught.value.code, caught.value.params["sent"]) == (code, True)
    assert isinstance(caught.value, LinkTimeout) == (code == "host.timeout")
    status = world.provider.query(MID, reg_id, soon())
    assert status.raw == ("01" if done else "00")
    assert world.ledger.applications[reg_id].history[-1] == status.raw


@pytest.mark.req("R43")
def test_a_late_answer_within_the_deadline_succeeds(world: World) -> None:
    reg_id = world.applied()
    world.service.faults.add(Fault("alter_sign", "delay", seconds=0.7))
    world.provider.sign(reg_id, soon())
    assert world.provider.query(MID, reg_id, soon()).raw == "01"


def test_an_answer_sent_twice_is_read_once(world: World) -> None:
    reg_id = world.applied()
    world.service.faults.add(Fault("*", "duplicate_answer", times=2))
    world.provider.sign(reg_id, soon())
    assert world.provider.query(MID, reg_id, soon()).raw == "01"


@pytest.mark.req("R37")
def test_a_lost_application_does_no_harm(world: World) -> None:
    request = world.request()
    world.service.faults.add(Fault("complex_alter_acctinfo", "drop_answer"))
    with pytest.raises(LinkFailed):
        world.provider.apply(request, "A1", soon())
    assert refusal(world.provider.apply, request, "A1", soon())[1] == "1002"
    world.provider.sign(world.provider.apply(request, "A2", soon()), soon())
    world.clock.now = REVIEWED
    statuses = {a.status for a in world.ledger.applications.values()}
    until = time.monotonic() + 3
    while statuses != {"00", "03"} and time.monotonic() < until:
        statuses = {a.status for a in world.ledger.applications.values()}
    assert statuses == {"00", "03"}
    assert (world.account, world.version) == (NEW, 2)


def test_fault_rules_count(world: World) -> None:
    world.service.faults.add(Fault("terminals_qry", "refuse_before", after=1, times=2))
    told = []
    for _ in range(4):
        try:
            world.provider.terminals(MID, soon())
            told.append("ok")
        except LinkFailed as error:
            told.append(error.code)
    assert told == ["ok", "host.lost", "host.lost", "ok"]
    with pytest.raises(ValueError, match="explode"):
        world.service.faults.add(Fault("*", "explode"))


# Answers that cannot be trusted.


def lying(world: World, service: str, **fields: object) -> None:
    body = json.dumps({"res_code": "0000", **fields}).encode()
    world.service.faults.add(Fault(service, "garbage", body=body))


@pytest.mark.req("R38")
@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({}, "apply_status"),
        ({"apply_status": 3}, "apply_status"),
        ({"apply_status": ["03"]}, "apply_status"),
        ({"apply_status": ""}, "apply_status"),
        ({"apply_status": "03", "ums_reg_id": "another"}, "ums_reg_id"),
        ({"apply_status": "03", "request_seq": "another"}, "request_seq"),
        ({"apply_status": "04", "fail_reason": {}}, "fail_reason"),
        ({"apply_status": "03", "res_code": 0}, "res_code"),
    ],
)
def test_a_lying_status_is_not_believed(
    world: World, fields: dict[str, object], named: str
) -> None:
    lying(world, "alter_qry", **fields)
    with pytest.raises(LinkFailed) as caught:
        world.provider.query(MID, "reg", soon())
    assert caught.value.code == "provider.answer"
    assert caught.value.params["field"] == named
    assert caught.value.params["sent"] is True


def test_other_lies(world: World) -> None:
    request = world.request()
    lying(world, "complex_alter_acctinfo", ums_reg_id="r", mer_no=OTHER_MID)
    lying(world, "complex_alter_acctinfo", ums_reg_id="two words")
    lying(world, "complex_alter_acctinfo")
    for n in range(3):
        with pytest.raises(LinkFailed, match=r"provider\.answer"):
            world.provider.apply(request, f"A{n}", soon())
    lying(world, "terminals_qry", terminals="12345678,1234")
    with pytest.raises(LinkFailed, match=r"provider\.answer"):
        world.provider.terminals(MID, soon())
    lying(world, "branch_bank_list", branchBankList=[{"code": BRANCH}])
    lying(world, "branch_bank_list", branchBankList="none")
    for _ in range(2):
        with pytest.raises(LinkFailed, match=r"provider\.answer"):
            world.provider.branches("1000", "x", soon())


def test_a_state_that_names_another_merchant_is_no_answer(world: World) -> None:
    state = {"ums_reg_id": "r1", "apply_status": "03", "mer_no": OTHER_MID}
    lying(world, "alter_qry", **state)
    with pytest.raises(LinkFailed, match=r"provider\.answer"):
        world.provider.query(MID, "r1", soon())
    lying(world, "alter_qry", **{**state, "mer_no": MID})
    assert world.provider.query(MID, "r1", soon()).raw == "03"


@pytest.mark.req("R35")
@pytest.mark.parametrize("raw", [*wire.APPLY_STATUS, "07", "3", "DONE"])
def test_every_status_has_its_progress(world: World, raw: str) -> None:
    lying(world, "alter_qry", apply_status=raw)
    status = world.provider.query(MID, "reg", soon())
    wanted = {
        "WAITING_MERCHANT": {"18", "05", "00"},
        "AUDITING": {"01", "06", "02"},
        "EFFECTIVE": {"03"},
        "REJECTED": {"04"},
    }
    known = [name for name, codes in wanted.items() if raw in codes]
    assert (status.raw, status.progress) == (raw, (known or ["UNKNOWN"])[0])
    assert set(PROGRESS) == set(wire.APPLY_STATUS)
    needs = {"00": Need.SIGNING, "05": Need.PENNY_DROP, "18": Need.FILLING}
    assert status.need is needs.get(raw, Need.NOTHING)


@pytest.mark.req("R32")
@pytest.mark.parametrize(
    ("raw", "code"),
    [
        ("1001", "provider.credentials"),
        ("1002", "provider.duplicate"),
        ("1003", "provider.field"),
        ("1005", "provider.credentials"),
        ("1111", "provider.busy"),
        ("9999", "provider.busy"),
        ("2000", "provider.refused"),
        ("1057", "provider.penny_early"),
        ("4711", "provider.refused"),
    ],
)
def test_every_refusal_keeps_its_raw_code(world: World, raw: str, code: str) -> None:
    lying(world, "alter_sign", res_code=raw, res_msg=f"no: {NEW}")
    assert refusal(world.provider.sign, "reg", soon()) == (code, raw)


# Nothing leaks, nothing is left.


@pytest.mark.req("R48")
@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"account {NEW} wrong", "account 621626*********0018 wrong"),
        ("6212 3456 7890 1265", "621234******1265"),
        ("６２１２３４５６７８９０１２６５", "621234******1265"),
        ("13552535506", "*******5506"),
        ("a\x1b[31m\nb", "a [31m b"),
        ("fünf 12345 人工", "fünf 12345 人工"),
    ],
)
def test_a_providers_words_are_made_fit_to_print(text: str, shown: str) -> None:
    assert printable(text) == shown


@pytest.mark.req("R48")
def test_a_request_shows_masks_only(world: World) -> None:
    request = world.request(mobile="13552535506", pictures=())
    shown = f"{request!r} {request} {world.provider!r}"
    assert "621626*********0018" in shown
    for secret in (OLD, NEW, "13552535506", KEY.decode()):
        assert secret not in shown


def test_what_open_provider_refuses(world: World) -> None:
    short = {"accesser_id": "x", "key": "short"}
    for name, settings in (("other", {}), ("chinaums", {}), ("chinaums", short)):
        with pytest.raises(UsageError) as caught:
            open_provider(
                name, url=world.url, ca_file=world.ca_file, credentials=settings
            )
        wanted = "provider.settings" if name == "chinaums" else "provider.unknown"
        assert caught.value.code == wanted
        assert "short" not in str(caught.value)
    picture = UploadedPicture("0025", "x", "/upload/x", "3")
    request = world.request(pictures=(picture,))
    with pytest.raises(UsageError) as caught:
        world.provider.apply(request, "A" * 31, soon())
    assert caught.value.code == "provider.request"
    named = {**SETTINGS, "accesser_id": "x" * 65}
    other = open_provider(
        "chinaums", url=world.url, ca_file=world.ca_file, credentials=named
    )
    with pytest.raises(UsageError) as caught:
        other.upload(Picture("card_front", "x", "image/png"), b"x", soon())
    assert caught.value.code == "provider.request"


def exchange(world: World, head: str) -> bytes:
    """What the service answers to a raw HTTP head."""
    port = int(world.url.rsplit(":", 1)[1])
    context = ssl.create_default_context(cafile=world.ca_file)
    with (
        socket.create_connection(("127.0.0.1", port), 5) as sock,
        context.wrap_socket(sock, server_hostname="localhost") as tls,
    ):
        tls.sendall(f"{head}\r\nHost: x\r\n\r\n".encode())
        return tls.recv(4096)


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (f"GET {wire.PATH} HTTP/1.1", b"400"),
        (f"PUT {wire.PATH} HTTP/1.1", b"501"),
        ("POST /other HTTP/1.1", b"404"),
        (f"POST {wire.PATH} HTTP/1.1", b"415"),
        (f"POST {wire.PATH} HTTP/1.1\r\nContent-Type: {wire.CONTENT_TYPE}", b"411"),
        (
            f"POST {wire.PATH} HTTP/1.1\r\nContent-Type: {wire.CONTENT_TYPE}\r\n"
            "Content-Length: 99999999",
            b"413",
        ),
    ],
)
def test_one_path_and_one_method(world: World, head: str, status: bytes) -> None:
    assert exchange(world, head).split()[1] == status


@pytest.mark.req("R43")
def test_clients_that_never_finish_are_cut(authority: Authority) -> None:
    head = f"POST {wire.PATH} HTTP/1.1\r\nContent-Type: {wire.CONTENT_TYPE}\r\n"
    context = ssl.create_default_context(cadata=authority.certificate_pem.decode())
    service = ProviderService(make_ledger(), [], authority, request_deadline=0.5)
    with service:
        address = ("127.0.0.1", int(service.start().rsplit(":", 1)[1]))
        with socket.create_connection(address, 5) as mute:
            assert mute.recv(1) == b""
        with (
            socket.create_connection(address, 5) as sock,
            context.wrap_socket(sock, server_hostname="localhost") as tls,
        ):
            tls.sendall(f"{head}Content-Length: 10\r\n\r\n".encode())
            assert tls.recv(4096) == b""


def test_stopping_waits_for_nobody(world: World) -> None:
    port = int(world.url.rsplit(":", 1)[1])
    with socket.create_connection(("127.0.0.1", port), 5) as mute:
        began = time.monotonic()
        world.service.stop()
        world.service.stop()
        assert time.monotonic() - began < 1.5
        with suppress(ConnectionResetError):  # it was never accepted
            assert mute.recv(1) == b""
    with pytest.raises(LinkFailed) as caught:
        world.provider.terminals(MID, soon())
    assert (caught.value.code, caught.value.params["sent"]) == (
        "host.unreachable",
        False,
    )
