"""Cards in a real pcscd: the whole way through driver, daemon and libpcsclite."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from emulator.card.applet import (
    CREDIT_CARD,
    DEBIT_CARD,
    DEBIT_CARD_HAN,
    OLD_DEBIT_CARD,
    CardProfile,
)
from emulator.card.hierarchy import hierarchy
from emulator.card.pcscd import PcscdUnavailable, PrivatePcscd
from posctl.cards import cakeys
from posctl.cards.readers import open_card
from posctl.cards.reading import read_card
from posctl.links import pcsc
from posctl.model.deadline import Deadline
from posctl.model.errors import CheckFailed, LinkFailed, LinkTimeout, NoDevice
from protocols.carddata import CardData, Kind
from protocols.cardproof import Grade

pytestmark = pytest.mark.pcsc

PAN = "6216261000000000018"
WAIT = 3
Insert = Callable[[CardProfile], str]


def read(reader: str, seconds: float = 5) -> CardData:
    link = open_card(reader, Deadline(5), wait=WAIT)
    try:
        return read_card(link, Deadline(seconds))
    finally:
        link.close()


def other_program(script: str, *arguments: str) -> tuple[subprocess.Popen[str], str]:
    """Runs ``script`` beside us; gives it and the first line that it prints."""
    started = subprocess.Popen(
        [sys.executable, "-c", script, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert started.stdout is not None
    line = started.stdout.readline()
    assert line
    return started, line


HOLD_THE_CARD = """
import sys
from smartcard.scard import *
context = SCardEstablishContext(SCARD_SCOPE_USER)[1]
mode = SCARD_SHARE_EXCLUSIVE if sys.argv[2] == "exclusive" else SCARD_SHARE_SHARED
result, card, _ = SCardConnect(context, sys.argv[1], mode, SCARD_PROTOCOL_ANY)
assert result == SCARD_S_SUCCESS, result
if sys.argv[2] == "transaction":
    assert SCardBeginTransaction(card) == SCARD_S_SUCCESS
print("held", flush=True)
sys.stdin.read()
"""


@pytest.mark.req("R18", "R23")
@pytest.mark.parametrize(
    "profile", [DEBIT_CARD_HAN, OLD_DEBIT_CARD], ids=["T=0", "T=1"]
)
def test_a_debit_card_is_read(insert: Insert, profile: CardProfile) -> None:
    reader = insert(profile)
    link = open_card(reader, Deadline(5), wait=WAIT)
    assert (link.name, link.atr) == (reader, profile.atr)
    card = read_card(link, Deadline(5))
    link.close()
    assert (card.number.reveal(), card.holder) == (profile.number, profile.holder)
    assert (card.kind, card.luhn_ok) == (Kind.DEBIT, True)


@pytest.mark.req("R24")
@pytest.mark.parametrize(
    "profile", [DEBIT_CARD_HAN, OLD_DEBIT_CARD], ids=["T=0", "T=1"]
)
def test_a_chip_proves_itself(insert: Insert, profile: CardProfile) -> None:
    keys = cakeys.parse(hierarchy().ca_keys(), source="emulator")
    link = open_card(insert(hierarchy().personalise(profile)), Deadline(5), wait=WAIT)
    card = read_card(link, Deadline(5), keys=keys)
    link.close()
    assert card.proof.grade is Grade.GENUINE


@pytest.mark.req("R20")
def test_a_credit_card_is_refused(insert: Insert) -> None:
    with pytest.raises(CheckFailed) as caught:
        read(insert(CREDIT_CARD))
    assert caught.value.code == "card.kind_refused"
    assert CREDIT_CARD.number not in str(caught.value)


@pytest.mark.req("R55")
def test_which_reader_and_no_card(pcscd: PrivatePcscd) -> None:
    assert pcsc.list_readers(Deadline(5)) == list(pcscd.readers)
    with pytest.raises(NoDevice) as caught:
        open_card(None, Deadline(5), wait=0)
    assert caught.value.code == "reader.ambiguous"
    assert all(name in caught.value.params["candidates"] for name in pcscd.readers)
    for wrong in ("POS CARD", "POS CARD 00 0", "pos card 00 00"):
        with pytest.raises(NoDevice, match=r"reader\.unknown") as caught:
            open_card(wrong, Deadline(5), wait=0)
        assert pcscd.readers[0] in caught.value.params["candidates"]
    with pytest.raises(NoDevice, match=r"card\.none"):
        open_card(pcscd.readers[-1], Deadline(5), wait=0)


def test_a_card_put_in_while_waiting(pcscd: PrivatePcscd) -> None:
    late = threading.Timer(0.2, pcscd.insert, (2, DEBIT_CARD))
    late.start()
    try:
        assert read(pcscd.readers[2]).number.reveal() == PAN
    finally:
        late.join()
        pcscd.remove(2)


@pytest.mark.parametrize("after", [0, 9])
def test_a_card_pulled_out_midway(insert: Insert, after: int) -> None:
    reader = insert(replace(DEBIT_CARD, fault="gone", fault_after=after))
    with pytest.raises(LinkFailed) as caught:
        read(reader)
    assert caught.value.code == "card.removed"


@pytest.mark.req("R43")
def test_a_mute_card_ends_in_time_and_blocks_nothing_else(
    pcscd: PrivatePcscd, insert: Insert
) -> None:
    reader = insert(replace(DEBIT_CARD, fault="mute", fault_after=5))
    started = time.monotonic()
    with pytest.raises(LinkTimeout, match=r"card\.mute"):
        read(reader, seconds=0.5)
    assert time.monotonic() - started < 2.5
    # Its call still hangs in libpcsclite: others must not be caught behind it.
    with pytest.raises(NoDevice, match=r"card\.none"):
        open_card(pcscd.readers[-1], Deadline(2), wait=0)
    assert read(insert(DEBIT_CARD)).number.reveal() == PAN


READ_ONCE = """
import sys
from posctl.cards.readers import open_card
from posctl.cards.reading import read_card
from posctl.model.deadline import Deadline
try:
    read_card(open_card(sys.argv[1], Deadline(5), wait=3), Deadline(0.5))
except Exception as error:
    print(error.code)
"""


@pytest.mark.req("R43")
def test_a_mute_card_does_not_hold_up_the_end_of_the_program(insert: Insert) -> None:
    reader = insert(replace(DEBIT_CARD, fault="mute", fault_after=5))
    done = subprocess.run(
        [sys.executable, "-c", READ_ONCE, reader],
        capture_output=True,
        text=True,
        timeout=5,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "card.mute\n", "")


def test_a_card_that_another_program_holds(insert: Insert) -> None:
    reader = insert(DEBIT_CARD)
    open_card(reader, Deadline(5), wait=WAIT).close()
    with other_program(HOLD_THE_CARD, reader, "exclusive")[0]:
        with pytest.raises(LinkFailed, match=r"card\.in_use"):
            open_card(reader, Deadline(5), wait=WAIT)
    with other_program(HOLD_THE_CARD, reader, "shared")[0]:
        assert read(reader).number.reveal() == PAN
    assert read(reader).number.reveal() == PAN


@pytest.mark.req("R55")
def test_a_transaction_of_another_program_is_no_mute_card(insert: Insert) -> None:
    reader = insert(DEBIT_CARD)
    open_card(reader, Deadline(5), wait=WAIT).close()
    with other_program(HOLD_THE_CARD, reader, "transaction")[0]:
        with pytest.raises(LinkFailed, match=r"card\.in_use"):
            open_card(reader, Deadline(1), wait=0)
    assert read(reader).number.reveal() == PAN


READ_SLOWLY = """
import sys
from posctl.cards.readers import open_card
from posctl.cards.reading import read_card
from posctl.model.deadline import Deadline
link = open_card(sys.argv[1], Deadline(5), wait=3)
print("reading", flush=True)
try:
    read_card(link, Deadline(20))
except Exception as error:
    print(type(error).__name__, error.code, flush=True)
link.close()
"""


def service_of(directory: Path) -> int:
    """The process id of the pcscd with its configuration there."""
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            words = process.read_bytes().split(b"\0")
            ours = any(str(directory).encode() in word for word in words)
            if Path(os.fsdecode(words[0])).name == "pcscd" and ours:
                return int(process.parent.name)
    raise AssertionError("no pcscd there")


@pytest.mark.req("R55")
@pytest.mark.parametrize("how", ["killed", "ended", "with the card"])
def test_a_service_that_ends_while_a_card_is_read(
    pcscd: PrivatePcscd, tmp_path: Path, how: str
) -> None:
    """Whatever it says while it ends: it is the service, no card and no reader."""
    with PrivatePcscd(tmp_path) as other:
        other.insert(0, replace(DEBIT_CARD, fault="slow", fault_after=1))
        reading = subprocess.Popen(
            [sys.executable, "-c", READ_SLOWLY, other.readers[0]],
            env={**os.environ, **other.environment},
            stdout=subprocess.PIPE,
            text=True,
        )
        assert reading.stdout is not None
        assert reading.stdout.readline() == "reading\n"
        assert other._helper is not None
        served = other._helper.pid if how == "with the card" else service_of(tmp_path)
        os.kill(served, signal.SIGTERM if how == "ended" else signal.SIGKILL)
        told, _ = reading.communicate(timeout=20)
    assert told.split() == ["LinkFailed", "pcsc.no_service"]


def test_opensc_sees_the_same_card(insert: Insert) -> None:
    if shutil.which("opensc-tool") is None:
        pytest.skip("opensc-tool is not installed")
    reader = insert(DEBIT_CARD)
    open_card(reader, Deadline(5), wait=WAIT).close()
    # Without "-c default" it first probes for every card that it knows.
    probing = ["opensc-tool", "-r", reader, "-a"]
    select = "00A4040008A000000333010101"
    sending = ["opensc-tool", "-r", reader, "-c", "default", "-s", select]
    seen = [
        subprocess.run(command, capture_output=True, text=True, timeout=20).stdout
        for command in (probing, sending)
    ]
    assert seen[0].strip() == DEBIT_CARD.atr.hex(":")
    assert "SW1=0x90, SW2=0x00" in seen[1]
    assert read(reader).number.reveal() == PAN


def test_pcsc_scan_sees_the_same_card(insert: Insert, pcscd: PrivatePcscd) -> None:
    if shutil.which("pcsc_scan") is None:
        assert os.environ.get("CI") != "true"
        pytest.skip("no pcsc_scan: .ci/setup test installs it")
    reader = insert(DEBIT_CARD)
    open_card(reader, Deadline(5), wait=WAIT).close()
    done = subprocess.run(
        ["timeout", "2", "pcsc_scan", "-n"], capture_output=True, text=True
    )
    shown = re.sub(r"\x1b\[[0-9;]*m", "", done.stdout)
    assert reader in shown
    assert DEBIT_CARD.atr.hex(" ").upper() in shown


NO_SERVICE = """
from posctl.cards.readers import open_card
from posctl.model.deadline import Deadline
try:
    open_card(None, Deadline(5), wait=0)
except Exception as error:
    print(type(error).__name__, error.code)
"""


@pytest.mark.req("R55")
def test_without_a_service(pcscd: PrivatePcscd, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", NO_SERVICE],
        env={**os.environ, "PCSCLITE_CSOCK_NAME": str(tmp_path / "none")},
        capture_output=True,
        text=True,
        timeout=10,
    )
    assert done.stdout.split() == ["LinkFailed", "pcsc.no_service"]


# -- the private pcscd itself -----------------------------------------------------

START_AND_TELL = """
import sys
from pathlib import Path
from emulator.card.applet import DEBIT_CARD
from emulator.card.pcscd import PrivatePcscd
running = PrivatePcscd(Path(sys.argv[1]))
running.start()
running.insert(0, DEBIT_CARD)
print(running._helper.pid, flush=True)
sys.stdin.read()
"""


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as sock:
        return sock.connect_ex(str(path)) == 0


@pytest.mark.parametrize("killed", ["parent", "helper"])
def test_nothing_survives_a_kill(
    pcscd: PrivatePcscd, tmp_path: Path, killed: str
) -> None:
    parent, helper = other_program(START_AND_TELL, str(tmp_path))
    assert _answers(tmp_path / "pcscd.comm")
    os.kill(parent.pid if killed == "parent" else int(helper), signal.SIGKILL)
    end = time.monotonic() + 5
    while _answers(tmp_path / "pcscd.comm"):
        assert time.monotonic() < end, "pcscd outlives its parent"
        time.sleep(0.02)
    parent.communicate()


def test_no_port_is_open_to_others(pcscd: PrivatePcscd) -> None:
    """vpcd's ports exist in the helper's namespace only."""
    ports = (35963, 35964)
    config = (pcscd.directory / "reader.conf").read_text("utf-8")
    assert f"CHANNELID {ports[0]}" in config
    listening = Path("/proc/self/net/tcp").read_text("ascii")
    assert not any(f"{port:04X} 00000000:0000 0A" in listening for port in ports)


def test_several_entries_keep_their_readers_apart(
    pcscd: PrivatePcscd, tmp_path: Path
) -> None:
    script = (
        "import sys\n"
        "from posctl.cards.readers import open_card\n"
        "from posctl.model.deadline import Deadline\n"
        "for name in sys.argv[1:]:\n"
        "    print(open_card(name, Deadline(5), wait=3).atr.hex())\n"
    )
    with PrivatePcscd(tmp_path, entries=2) as other:
        assert len(set(other.readers)) == 4
        other.insert(0, DEBIT_CARD)
        other.insert(3, OLD_DEBIT_CARD)
        done = subprocess.run(
            [sys.executable, "-c", script, other.readers[0], other.readers[3]],
            env={**os.environ, **other.environment},
            capture_output=True,
            text=True,
            timeout=20,
        )
    assert done.stdout.split() == [DEBIT_CARD.atr.hex(), OLD_DEBIT_CARD.atr.hex()]


def test_the_helper_says_what_is_wrong(pcscd: PrivatePcscd, tmp_path: Path) -> None:
    with pytest.raises(PcscdUnavailable, match="no slot 7"):
        pcscd.insert(7, DEBIT_CARD)
    with pytest.raises(PcscdUnavailable, match="too long"):
        PrivatePcscd(tmp_path / ("x" * 100)).start()
    with pytest.raises(PcscdUnavailable, match="below /run"):
        PrivatePcscd(Path("/run/posctl-test")).start()
    with pytest.raises(PcscdUnavailable, match="not started"):
        PrivatePcscd(tmp_path).insert(0, DEBIT_CARD)
