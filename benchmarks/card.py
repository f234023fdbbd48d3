"""A card in a real pcscd: posctl's own way to it beside bare SCardTransmit, and a whole
card read and authenticated. Run in a process of its own, as a pcscd is for one."""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from emulator.card.applet import DEBIT_CARD
from emulator.card.hierarchy import hierarchy
from emulator.card.pcscd import PrivatePcscd
from protocols.apdu import Command, Steps

TURNS, APDUS = 15, 1000
ECHO = bytes.fromhex("80CA9F7F00")
"""GET DATA, which our card refuses at once."""
PEEK = """
ui.question = function() return 1 end
dofile(os.getenv("HOME") .. "/.cardpeek/scripts/emv.lua")
os.exit(0)
"""


def measure() -> dict[str, float]:
    """By turns, medians: APDUs a second of both ways, seconds of a whole card."""
    with tempfile.TemporaryDirectory() as folder:
        with PrivatePcscd(Path(folder) / "pcscd") as service:
            os.environ.update(service.environment)
            service.insert(0, hierarchy().personalise(DEBIT_CARD))
            found = _rates(service.readers[0])
            found.update(_whole(service.readers[0]))
            found["cardpeek"] = _peek(service, Path(folder))
    return found


def _rates(reader: str) -> dict[str, float]:
    """A deadline needs a thread, which PC/SC's calls are slower in, whosever they are:
    so both kinds of bare ones are measured. The ratios are of each turn by itself."""
    turns = [
        (_ours(reader), _bare(reader), _bare_in_a_thread(reader))
        for _turn in range(TURNS)
    ]
    ours = statistics.median(mine for mine, _main, _thread in turns)
    main = statistics.median(mine / main for mine, main, _thread in turns)
    thread = statistics.median(mine / thread for mine, _main, thread in turns)
    return {"ours": ours, "bare": ours / main, "thread": ours / thread}


def _bare_in_a_thread(reader: str) -> float:
    rates: list[float] = []
    worker = threading.Thread(target=lambda: rates.append(_bare(reader)), daemon=True)
    worker.start()
    worker.join()
    return rates[0]


def _ours(reader: str) -> float:
    from posctl.cards.readers import open_card
    from posctl.model.deadline import Deadline

    link = open_card(reader, Deadline(10), wait=3)
    deadline, started = Deadline(60), time.perf_counter()
    link.converse(_conversation(), deadline)
    took = time.perf_counter() - started
    link.close()
    return APDUS / took


def _conversation() -> Steps[None]:
    for _one in range(APDUS):
        yield Command.from_bytes(ECHO)


def _bare(reader: str) -> float:
    from smartcard import scard

    _, context = scard.SCardEstablishContext(scard.SCARD_SCOPE_USER)
    _, card, _ = scard.SCardConnect(
        context, reader, scard.SCARD_SHARE_EXCLUSIVE, scard.SCARD_PROTOCOL_T0
    )
    started = time.perf_counter()
    for _one in range(APDUS):
        scard.SCardTransmit(card, scard.SCARD_PCI_T0, list(ECHO))
    took = time.perf_counter() - started
    scard.SCardDisconnect(card, scard.SCARD_UNPOWER_CARD)
    scard.SCardReleaseContext(context)
    return APDUS / took


def _whole(reader: str) -> dict[str, float]:
    from posctl.cards import cakeys
    from posctl.cards.readers import open_card
    from posctl.cards.reading import read_card
    from posctl.model.deadline import Deadline

    keys = cakeys.parse(hierarchy().ca_keys(), source="emulator")
    turns = []
    for _turn in range(TURNS):
        started = time.perf_counter()
        link = open_card(reader, Deadline(10), wait=3)
        card = read_card(link, Deadline(10), keys=keys)
        turns.append(time.perf_counter() - started)
        link.close()
        assert card.proof.grade.value == "genuine"
    return {"read": statistics.median(turns), "apdus": link.apdus}


def _peek(service: PrivatePcscd, folder: Path) -> float:
    """Seconds of cardpeek's own reading, its start included; 0 without it."""
    if shutil.which("cardpeek") is None:
        return 0.0
    device = f"pcsc://{service.readers[0]}"
    mine = {**os.environ, "HOME": str(folder), "READER": device}
    unpack = "printf '1\\n' | timeout 8 cardpeek -c -r \"$READER\" | head -c 3000"
    subprocess.run(["sh", "-c", unpack], env=mine, capture_output=True)
    turns = []
    for _turn in range(3):
        started = time.perf_counter()
        subprocess.run(
            ["cardpeek", "-c", "-r", device, "-e", PEEK],
            env=mine,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=30,
        )
        turns.append(time.perf_counter() - started)
    return statistics.median(turns)


if __name__ == "__main__":
    print(json.dumps(measure()), file=sys.stdout)
