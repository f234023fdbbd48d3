"""Check sums and framing of the serial protocols, against ``binascii.crc_hqx`` on the
same bytes, by turns."""

from __future__ import annotations

import binascii
import statistics
import time
from collections.abc import Callable

from protocols import abecs, poslink, zvt
from protocols.abecs import frames as abecs_frames
from protocols.zvt import frames as zvt_frames

_TURNS, _CALLS, _SIZE = 21, 300, 512
DATA = bytes(0x20 + n % 0x5F for n in range(_SIZE))
"""Printable, so that each protocol can carry it."""


def _there_and_back(
    wrap: Callable[[bytes], bytes], feeder: Callable[[], object]
) -> Callable[[], object]:
    def call() -> object:
        return feeder().feed(wrap(DATA))  # type: ignore[attr-defined]

    return call


CALLS: dict[str, Callable[[], object]] = {
    "check sum of ABECS": lambda: abecs_frames.crc(DATA),
    "check sum of ZVT (the mirror image)": lambda: zvt_frames.crc(DATA),
    "frame and read: ABECS": _there_and_back(abecs_frames.frame, abecs.Feeder),
    "frame and read: ZVT": _there_and_back(zvt_frames.frame, zvt.SERIAL.feeder),
    "frame and read: POSLink": _there_and_back(poslink.frame, poslink.Feeder),
}


def per_second(call: Callable[[], object]) -> float:
    """Bytes a second."""
    started = time.perf_counter()
    for _call in range(_CALLS):
        call()
    return _CALLS * _SIZE / (time.perf_counter() - started)


def measured() -> dict[str, tuple[float, float]]:
    """Bytes a second, ours and ``crc_hqx``'s, by what was done: medians."""
    found = {}
    for name, call in CALLS.items():
        turns = [
            (per_second(call), per_second(lambda: binascii.crc_hqx(DATA, 0)))
            for _turn in range(_TURNS)
        ]
        ours, peer = (statistics.median(side) for side in zip(*turns, strict=True))
        found[name] = (ours, peer)
    return found
