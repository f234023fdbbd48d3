"""How an answer goes out wrongly, whatever line it takes: late, twice, in pieces, half.

``ANSWER_ACTIONS`` are the actions of a fault that this file carries out.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial

from emulator.faults import Fault

Send = Callable[[bytes], None]

ANSWER_ACTIONS = {
    "drop_answer": "do it, answer nothing",
    "duplicate_answer": "do it, send the answer twice",
    "corrupt_answer": "do it, flip a bit in the last byte of the first answer",
    "truncate_answer": "do it, send half of the first answer, and no more of it",
    "split_answer": "do it, send each byte by itself",
    "delay_answer": "do it, and answer ``seconds`` after that",
}


def times_sent(fault: Fault | None) -> int:
    """How often an answer goes out: 0, 1 or 2."""
    return _TIMES_SENT.get(fault.action, 1) if fault else 1


def spoken(fault: Fault | None, send: Send) -> Send:
    """``send`` as the fault leaves it; how often is ``times_sent``."""
    if fault is None:
        return send
    if fault.action == "delay_answer":
        return partial(_send_later, fault.seconds, send)
    if fault.action == "split_answer":
        return partial(_send_each, send)
    if (spoil := _SPOILS.get(fault.action)) is not None:
        spoilt = iter([spoil])
        return lambda data: send(next(spoilt, bytes)(data))
    return send


_TIMES_SENT = {
    "drop_answer": 0,
    "duplicate_answer": 2,
    "hang_up_after": 0,
    "power_cut": 0,
}
_SPOILS: dict[str, Callable[[bytes], bytes]] = {
    "corrupt_answer": lambda data: data[:-1] + bytes([data[-1] ^ 1]),
    "truncate_answer": lambda data: data[: len(data) // 2],
}


def _send_later(seconds: float, send: Send, data: bytes) -> None:
    """Nobody cancels it: what is sent into a closed line is lost."""
    asyncio.get_running_loop().call_later(seconds, send, data)


def _send_each(send: Send, data: bytes) -> None:
    for byte in data:
        send(bytes([byte]))
