"""A set-up whose profile a test changes."""

from __future__ import annotations

from pathlib import Path

import pytest
from procedures import Changed, register, site_with
from world import Site

from emulator.bench import MID


@pytest.fixture
def changed(site: Site, tmp_path: Path) -> Changed:
    """A set-up under a changed emulator profile, the merchant registered."""

    def make(changes: dict[str, str], *more: str, owner: str = "全渠道") -> Site:
        made = site_with(site, tmp_path / "changed", changes)
        register(made, MID, *more, owner=owner)
        return made

    return make
