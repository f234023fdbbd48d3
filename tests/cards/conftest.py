"""Cards on real links: the emulator's TCP one, and a real pcscd of our own."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator

import pytest

from emulator.card.applet import CardProfile
from emulator.card.direct import CardSlot, DirectCardServer
from emulator.card.pcscd import PrivatePcscd, available


@pytest.fixture
def direct() -> Iterator[DirectCardServer]:
    with DirectCardServer(CardSlot()) as server:
        yield server


@pytest.fixture(scope="session")
def pcscd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrivatePcscd]:
    """One for the whole process: libpcsclite reads its variable only once."""
    reason = available()
    if reason and os.environ.get("CI") == "true":
        pytest.fail(f"no private pcscd in CI: {reason}")
    if reason:
        pytest.skip(reason)
    with PrivatePcscd(tmp_path_factory.mktemp("pcscd"), entries=2) as running:
        with pytest.MonkeyPatch.context() as patch:
            for name, value in running.environment.items():
                patch.setenv(name, value)
            yield running


# The first two take turns, so that no test waits for pcscd to notice that the card
# before is gone. The last one stays empty.
_slots = itertools.cycle(range(2))


@pytest.fixture
def insert(pcscd: PrivatePcscd) -> Iterator[Callable[[CardProfile], str]]:
    """Puts a card into a reader, the same all through a test; gives its name."""
    slot = next(_slots)

    def put_in(profile: CardProfile) -> str:
        pcscd.insert(slot, profile)
        return pcscd.readers[slot]

    yield put_in
    pcscd.remove(slot)
