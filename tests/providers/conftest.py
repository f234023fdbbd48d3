"""The world of ``provider_world`` as fixtures; nothing may be left running."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from provider_world import (
    ACCESSER,
    KEY,
    MID,
    NOON,
    SETTINGS,
    MakeWorld,
    SetClock,
    World,
    make_ledger,
)
from wechat_world import WeChatWorld, wechat_world

from emulator.acquirer.ca import Authority
from emulator.acquirer.chinaums import Accesser, Course
from emulator.acquirer.https import ProviderService
from emulator.acquirer.ledger import Ledger
from emulator.acquirer.notices import Notify
from emulator.acquirer.rules import Rules
from posctl.providers import open_provider
from protocols.chinaums import Credentials


@pytest.fixture(scope="session")
def authority() -> Authority:
    return Authority()


@pytest.fixture(scope="session")
def ca_file(authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return authority.write_certificate(tmp_path_factory.mktemp("ca") / "ca.pem")


@pytest.fixture
def make_world(authority: Authority, ca_file: Path) -> Iterator[MakeWorld]:
    """Makes a running world; see ``started``."""
    with ExitStack() as stack:

        def make(**wanted: object) -> World:
            return stack.enter_context(started(authority, ca_file, **wanted))  # type: ignore[arg-type]

        yield make


@pytest.fixture
def world(make_world: MakeWorld) -> World:
    return make_world()


@contextmanager
def started(
    authority: Authority,
    ca_file: Path,
    *,
    ledger: Ledger | None = None,
    mids: Iterable[str] = (MID,),
    signs: bool = True,
    rules: Rules | None = None,
    notify: Notify | None = None,
) -> Iterator[World]:
    """A world with the service's own arguments; at the end nothing is left of it."""
    ledger, clock = ledger or make_ledger(), SetClock()
    accesser = Accesser(Credentials(ACCESSER, KEY), frozenset(mids), signs)
    service = ProviderService(
        ledger,
        [accesser],
        authority,
        course=Course(risk_review=60, manual_review=120, done=180),
        clock=clock,
        rules=rules,
        notify=notify,
    )
    before = set(threading.enumerate())
    url = service.start()
    provider = open_provider(
        "chinaums", url=url, ca_file=ca_file, credentials=SETTINGS, clock=lambda: NOON
    )
    yield World(ledger, service, provider, clock, url, ca_file)
    began = time.monotonic()
    service.stop()
    assert time.monotonic() - began < 2.0, "it waited for a delayed answer"
    left = {t.name for t in set(threading.enumerate()) - before if not t.daemon}
    assert not left


@pytest.fixture
def wechat(authority: Authority, ca_file: Path) -> Iterator[WeChatWorld]:
    before = set(threading.enumerate())
    with wechat_world(authority, ca_file) as running:
        yield running
    left = {t.name for t in set(threading.enumerate()) - before if not t.daemon}
    assert not left
