"""A TCP line to the terminal that is pulled in the middle of an exchange."""

from __future__ import annotations

import contextlib
import select
import socket
import threading

STX = b"\x02"


class Cable:
    """Passes bytes on until it is pulled.

    Args:
        port: the terminal's own TCP port.
        command: which exchange to cut, as in ``B00``; None counts all of them.
        exchange: which of these, from 1.
        before: pulled before the terminal hears of it, or after it has answered.
    """

    def __init__(
        self, port: int, command: bytes | None, exchange: int, *, before: bool
    ) -> None:
        self._port, self._command, self._before = port, command, before
        self._left = exchange
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"tcp:127.0.0.1:{self._listener.getsockname()[1]}"
        self.pulled = False
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)  # wakes accept()
        self._listener.close()
        self._thread.join(timeout=5)

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _peer = self._listener.accept()
                with client, socket.create_connection(("127.0.0.1", self._port)) as own:
                    self._pass_on(client, own)

    def _pass_on(self, client: socket.socket, terminal: socket.socket) -> None:
        armed = False
        while not self.pulled:
            ready, _w, _x = select.select([client, terminal], [], [], 5)
            for side in ready:
                data = side.recv(4096)
                if not data:
                    return
                if side is client:
                    armed = armed or self._strikes(data)
                    self.pulled = armed and self._before
                else:
                    self.pulled = armed and STX in data  # it has acted and answers
                if self.pulled:
                    return
                (terminal if side is client else client).sendall(data)

    def _strikes(self, data: bytes) -> bool:
        if STX not in data or (self._command and self._command not in data):
            return False
        self._left -= 1
        return self._left == 0
