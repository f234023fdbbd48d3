"""A card in a reader of vpcd: connecting is insertion, closing is removal."""

from __future__ import annotations

import contextlib
import socket
import threading

from emulator.card import frames
from emulator.card.applet import Applet, CardGone, CardMute, CardProfile

# Linux only, as vpcd is. Without it Debian's vpcd 3.3, which sends length and payload
# apart with Nagle on, waits 44 ms for the delayed ACK of every APDU.
_TCP_QUICKACK = 12


class VpcdCard:
    """One card in one slot, served by a thread until it is removed.

    Raises:
        OSError: nobody listens on the slot's port.
    """

    def __init__(self, port: int, profile: CardProfile) -> None:
        self._card = Applet(profile)
        self._sock = socket.create_connection(("127.0.0.1", port), timeout=5)
        self._sock.settimeout(None)
        self._quickack()
        self._seen = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def wait_until_seen(self, timeout: float) -> bool:
        """Whether pcscd has asked for the ATR within ``timeout`` seconds."""
        return self._seen.wait(timeout)

    def remove(self) -> None:
        with contextlib.suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)
        self._thread.join(timeout=5)

    def _quickack(self) -> None:
        self._sock.setsockopt(socket.IPPROTO_TCP, _TCP_QUICKACK, 1)

    def _serve(self) -> None:
        # A card that dies without closing would hang every client of pcscd.
        try:
            self._attend()
        except (OSError, CardGone):
            pass
        finally:
            self._sock.close()

    def _attend(self) -> None:
        mute = False
        while (payload := frames.receive(self._sock, self._quickack)) is not None:
            if payload in (frames.POWER_OFF, frames.POWER_ON, frames.RESET):
                self._card.reset()
            elif mute:
                continue
            elif payload == frames.GET_ATR:
                frames.send(self._sock, self._card.atr)
                self._seen.set()
            else:
                mute = not self._answer(payload)

    def _answer(self, command: bytes) -> bool:
        try:
            frames.send(self._sock, self._card.process(command))
        except CardMute:
            return False
        return True
