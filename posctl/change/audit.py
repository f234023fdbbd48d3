"""The log against what left the machine, and the log for somebody else (R50).

A log that was cut off at its end, or put back from a copy, is whole in itself. What
shows it is a head that left before: on a receipt, in an order file, in an approval.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from posctl.change.place import Place
from posctl.model.canonical import Json, canonical
from posctl.model.clock import stamp
from posctl.model.errors import CheckFailed, UsageError
from posctl.store.eventlog import GENESIS, EventLog
from posctl.store.files import write_private
from posctl.store.keys import Operator
from protocols.sensitive import masked_text

_HEAD = re.compile(r"[0-9a-f]{64}")
_NAMES = ("store_head", "order_head", "head")
_LARGEST = 32 * 1024 * 1024
CARRIED_OUT = ("order.sent", "order.returned", "receipt.issued")
"""After these the head is on paper or in a file elsewhere."""


def heads_of(text: str) -> list[str]:
    """A head, or those that a JSON file of ours holds.

    Raises:
        UsageError: ``audit.heads``.
    """
    if text == GENESIS:  # of a store without an event: it tells nothing
        return []
    if _HEAD.fullmatch(text):
        return [text]
    path = Path(text)
    try:
        if path.is_file() and path.stat().st_size <= _LARGEST:
            body = json.loads(path.read_bytes())["body"]
            found = [body[name] for name in _NAMES if name in body]
            if found and all(_HEAD.fullmatch(head) for head in found):
                return [head for head in found if head != GENESIS]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        pass
    raise UsageError("audit.heads", text=masked_text(text)[:80])


def check_heads(logs: Sequence[EventLog], wanted: Sequence[str]) -> None:
    """Each head is one that some of these logs had, or has, of itself or of an order.

    Raises:
        CheckFailed: ``audit.head``: cut off, put back from a copy, or swapped.
    """
    left = set(wanted)
    for log in logs:
        left -= log.known_heads(left)
    if left:
        counts = ", ".join(str(log.count()) for log in logs)
        raise CheckFailed("audit.head", head=sorted(left)[0], events=counts)


def summary(place: Place) -> Json:
    """``tail``: how many of the last events no head outside vouches for yet."""
    return {
        "place": str(place.holder),
        "events": place.log.count(),
        "store_head": place.log.head(),
        "tail": place.log.count_after(CARRIED_OUT),
    }


def export(place: Place, operator: Operator, path: Path) -> Json:
    """Write the log, one event a line, the signed head as the last.

    Raises:
        UsageError: ``file.exists``; LinkFailed: ``file.unwritable``.
    """
    if path.exists():
        raise UsageError("file.exists", path=str(path))
    head: Json = {
        "place": str(place.holder),
        "events": place.log.count(),
        "head": place.log.head(),
        "exported": stamp(place.clock.now()),
    }
    last = canonical({"body": head, "proof": operator.sign("audit", head)})
    lines = b"".join(canonical(event) + b"\n" for event in _lines(place))
    write_private(path, lines + last + b"\n")
    return {**head, "file": str(path), "signed_by": operator.name}


def _lines(place: Place) -> Iterator[Json]:
    for event in place.log.all_events():
        yield event.to_json()
