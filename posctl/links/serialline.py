"""A serial port through pyserial: exclusive, 8 bits, no parity, modem lines left."""

from __future__ import annotations

import errno
import os
import time
from typing import Any

import serial

from posctl.model.deadline import Deadline
from posctl.model.errors import LinkFailed, LinkTimeout, NoDevice

_SLICE = 0.1
_WRITE_SECONDS = 5.0
_USUAL_GROUP = "dialout"

_CAUSES = {
    errno.ENOENT: "port.missing",
    errno.ENODEV: "port.missing",
    errno.ENXIO: "port.missing",
    errno.EACCES: "port.denied",
    errno.EPERM: "port.denied",
    errno.EBUSY: "port.busy",
    errno.EAGAIN: "port.busy",
}
# On Windows pyserial keeps no errno, only the name inside the text; there a port in
# use gives "access denied" too.
_WINDOWS_CAUSES = {
    "FileNotFoundError": "port.missing",
    "PermissionError": "port.busy",
}


def _cause(error: Exception) -> str:
    number = getattr(error, "errno", None)
    if isinstance(number, int) and number in _CAUSES:
        return _CAUSES[number]
    text = str(error)
    named = (code for name, code in _WINDOWS_CAUSES.items() if name in text)
    return next(named, "port.unusable")


def _group(name: str) -> str:
    """Who may open the port, by its group; a group of root's own is no way in."""
    try:
        import grp

        group = grp.getgrgid(os.stat(name).st_gid).gr_name
    except (ImportError, OSError, KeyError):
        return _USUAL_GROUP
    return _USUAL_GROUP if group == "root" else group


class SerialLink:
    """A ByteLink. ``bytes_out`` and ``bytes_in`` count from opening on."""

    def __init__(self, port: Any, name: str) -> None:
        self.name = name
        self.bytes_out = 0
        self.bytes_in = 0
        self._port = port

    @classmethod
    def open(cls, name: str, baud: int, stop_bits: int = 1) -> SerialLink:
        """Raises NoDevice, see ``open_line``."""
        try:
            port = serial.Serial(
                name,
                baud,
                stopbits=stop_bits,
                timeout=_SLICE,
                write_timeout=_WRITE_SECONDS,
                exclusive=True,
            )
        except (serial.SerialException, ValueError, OverflowError) as error:
            cause = _cause(error)
            told = {"group": _group(name)} if cause == "port.denied" else {}
            raise NoDevice(cause, port=name, baud=baud, **told) from None
        return cls(port, name)

    def write(self, data: bytes, deadline: Deadline) -> None:
        """All bytes, or LinkTimeout ``link.timeout``, LinkFailed ``link.lost``."""
        try:
            self._write(data, deadline)
        except serial.SerialTimeoutException:
            raise self._timeout("write", deadline) from None
        except OSError:
            raise LinkFailed("link.lost", link=self.name) from None
        self.bytes_out += len(data)

    def _write(self, data: bytes, deadline: Deadline) -> None:
        self._port.write_timeout = max(deadline.remaining(), 0.001)
        self._port.write(data)

    def read(self, deadline: Deadline) -> bytes:
        """At least one byte, or LinkTimeout ``link.timeout``, LinkFailed ``link.lost``.

        An unplugged device is told within a tenth of a second.
        """
        while not deadline.passed:
            if data := self._take():
                self.bytes_in += len(data)
                return data
        raise self._timeout("read", deadline)

    def drain(self) -> None:
        """Throw away what has arrived; at most a second of it from a chatterer."""
        end = time.monotonic() + 1.0
        while self._waiting() and time.monotonic() < end:
            self._take()

    def close(self) -> None:
        self._port.close()

    def _waiting(self) -> int:
        try:
            return int(self._port.in_waiting)
        except OSError:
            raise LinkFailed("link.lost", link=self.name) from None

    def _take(self) -> bytes:
        try:
            first = bytes(self._port.read(1))
            return first + self._port.read(self._port.in_waiting) if first else b""
        except (OSError, TypeError):  # TypeError: closed by another thread meanwhile
            raise LinkFailed("link.lost", link=self.name) from None

    def _timeout(self, what: str, deadline: Deadline) -> LinkTimeout:
        seconds = deadline.seconds
        return LinkTimeout("link.timeout", what=what, seconds=seconds, link=self.name)
