"""Providers as small machines: every answer they may give to a call, and every answer
that may be lost, late, doubled or a lie. Immutable; used by the exhaustive search.

A call gives a list of ``Reply``: what the provider is afterwards, what the caller
sees, and what it costs of the faults and late deliveries that a search allows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from posctl.model.errors import LinkFailed, LinkTimeout, Refused
from posctl.providers import (
    ApplicationStatus,
    Capability,
    Need,
    Progress,
    Provider,
    ReadBinding,
)

OLD_MASK, NEW_MASK = "621234******1265", "621626*********0018"
MASKS = {"old": OLD_MASK, "new": NEW_MASK}


class Reply(NamedTuple):
    """``seen`` is ``("ok", value)`` or ``("error", make)``."""

    how: str
    provider: Any
    seen: tuple[str, Any]
    faults: int = 0
    late: int = 0


def _ok(value: Any = None) -> tuple[str, Any]:
    return ("ok", value)


def _error(kind: type, code: str, **params: Any) -> tuple[str, Any]:
    return ("error", (kind, code, tuple(sorted(params.items()))))


def raised(seen: tuple[str, Any]) -> Any:
    """The value that was seen, or the error."""
    if seen[0] == "ok":
        return seen[1]
    kind, code, params = seen[1]
    raise kind(code, **dict(params))


NO_ANSWER = _error(LinkTimeout, "host.timeout", sent=True)
NOT_REACHED = _error(LinkFailed, "host.unreachable", sent=False)


def refused(code: str) -> tuple[str, Any]:
    return _error(Refused, code, namespace="model", raw=code)


BUSY, NO = refused("provider.busy"), refused("provider.refused")
Change = Callable[[Any], tuple[Any, tuple[str, Any]]]


def replies(now: Any, do: Change, late: Any) -> Iterator[Reply]:
    """What can become of a call that ``do`` carries out; ``late`` is the provider with
    the call still on its way."""
    done, seen = do(now)
    again, second = do(done)
    yield Reply("answered", done, seen)
    yield Reply("done, answer lost", done, NO_ANSWER, 1)
    yield Reply("request lost", now, NO_ANSWER, 1)
    yield Reply("on its way, answer lost", late, NO_ANSWER, 1, 1)
    yield Reply("not reached", now, NOT_REACHED, 1)
    yield Reply("busy, not done", now, BUSY, 1)
    yield Reply("busy, and yet done", done, BUSY, 1)
    yield Reply("refused", now, NO, 1)
    yield Reply("delivered twice, second answer seen", again, second, 1)


# -- a provider that signs -------------------------------------------------------

UNVERIFIED, UNSIGNED, SIGNED, DONE, FAILED = "05", "00", "01", "03", "04"
_PROGRESS = {
    UNVERIFIED: (Progress.WAITING_MERCHANT, Need.PENNY_DROP),
    UNSIGNED: (Progress.WAITING_MERCHANT, Need.SIGNING),
    SIGNED: (Progress.AUDITING, Need.NOTHING),
    DONE: (Progress.EFFECTIVE, Need.NOTHING),
    FAILED: (Progress.REJECTED, Need.NOTHING),
    "99": (Progress.UNKNOWN, Need.NOTHING),
}


def status(raw: str) -> ApplicationStatus:
    progress, need = _PROGRESS[raw]
    return ApplicationStatus(raw, progress, "", "", need)


@dataclass(frozen=True)
class Signing:
    """ChinaUMS: an application takes no effect until it is signed.

    ``apps`` are (request, status); ``flight`` are calls that will arrive some time;
    ``effects`` is how often the account was changed; ``link`` is the application whose
    link the merchant has.
    """

    account: str = "old"
    effects: int = 0
    apps: tuple[tuple[str, str], ...] = ()
    flight: tuple[tuple[str, str], ...] = ()
    link: str = ""
    corporate: bool = False

    capabilities = frozenset(
        {Capability.TERMINALS, Capability.CHANGE, Capability.SIGN}
        | {Capability.PENNY_DROP}
    )
    settled = True  # an application that nobody signs does no harm, however late

    def set(self, request: str, to: str) -> Signing:
        return replace(
            self, apps=tuple(sorted({**dict(self.apps), request: to}.items()))
        )

    def do_apply(self, request: str) -> tuple[Signing, tuple[str, Any]]:
        if request in dict(self.apps):
            return self, refused("provider.duplicate")
        first = UNVERIFIED if self.corporate else UNSIGNED
        return self.set(request, first), _ok(f"a{request}")

    def do_sign(self, application: str) -> tuple[Signing, tuple[str, Any]]:
        if dict(self.apps).get(application[1:]) != UNSIGNED:
            return self, NO
        return self.set(application[1:], SIGNED), _ok()

    def do_request_payment(self, application: str) -> tuple[Signing, tuple[str, Any]]:
        if dict(self.apps).get(application[1:]) != UNVERIFIED:
            return self, NO
        return self, _ok()

    def do_report_payment(self, application: str) -> tuple[Signing, tuple[str, Any]]:
        if dict(self.apps).get(application[1:]) != UNVERIFIED:
            return self, NO
        return self.set(application[1:], UNSIGNED), _ok()

    def call(self, name: str, *args: str) -> Iterator[Reply]:
        if name == "query":
            yield from self._query(args[0])
        elif name == "terminals":
            yield Reply("answered", self, _ok(("t",)))
        elif name == "sign_link":
            yield Reply("answered", self, _ok("https://link"))
        else:
            on_its_way = replace(
                self, flight=tuple(sorted((*self.flight, (name, args[0]))))
            )
            yield from replies(
                self, lambda p: getattr(p, f"do_{name}")(args[0]), on_its_way
            )
            if name == "sign":
                yield Reply("said yes, not done", self, _ok(), 1)

    def _query(self, application: str) -> Iterator[Reply]:
        raw = dict(self.apps)[application[1:]]
        yield Reply("answered", self, _ok(status(raw)))
        yield Reply("no answer", self, NO_ANSWER, 1)
        yield Reply("busy", self, BUSY, 1)
        yield Reply("says 99", self, _ok(status("99")), 1)
        if raw == SIGNED:
            yield Reply("says what was before", self, _ok(status(UNSIGNED)), 1)

    def moves(self) -> Iterator[tuple[str, Signing]]:
        """What happens there by itself: a late call arrives, an audit ends, the
        merchant signs by his link."""
        for number, (name, arg) in enumerate(self.flight):
            left = self.flight[:number] + self.flight[number + 1 :]
            arrived = getattr(self, f"do_{name}")(arg)[0]
            yield f"late {name} of {arg} arrives", replace(arrived, flight=left)
        for request, now in self.apps:
            if now == SIGNED:
                yield f"audit of a{request} fails", self.set(request, FAILED)
                done = replace(self, account="new", effects=self.effects + 1)
                yield f"audit of a{request} succeeds", done.set(request, DONE)
            if now == UNSIGNED and self.link == f"a{request}":
                yield f"merchant signs a{request}", self.set(request, SIGNED)

    def by_hand(self) -> Iterator[tuple[str, Signing]]:
        """Somebody called the company, and it ends what is open."""
        for request, now in self.apps:
            if now in (UNSIGNED, UNVERIFIED):
                yield f"the company ends a{request}", self.set(request, FAILED)

    def wrong(self) -> str:
        signed = sum(now in (SIGNED, DONE) for _request, now in self.apps)
        return "two applications were signed" if signed > 1 else ""


# -- a provider that does not sign -----------------------------------------------


@dataclass(frozen=True)
class Applying:
    """WeChat Pay: the application itself commits, and has no number to ask by until it
    is answered. While it is ``verified`` its account shows, and goes on to show when
    the audit has failed.

    ``sent`` counts the applications that left the office; ``doubled``: the network may
    deliver one twice, and give the second answer.
    """

    account: str = "old"
    effects: int = 0
    apps: tuple[tuple[str, str], ...] = ()
    flight: tuple[tuple[str, str], ...] = ()
    link: str = ""
    sent: int = 0
    doubled: bool = False

    capabilities = frozenset({Capability.CHANGE, Capability.READ_BINDING})

    @property
    def settled(self) -> bool:
        """Everything is decided, and nothing is on its way: at WeChat Pay after five
        working days, which is long before an order's fifteen days are over."""
        open_apps = [now for _n, now in self.apps if now in ("audited", "verified")]
        return not self.flight and not open_apps

    def do_apply(self, request: str) -> tuple[Applying, tuple[str, Any]]:
        if any(now in ("audited", "verified") for _n, now in self.apps):
            return self, refused("provider.application_open")
        number = f"w{len(self.apps) + 1}"
        return replace(self, apps=(*self.apps, (number, "audited"))), _ok(number)

    def call(self, name: str, *args: str) -> Iterator[Reply]:
        if name == "query":
            yield from self._query(args[0])
        elif name == "read_binding":
            yield from self._read()
        else:
            now = replace(self, sent=self.sent + 1)
            late = replace(now, flight=(*self.flight, (name, args[0])))
            for reply in replies(now, lambda p: p.do_apply(args[0]), late):
                if reply.how == "not reached":
                    yield reply._replace(provider=self)
                elif self.doubled or "twice" not in reply.how:
                    yield reply

    def _query(self, number: str) -> Iterator[Reply]:
        now = dict(self.apps)[number]
        raw = {"audited": SIGNED, "verified": SIGNED}.get(now, now)
        yield Reply("answered", self, _ok(status(raw)))
        yield Reply("no answer", self, NO_ANSWER, 1)
        yield Reply("says a word of tomorrow", self, _ok(status("99")), 1)

    def _read(self) -> Iterator[Reply]:
        now = self.apps[-1][1] if self.apps else DONE
        mask = MASKS[self.account]
        words = {"verified": "VERIFYING", FAILED: "VERIFY_FAIL"}
        if now in words:
            failed = now == FAILED
            shown = ReadBinding(None, NEW_MASK, verification=words[now], failed=failed)
        else:
            shown = ReadBinding(mask, None, verification="VERIFY_SUCCESS")
        yield Reply("answered", self, _ok(shown))
        yield Reply("no answer", self, NO_ANSWER, 1)

    def _at(self, number: str, to: str) -> Applying:
        return replace(
            self, apps=tuple((n, to if n == number else s) for n, s in self.apps)
        )

    def moves(self) -> Iterator[tuple[str, Applying]]:
        for number, (name, arg) in enumerate(self.flight):
            left = self.flight[:number] + self.flight[number + 1 :]
            arrived = self.do_apply(arg)[0]
            yield f"late {name} of {arg} arrives", replace(arrived, flight=left)
        for number, now in self.apps:
            if now == "audited":
                yield f"{number} is being verified", self._at(number, "verified")
            if now == "verified":
                yield f"audit of {number} fails", self._at(number, FAILED)
                done = replace(self, account="new", effects=self.effects + 1)
                yield f"audit of {number} succeeds", done._at(number, DONE)

    def by_hand(self) -> Iterator[tuple[str, Applying]]:
        """It can end nothing that it does not decide anyway."""
        return iter(())

    def wrong(self) -> str:
        return "a second application was sent" if self.sent > 1 else ""


Outsider = Signing | Applying


class ModelProvider(Provider):
    """What the office's real code holds in its hands: every call asks ``ask``."""

    name = "model"

    def __init__(
        self,
        capabilities: frozenset[Capability],
        ask: Callable[..., tuple[str, Any]],
    ) -> None:
        self.capabilities = capabilities
        self._ask = ask

    def _call(self, name: str, *args: str) -> Any:
        return raised(self._ask("call", name, *args))

    def terminals(self, mid, deadline):  # type: ignore[no-untyped-def]
        return self._call("terminals", mid)

    def apply(self, request, request_seq, deadline):  # type: ignore[no-untyped-def]
        return self._call("apply", request_seq)

    def query(self, mid, application, deadline):  # type: ignore[no-untyped-def]
        return self._call("query", application)

    def sign(self, application, deadline):  # type: ignore[no-untyped-def]
        return self._call("sign", application)

    def sign_link(self, application):  # type: ignore[no-untyped-def]
        return self._call("sign_link", application)

    def request_payment(self, application, account, deadline):  # type: ignore[no-untyped-def]
        return self._call("request_payment", application)

    def report_payment(self, application, account, fen, deadline):  # type: ignore[no-untyped-def]
        return self._call("report_payment", application)

    def read_binding(self, mid, deadline, *, tid=None):  # type: ignore[no-untyped-def]
        return self._call("read_binding", mid)
