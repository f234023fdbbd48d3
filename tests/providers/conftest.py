"""The world of ``provider_world`` as fixtures; nothing may be left running."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from provider_world import (
    ACCESSER,
    KEY,
    MID,
    NOON,
    SETTINGS,
    SetClock,
    World,
    make_ledger,
)
from wechat_world import WeChatWorld, wechat_world

from emulator.acquirer.ca import Authority
from emulator.acquirer.chinaums import Accesser, Course
from emulator.acquirer.https import ProviderService
from posctl.providers import open_provider
from protocols.chinaums import Credentials


@pytest.fixture(scope="session")
def authority() -> Authority:
    return Authority()


@pytest.fixture(scope="session")
def ca_file(authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return authority.write_certificate(tmp_path_factory.mktemp("ca") / "ca.pem")


@pytest.fixture
def world(authority: Authority, ca_file: Path) -> Iterator[World]:
    ledger, clock = make_ledger(), SetClock()
    accesser = Accesser(Credentials(ACCESSER, KEY), frozenset({MID}))
    course = Course(risk_review=60, manual_review=120, done=180)
    service = ProviderService(ledger, [accesser], authority, course=course, clock=clock)
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
