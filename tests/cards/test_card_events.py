"""Readers and cards that come and go, in a real pcscd of our own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from emulator.card.applet import DEBIT_CARD, OLD_DEBIT_CARD
from emulator.card.pcscd import PrivatePcscd
from posctl.cards.readers import open_card
from posctl.cards.watching import Event, watch
from posctl.links.pcsc import seats
from posctl.model.deadline import Deadline
from posctl.model.errors import LinkFailed
from protocols.apdu import SELECT, Command, Steps
from protocols.emv import PSE

pytestmark = pytest.mark.pcsc
SLOT = 2
"""Of the three that are used, the one that no other test puts cards into."""


def following(events: Iterator[Event], reader: str) -> Callable[[], Event]:
    """The next event of that reader."""

    def next_one() -> Event:
        return next(event for event in events if event.reader == reader)

    return next_one


@pytest.mark.req("R55")
def test_a_card_comes_is_swapped_and_goes(pcscd: PrivatePcscd) -> None:
    reader = pcscd.readers[SLOT]
    told = following(watch(Deadline(20)), reader)
    assert told() == Event("reader.there", reader)
    pcscd.insert(SLOT, DEBIT_CARD)
    assert told() == Event("card.in", reader, DEBIT_CARD.atr)
    pcscd.insert(SLOT, OLD_DEBIT_CARD)  # the first is pulled out for it
    assert told() == Event("card.out", reader)
    assert told() == Event("card.in", reader, OLD_DEBIT_CARD.atr)
    pcscd.remove(SLOT)
    assert told() == Event("card.out", reader)


def test_watching_ends_in_time(pcscd: PrivatePcscd) -> None:
    events = list(watch(Deadline(0.5)))
    there = {event.reader for event in events if event.what == "reader.there"}
    assert there == set(pcscd.readers)


def test_a_look_touches_no_card(pcscd: PrivatePcscd) -> None:
    found = seats(Deadline(5))
    assert list(found) == list(pcscd.readers)


WATCH = """
import sys
from posctl.cards.readers import open_card
from posctl.cards.watching import watch
from posctl.model.deadline import Deadline
for event in watch(Deadline(20)):
    print(event.what, event.reader, flush=True)
"""


@pytest.mark.req("R55")
def test_a_service_that_stops_is_waited_for(
    pcscd: PrivatePcscd, tmp_path: Path
) -> None:
    """In a process of its own: libpcsclite knows one service all its life."""
    service = PrivatePcscd(tmp_path / "service")
    with service:
        watching = subprocess.Popen(
            [sys.executable, "-c", WATCH],
            env={**os.environ, **service.environment},
            stdout=subprocess.PIPE,
            text=True,
        )
        assert watching.stdout is not None

        def until(event: str) -> None:
            for line in watching.stdout or ():
                if line.strip() == event:
                    return
            raise AssertionError(f"no {event}")

        first = service.readers[0]
        until(f"reader.there {first}")
        service.stop()
        until("service.gone")
        service.start()
        until("service.back")
        until(f"reader.there {first}")
    watching.kill()
    watching.wait()


@pytest.mark.req("R55")
def test_a_card_swapped_while_it_is_read_is_noticed(pcscd: PrivatePcscd) -> None:
    """The first is slow; the second is in before the next command is sent."""
    pcscd.insert(SLOT, DEBIT_CARD)
    link = open_card(pcscd.readers[SLOT], Deadline(5), wait=3)

    def reading() -> Steps[None]:
        yield Command(0x00, SELECT, 0x04, 0x00, PSE, le=256)
        pcscd.insert(SLOT, OLD_DEBIT_CARD)
        yield Command(0x00, SELECT, 0x04, 0x00, PSE, le=256)

    with pytest.raises(LinkFailed) as caught:
        link.converse(reading(), Deadline(10))
    assert caught.value.code == "card.swapped"
    link.close()
    pcscd.remove(SLOT)
