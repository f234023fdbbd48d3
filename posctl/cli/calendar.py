"""Orders that are due, as an iCalendar file (RFC 5545)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from posctl.cli.text.messages import _, plain
from posctl.model.canonical import Json
from posctl.model.clock import moment

_UTC = "%Y%m%dT%H%M%SZ"
_OCTETS = 73


def calendar(due: Sequence[Json], now: datetime, warn_days: int) -> str:
    """One event an order, at the moment it expires, with an alarm before it."""
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//posctl//orders due//EN"]
    for item in due:
        lines += _event(item, now, warn_days)
    return "".join(f"{_folded(line)}\r\n" for line in [*lines, "END:VCALENDAR"])


def _event(item: Json, now: datetime, warn_days: int) -> list[str]:
    expires, order = moment(item["expires"]), plain(item["order"])
    return [
        "BEGIN:VEVENT",
        f"UID:{order}@posctl",
        f"DTSTAMP:{now:{_UTC}}",
        f"DTSTART:{expires:{_UTC}}",
        f"SUMMARY:{_text(_('ics.summary', order=order, state=item['state']))}",
        "BEGIN:VALARM",
        "ACTION:DISPLAY",
        f"TRIGGER:-P{warn_days}D",
        f"DESCRIPTION:{_text(order)}",
        "END:VALARM",
        "END:VEVENT",
    ]


def _text(value: str) -> str:
    """RFC 5545, 3.3.11."""
    for char in ("\\", ";", ","):
        value = value.replace(char, f"\\{char}")
    return value


def _folded(line: str) -> str:
    """RFC 5545, 3.1: lines of 75 octets at most, no character cut."""
    parts, size = [""], 0
    for char in line:
        octets = len(char.encode())
        if size + octets > _OCTETS:
            parts.append("")
            size = 0
        parts[-1] += char
        size += octets
    return "\r\n ".join(parts)
