"""A till's own code, which knows nothing of posctl: POSLink over a serial port."""

from __future__ import annotations

from functools import reduce
from operator import xor

import serial

STX, ETX, ACK, EOT, FS = b"\x02", b"\x03", b"\x06", b"\x04", b"\x1c"


class TerminalSilent(Exception):
    """No answer in time."""


def ask(port: str, command: str, *fields: str, seconds: float = 2.0) -> list[str]:
    """The fields of the answer; the third is the response code."""
    body = FS.join(part.encode() for part in (command, "1.28", *fields)) + ETX
    with serial.Serial(port, 9600, timeout=seconds) as line:
        line.write(STX + body + bytes([reduce(xor, body)]))
        answer = line.read_until(ETX)
        check = line.read(1)
        start = answer.find(STX)
        if start < 0 or not check or reduce(xor, answer[start + 1 :]) != check[0]:
            raise TerminalSilent(port)
        line.write(ACK)
    return answer[start + 1 : -1].decode().split(FS.decode())


def serial_number(port: str) -> str:
    return ask(port, "A00")[5]


def close_batch(port: str) -> str:
    """The terminal's response code."""
    return ask(port, "B00", seconds=5.0)[3]
