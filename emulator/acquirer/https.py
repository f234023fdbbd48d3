"""The HTTPS front of the providers: TLS 1.2 or newer, 127.0.0.1 only.

Each company is a face (``emulator.acquirer.faces``), found by the path of a request.

Faults it knows are in ``TOLD`` (``service`` names the call as its face does, as in
``alter_sign``).
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

from emulator.acquirer.ca import LOCAL_NAMES, Authority
from emulator.acquirer.chinaums import (
    Accesser,
    AccountChangeService,
    ChinaUmsFace,
    Course,
)
from emulator.acquirer.faces import Face, HttpRequest, HttpResponse, answers
from emulator.acquirer.ledger import Ledger
from emulator.acquirer.notices import Notify
from emulator.acquirer.rules import Rules
from emulator.faults import Fault, Faults

TOLD = {
    "refuse_before": "cut the connection; nothing is done",
    "reset": "reset the connection (RST); nothing is done",
    "hold": "answer nothing for ``seconds``, then cut; nothing is done",
    "drop_answer": "do it, then cut the connection",
    "delay": "do it, answer after ``seconds``",
    "drip": "do it, answer a byte every ``seconds``",
    "duplicate_answer": "do it, send the answer twice",
    "garbage": "do it, answer ``body`` in place of the answer",
    "http_500": "answer status 500; nothing is done",
    "busy": "answer as the company does when overloaded; nothing is done",
}
ACTIONS = frozenset(TOLD)
# Hexadecimal of a 2 MB picture in base64, and what stands around it.
_BODY_LIMIT = 5 * 1024 * 1024
_TICK = 0.05


class ProviderService:
    """ChinaUMS's account-change service behind HTTPS on an ephemeral port, and
    whatever other faces are given or added.

    Args:
        faces: of other companies at the same address.
        request_deadline: seconds in which a client must have sent its request.
        names: host names and addresses of the server certificate.
    """

    def __init__(
        self,
        ledger: Ledger,
        accessers: Iterable[Accesser],
        ca: Authority,
        *,
        course: Course | None = None,
        rules: Rules | None = None,
        notify: Notify | None = None,
        clock: Callable[[], float] = time.monotonic,
        request_deadline: float = 10.0,
        names: tuple[str, ...] = LOCAL_NAMES,
        faces: Iterable[Face] = (),
    ) -> None:
        self.account_change = AccountChangeService(
            ledger, accessers, course=course, clock=clock, rules=rules, notify=notify
        )
        self.faces: list[Face] = [ChinaUmsFace(self.account_change), *faces]
        self.faults = Faults(ACTIONS)
        self._context = ca.server_context(names)
        self._request_deadline = request_deadline
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None

    def add(self, face: Face) -> None:
        """Answer for one more company. For a path of two faces the later answers."""
        self.faces = [face, *self.faces]

    def face_of(self, target: str) -> Face | None:
        """The face that answers for a target's path."""
        return next((face for face in self.faces if answers(face, target)), None)

    def start(self) -> str:
        """Listen; the URL to call, without the path of the interface."""
        self._server = _Server(self, self._context, self._request_deadline)
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(_TICK,), name="provider"
        )
        self._thread.start()
        return f"https://127.0.0.1:{self._server.server_address[1]}"

    def stop(self) -> None:
        """Cut what is open, join every thread, free the port. Safe to repeat."""
        server, thread = self._server, self._thread
        self._server = self._thread = None
        if server and thread:
            server.stopping.set()
            server.shutdown()
            thread.join()
            server.cut(lambda _: True)
            server.server_close()

    def __enter__(self) -> ProviderService:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


class _Server(ThreadingHTTPServer):
    daemon_threads = False  # so that server_close() joins them

    def __init__(
        self, service: ProviderService, context: ssl.SSLContext, deadline: float
    ) -> None:
        self.service = service
        self.context = context
        self.request_deadline = deadline
        self.stopping = threading.Event()
        self._open: dict[socket.socket, float] = {}
        self._lock = threading.Lock()
        super().__init__(("127.0.0.1", 0), _Handler)

    def server_bind(self) -> None:
        # HTTPServer.server_bind asks the name service for this host's name.
        socket.socket.bind(self.socket, self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = "localhost", self.server_address[1]

    def service_actions(self) -> None:
        """Run between connections, 20 times a second: audits and late clients."""
        for face in self.service.faces:
            face.advance()
        now = time.monotonic()
        self.cut(lambda ends: ends <= now)

    def expect(self, connection: socket.socket, *, ends: float) -> None:
        with self._lock:
            self._open[connection] = ends
        if self.stopping.is_set():  # accepted just before the stop
            _cut(connection)

    def forget(self, connection: socket.socket) -> None:
        with self._lock:
            self._open.pop(connection, None)

    def cut(self, late: Callable[[float], bool]) -> None:
        with self._lock:
            for connection, ends in self._open.items():
                if late(ends):
                    _cut(connection)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that breaks off, or speaks no TLS, is its own affair."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    server_version = "posctl-emulator"
    sys_version = ""
    _is_reset = False

    def setup(self) -> None:
        # The handshake belongs here: in accept() one client could block all.
        tls = self.server.context.wrap_socket(
            self.request, server_side=True, do_handshake_on_connect=False
        )
        self.request = tls
        ends = time.monotonic() + self.server.request_deadline
        self.server.expect(tls, ends=ends)
        try:
            tls.do_handshake()
            super().setup()
        except BaseException:
            self._close()
            raise

    def finish(self) -> None:
        try:
            super().finish()
        finally:
            self._close()

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def _serve(self) -> None:
        self.close_connection = True
        face = self.server.service.face_of(self.path)
        status = self._refusal(face)
        if face is None or status is not None:
            return self._send(HttpResponse(status or 404, {}, b""))
        request = self._read_request()
        self.server.expect(self.connection, ends=float("inf"))
        name = face.call_name(request)
        fault = self.server.service.faults.take(name) if name is not None else None
        if fault is None:
            return self._send(face.respond(request))
        return self._misbehave(fault, face, request)

    def _misbehave(self, fault: Fault, face: Face, request: HttpRequest) -> None:
        if fault.action in self._instead:
            return self._instead[fault.action](self, fault)
        if fault.action == "http_500":
            return self._send(HttpResponse(500, {}, b""))
        if fault.action == "busy":
            return self._send(face.busy(request))
        self._after[fault.action](self, fault, face.respond(request))

    def _refuse(self, fault: Fault) -> None:
        _cut(self.connection)

    def _reset(self, fault: Fault) -> None:
        """To close with nothing left to linger for is to reset."""
        at_once = struct.pack("ii", 1, 0)
        self.request.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, at_once)
        self._is_reset = True

    def _hold(self, fault: Fault) -> None:
        self.server.stopping.wait(fault.seconds)
        _cut(self.connection)

    _instead: ClassVar[dict[str, Callable[[_Handler, Fault], None]]] = {
        "refuse_before": _refuse,
        "reset": _reset,
        "hold": _hold,
    }

    def _drop(self, fault: Fault, answer: HttpResponse) -> None:
        _cut(self.connection)

    def _delay(self, fault: Fault, answer: HttpResponse) -> None:
        self.server.stopping.wait(fault.seconds)
        self._send(answer)

    def _drip(self, fault: Fault, answer: HttpResponse) -> None:
        self._send(answer, pause=fault.seconds)

    def _duplicate(self, fault: Fault, answer: HttpResponse) -> None:
        self._send(answer)
        self._send(answer)

    def _garbage(self, fault: Fault, answer: HttpResponse) -> None:
        self._send(HttpResponse(200, {}, fault.body))

    _after: ClassVar[dict[str, Callable[[_Handler, Fault, HttpResponse], None]]] = {
        "drop_answer": _drop,
        "delay": _delay,
        "drip": _drip,
        "duplicate_answer": _duplicate,
        "garbage": _garbage,
    }

    def _refusal(self, face: Face | None) -> int | None:
        """The status that a request gets for its head alone, or None."""
        if face is None:
            return 404
        posted = self.command == "POST"
        length = self._content_length()
        refusals = (
            (self.command not in face.methods, 501),
            (posted and self.headers.get_content_type() != face.content_type, 415),
            (posted and length is None, 411),
            ((length or 0) > _BODY_LIMIT, 413),
        )
        return next((status for wrong, status in refusals if wrong), None)

    def _read_request(self) -> HttpRequest:
        body = self.rfile.read(self._content_length() or 0)
        headers = {name.lower(): text for name, text in self.headers.items()}
        return HttpRequest(self.command, self.path, headers, body)

    def _content_length(self) -> int | None:
        text = self.headers.get("Content-Length", "")
        usual = text.isascii() and text.isdigit() and len(text) < 10
        return int(text) if usual else None

    def _send(self, answer: HttpResponse, *, pause: float = 0.0) -> None:
        body = answer.body
        self.send_response(answer.status)
        for name, text in answer.headers.items():
            self.send_header(name, text)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")
        self.end_headers()
        step = 1 if pause else max(1, len(body))
        for at in range(0, len(body), step):
            if pause and self.server.stopping.wait(pause):
                return
            self.wfile.write(body[at : at + step])

    def _close(self) -> None:
        self.server.forget(self.request)
        if not self._is_reset:  # a shutdown would end it in order
            _cut(self.request)
        self.request.close()

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: requests hold account numbers."""


def _cut(connection: socket.socket) -> None:
    # Not SSLSocket.shutdown: it drops the TLS state under the thread that reads.
    with contextlib.suppress(OSError):
        socket.socket.shutdown(connection, socket.SHUT_RDWR)
