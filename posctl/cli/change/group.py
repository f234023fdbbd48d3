"""The group that the other files here add their commands to."""

from __future__ import annotations

from posctl.cli.grammar import group


@group("help.change")
def change() -> None:
    """Each command returns data."""
