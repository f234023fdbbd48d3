"""What a line that gave no answer gave: nothing, nothing legible, or half of it."""

from __future__ import annotations

from posctl.links import ByteLink
from posctl.model.errors import LinkTimeout


def silence(link: ByteLink, *, came: int, skipped: int, seconds: float) -> LinkTimeout:
    """They have other remedies.

    Args:
        came: bytes that arrived since the request.
        skipped: bytes of them that belong to nothing.
        seconds: how long was waited.
    """
    told = {"link": link.name, "seconds": seconds}
    if came == 0:
        return LinkTimeout("terminal.silent", **told)
    if skipped == came:
        return LinkTimeout("terminal.garbage", **told, bytes=came)
    return LinkTimeout("terminal.no_answer", **told)
