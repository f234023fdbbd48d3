"""Cards over the direct link: a real socket, no PC/SC."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date

import pytest

from emulator.card.applet import (
    CREDIT,
    CREDIT_CARD,
    DEBIT_CARD,
    DEBIT_CARD_HAN,
    ELECTRONIC_CASH,
    OLD_DEBIT_CARD,
    QUASI_CREDIT,
    CardProfile,
    Fault,
    Listed,
)
from emulator.card.direct import DirectCardServer
from emulator.card.hierarchy import hierarchy
from posctl.cards import cakeys
from posctl.cards.readers import open_card
from posctl.cards.reading import read_card
from posctl.links.watchdog import call_within
from posctl.model.deadline import Deadline
from posctl.model.errors import (
    CheckFailed,
    LinkFailed,
    LinkTimeout,
    NoDevice,
    PosctlError,
    UsageError,
)
from protocols.carddata import CardData, Kind
from protocols.cardproof import Grade

PAN, MASK = "6216261000000000018", "621626*********0018"


def read(
    server: DirectCardServer, profile: CardProfile, today: date | None = None
) -> CardData:
    server.slot.insert(profile)
    link = open_card(server.address, Deadline(5), wait=0)
    try:
        return read_card(link, Deadline(5), today=today)
    finally:
        link.close()


def refusal(
    server: DirectCardServer, profile: CardProfile, today: date | None = None
) -> PosctlError:
    with pytest.raises(PosctlError) as caught:
        read(server, profile, today)
    assert profile.number not in f"{caught.value!r}{caught.value}{vars(caught.value)}"
    return caught.value


@contextmanager
def peer(behave: Callable[[socket.socket], None]) -> Iterator[str]:
    """A server that is no card: gives its address, runs ``behave`` once."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            sock, _ = listener.accept()
            with sock:
                behave(sock)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"tcp:127.0.0.1:{listener.getsockname()[1]}"
        thread.join(timeout=5)


@pytest.mark.req("R18", "R23")
def test_cards_are_read_one_after_the_other(direct: DirectCardServer) -> None:
    card = read(direct, DEBIT_CARD_HAN)
    assert (card.number.reveal(), card.holder) == (PAN, "全渠道")
    assert (card.kind, card.luhn_ok) == (Kind.DEBIT, True)
    assert read(direct, OLD_DEBIT_CARD).number.reveal() == "6212345678901265"


@pytest.mark.req("R18")
def test_the_expiry_is_dropped_after_the_check(direct: DirectCardServer) -> None:
    assert read(direct, DEBIT_CARD).expiry is None


@pytest.mark.req("R20")
@pytest.mark.parametrize(
    ("aid", "kind"),
    [
        (CREDIT, "credit"),
        (QUASI_CREDIT, "quasi-credit"),
        (ELECTRONIC_CASH, "electronic cash"),
    ],
)
def test_only_debit_passes(direct: DirectCardServer, aid: str, kind: str) -> None:
    error = refusal(direct, replace(CREDIT_CARD, aid=aid))
    assert isinstance(error, CheckFailed)
    assert error.code == "card.kind_refused"
    assert error.params == {"kind": kind, "aid": aid}


@pytest.mark.req("R20")
def test_a_credit_card_with_a_debit_application_passes(
    direct: DirectCardServer,
) -> None:
    both = replace(CREDIT_CARD, others=(Listed("A000000333010101", "Debit", 9),))
    assert read(direct, both).kind is Kind.DEBIT


@pytest.mark.req("R20")
def test_an_unknown_kind_passes_as_unknown(direct: DirectCardServer) -> None:
    card = read(direct, replace(DEBIT_CARD, aid="A000000333010108"))
    assert card.kind is Kind.UNKNOWN


@pytest.mark.req("R21")
def test_a_chip_number_that_fails_luhn_is_marked_only(direct: DirectCardServer) -> None:
    card = read(direct, replace(DEBIT_CARD, number="6222040000030012"))
    assert not card.luhn_ok


@pytest.mark.req("R22")
@pytest.mark.parametrize("tag", ["9F19", "9F24"])
def test_a_device_token_is_refused(direct: DirectCardServer, tag: str) -> None:
    error = refusal(direct, replace(DEBIT_CARD, extra={tag: "0102030405"}))
    assert (error.code, error.params) == ("card.token", {"card": MASK})


@pytest.mark.req("R18")
def test_a_card_is_good_to_the_end_of_its_month(direct: DirectCardServer) -> None:
    card = replace(DEBIT_CARD, expiry="2611")
    assert read(direct, card, date(2026, 11, 30)).number.reveal() == PAN
    error = refusal(direct, card, date(2026, 12, 1))
    assert (error.code, error.params) == ("card.expired", {"card": MASK})


@pytest.mark.req("R55")
def test_a_foreign_card_is_told_apart(direct: DirectCardServer) -> None:
    foreign = replace(DEBIT_CARD, aid="A0000000031010", pse=False)
    assert refusal(direct, foreign).code == "card.foreign"
    transit = replace(DEBIT_CARD, aid="A00000063201010106", pse=False)
    assert refusal(direct, transit).code == "card.not_payment"


@pytest.mark.req("R23")
def test_a_contactless_card_is_selected_and_not_read(
    direct: DirectCardServer,
) -> None:
    """One command, which costs nothing; even a phone's token is only named."""
    direct.slot.insert(replace(DEBIT_CARD, interface="contactless"))
    link = open_card(direct.address, Deadline(5), wait=0)
    with pytest.raises(CheckFailed) as caught:
        read_card(link, Deadline(5))
    assert caught.value.code == "card.contactless"
    assert caught.value.params["applications"] == "UnionPay Debit"
    assert link.apdus == 1
    link.close()


def test_a_contactless_card_without_a_directory(direct: DirectCardServer) -> None:
    direct.slot.insert(replace(DEBIT_CARD, interface="contactless", pse=False))
    link = open_card(direct.address, Deadline(5), wait=0)
    with pytest.raises(CheckFailed) as caught:
        read_card(link, Deadline(5))
    assert caught.value.params["applications"] == "-"
    link.close()


def test_a_card_that_contradicts_itself(direct: DirectCardServer) -> None:
    error = refusal(direct, replace(DEBIT_CARD, extra={"5A": "6212345678901265"}))
    assert isinstance(error, LinkFailed)
    assert error.code == "card.malformed"


@pytest.mark.req("R55")
def test_no_card_and_no_server(direct: DirectCardServer) -> None:
    with pytest.raises(NoDevice, match=r"card\.none"):
        open_card(direct.address, Deadline(5), wait=0)
    direct.stop()
    with pytest.raises(NoDevice, match=r"reader\.missing"):
        open_card(direct.address, Deadline(5), wait=0)


def test_a_card_put_in_while_waiting(direct: DirectCardServer) -> None:
    late = threading.Timer(0.3, direct.slot.insert, (DEBIT_CARD,))
    late.start()
    link = open_card(direct.address, Deadline(5), wait=4)
    assert read_card(link, Deadline(5)).number.reveal() == PAN
    link.close()


@pytest.mark.req("R43")
def test_waiting_for_a_card_ends(direct: DirectCardServer) -> None:
    started = time.monotonic()
    with pytest.raises(NoDevice, match=r"card\.none"):
        open_card(direct.address, Deadline(0.3), wait=60)
    assert 0.2 < time.monotonic() - started < 2


@pytest.mark.parametrize("after", [0, 5, 12])
def test_a_card_pulled_out_midway(direct: DirectCardServer, after: int) -> None:
    error = refusal(direct, replace(DEBIT_CARD, fault="gone", fault_after=after))
    assert isinstance(error, LinkFailed)
    assert error.code == "card.removed"
    assert read(direct, DEBIT_CARD).number.reveal() == PAN


def test_a_swapped_card_is_not_read_on(direct: DirectCardServer) -> None:
    direct.slot.insert(DEBIT_CARD)
    link = open_card(direct.address, Deadline(5), wait=0)
    link.transmit(bytes.fromhex("00A4040000"), Deadline(5))
    direct.slot.insert(OLD_DEBIT_CARD)
    with pytest.raises(LinkFailed, match=r"card\.removed"):
        read_card(link, Deadline(5))
    link.close()


@pytest.mark.req("R43")
def test_a_mute_card_ends_at_the_deadline(direct: DirectCardServer) -> None:
    direct.slot.insert(replace(DEBIT_CARD, fault="mute", fault_after=4))
    link = open_card(direct.address, Deadline(5), wait=0)
    started = time.monotonic()
    with pytest.raises(LinkTimeout, match=r"card\.mute"):
        read_card(link, Deadline(0.4))
    assert 0.3 < time.monotonic() - started < 2.4
    link.close()
    assert read(direct, DEBIT_CARD).number.reveal() == PAN


@pytest.mark.req("R43")
def test_a_peer_that_drips_bytes_does_not_stretch_the_deadline() -> None:
    stop = threading.Event()

    def drip(sock: socket.socket) -> None:
        sock.sendall(b"\x7f\xff")
        while not stop.wait(0.05):
            sock.sendall(b"\x3b")

    with peer(drip) as address:
        started = time.monotonic()
        with pytest.raises(LinkTimeout):
            open_card(address, Deadline(0.4), wait=0)
        assert time.monotonic() - started < 2.4
        stop.set()


@pytest.mark.parametrize("answer", ["0003414243", "0000", "000190"])
def test_an_answer_without_status_word(answer: str) -> None:
    def torn(sock: socket.socket) -> None:
        sock.recv(100)
        sock.sendall(bytes.fromhex("00023B00"))
        sock.recv(100)
        sock.sendall(bytes.fromhex(answer))

    with peer(torn) as address:
        link = open_card(address, Deadline(5), wait=0)
        with pytest.raises(LinkFailed, match=r"card\.garbled"):
            link.transmit(bytes.fromhex("00A4040000"), Deadline(5))
        link.close()


@pytest.mark.parametrize(
    "address", ["tcp:", "tcp:127.0.0.1", "tcp:127.0.0.1:0", "tcp:10.0.0.1:5", "tcp:x:y"]
)
def test_only_this_machine(address: str) -> None:
    with pytest.raises(UsageError, match=r"reader\.address"):
        open_card(address, Deadline(1), wait=0)


def test_without_pyscard_it_is_said_and_the_direct_link_works(
    direct: DirectCardServer,
) -> None:
    direct.slot.insert(DEBIT_CARD)
    script = (
        "import sys; sys.modules['smartcard'] = None\n"
        "from posctl.cards.readers import open_card\n"
        "from posctl.model.deadline import Deadline\n"
        "print(open_card(sys.argv[1], Deadline(5), wait=0).atr.hex())\n"
        "try: open_card(None, Deadline(5), wait=0)\n"
        "except Exception as error: print(type(error).__name__, error.code)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, direct.address],
        capture_output=True,
        text=True,
        timeout=20,
        check=True,
    )
    assert done.stdout.split() == [
        DEBIT_CARD.atr.hex(),
        "NoDevice",
        "pcsc.unavailable",
    ]


# -- the watchdog -----------------------------------------------------------------


@pytest.mark.req("R43")
def test_the_watchdog_lets_results_and_errors_through() -> None:
    assert call_within(Deadline(5), lambda: 7, what="x") == 7
    with pytest.raises(ZeroDivisionError):
        call_within(Deadline(5), lambda: 1 // 0, what="x")


@pytest.mark.req("R43")
def test_a_hanging_call_does_not_hold_up_the_end_of_the_program() -> None:
    script = (
        "import threading\n"
        "from posctl.links.watchdog import call_within\n"
        "from posctl.model.deadline import Deadline\n"
        "try: call_within(Deadline(0.2), threading.Event().wait, what='reader')\n"
        "except Exception as error: print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=10
    )
    assert done.returncode == 0
    assert done.stdout.strip() == "link.timeout(what=reader, seconds=0.2)"
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("fault", "codes"),
    [
        ("wrong sw", {"card.malformed", "card.not_payment"}),
        ("cut short", {"card.malformed", "card.garbled"}),
        ("no sw", {"card.malformed", "card.garbled"}),
    ],
)
@pytest.mark.parametrize("after", range(19))
def test_one_spoilt_answer_is_noticed_wherever_it_is(
    direct: DirectCardServer, fault: Fault, codes: set[str], after: int
) -> None:
    """Read whole with the same number, or refused; never with less."""
    card = hierarchy().personalise(DEBIT_CARD)
    keys = cakeys.parse(hierarchy().ca_keys(), source="emulator")
    direct.slot.insert(replace(card, fault=fault, fault_after=after))
    link = open_card(direct.address, Deadline(5), wait=0)
    try:
        found = read_card(link, Deadline(5), keys=keys)
    except (LinkFailed, CheckFailed) as error:
        assert error.code in codes | {"card.proof_failed"}
    else:
        assert found.number.reveal() == PAN
        assert found.proof.grade is Grade.GENUINE
    finally:
        link.close()


def test_a_slow_card_is_read_within_its_deadline(direct: DirectCardServer) -> None:
    slow = replace(DEBIT_CARD, fault="slow", fault_after=10)
    assert read(direct, slow).number.reveal() == PAN
