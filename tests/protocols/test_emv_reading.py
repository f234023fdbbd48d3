"""The conversation with a card, driven without any reader."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emulator.card.applet import (
    CREDIT,
    CREDIT_CARD,
    DEBIT,
    DEBIT_CARD,
    DEBIT_CARD_HAN,
    ELECTRONIC_CASH,
    OLD_DEBIT_CARD,
    QUASI_CREDIT,
    Applet,
    CardProfile,
    Listed,
)
from protocols import apdu, emv, tlv
from protocols.apdu import Command, Response
from protocols.carddata import CardData, Kind
from protocols.cardproof import Keys
from protocols.dol import fill_dol
from protocols.errors import LocalError, RemoteError

TODAY = date(2026, 11, 23)
DATE, RANDOM = bytes.fromhex("261123"), bytes.fromhex("01020304")
PAN, MASK = "6216261000000000018", "621626*********0018"


def converse(transmit: Callable[[bytes], bytes]) -> CardData:
    return apdu.run(
        emv.read_card(today=TODAY, keys=Keys(), random=os.urandom), transmit
    )


def read(profile: CardProfile) -> CardData:
    return converse(Applet(profile).process)


# -- APDUs ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "wire", "at_t0"),
    [
        (Command(0, 0xA4, 4, 0), "00A40400", "00A4040000"),
        (Command(0, 0xB2, 1, 12, le=256), "00B2010C00", "00B2010C00"),
        (Command(0, 0xB2, 1, 12, le=35), "00B2010C23", "00B2010C23"),
        (Command(0, 0xA4, 4, 0, b"\x01\x02"), "00A40400020102", "00A40400020102"),
        (Command(0, 0xA4, 4, 0, b"\x01", 256), "00A40400010100", "00A404000101"),
    ],
)
def test_cases_1_to_4(command: Command, wire: str, at_t0: str) -> None:
    raw = command.to_bytes()
    assert raw.hex().upper() == wire
    assert apdu.as_tpdu(raw).hex().upper() == at_t0
    assert Command.from_bytes(raw) == command


def test_too_much_for_a_short_apdu() -> None:
    with pytest.raises(LocalError):
        Command(0, 0xA4, 4, 0, bytes(256)).to_bytes()
    with pytest.raises(LocalError):
        Command(0, 0xB2, 1, 12, le=257).to_bytes()


@given(st.binary(max_size=300))
def test_a_card_takes_any_bytes_as_an_apdu_or_refuses_them(raw: bytes) -> None:
    try:
        command = Command.from_bytes(raw)
    except RemoteError:
        return
    assert command.to_bytes() == raw


def test_get_response_alone() -> None:
    sent = Command(0, 0xA4, 4, 0, b"\x01")
    assert apdu.get_response(sent, Response(b"", 0x611A)) == Command(
        0, 0xC0, 0, 0, le=26
    )
    assert apdu.get_response(sent, Response(b"", 0x6100)) == Command(
        0, 0xC0, 0, 0, le=256
    )
    assert apdu.get_response(sent, Response(b"", 0x9000)) is None


def test_wrong_le_alone() -> None:
    sent = Command(0, 0xB2, 1, 12, le=256)
    assert apdu.correct_le(sent, Response(b"", 0x6C23)) == replace(sent, le=35)
    assert apdu.correct_le(sent, Response(b"", 0x6A83)) is None


def test_data_in_pieces_is_joined() -> None:
    answers = iter(["0102 6103", "0304 6101", "05 9000"])
    got = apdu.run(
        apdu.exchange(Command(0, 0xB2, 1, 12, le=256)),
        lambda raw: bytes.fromhex(next(answers)),
    )
    assert got == Response(bytes.fromhex("0102030405"), apdu.OK)


@pytest.mark.parametrize("sw", ["6110", "6C10"])
@pytest.mark.req("R43")
def test_a_card_that_never_ends_is_an_error(sw: str) -> None:
    with pytest.raises(RemoteError, match="without end"):
        apdu.run(
            apdu.exchange(Command(0, 0xB2, 1, 12, le=256)),
            lambda raw: bytes.fromhex(sw),
        )


@pytest.mark.parametrize("torn", ["", "90", "4142", "6000", "8F00"])
def test_a_torn_answer_is_no_status_word(torn: str) -> None:
    with pytest.raises(RemoteError):
        Response.from_bytes(bytes.fromhex(torn))


# -- reading ----------------------------------------------------------------------


@pytest.mark.req("R23")
def test_a_debit_card() -> None:
    card = read(DEBIT_CARD)
    assert card.number.reveal() == PAN
    assert (card.kind, card.aid) == (Kind.DEBIT, DEBIT)
    assert (card.label, card.holder) == ("UnionPay Debit", "QUAN/QUDAO")
    assert (card.sequence, card.expiry, card.token) == (1, (2049, 12), False)
    assert [a.aid for a in card.applications] == [DEBIT]


@pytest.mark.req("R23")
def test_a_chinese_name_is_gb18030() -> None:
    assert read(DEBIT_CARD_HAN).holder == "全渠道"
    assert read(replace(DEBIT_CARD, holder="买买提·䶮")).holder == "买买提·䶮"


@pytest.mark.req("R19", "R23")
@pytest.mark.parametrize(
    "number",
    [
        "62123456789002",
        "6212345678901265",
        "6212345678900000003",
        "8171999900000000021",
    ],
)
@pytest.mark.parametrize("interface", ["T=0", "T=1"])
@pytest.mark.parametrize("gpo_format", [1, 2])
@pytest.mark.parametrize("pse", [True, False])
def test_every_length_interface_format_and_selection(
    number: str, interface: str, gpo_format: int, pse: bool
) -> None:
    profile = replace(
        OLD_DEBIT_CARD,
        number=number,
        interface=interface,  # type: ignore[arg-type]  # parametrized
        gpo_format=gpo_format,  # type: ignore[arg-type]  # parametrized
        pse=pse,
    )
    assert read(profile).number.reveal() == number


@pytest.mark.req("R23")
def test_track_2_only_when_5a_is_absent() -> None:
    assert read(replace(DEBIT_CARD, pan=False)).number.reveal() == PAN
    lying = replace(DEBIT_CARD, extra={"57": "6212345678901265D4912220"})
    assert read(lying).number.reveal() == PAN
    # With 5A there, even an unreadable 57 is not looked at.
    assert read(replace(DEBIT_CARD, extra={"57": "FFFF"})).number.reveal() == PAN


@pytest.mark.req("R18", "R23")
def test_nothing_of_track_2_or_the_id_number_is_kept() -> None:
    profile = replace(
        DEBIT_CARD, pan=False, extra={"9F61": b"341126197709218366".hex()}
    )
    card = read(profile)
    kept = {name: getattr(card, name) for name in card.__dataclass_fields__}
    assert "341126197709218366" not in repr(kept) + card.number.reveal()
    assert "4912220" not in repr(kept) + card.number.reveal()


@pytest.mark.req("R48")
def test_its_text_shows_the_mask_only() -> None:
    text = repr(read(DEBIT_CARD))
    assert MASK in text
    assert PAN not in text and "QUAN" not in text and "2049" not in text


@pytest.mark.req("R23")
def test_only_reading_commands_are_sent() -> None:
    """No VERIFY (20), no GENERATE AC (AE), no GET DATA: nothing that leaves a mark."""
    for profile in (DEBIT_CARD, replace(OLD_DEBIT_CARD, pse=False)):
        card, sent = Applet(profile), set()

        def transmit(raw: bytes, card: Applet = card, sent: set[int] = sent) -> bytes:
            sent.add(raw[1])
            return card.process(raw)

        converse(transmit)
        assert sent <= {0xA4, 0xA8, 0xB2, 0xC0}


@pytest.mark.req("R20")
@pytest.mark.parametrize(
    ("aid", "kind"),
    [
        (CREDIT, Kind.CREDIT),
        (QUASI_CREDIT, Kind.QUASI_CREDIT),
        (ELECTRONIC_CASH, Kind.ELECTRONIC_CASH),
        ("A000000333010108", Kind.UNKNOWN),
    ],
)
@pytest.mark.parametrize("pse", [True, False])
def test_the_kind_is_the_aid_never_the_label(aid: str, kind: Kind, pse: bool) -> None:
    card = read(replace(DEBIT_CARD, aid=aid, label="UnionPay Debit", pse=pse))
    assert card.kind is kind


@pytest.mark.req("R23", "R55")
@pytest.mark.parametrize("pse", [True, False])
def test_of_another_schemes_card_nothing_more_is_read(pse: bool) -> None:
    """Its number may be of another length, and what it holds is none of ours."""
    card = Applet(replace(DEBIT_CARD, aid="A0000000043060", pse=pse))
    sent: set[int] = set()

    def transmit(raw: bytes) -> bytes:
        sent.add(raw[1])
        return card.process(raw)

    with pytest.raises(emv.ForeignCard) as caught:
        converse(transmit)
    assert caught.value.aid == "A0000000043060"
    assert 0xA8 not in sent


@pytest.mark.req("R20")
@pytest.mark.parametrize("listed", [0, 5, 7, 8])
def test_the_kind_is_that_of_the_application_that_answers(listed: int) -> None:
    """The directory may name it by the first bytes of its AID only."""
    card = Applet(CREDIT_CARD)
    whole = bytes.fromhex(CREDIT)

    def transmit(raw: bytes) -> bytes:
        answer = card.process(raw)
        if listed and raw[1] == 0xB2 and raw[3] >> 3 == 1:
            short = tlv.write(0x4F, whole[:listed])
            entry = tlv.write(0x61, short + tlv.write(0x50, b"UnionPay"))
            return tlv.write(0x70, entry) + b"\x90\x00"
        return answer

    found = converse(transmit)
    assert (found.kind, found.aid) == (Kind.CREDIT, CREDIT)


@pytest.mark.req("R20")
@pytest.mark.parametrize("other", ["A000000333010108", CREDIT])
def test_a_blocked_debit_application_is_not_passed_over(other: str) -> None:
    card = Applet(replace(DEBIT_CARD, others=(Listed(other, "Other", 1),)))

    def transmit(raw: bytes) -> bytes:
        answer = card.process(raw)
        blocked = raw[1] == 0xA4 and bytes.fromhex(DEBIT) in raw
        return bytes.fromhex("6283") if blocked else answer

    with pytest.raises(emv.CardBlocked):
        converse(transmit)


@pytest.mark.req("R23")
@pytest.mark.parametrize("wrong", ["fci", "record", "endless"])
def test_a_directory_with_an_error_is_as_none(wrong: str) -> None:
    """EMV Book 1, 12.3.2: then each AID that is known is tried."""
    card = Applet(DEBIT_CARD)

    def transmit(raw: bytes) -> bytes:
        answer = card.process(raw)
        if wrong == "fci" and raw[1] == 0xA4 and emv.PSE in raw:
            return bytes.fromhex("6F009000")
        if raw[1] == 0xB2 and raw[3] >> 3 == 1:
            spoilt = {"record": "7003610141", "endless": "7000"}.get(wrong)
            return bytes.fromhex(spoilt + "9000") if spoilt else answer
        return answer

    assert converse(transmit).kind is Kind.DEBIT


@pytest.mark.req("R20")
def test_of_several_applications_the_debit_one_is_chosen_and_all_are_listed() -> None:
    others = (Listed(ELECTRONIC_CASH, "EC", 2), Listed(DEBIT, "Something", 3))
    card = read(replace(CREDIT_CARD, others=others))
    assert (card.aid, card.label) == (DEBIT, "Something")
    assert [a.aid for a in card.applications] == [CREDIT, ELECTRONIC_CASH, DEBIT]


@pytest.mark.req("R20")
def test_an_unknown_application_does_not_hide_that_a_card_is_credit() -> None:
    others = (Listed("A000000333010199", "Transit", 1),)
    assert read(replace(CREDIT_CARD, others=others)).kind is Kind.CREDIT


@pytest.mark.req("R22")
@pytest.mark.parametrize("tag", ["9F19", "9F24"])
def test_a_device_token_is_told(tag: str) -> None:
    assert read(replace(DEBIT_CARD, extra={tag: "0102030405"})).token


@pytest.mark.req("R23")
def test_a_long_name_whole_or_in_two_parts() -> None:
    long = b"MAXIMILIAN ALEXANDER VON DER/LONG".hex()
    whole = replace(DEBIT_CARD, holder="MAXIMILIAN", extra={"9F0B": long})
    assert read(whole).holder == "MAXIMILIAN ALEXANDER VON DER/LONG"
    assert not read(whole).holder_joined
    parts = read(replace(DEBIT_CARD, holder="QUAN", extra={"9F0B": b"QUDAO".hex()}))
    assert (parts.holder, parts.holder_joined) == ("QUANQUDAO", True)


@pytest.mark.req("R23")
def test_a_name_cut_within_a_character_is_joined_first() -> None:
    name = "阿" + "欧阳上官司马诸葛慕容夏侯"
    raw = name.encode("gb18030")
    assert len(raw) == 26
    first, rest = raw[:25], raw[25:]
    card = Applet(replace(DEBIT_CARD, extra={"5F20": first.hex(), "9F0B": rest.hex()}))
    found = converse(card.process)
    assert (found.holder, found.holder_joined) == (name, True)


@pytest.mark.req("R48")
def test_a_number_in_a_label_or_a_name_is_masked() -> None:
    label = PAN[-14:]
    card = read(replace(DEBIT_CARD, label=label, holder=f"LI {PAN}"))
    assert label not in card.label and PAN not in card.holder
    long = read(replace(DEBIT_CARD, label="UnionPay " * 12))
    assert len(long.label) <= 16


@pytest.mark.req("R23")
def test_two_different_tracks_without_a_number_are_refused() -> None:
    other = "6212345678901265D4912220"
    for extra in ({"57": other}, {}):
        chip = replace(DEBIT_CARD, pan=False, extra={"9F6B": "00"} | extra)
        card = Applet(chip)
        if not extra:
            assert converse(card.process).number.reveal() == PAN
            continue
        # the second record has another one than the first
        spoilt = replace(DEBIT_CARD, pan=False)
        two = Applet(spoilt)
        files = dict(two.files)
        sfi = next(s for s in files if s != 1 and len(files[s]) == 2)
        inner = tlv.read(files[sfi][1])[0].value + tlv.write(0x57, bytes.fromhex(other))
        two.files = {**files, sfi: [files[sfi][0], tlv.write(0x70, inner)]}
        with pytest.raises(RemoteError, match="two different values"):
            converse(two.process)


def test_control_characters_of_a_card_never_reach_a_screen() -> None:
    assert read(replace(DEBIT_CARD, holder="A\x1b[2JB")).holder == "A[2JB"


def test_a_pdol_is_filled_as_asked() -> None:
    dol = bytes.fromhex("9F7A01 9F0206 5F2A02 9A03 9F3704 9F1A03 9F3501 9F3302 DF6901")
    values = {
        0x9F7A: b"\0",
        0x9F02: bytes(6),
        0x5F2A: b"\x01\x56",
        0x9A: DATE,
        0x9F37: RANDOM,
        0x9F1A: b"\x01\x56",  # numeric: padded on the left
        0x9F35: b"\x22",
        0x9F33: bytes.fromhex("E0F8C8"),  # binary: cut on the right
    }
    filled = fill_dol(dol, values).hex().upper()
    assert filled == "0000000000000001562611230102030400015622E0F800"


def test_a_numeric_value_is_cut_on_the_left() -> None:
    assert fill_dol(bytes.fromhex("9A02"), {0x9A: DATE}).hex() == "1123"
    assert fill_dol(bytes.fromhex("9A00"), {0x9A: DATE}) == b""


@pytest.mark.parametrize("dol", ["9F", "9F02", "5F2A029A", "9F7A01" + "9F37FF" * 2])
def test_an_unreadable_or_endless_pdol(dol: str) -> None:
    with pytest.raises(RemoteError):
        fill_dol(bytes.fromhex(dol), {})


def changed(
    profile: CardProfile, ins: int, change: Callable[[bytes], bytes]
) -> Callable[[bytes], bytes]:
    """The card, whose answers to one instruction are others."""
    card = Applet(profile)

    def transmit(raw: bytes) -> bytes:
        answer = card.process(raw)
        return change(answer) if raw[1] == ins and len(answer) > 2 else answer

    return transmit


def test_another_application_than_the_selected_one_is_not_read() -> None:
    def other(answer: bytes) -> bytes:
        return answer.replace(bytes.fromhex(DEBIT), bytes.fromhex(CREDIT))

    with pytest.raises(RemoteError, match="another application"):
        converse(changed(replace(DEBIT_CARD, interface="T=1"), 0xA4, other))


@pytest.mark.req("R23")
def test_no_electronic_cash_is_asked_for() -> None:
    """9F7A with 01 would let a reading spend it."""
    card, asked = Applet(DEBIT_CARD), list[bytes]()

    def transmit(raw: bytes) -> bytes:
        if raw[1] == 0xA8:
            asked.append(Command.from_bytes(raw).data)
        return card.process(raw)

    converse(transmit)
    assert DEBIT_CARD.pdol.startswith("9F7A01")
    assert [data[2] for data in asked] == [0]


@pytest.mark.req("R22")
def test_a_token_is_also_told_by_the_answer_to_select() -> None:
    def marked(answer: bytes) -> bytes:
        outer = tlv.read(answer[:-2])[0]
        more = tlv.write(0x9F24, b"PAR")
        return tlv.write(outer.tag, outer.value + more) + answer[-2:]

    profile = replace(DEBIT_CARD, interface="T=1", pse=False)
    assert converse(changed(profile, 0xA4, marked)).token
    assert not read(profile).token


@pytest.mark.parametrize(
    ("first", "second", "chosen"), [(0, 2, 1), (3, 2, 1), (1, 2, 0), (2, 0, 0)]
)
def test_of_two_of_a_kind_the_priority_decides(
    first: int, second: int, chosen: int
) -> None:
    """None (0) is the last (EMV Book 1, 12.2.3)."""
    aids = ("A000000333010198", "A000000333010199")
    others = (Listed(aids[0], "A", first), Listed(aids[1], "B", second))
    profile = replace(DEBIT_CARD, aid="A0000000031010", others=others)
    assert read(profile).aid == aids[chosen]


@pytest.mark.parametrize(("expiry", "year"), [("4912", 2049), ("5001", 1950)])
def test_a_year_is_of_this_century_up_to_49(expiry: str, year: int) -> None:
    found = read(replace(DEBIT_CARD, expiry=expiry)).expiry
    assert found is not None and found[0] == year


@pytest.mark.parametrize("number", ["6216261000000000F18F", "62162610000000000A", "FF"])
def test_a_number_is_digits_then_padding(number: str) -> None:
    with pytest.raises(RemoteError):
        read(replace(DEBIT_CARD, pan=False, track2=False, extra={"5A": number}))


@pytest.mark.parametrize(("size", "fits"), [(252, True), (253, False)])
def test_the_longest_data_for_a_list(size: int, fits: bool) -> None:
    profile = replace(DEBIT_CARD, pdol=f"DF69{size:02X}")
    if fits:
        assert read(profile).number.reveal() == PAN
        return
    with pytest.raises(RemoteError, match="more than a command"):
        read(profile)


# -- wrong cards ------------------------------------------------------------------


def test_a_card_without_payment_application() -> None:
    with pytest.raises(emv.NotPayment):
        converse(lambda raw: bytes.fromhex("6A82"))


@pytest.mark.parametrize("sw", ["6A81", "6283"])
def test_a_blocked_card(sw: str) -> None:
    with pytest.raises(emv.CardBlocked):
        converse(lambda raw: bytes.fromhex(sw))


def test_a_card_that_calls_itself_blocked_is_not_asked_further() -> None:
    card, sent = Applet(DEBIT_CARD), 0

    def transmit(raw: bytes) -> bytes:
        nonlocal sent
        sent += 1
        return bytes.fromhex("6A81") if sent == 1 else card.process(raw)

    with pytest.raises(emv.CardBlocked):
        converse(transmit)
    assert sent == 1


@pytest.mark.parametrize(
    "extra",
    [
        {"5A": "6212345678901265"},  # contradicts the other record
        {"5F24": "491328"},
        {"5F34": "0102"},
    ],
)
def test_contradictions_and_bad_formats(extra: dict[str, str]) -> None:
    with pytest.raises(RemoteError) as caught:
        read(replace(DEBIT_CARD, extra=extra))
    assert "621" not in str(caught.value)


@pytest.mark.parametrize(
    "options",
    [
        "9000",
        "80027C009000",  # AIP only
        "80057C001001019000",  # AFL of 3 bytes
        "80067C000001010090 00",  # SFI 0
        "80067C001000010090 00",  # record 0
        "80067C001002010090 00",  # last before first
        "80067C001001FF0090 00",  # 255 records
        "800A7C001001640010010100" + "9000",  # 101 records
        "80067C001001020390 00",  # three of two are signed
        "80067C001101020090 00",  # no SFI has these low bits
        "77047C0082009000",
        "6985",
    ],
)
def test_bad_processing_options(options: str) -> None:
    card = Applet(OLD_DEBIT_CARD)

    def transmit(raw: bytes) -> bytes:
        return bytes.fromhex(options) if raw[1] == 0xA8 else card.process(raw)

    with pytest.raises(RemoteError):
        converse(transmit)


@given(st.lists(st.binary(max_size=40), max_size=60))
def test_garbage_gives_the_remote_error_only(answers: list[bytes]) -> None:
    queue = iter(answers)
    with pytest.raises(RemoteError):
        converse(lambda raw: next(queue, b"") + b"\x90\x00")


@settings(max_examples=300)
@given(st.data())
def test_a_card_with_one_wrong_byte_is_read_or_refused(data: st.DataObject) -> None:
    profile = data.draw(st.sampled_from([DEBIT_CARD, OLD_DEBIT_CARD]))
    wrong = data.draw(st.integers(0, 12))
    card, count = Applet(profile), 0

    def transmit(raw: bytes) -> bytes:
        nonlocal count
        answer = bytearray(card.process(raw))
        if count == wrong:
            answer[data.draw(st.integers(0, len(answer) - 1))] ^= data.draw(
                st.integers(1, 255)
            )
        count += 1
        return bytes(answer)

    try:
        converse(transmit)
    except RemoteError as error:
        assert profile.number not in str(error)


@given(st.lists(st.binary(max_size=270), max_size=8))
def test_the_emulated_card_answers_anything(commands: list[bytes]) -> None:
    card = Applet(DEBIT_CARD)
    for command in commands:
        assert apdu.complete(card.process(command))
    assert converse(card.process).kind is Kind.DEBIT


@pytest.mark.parametrize(
    ("command", "sw"),
    [
        ("00200080082412 34FFFFFFFFFF".replace(" ", ""), apdu.INS_NOT_SUPPORTED),
        ("80AE8000021234", apdu.INS_NOT_SUPPORTED),
        ("A0A40000023F00", apdu.CLA_NOT_SUPPORTED),
        ("00A40000023F00", apdu.NOT_FOUND),
        ("00A4040006CADF30010203", apdu.NOT_FOUND),
        ("80A8000002830000", apdu.CONDITIONS_NOT_SATISFIED),
        ("00B2010C00", apdu.NOT_ALLOWED_NO_EF),
        ("00C0000010", apdu.CONDITIONS_NOT_SATISFIED),
        ("00", apdu.WRONG_LENGTH),
    ],
)
def test_the_emulated_card_refuses_as_iso_7816_says(command: str, sw: int) -> None:
    assert Applet(DEBIT_CARD).process(bytes.fromhex(command)) == sw.to_bytes(2, "big")
