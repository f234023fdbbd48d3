"""A sub-merchant of WeChat Pay, the service on real TLS, and the adapter to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.rsa import (
    RSAPrivateKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from provider_world import BRANCH, MID, NEW, NOON, OTHER_MID, make_ledger, soon

from emulator.acquirer.ca import Authority
from emulator.acquirer.faces import Face, HttpRequest, HttpResponse
from emulator.acquirer.https import ProviderService
from emulator.acquirer.ledger import Ledger
from emulator.acquirer.wechatpay import Course, Partner, WeChatPayFace
from posctl.providers import ChangeRequest, Provider, open_provider
from protocols import wechatpay as wire
from protocols.sensitive import AccountNumber

PARTNER, SERIAL_NO = "1900000001", "5157F09EFDC096DE15EBE81A47057A72"
SUB, SISTER, FOREIGN = "1900006491", "1900006492", "1900006493"
VERIFYING, DECIDED = 60.0, 180.0
HOLDER, SHOP = "全渠道", "渠道小店"


@cache
def key(name: str) -> RSAPrivateKey:
    """A key of this test run."""
    return generate_private_key(65537, 2048)


def pem_of(private: RSAPrivateKey) -> str:
    form = PrivateFormat.PKCS8
    return private.private_bytes(Encoding.PEM, form, NoEncryption()).decode()


class UnixClock:
    """Unix seconds that pass only when a test says so; noon in Beijing at first."""

    def __init__(self) -> None:
        self.began = NOON.timestamp()
        self.passed = 0.0

    def __call__(self) -> float:
        return self.began + self.passed


Change = Callable[[HttpRequest, HttpResponse], HttpResponse]


@dataclass
class Between:
    """A face before a face: keeps requests, and changes answers where told to."""

    face: Face
    change: Change = lambda request, answer: answer
    requests: list[HttpRequest] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.paths, self.methods = self.face.paths, self.face.methods
        self.content_type = self.face.content_type
        self.call_name, self.busy = self.face.call_name, self.face.busy
        self.advance = self.face.advance

    def respond(self, request: HttpRequest) -> HttpResponse:
        self.requests.append(request)
        return self.change(request, self.face.respond(request))


@dataclass
class WeChatWorld:
    ledger: Ledger
    service: ProviderService
    face: WeChatPayFace
    between: Between
    clock: UnixClock
    url: str
    ca_file: Path

    @property
    def provider(self) -> Provider:
        return self.opened()

    @property
    def account(self) -> str:
        with self.ledger.locked():
            return self.ledger.merchants[MID].account

    @property
    def version(self) -> int:
        with self.ledger.locked():
            return self.ledger.merchants[MID].version

    @property
    def posts(self) -> int:
        """How many POSTs have reached the service."""
        return sum(r.method == "POST" for r in self.between.requests)

    def opened(self, *, ahead: float = 0.0, **changes: str) -> Provider:
        now = lambda: datetime.fromtimestamp(self.clock() + ahead, UTC)  # noqa: E731
        return open_provider(
            "wechatpay",
            url=self.url,
            ca_file=self.ca_file,
            credentials={**self.credentials(), **changes},
            clock=now,
        )

    def credentials(self) -> dict[str, str]:
        return {
            "mchid": PARTNER,
            "serial_no": SERIAL_NO,
            "private_key": pem_of(key("partner")),
            "platform_serial": self.face.serial,
            "platform_public_key": self.face.public_pem,
        }

    def applied(self, new: str = NEW, **changes: object) -> str:
        return self.provider.apply(request(new, **changes), "A1", soon())

    def signed(self, status: int, body: bytes) -> HttpResponse:
        """An answer that the platform has signed, whatever it says."""
        stamp = {"timestamp": int(self.clock()), "nonce": "B2"}
        headers = wire.sign_answer(
            body,
            self.face.serial,
            key("platform"),
            **stamp,  # type: ignore[arg-type]
        )
        return HttpResponse(status, headers, body)

    def say(self, status: int, body: bytes) -> None:
        """Let every answer from now on say this."""
        self.between.change = lambda request, answer: self.signed(status, body)

    def spoil(self, name: str, text: str | None) -> None:
        """Let every answer from now on have this header; None takes it away."""

        def spoilt(request: HttpRequest, answer: HttpResponse) -> HttpResponse:
            left = {n: t for n, t in answer.headers.items() if n != name}
            return replace(answer, headers=left | ({name: text} if text else {}))

        self.between.change = spoilt


def request(new: str = NEW, **changes: object) -> ChangeRequest:
    known = ChangeRequest(
        SUB, AccountNumber(new), BRANCH, holder=HOLDER, bank="工商银行", area="110000"
    )
    return replace(known, **changes)  # type: ignore[arg-type]


@contextmanager
def wechat_world(authority: Authority, ca_file: Path) -> Iterator[WeChatWorld]:
    ledger, clock = make_ledger(), UnixClock()
    merchants = {SUB: MID, SISTER: OTHER_MID}
    partner = Partner(PARTNER, SERIAL_NO, key("partner").public_key(), merchants)
    face = WeChatPayFace(
        ledger,
        [partner],
        course=Course(VERIFYING, DECIDED),
        clock=clock,
        key=key("platform"),
    )
    between = Between(face)
    service = ProviderService(ledger, [], authority, faces=[between])
    with service:
        url = service.start()
        yield WeChatWorld(ledger, service, face, between, clock, url, ca_file)
