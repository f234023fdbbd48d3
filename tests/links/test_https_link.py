"""The HTTPS link against peers of every kind, on real sockets and real TLS."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from emulator.acquirer.ca import Authority
from posctl.links.https import ANSWER_LIMIT, HttpAnswer, HttpsLink, Request
from posctl.model.deadline import Deadline
from posctl.model.errors import LinkFailed, LinkTimeout, UsageError

Talk = Callable[[socket.socket], None]
AUTHORITY = Authority()
BODY = b"x=6212345678901265"


@pytest.fixture(scope="module")
def ca_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return AUTHORITY.write_certificate(tmp_path_factory.mktemp("ca") / "ca.pem")


class Peer:
    """Serves one connection after another until closed; keeps what it received."""

    def __init__(self, talk: Talk, context: ssl.SSLContext | None) -> None:
        self._talk, self._context = talk, context
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve)
        self._open: list[socket.socket] = []
        self.port = self._listener.getsockname()[1]
        self.requests: list[bytes] = []
        self._thread.start()

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                sock, _ = self._listener.accept()
                sock.settimeout(5)
                self._open.append(sock)
                with suppress(OSError), sock:
                    self._one(sock)

    def _one(self, sock: socket.socket) -> None:
        if self._context is None:
            return self._talk(sock)
        with self._context.wrap_socket(sock, server_side=True) as tls:
            self._open.append(tls)
            request = b""
            while not request.endswith(BODY):
                chunk = tls.recv(4096)
                if not chunk:
                    return None
                request += chunk
            self.requests.append(request)
            self._talk(tls)
        return None

    def close(self) -> None:
        for sock in [self._listener, *self._open]:
            with suppress(OSError):
                socket.socket.shutdown(sock, socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(5)
        assert not self._thread.is_alive()


@contextmanager
def peer(
    talk: Talk, *, tls: bool = True, names: tuple[str, ...] = ("127.0.0.1",)
) -> Iterator[Peer]:
    running = Peer(talk, AUTHORITY.server_context(names) if tls else None)
    try:
        yield running
    finally:
        running.close()


def answering(status: str, body: bytes = b"", *headers: str) -> Talk:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]
    return lambda sock: sock.sendall("\r\n".join(lines).encode() + body)


def silent(sock: socket.socket) -> None:
    while sock.recv(4096):
        pass


def dripping(sock: socket.socket) -> None:
    sock.sendall(b"HTTP/1.1 200 OK\r\n")
    sock.sendall(b"Content-Length: 1000\r\n\r\n")
    while True:
        sock.sendall(b"x")
        time.sleep(0.02)


def post(url: str, ca_file: Path | None, seconds: float = 5.0) -> bytes:
    link = HttpsLink(url, ca_file=ca_file)
    return link.post("/p", BODY, content_type="text/plain", deadline=Deadline(seconds))


def failure(url: str, ca_file: Path | None, seconds: float = 5.0) -> LinkFailed:
    with pytest.raises(LinkFailed) as caught:
        post(url, ca_file, seconds)
    return caught.value


def test_a_post_arrives_whole_and_is_answered(ca_file: Path) -> None:
    with peer(answering("200 OK", b"done")) as running:
        assert post(running.url + "/base/", ca_file) == b"done"
    assert running.requests[0].startswith(b"POST /base/p HTTP/1.1\r\n")


def test_a_closed_port(ca_file: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    error = failure(f"https://127.0.0.1:{port}", ca_file)
    assert (error.code, error.params["sent"]) == ("host.unreachable", False)


def test_another_ca_is_refused_before_anything_is_sent(tmp_path: Path) -> None:
    other = Authority().write_certificate(tmp_path / "other.pem")
    with peer(answering("200 OK")) as running:
        for trusted in (other, None):
            error = failure(running.url, trusted)
            assert (error.code, error.params["sent"]) == ("host.certificate", False)
    assert running.requests == []


def test_a_certificate_of_another_host(ca_file: Path) -> None:
    with peer(answering("200 OK"), names=("pay.example", "127.0.0.2")) as running:
        error = failure(running.url, ca_file)
    assert (error.code, error.params["sent"]) == ("host.certificate", False)
    assert running.requests == []


def test_a_peer_that_speaks_plain_http(ca_file: Path) -> None:
    with peer(answering("200 OK", b"{}"), tls=False) as running:
        error = failure(running.url, ca_file)
    assert (error.code, error.params["sent"]) == ("host.protocol", False)


@pytest.mark.req("R43")
@pytest.mark.parametrize(
    ("talk", "tls", "sent"),
    [(silent, False, False), (silent, True, True), (dripping, True, True)],
    ids=["silent in the handshake", "silent after the request", "dripping"],
)
def test_the_deadline_ends_it(ca_file: Path, talk: Talk, tls: bool, sent: bool) -> None:
    with peer(talk, tls=tls) as running:
        began = time.monotonic()
        error = failure(running.url, ca_file, seconds=0.8)
        assert time.monotonic() - began < 2.0
        assert isinstance(error, LinkTimeout)
        assert (error.code, error.params["sent"]) == ("host.timeout", sent)
        until = time.monotonic() + 2
        while _workers() and time.monotonic() < until:
            time.sleep(0.01)
        assert not _workers(), "the abandoned exchange goes on"


def _workers() -> list[str]:
    return [t.name for t in threading.enumerate() if "host.post" in t.name]


@pytest.mark.req("R41")
def test_nothing_is_sent_after_the_deadline_said_so(ca_file: Path) -> None:
    with peer(answering("200 OK")) as running:
        link = HttpsLink(running.url, ca_file=ca_file)
        exchange = link.exchange(Deadline(5.0))
        assert exchange.abandon() is False
        with pytest.raises(LinkTimeout) as caught:
            exchange.run(Request("POST", "/p", {}, BODY))
    assert caught.value.params["sent"] is False
    assert running.requests == []


@pytest.mark.parametrize(
    ("talk", "code"),
    [
        (lambda sock: None, "host.lost"),
        (
            lambda sock: sock.sendall(
                b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}"
            ),
            "host.lost",
        ),
        (lambda sock: sock.sendall(b"\x00\x01 no HTTP\r\n\r\n"), "host.lost"),
        (answering("500 Oops"), "host.status"),
        (answering("302 Found", b"", "Location: /elsewhere"), "host.status"),
        (answering("200 OK", bytes(ANSWER_LIMIT + 1)), "host.protocol"),
    ],
    ids=["cut", "cut in body", "no HTTP", "500", "302", "too long"],
)
def test_bad_answers_say_that_the_request_was_sent(
    ca_file: Path, talk: Talk, code: str
) -> None:
    with peer(talk) as running:
        error = failure(running.url, ca_file)
    assert (error.code, error.params["sent"]) == (code, True)
    assert len(running.requests) == 1, "no retry, no redirect followed"
    assert BODY.decode()[2:] not in f"{error} {error!r} {error.params}"


def called(url: str, ca_file: Path, method: str = "PUT") -> HttpAnswer:
    return HttpsLink(url + "/base/", ca_file=ca_file).call(
        method,
        "/p?q=1",
        headers={"X-Mine": "a, b"},
        body=BODY,
        deadline=Deadline(5.0),
    )


@pytest.mark.parametrize("status", ["200 OK", "429 Slow", "503 No", "204 None"])
def test_a_call_gets_every_answer_with_its_headers(ca_file: Path, status: str) -> None:
    body = b"" if status.startswith("204") else b"no"
    talk = answering(status, body, "X-Twice: 1", "x-twice: 2", "X-Once: A")
    with peer(talk) as running:
        answer = called(running.url, ca_file)
    assert (answer.status, answer.body) == (int(status[:3]), body)
    assert (answer.headers["x-twice"], answer.headers["x-once"]) == ("1, 2", "A")
    head = running.requests[0].split(b"\r\n")
    assert head[0] == b"PUT /base/p?q=1 HTTP/1.1"
    assert b"X-Mine: a, b" in head
    assert len(running.requests) == 1


@pytest.mark.parametrize("status", ["301 Moved", "304 Same", "307 There"])
def test_a_call_follows_no_redirect(ca_file: Path, status: str) -> None:
    with peer(answering(status, b"", "Location: /elsewhere")) as running:
        with pytest.raises(LinkFailed) as caught:
            called(running.url, ca_file, "POST")
    assert (caught.value.code, caught.value.params["sent"]) == ("host.status", True)
    assert len(running.requests) == 1


def test_the_environment_has_no_say(
    ca_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = tmp_path / "keys.log"
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setenv("SSLKEYLOGFILE", str(keys))
    with peer(answering("200 OK", b"done")) as running:
        assert post(running.url, ca_file) == b"done"
    assert not keys.exists()


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1",
        "127.0.0.1",
        "https://",
        "https://u:p@host",
        "ftp://x",
        "https://[x",
    ],
)
def test_only_https_urls(url: str) -> None:
    with pytest.raises(UsageError) as caught:
        HttpsLink(url)
    assert caught.value.code == "host.url"


def test_a_ca_file_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "empty.pem").write_text("not PEM")
    for name in ("missing.pem", "empty.pem"):
        with pytest.raises(UsageError) as caught:
            HttpsLink("https://host", ca_file=tmp_path / name)
        assert caught.value.code == "host.ca_file"
