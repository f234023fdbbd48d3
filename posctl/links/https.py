"""One request over verified TLS, under one wall-clock deadline.

Nothing here can switch verification off, follows a redirect, tries again or asks the
environment for a proxy. Every error says in ``sent`` whether the request can have
reached the host: that decides between "failed" and "unknown".
"""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
from collections.abc import Callable, Iterable, Mapping, Sized
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

from urllib3.connection import HTTPSConnection
from urllib3.exceptions import HTTPError, LocationParseError
from urllib3.util import Url, parse_url

from posctl.links.recent import Recent
from posctl.links.watchdog import call_within
from posctl.model.deadline import Deadline
from posctl.model.errors import LinkFailed, LinkTimeout, UsageError

ANSWER_LIMIT = 1024 * 1024
_CHUNK = 16 * 1024


class Chunks(Sized, Iterable[bytes], Protocol):
    """A body that is made while it is sent; ``len`` is its size in bytes."""


@dataclass(frozen=True)
class HttpAnswer:
    """An answer of any final status.

    Args:
        headers: names in lower case; the values of a repeated one are joined by
            ``, ``.
        body: 1 MiB at most.
    """

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


@dataclass(frozen=True)
class Request:
    """What is sent; ``path`` with the query, ``body`` None for none."""

    method: str
    path: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes | Chunks | None = field(repr=False)


class HttpsLink:
    """A host to call; each call has a connection of its own.

    Args:
        url: ``https://HOST[:PORT]``; a path is put before the path of each call.
        ca_file: PEM of the only CA to trust; None trusts those of the system.

    Raises:
        UsageError: ``host.url``, not an https URL; ``host.ca_file``, not readable.
    """

    def __init__(self, url: str, *, ca_file: Path | None = None) -> None:
        parts = _parse(url)
        if parts.scheme != "https" or not parts.host or parts.auth or parts.query:
            raise UsageError("host.url")
        self.host = parts.host.strip("[]")
        self.port = parts.port or 443
        self._base = (parts.path or "").rstrip("/")
        self._context = _verifying_context(ca_file)
        self.recent = Recent(self.host)

    def post(
        self, path: str, body: bytes | Chunks, *, content_type: str, deadline: Deadline
    ) -> bytes:
        """Send ``body``; the body of an answer with status 200, 1 MiB at most.

        Raises:
            LinkFailed: ``host.unreachable``, ``host.certificate`` (both ``sent``
                False), ``host.protocol``, ``host.lost``, ``host.status``.
            LinkTimeout: ``host.timeout``.
        """
        # Without the length a body of pieces would go in HTTP's own chunks.
        headers = {"Content-Type": content_type, "Content-Length": str(len(body))}
        answer = self._told(Request("POST", path, headers, body), deadline, _only_200)
        return answer.body

    def call(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str],
        body: bytes | None = None,
        deadline: Deadline,
    ) -> HttpAnswer:
        """One request of an interface whose refusals have a status and a body: every
        answer is returned except a redirect, which is not followed.

        Args:
            path: with the query, as in ``/v3/x?y=1``; ``url``'s path is put before it.

        Raises:
            LinkFailed, LinkTimeout: as ``post``; ``host.status`` for a 1xx or 3xx.
        """
        request = Request(method, path, headers, body)
        return self._told(request, deadline, _no_redirect)

    def _told(
        self, request: Request, deadline: Deadline, accepts: Callable[[int], bool]
    ) -> HttpAnswer:
        size = len(request.body or b"")
        self.recent.sent(f"{request.method} {request.path}, {size} B")
        with self.recent.told():
            try:
                answer = self._run(request, deadline, accepts)
            except LinkFailed as failure:
                if failure.params.get("sent") is False:
                    self.recent.got("(it was not sent)")
                raise
        self.recent.got(f"{answer.status}, {len(answer.body)} B")
        return answer

    def _run(
        self, request: Request, deadline: Deadline, accepts: Callable[[int], bool]
    ) -> HttpAnswer:
        exchange = self.exchange(deadline, accepts)
        whole = replace(request, path=self._base + request.path)
        try:
            return call_within(deadline, lambda: exchange.run(whole), what="host.post")
        except LinkTimeout:
            sent = exchange.abandon()
            raise LinkTimeout(
                "host.timeout", host=self.host, seconds=deadline.seconds, sent=sent
            ) from None

    def exchange(
        self, deadline: Deadline, accepts: Callable[[int], bool] | None = None
    ) -> Exchange:
        """One exchange that has not begun; ``post`` and ``call`` run it.

        Args:
            accepts: the statuses whose answers are read; None: 200 alone.
        """
        accepted = accepts or _only_200
        return Exchange(self.host, self.port, self._context, deadline, accepted)


class Exchange:
    """One connection, one request. ``abandon`` may come from another thread."""

    def __init__(
        self,
        host: str,
        port: int,
        context: ssl.SSLContext,
        deadline: Deadline,
        accepts: Callable[[int], bool],
    ) -> None:
        self._host = host
        self._accepts = accepts
        self._deadline = deadline
        self._connection = HTTPSConnection(
            host, port, ssl_context=context, timeout=_timeout(deadline)
        )
        self._lock = threading.Lock()
        self._abandoned = False
        self._sent = False

    def run(self, request: Request) -> HttpAnswer:
        try:
            self._connect()
            return self._request(request)
        finally:
            self._connection.close()

    def abandon(self) -> bool:
        """Stop it; whether the request can have reached the host."""
        with self._lock:
            self._abandoned = True
            sock = self._connection.sock
            if sock is not None:
                # Wakes the thread that reads; it closes the connection itself.
                with suppress(OSError):
                    socket.socket.shutdown(sock, socket.SHUT_RDWR)
            return self._sent

    def _connect(self) -> None:
        try:
            self._connection.connect()
        except ssl.SSLCertVerificationError as error:
            raise self._failed("host.certificate", error.verify_message) from None
        except ssl.SSLError as error:
            raise self._failed("host.protocol", error.reason or "TLS") from None
        except TimeoutError:
            raise self._timeout() from None
        except (OSError, HTTPError) as error:
            raise self._failed("host.unreachable", type(error).__name__) from None

    def _request(self, request: Request) -> HttpAnswer:
        headers = {**request.headers, "Connection": "close"}
        self._mark_sent()
        try:
            self._connection.request(
                request.method,
                request.path,
                request.body,
                headers,
                preload_content=False,
                decode_content=False,
            )
            return self._read_answer()
        except TimeoutError:
            raise self._timeout() from None
        except (OSError, http.client.HTTPException, HTTPError) as error:
            raise self._failed("host.lost", type(error).__name__) from None

    def _mark_sent(self) -> None:
        # After abandon() has said "not sent", nothing may be sent any more.
        with self._lock:
            if self._abandoned:
                raise self._timeout()
            self._sent = True

    def _read_answer(self) -> HttpAnswer:
        answer = self._connection.getresponse()
        if not self._accepts(answer.status):
            raise self._failed("host.status", str(answer.status))
        body = bytearray()
        while chunk := answer.read(_CHUNK):
            body += chunk
            if len(body) > ANSWER_LIMIT:
                raise self._failed("host.protocol", "answer too long")
        given = answer.headers  # items() would give a repeated name twice
        headers = {name.lower(): given[name] for name in given}
        return HttpAnswer(answer.status, headers, bytes(body))

    def _failed(self, code: str, reason: str) -> LinkFailed:
        return LinkFailed(code, host=self._host, reason=reason, sent=self._sent)

    def _timeout(self) -> LinkTimeout:
        return LinkTimeout(
            "host.timeout",
            host=self._host,
            seconds=self._deadline.seconds,
            sent=self._sent,
        )


def _parse(url: str) -> Url:
    try:
        return parse_url(url)
    except LocationParseError:
        raise UsageError("host.url") from None


def _only_200(status: int) -> bool:
    return status == http.client.OK


def _no_redirect(status: int) -> bool:
    return status // 100 in (2, 4, 5)


def _timeout(deadline: Deadline) -> float:
    # A zero would mean "do not block" to a socket.
    return max(0.001, deadline.remaining())


def _verifying_context(ca_file: Path | None) -> ssl.SSLContext:
    # Not ssl.create_default_context: it would log the session keys to SSLKEYLOGFILE.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if ca_file is None:
        context.load_default_certs()
        return context
    try:
        context.load_verify_locations(ca_file)
    except OSError:
        raise UsageError("host.ca_file", path=str(ca_file)) from None
    return context
