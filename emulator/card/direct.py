"""The direct card link: an emulated card on a TCP port, without any PC/SC.

Framing and control bytes are those of vpcd, with the client in the reader's part.
The answer to 04 (get ATR) is empty when the slot is; when the card is pulled out,
the connection is closed. 127.0.0.1 only, one client at a time.
"""

from __future__ import annotations

import contextlib
import socket
import threading

from emulator.card import frames
from emulator.card.applet import Applet, CardGone, CardMute, CardProfile


class CardSlot:
    """Where a card is put in and pulled out, from any thread."""

    def __init__(self, profile: CardProfile | None = None) -> None:
        self.card = Applet(profile) if profile else None

    def insert(self, profile: CardProfile) -> None:
        """Put a card in; one that is there is pulled out first."""
        self.card = Applet(profile)

    def remove(self) -> None:
        self.card = None


class DirectCardServer:
    """Serves one slot. ``address`` is the reader name for posctl: ``tcp:HOST:PORT``;
    ``apdus`` counts what was sent to cards."""

    def __init__(self, slot: CardSlot) -> None:
        self.slot = slot
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.address = f"tcp:127.0.0.1:{self.port}"
        self._client: socket.socket | None = None
        self._stopped = False
        self.apdus = 0
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stopped = True
        for sock in (self._listener, self._client):
            if sock is not None:
                _hang_up(sock)
        self._thread.join(timeout=5)

    def __enter__(self) -> DirectCardServer:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _serve(self) -> None:
        while not self._stopped:
            try:
                self._client, _ = self._listener.accept()
            except OSError:
                return
            with self._client, contextlib.suppress(OSError):
                self._client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._attend(self._client)

    def _attend(self, client: socket.socket) -> None:
        held: Applet | None = None
        while (payload := frames.receive(client)) is not None:
            if payload == frames.GET_ATR:
                held = self.slot.card
                frames.send(client, held.atr if held else b"")
            elif payload == frames.RESET and held:
                held.reset()
            elif len(payload) > 1 and not self._answer(client, payload, held):
                return

    def _answer(
        self, client: socket.socket, command: bytes, held: Applet | None
    ) -> bool:
        """Whether the card is still there."""
        self.apdus += 1
        if held is None or held is not self.slot.card:
            return False
        try:
            frames.send(client, held.process(command))
        except CardMute:
            pass
        except CardGone:
            self.slot.remove()
            return False
        return True


def _hang_up(sock: socket.socket) -> None:
    with contextlib.suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)
    sock.close()
