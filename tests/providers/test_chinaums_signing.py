"""The merchant signs in his browser, by a link with a code from a short message."""

from __future__ import annotations

import ssl
from urllib.parse import parse_qs, urlsplit
from urllib.request import urlopen

import pytest
from provider_world import ACCESSER, KEY, MID, NEW, OLD, MakeWorld, World, soon

from posctl.model.errors import Refused
from protocols import chinaums as wire
from protocols.chinaums import Credentials

HEAD = {"request_seq": "L1", "request_date": "20261123120000"}


def target(link: str) -> str:
    parts = urlsplit(link)
    return f"{parts.path}?{parts.query}"


def opened(world: World, link: str, code: str | None = None) -> tuple[int, str]:
    entered = "" if code is None else f"&sms_code={code}"
    status, page = world.service.account_change.sign_page(target(link) + entered)
    return status, page.decode()


def link_to(service: str, *, key: bytes = KEY, **params: object) -> str:
    body = wire.build_request(service, params, Credentials(ACCESSER, key), **HEAD)
    return f"https://host{wire.PATH}?{body.decode()}"


def state(world: World, application: str) -> str:
    return world.provider.query(MID, application, soon()).raw


def test_a_link_holds_a_request_and_no_number(world: World) -> None:
    application = world.applied()
    link = world.provider.sign_link(application)
    assert link.startswith(f"{world.url}{wire.PATH}?")
    assert set(parse_qs(urlsplit(link).query)) == {
        "json_data",
        "sign_data",
        "accesser_id",
    }
    query = urlsplit(link).query.encode()
    fields = wire.open_request(query, lambda _: KEY)
    assert (fields["service"], fields["ums_reg_id"]) == ("alter_sign", application)
    assert link != world.provider.sign_link(application)
    assert KEY.decode() not in link


def test_a_link_is_made_without_the_provider(world: World) -> None:
    world.service.stop()
    assert world.provider.sign_link("reg").startswith(world.url)


def test_a_path_of_the_hosts_address_is_in_the_link(world: World) -> None:
    provider = world.opened(url=f"{world.url}/gate/")
    assert provider.sign_link("reg").startswith(f"{world.url}/gate{wire.PATH}?")


@pytest.mark.req("R40")
def test_the_merchant_signs_and_only_with_the_code(world: World) -> None:
    application = world.applied()
    link = world.provider.sign_link(application)
    for _ in range(2):
        status, page = opened(world, link)
        assert (status, "sms_code" in page) == (200, True)
        assert state(world, application) == "00"
    code = world.service.account_change.signing_code(application)
    wrong = "000000" if code != "000000" else "111111"
    assert "验证码错误" in opened(world, link, wrong)[1]
    world.clock.now = 1000
    assert (state(world, application), world.account) == ("00", OLD)
    assert "sms_code" not in opened(world, link, code)[1]
    assert state(world, application) == "01"
    world.clock.now += 180
    assert (state(world, application), world.account) == ("03", NEW)
    assert opened(world, link)[0] == 400
    assert opened(world, world.provider.sign_link(application))[0] == 400


def test_an_accesser_that_may_not_sign_by_itself(make_world: MakeWorld) -> None:
    world = make_world(signs=False)
    application = world.applied()
    with pytest.raises(Refused) as caught:
        world.provider.sign(application, soon())
    assert (caught.value.code, caught.value.raw) == ("provider.refused", "2000")
    assert state(world, application) == "00"
    link = world.provider.sign_link(application)
    opened(world, link)
    opened(world, link, world.service.account_change.signing_code(application))
    assert state(world, application) == "01"


@pytest.mark.parametrize(
    ("link", "status"),
    [
        ("https://host/other?x=1", 404),
        (f"https://host{wire.PATH}", 400),
        (f"https://host{wire.PATH}?x=\ud800", 400),
        (link_to("alter_qry", ums_reg_id="reg"), 400),
        (link_to("alter_sign", ums_reg_id="reg"), 400),
        (link_to("alter_sign"), 400),
        (link_to("alter_sign", ums_reg_id="reg", key=KEY[::-1]), 400),
    ],
)
def test_links_that_sign_nothing(world: World, link: str, status: int) -> None:
    application = world.applied()
    assert opened(world, link)[0] == status
    assert opened(world, link, "123456")[0] == status
    assert state(world, application) == "00"


def test_a_page_shows_what_it_was_given_as_text(world: World) -> None:
    application = world.applied()
    link = world.provider.sign_link(application) + "&x=%22%3E%3Cscript%3E"
    assert "<script" not in opened(world, link)[1]


def browsed(world: World, address: str) -> str:
    """What a browser shows that follows the link to the host."""
    context = ssl.create_default_context(cafile=world.ca_file)
    with urlopen(address, context=context, timeout=5) as answer:  # noqa: S310
        assert answer.headers.get_content_type() == "text/html"
        return str(answer.read().decode())


def test_a_browser_follows_the_link(world: World) -> None:
    application = world.applied()
    link = world.provider.sign_link(application)
    assert "sms_code" in browsed(world, link)
    assert state(world, application) == "00"
    code = world.service.account_change.signing_code(application)
    assert "签约成功" in browsed(world, f"{link}&sms_code={code}")
    assert state(world, application) == "01"


@pytest.mark.req("R39")
def test_a_request_number_signs_once(world: World) -> None:
    signed, other = (world.applied(seq) for seq in "AB")
    links = [link_to("alter_sign", ums_reg_id=reg_id) for reg_id in (signed, other)]
    opened(world, links[0])
    code = world.service.account_change.signing_code(signed)
    assert opened(world, links[0], code)[0] == 200
    status, page = opened(world, links[1])
    assert (status, "1002" in page) == (400, True)
    assert (state(world, signed), state(world, other)) == ("01", "00")
