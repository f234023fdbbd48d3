"""Lakala (拉卡拉), open platform: the settlement account of a merchant or a terminal.

It only reads: no public call changes an account, so a change takes another channel.
It is the one provider here that ties an account to a terminal.

An answer of status 200 counts only with the platform's signature. A refusal of
another status may come unsigned, as the platform then need not know the caller; it
is believed, because a read changes nothing.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from posctl.links.https import HttpAnswer, HttpsLink
from posctl.model.deadline import Deadline
from posctl.model.errors import LinkFailed, Refused, UsageError
from posctl.providers import Capability, Clock, Provider, ReadBinding, printable
from protocols import lakala as wire
from protocols.errors import LocalError, RemoteError
from protocols.lakala import Answer, Caller, Platform, Question
from protocols.rsasha256 import load_private_key, load_public_key

_BEIJING = ZoneInfo("Asia/Shanghai")
_NEEDED = (
    "appid, serial_no, private_key, and platform_certificate or platform_public_key"
    " (PEM, RSA of 2048 bits)"
)
_REFUSALS: Mapping[int, str] = {401: "provider.credentials", 429: "provider.busy"}
"""By status: which error codes the platform has is not public."""


class Lakala(Provider):
    """The adapter. Errors are those of ``posctl.providers.Provider``."""

    name = "lakala"
    capabilities = frozenset({Capability.READ_BINDING})

    def __init__(
        self, link: HttpsLink, caller: Caller, platform: Platform, clock: Clock
    ):
        self._link = link
        self._caller = caller
        self._platform = platform
        self._clock = clock

    def read_binding(
        self, mid: str, deadline: Deadline, *, tid: str | None = None
    ) -> ReadBinding:
        """The account of a merchant (``queryMerAccount``), or of one of its terminals
        (``queryTermAccount``), which may be another one.

        An answer that names another merchant or terminal is not believed. The call
        has no word for an account that is still being verified.
        """
        now = self._clock()
        question = _question(mid, tid, _beijing(now))
        answer = self._accepted(self._call(question, now, deadline))
        try:
            found = wire.parse_settlement(answer, question)
        except RemoteError as error:
            raise _untrusted(error) from None
        bank = printable(found.bank)
        return ReadBinding(found.account, pending=None, bank=bank, tid=tid)

    def _call(
        self, question: Question, now: datetime, deadline: Deadline
    ) -> HttpAnswer:
        body = wire.build_request(question, req_time=_beijing(now))
        nonce = secrets.token_hex(16)
        signed = wire.build_authorization(
            self._caller, body, timestamp=int(now.timestamp()), nonce=nonce
        )
        headers = {
            "Accept": wire.CONTENT_TYPE,
            "Authorization": signed,
            "Content-Type": wire.CONTENT_TYPE,
        }
        return self._link.call(
            "POST", question.path, headers=headers, body=body, deadline=deadline
        )

    def _accepted(self, answer: HttpAnswer) -> Answer:
        if answer.status != 200:
            raise self._refusal(answer)
        appid, now = self._caller.appid, self._clock().timestamp()
        try:
            wire.check_answer(
                answer.headers, answer.body, self._platform, appid=appid, now=now
            )
            parsed = wire.parse_answer(answer.body)
        except RemoteError as error:
            raise _untrusted(error) from None
        if not parsed.ok:
            raise _refused("provider.refused", parsed)
        return parsed

    def _refusal(self, answer: HttpAnswer) -> LinkFailed | Refused:
        """Of another status: what it says where it says anything, or the status."""
        bare = LinkFailed(
            "host.status", host=self._link.host, reason=str(answer.status), sent=True
        )
        if answer.status // 100 != 4:
            return bare
        try:
            parsed = wire.parse_answer(answer.body)
        except RemoteError:
            return bare
        if parsed.ok:
            return bare
        return _refused(_REFUSALS.get(answer.status, "provider.refused"), parsed)


def connect(
    url: str,
    *,
    ca_file: Path | None,
    credentials: Mapping[str, str],
    clock: Clock | None,
) -> Lakala:
    """Made by ``posctl.providers.open_provider``."""
    try:
        key = load_private_key(credentials["private_key"])
        caller = Caller(credentials["appid"], credentials["serial_no"], key)
        platform = _platform(credentials)
    except (KeyError, LocalError):
        raise UsageError(
            "provider.settings", name=Lakala.name, needed=_NEEDED
        ) from None
    link = HttpsLink(url, ca_file=ca_file)
    return Lakala(link, caller, platform, clock or (lambda: datetime.now(UTC)))


def _platform(credentials: Mapping[str, str]) -> Platform:
    """The certificate before the bare key: it has a serial to compare, too."""
    certificate = credentials.get("platform_certificate")
    if certificate:
        return Platform.of_certificate(certificate)
    return Platform(load_public_key(credentials["platform_public_key"]))


def _beijing(now: datetime) -> str:
    return f"{now.astimezone(_BEIJING):%Y%m%d%H%M%S}"


def _question(mid: str, tid: str | None, time: str) -> Question:
    order_no = f"{time}{secrets.randbelow(10**8):08d}"
    try:
        return Question(mid, order_no, secrets.token_hex(16), tid)
    except LocalError as error:
        raise UsageError("provider.request", reason=str(error)) from None


def _refused(code: str, answer: Answer) -> Refused:
    return Refused(
        code, namespace=Lakala.name, raw=answer.code, text=printable(answer.text)
    )


def _untrusted(error: RemoteError) -> LinkFailed:
    field = error.field or "JSON"
    return LinkFailed("provider.answer", name=Lakala.name, field=field, sent=True)
