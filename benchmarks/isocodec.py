"""Encode and decode a message of 20 fields, ours and pyiso8583's by turns; prints JSON.

Both make the same bytes of the same fields and read them back, which is checked first.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable

import iso8583
from isopeer import specification

from protocols.iso8583 import pack, unpack

_TURNS, _CALLS = 21, 1000
FIELDS: dict[int, str | bytes] = {
    2: "6216261000000000018",
    3: "000000",
    4: "000000012800",
    11: "000123",
    12: "101500",
    13: "1126",
    14: "3012",
    15: "1126",
    22: "051",
    23: "001",
    25: "00",
    32: "48020000",
    37: "112600000123",
    38: "123456",
    39: "00",
    41: "11000001",
    42: "898110054110001",
    49: "156",
    55: bytes.fromhex("9F2608C2C12B098F3DA6E39F2701809F1013"),
    64: bytes(8),
}
"""Of a sale's answer; a published test number."""
TEXTS = {
    str(n): v.hex().upper() if isinstance(v, bytes) else v for n, v in FIELDS.items()
}


def per_second(call: Callable[[], object]) -> float:
    started = time.perf_counter()
    for _call in range(_CALLS):
        call()
    return _CALLS / (time.perf_counter() - started)


def by_turns(ours: Callable[[], object], peer: Callable[[], object]) -> list[float]:
    """Calls a second, ours and the peer's: medians."""
    turns = [(per_second(ours), per_second(peer)) for _turn in range(_TURNS)]
    return [statistics.median(side) for side in zip(*turns, strict=True)]


def main() -> None:
    spec = specification()
    wire = pack("0210", FIELDS)
    theirs, _ = iso8583.encode({"t": "0210", **TEXTS}, spec)
    decoded, _ = iso8583.decode(wire, spec)
    if bytes(theirs) != wire or {n: decoded[n] for n in TEXTS} != TEXTS:
        raise SystemExit("the two do not make the same of this message")
    if unpack(wire) != ("0210", FIELDS):
        raise SystemExit("not read back as it was written")
    asked = {"t": "0210", **TEXTS}
    encode = by_turns(
        lambda: pack("0210", FIELDS), lambda: iso8583.encode(dict(asked), spec)
    )
    decode = by_turns(lambda: unpack(wire), lambda: iso8583.decode(wire, spec))
    print(json.dumps({"encode": encode, "decode": decode}))


if __name__ == "__main__":
    main()
