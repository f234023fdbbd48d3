"""`posctl explain`: what bytes from a card mean, for whoever diagnoses. Nothing of it
goes anywhere; numbers are masked."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from posctl.cli.command import command
from posctl.cli.console import Console
from posctl.cli.grammar import group
from posctl.cli.text.messages import _
from posctl.model.canonical import Json
from posctl.model.errors import UsageError
from protocols.errors import RemoteError

_LARGEST = 64 * 1024


@group("help.explain")
def explain() -> None:
    """The group; each command returns data."""


@command(explain, "atr", "help.explain.atr", settings=False)
@click.argument("atr", metavar="HEX", nargs=-1, required=True)
def explain_atr(console: Console, atr: tuple[str, ...]) -> Json:
    """Raises UsageError ``explain.hex``, ``explain.atr``."""
    from protocols.atr import is_contactless, read_atr

    raw = _bytes("".join(atr))
    try:
        found = read_atr(raw)
    except RemoteError as error:
        raise UsageError("explain.atr", reason=str(error)) from None
    return {
        "atr": raw.hex(" ").upper(),
        "convention": found.convention,
        "protocols": [f"T={t}" for t in found.protocols],
        "interface": [f"{n} {v:02X}" for n, v in found.interface.items()],
        "historical": found.historical.hex(" ").upper() or None,
        "check_byte": found.check,
        "contactless": is_contactless(raw),
    }


@command(explain, "tlv", "help.explain.tlv", settings=False)
@click.option("--aid", metavar="HEX", default="", help=_("option.aid"))
@click.argument(
    "file", type=click.Path(dir_okay=False, allow_dash=True, path_type=Path)
)
def explain_tlv(console: Console, aid: str, file: Path) -> Json:
    """From a file or stdin, never from the command line: a card's data hold its number.

    Raises:
        UsageError: ``explain.hex``, ``explain.tlv``, ``explain.unreadable``.
    """
    raw = _bytes(_text(file))
    try:
        return {"objects": object_views(raw, aid=_bytes(aid).hex().upper())}
    except RemoteError as error:
        raise UsageError("explain.tlv", reason=str(error)) from None


def object_views(data: bytes, *, aid: str = "") -> list[Json]:
    """Raises RemoteError: no TLV data."""
    from protocols.tagnames import explain as explained

    return [
        {
            "tag": f"{'. ' * one.depth}{one.tag}",
            "length": one.length,
            "meaning": one.name or None,
            "value": one.value or None,
        }
        for one in explained(data, aid=aid)
    ]


def _text(file: Path) -> str:
    """Raises UsageError ``explain.unreadable``."""
    try:
        if str(file) == "-":
            return sys.stdin.read(_LARGEST)
        with file.open(encoding="ascii") as opened:
            return opened.read(_LARGEST)
    except (OSError, UnicodeDecodeError) as error:
        reason = type(error).__name__
        raise UsageError("explain.unreadable", path=str(file), reason=reason) from None


def _bytes(text: str) -> bytes:
    """Hexadecimal with blanks, colons and 0x as people write it. Nothing of it is
    quoted. Raises UsageError ``explain.hex``."""
    digits = "".join(text.replace("0x", "").replace(":", "").split())
    try:
        return bytes.fromhex(digits)
    except ValueError:
        raise UsageError("explain.hex") from None
