"""cardpeek, an EMV reader that no one here wrote, reads our cards through pcscd and
finds every object that is on them; what posctl makes of them is the same."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest

from emulator.card.applet import (
    DEBIT_CARD_HAN,
    OLD_DEBIT_CARD,
    Applet,
    CardProfile,
)
from emulator.card.hierarchy import hierarchy
from emulator.card.pcscd import PrivatePcscd
from posctl.cards import cakeys
from posctl.cards.readers import open_card
from posctl.cards.reading import read_card
from posctl.model.deadline import Deadline
from protocols import tlv
from protocols.cardproof import Grade

pytestmark = pytest.mark.pcsc
Insert = Callable[[CardProfile], str]

UNPACK = r"""
printf '1\n' | timeout 8 cardpeek -c -r "$READER" -e 'print(1)' | head -c 3000
"""
"""The first run makes its folder, and asks whether it may: at the end of the input its
question would loop for ever."""
READ = """
ui.question = function() return 1 end
dofile(os.getenv("HOME") .. "/.cardpeek/scripts/emv.lua")
local file = io.open(os.getenv("HOME") .. "/card.xml", "w")
file:write(nodes.to_xml(nodes.root()))
file:close()
os.exit(0)
"""


@pytest.fixture
def peek(pcscd: PrivatePcscd, tmp_path: Path) -> Callable[[str], set[tuple[int, str]]]:
    """Tag and value of each object that cardpeek finds."""
    if shutil.which("cardpeek") is None:
        assert os.environ.get("CI") != "true"
        pytest.skip("no cardpeek: .ci/setup test installs it")

    def read(reader: str) -> set[tuple[int, str]]:
        device = f"pcsc://{reader}"
        mine = {**os.environ, **pcscd.environment, "HOME": str(tmp_path)}
        subprocess.run(
            ["sh", "-c", UNPACK],
            env={**mine, "READER": device},
            capture_output=True,
            timeout=30,
        )
        subprocess.run(
            ["cardpeek", "-c", "-r", device, "-e", READ],
            env=mine,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=30,
        )
        text = (tmp_path / "card.xml").read_text("utf-8", "replace")
        root = ElementTree.fromstring(text.partition("\n")[2])  # noqa: S314 - its own
        return set(_objects(root))

    return read


def _objects(root: ElementTree.Element) -> Iterator[tuple[int, str]]:
    for node in root.iter("node"):
        parts = {a.get("name"): a.text or "" for a in node.findall("attr")}
        kind, _colon, value = parts.get("val", "").partition(":")
        if parts.get("classname") == "item" and kind == "8":
            yield int(parts["id"], 16), value


def on_the_card(profile: CardProfile) -> set[tuple[int, str]]:
    """Every object that is no template, of all records."""
    files = Applet(profile).files.values()
    return {
        (item.tag, item.value.hex().upper())
        for records in files
        for record in records
        for item in tlv.walk(record)
        if not item.constructed
    }


@pytest.mark.req("R23")
@pytest.mark.parametrize(
    "profile", [DEBIT_CARD_HAN, OLD_DEBIT_CARD], ids=["T=0", "T=1"]
)
def test_another_reader_finds_every_object(
    insert: Insert,
    peek: Callable[[str], set[tuple[int, str]]],
    profile: CardProfile,
) -> None:
    card = hierarchy().personalise(profile)
    reader = insert(card)
    expected = on_the_card(card)
    link = open_card(reader, Deadline(5), wait=3)
    keys = cakeys.parse(hierarchy().ca_keys(), source="emulator")
    ours = read_card(link, Deadline(5), keys=keys)
    link.close()

    found = peek(reader)
    assert expected - found == set()
    (number,) = {value.rstrip("F") for tag, value in found if tag == 0x5A}
    (holder,) = {bytes.fromhex(v) for tag, v in found if tag == 0x5F20}
    assert ours.number.reveal() == number
    assert ours.holder == holder.decode("gb18030").strip()
    assert ours.proof.grade is Grade.GENUINE
