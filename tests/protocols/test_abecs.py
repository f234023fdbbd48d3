"""ABECS without a line: packets, messages, secure sessions, both session machines."""

from __future__ import annotations

import binascii
import json
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols import abecs
from protocols.abecs import (
    Answering,
    Asking,
    Cancelling,
    Channel,
    Command,
    Control,
    Ended,
    Feeder,
    Frame,
    Parameter,
    Pp,
    Response,
    Spe,
    parameters,
    records,
    session,
)
from protocols.errors import LocalError, RemoteError

VECTORS: dict[str, Any] = json.loads(
    (Path(__file__).parents[1] / "vectors" / "abecs.json").read_bytes()
)
ACK, NAK, EOT, CAN = b"\x06", b"\x15", b"\x04", b"\x18"
KSEC = bytes.fromhex(VECTORS["secure"]["ksec"])
GOOD = Response("GTS", blocks=(b"XEMVST0003",))
GOOD_FRAME = abecs.frame(GOOD.to_bytes())
SPOILT = GOOD_FRAME[:-1] + bytes([GOOD_FRAME[-1] ^ 1])
ASKED = abecs.get_table_version("02")


def printed(clause: str, sender: str) -> list[bytes]:
    """The messages printed in a clause, in their order."""
    return [
        bytes.fromhex(each["hex"])
        for each in VECTORS["messages"]
        if (each["clause"], each["from"]) == (clause, sender)
    ]


def name(vector: dict[str, Any]) -> str:
    return f"{vector['clause']}-{vector['from']}-{vector['hex'][:12]}"


# Packets


def bit_by_bit(data: bytes) -> int:
    """The algorithm of clause 7.2 as it is written there, a bit at a time."""
    check = 0
    for byte in data:
        check ^= byte << 8
        for _ in range(8):
            check = check << 1 ^ (0x1021 if check & 0x8000 else 0)
        check &= 0xFFFF
    return check


@given(st.binary(max_size=300))
def test_crc_is_the_specifications(data: bytes) -> None:
    assert abecs.crc(data) == bit_by_bit(data) == binascii.crc_hqx(data, 0)


def test_crcs_by_hand() -> None:
    assert abecs.crc(b"OPN\x17") == 0xA8A9
    assert abecs.crc(b"DSP000\x17") == 0x3963


@pytest.mark.parametrize("vector", VECTORS["frames"], ids=name)
def test_printed_frames_both_directions(vector: dict[str, Any]) -> None:
    data = bytes.fromhex(vector["hex"])
    (event,) = Feeder().feed(data)
    if isinstance(event, Control):
        assert event.name == vector["what"]
        return
    assert event.intact == vector["intact"]
    if event.intact:
        assert abecs.frame(event.data) == data
        assert event.data.startswith(vector["what"].encode())


@given(st.binary(max_size=abecs.MAX_DATA))
def test_any_data_can_be_sent(data: bytes) -> None:
    sent = abecs.frame(data)
    assert Feeder().feed(sent) == [Frame(data)]
    assert not {0x16, 0x17} & set(sent[1:-3])


@given(st.binary(max_size=300), st.lists(st.integers(0, 300), max_size=6))
def test_whole_input_equals_pieces(noise: bytes, cuts: list[int]) -> None:
    stream = noise + GOOD_FRAME + ACK + noise
    whole, pieces, single = Feeder(), Feeder(), Feeder()
    events = whole.feed(stream)
    edges = [0, *sorted(min(c, len(stream)) for c in cuts), len(stream)]
    parts = [stream[a:b] for a, b in pairwise(edges)]
    assert [e for part in parts for e in pieces.feed(part)] == events
    assert [e for b in stream for e in single.feed(bytes([b]))] == events
    assert whole.skipped == pieces.skipped == single.skipped
    assert whole.inside == single.inside


CONTROLS = {0x04, 0x06, 0x15, 0x16, 0x18}


@given(st.binary(max_size=50).filter(lambda b: not set(b) & CONTROLS))
def test_garbage_is_skipped_and_counted(noise: bytes) -> None:
    feeder = Feeder()
    assert feeder.feed(noise + GOOD_FRAME) == [Frame(GOOD.to_bytes())]
    assert feeder.skipped == len(noise)


def test_feeder_holds_a_bounded_packet() -> None:
    feeder = Feeder()
    assert feeder.feed(b"\x16" + b"x" * 5 * abecs.MAX_DATA) == []
    (event,) = feeder.feed(b"\x17\x00\x00")
    assert isinstance(event, Frame)
    assert not event.intact and len(event.data) == abecs.MAX_DATA
    assert feeder.feed(GOOD_FRAME) == [Frame(GOOD.to_bytes())]


def test_too_much_data_cannot_be_sent() -> None:
    with pytest.raises(LocalError):
        abecs.frame(bytes(abecs.MAX_DATA + 1))


def test_new_syn_starts_anew() -> None:
    feeder = Feeder()
    assert feeder.feed(b"\x16cut off" + GOOD_FRAME) == [Frame(GOOD.to_bytes())]
    assert feeder.skipped == 8


def test_half_a_packet_is_forgotten_in_silence() -> None:
    feeder = Feeder()
    feeder.feed(GOOD_FRAME[:5])
    assert feeder.inside and feeder.give_up()
    assert feeder.skipped == 5 and not feeder.inside
    assert not feeder.give_up()


@pytest.mark.parametrize(
    ("escape", "meant"),
    [(b"\x13\x34", b"\x14"), (b"\x13\x13", b"\xf3"), (b"\x13", b"")],
)
def test_an_escape_that_is_none_spoils_the_packet(escape: bytes, meant: bytes) -> None:
    check = abecs.crc(b"A" + meant + b"\x17").to_bytes(2)
    (event,) = Feeder().feed(b"\x16A" + escape + b"\x17" + check)
    assert event == Frame(b"A" + meant, intact=False)


@given(st.integers(1, len(GOOD_FRAME) - 1), st.integers(0, 7))
def test_one_flipped_bit_is_noticed(at: int, bit: int) -> None:
    spoilt = bytearray(GOOD_FRAME)
    spoilt[at] ^= 1 << bit
    assert Frame(GOOD.to_bytes()) not in Feeder().feed(bytes(spoilt))


# Messages


def read(sender: str, data: bytes) -> Command | Response:
    return (Command if sender == "host" else Response).from_bytes(data)


@pytest.mark.parametrize("vector", VECTORS["messages"], ids=name)
def test_printed_messages_both_directions(vector: dict[str, Any]) -> None:
    data = bytes.fromhex(vector["hex"])
    message = read(vector["from"], data)
    assert message.to_bytes() == data
    known = abecs.COMMANDS.get(message.code)
    assert known is not None or message.code == abecs.NOTIFICATION
    if known and known.tagged:
        found = abecs.unpack(message.blocks)
        again = b"".join(each.to_bytes() for each in found if fits(each))
        told = [each for each in found if fits(each)]
        assert abecs.unpack(abecs.pack(told)) == tuple(told)
        assert again in b"".join(message.blocks) or len(told) < len(found)


def fits(parameter: Parameter) -> bool:
    """Some printed values have another size than the specification's own table."""
    try:
        parameter.to_bytes()
    except LocalError:
        return False
    return True


def test_printed_parameters_that_break_their_own_table() -> None:
    broken = {
        each.identifier
        for vector in VECTORS["messages"]
        for message in [read(vector["from"], bytes.fromhex(vector["hex"]))]
        if message.code in abecs.COMMANDS and abecs.COMMANDS[message.code].tagged
        for each in abecs.unpack(message.blocks)
        if not fits(each)
    }
    assert broken == {Pp.ISSCNTRY, Pp.GOXRES}


@pytest.mark.parametrize("vector", VECTORS["misprints"], ids=lambda v: v["clause"])
def test_misprints_are_noticed(vector: dict[str, Any]) -> None:
    with pytest.raises(RemoteError):
        abecs.unpack(Response.from_bytes(bytes.fromhex(vector["hex"])).blocks)


def test_an_error_with_data_is_no_answer() -> None:
    assert Response.from_bytes(b"GTS011").meaning == "ST_INVPARM"
    with pytest.raises(RemoteError, match="after a status"):
        Response.from_bytes(b"GTS011000")


def test_a_field_longer_than_its_place() -> None:
    with pytest.raises(RemoteError, match="too long"):
        records.KeyCryptogram.from_block(b"257" + b"00" * 257)


def test_printed_commands_are_what_the_builders_make() -> None:
    made = [
        abecs.OPEN,
        abecs.get_information("00"),
        abecs.get_information("02"),
        abecs.get_facts((Pp.SERNUM, Pp.MNNAME, 0x8034, 0x9101, 0x910E)),
        abecs.get_facts(),
        abecs.close("POSTO FORÇA 10  OBRIGADO!!!     "),
        abecs.close_extended("PRESTO SHOP\rOBRIGADO E\rVOLTE SEMPRE!"),
        abecs.display("ERRO DE OPERAÇÃOCÓDIGO:  2112/76"),
        abecs.display_lines("Feliz Natal", "e um", "Próspero", "Ano Novo!"),
        abecs.get_table_version("02"),
        abecs.load_tables("00", "TABVER0008", [])[0],
        abecs.END_TABLES,
        abecs.END_MEDIA,
        abecs.LIST_MEDIA,
    ]
    known = {each["hex"] for each in VECTORS["messages"] if each["from"] == "host"}
    for command in made:
        assert command.to_bytes().hex().upper() in known, command


def test_printed_media_load() -> None:
    (begin,) = printed("3.4.1", "host")
    loads = printed("3.4.2", "host")
    sent = [abecs.every(Command.from_bytes(each), Spe.DATAIN) for each in loads]
    data = b"".join(part for parts in sent for part in parts)  # type: ignore[misc]
    file = abecs.MediaFile.from_command(Command.from_bytes(begin))
    assert file == abecs.MediaFile.of("QRCODE01", data, kind=1)
    assert (file.size, file.check) == (3334, 0xF211)
    made = [each.to_bytes() for each in abecs.load_media("QRCODE01", data)]
    assert made == [begin, *loads, b"MLE"]


def test_printed_table_load() -> None:
    loads = [Command.from_bytes(each) for each in printed("3.5.3", "host")]
    counts = [len(abecs.table_records(each)) for each in loads]
    assert counts == [2, 4]
    for load in loads:
        made = abecs.load_tables("00", "TABVER0008", abecs.table_records(load))
        assert made[1] == load


def test_table_records_are_split_over_commands() -> None:
    records_ = [b"%03d" % 400 + b"1" * 397] * 5 + [b"004x"] * 120
    made = abecs.load_tables("01", "V1", records_)
    assert (made[0].code, made[-1].code) == ("TLI", "TLE")
    assert all(len(each.to_bytes()) <= 1024 for each in made)
    found = [one for each in made[1:-1] for one in abecs.table_records(each)]
    assert found == records_


@pytest.mark.parametrize("record", [b"", b"12", b"005x", b"998" + b"1" * 995])
def test_a_table_record_begins_with_its_length(record: bytes) -> None:
    with pytest.raises(LocalError):
        abecs.load_tables("00", "V1", [record])


@pytest.mark.parametrize("block", [b"", b"1", b"02004x", b"01002", b"01999x", b"xx"])
def test_bad_table_records(block: bytes) -> None:
    with pytest.raises(RemoteError):
        abecs.table_records(Command("TLR", (block,)))


def test_printed_information() -> None:
    first, second = map(Response.from_bytes, printed("3.2.3", "pinpad"))
    own = abecs.information(first)
    assert own == abecs.PinpadInformation(
        vendor="CYGNUS",
        model="PP X-1;10MB",
        contactless="C",
        os_version="8065XA077X0060X",
        spec_version="2.00",
        manager_version="001.03 130715",
        serial="001101010300000",
    )
    assert own.to_block() == first.blocks[0]
    kernel = abecs.information(second, "02")
    assert isinstance(kernel, records.KernelInformation)
    assert (kernel.network, kernel.kernel) == ("Abecs", "V1.09")
    assert kernel.to_block() == second.blocks[0]


def test_printed_facts() -> None:
    short, *_, long = map(Response.from_bytes, printed("3.2.4", "pinpad"))
    facts = abecs.Facts.from_response(short)
    assert (facts.serial, facts.vendor) == ("991274366155", "HEMISPHERES")
    assert facts.model is facts.pin_keys is None
    facts = abecs.Facts.from_response(long)
    assert (facts.serial, facts.model, facts.spec_version) == (
        "01927612",
        "PP2000;8MB",
        "2.00",
    )
    assert facts.pin_keys == (2, 11, 18, 23)
    assert facts.dukpt_pin_keys is not None and 1 in facts.dukpt_pin_keys


def test_printed_card_event_and_cards() -> None:
    (pressed,) = (r for r in printed("3.3.3", "pinpad"))
    assert abecs.card_event(Response.from_bytes(pressed)) == records.KeyPressed("04")
    listed, plain = (
        records.CardRequest.from_block(Command.from_bytes(each).blocks[0])
        for each in printed("3.6.1", "host")
    )
    assert listed.applications == ("0214", "0222", "0217")
    assert (plain.amount, plain.contactless) == ("000000002837", "0")
    chip, swiped = (
        response
        for each in printed("3.6.1", "pinpad")
        if (response := Response.from_bytes(each)).code == "GCR"
    )
    read_ = records.CardRead.from_block(chip.blocks[0])
    assert (read_.kind, read_.label, read_.country) == ("03", "CREDITO", "076")
    assert read_.to_block() == chip.blocks[0]
    read_ = records.CardRead.from_block(swiped.blocks[0])
    assert (read_.kind, len(read_.track1), len(read_.track3)) == ("00", 76, 90)
    assert read_.to_block() == swiped.blocks[0]


def test_printed_chip_course() -> None:
    (asked,) = map(Command.from_bytes, printed("3.6.3", "host"))
    go_on = records.GoOn.from_block(asked.blocks[0])
    assert (go_on.amount, go_on.floor_limit) == ("000000001200", b"\0\0\x13\x88")
    tags = records.Tags.from_block(asked.blocks[1])
    assert tags.tags.hex() == "829f279f269f36958f9f37"
    (answer,) = (
        r
        for r in map(Response.from_bytes, printed("3.6.3", "pinpad"))
        if r.blocks[1:] or r.code == "GOC"
    )
    gone = records.GoneOn.from_block(answer.blocks[0])
    assert (gone.decision, gone.pin_offline) == ("2", "1")
    assert gone.to_block() == answer.blocks[0]
    (asked,) = map(Command.from_bytes, printed("3.6.4", "host"))
    assert records.Finish.from_block(asked.blocks[0]).to_block() == asked.blocks[0]
    (answer,) = map(Response.from_bytes, printed("3.6.4", "pinpad"))
    done = records.Finished.from_block(answer.blocks[0])
    assert done.decision == "1" and done.to_block() == answer.blocks[0]


ASCII = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E))
LATIN = st.text(st.characters(min_codepoint=0x21, max_codepoint=0xFF, codec="latin-1"))


def value_of(place: records.Place) -> st.SearchStrategy[Any]:
    texts = {"A": ASCII, "S": LATIN}
    least = 0 if place.digits else place.size
    if place.kind == "H":
        return st.binary(min_size=least // 2, max_size=place.size // 2)
    if place.kind == "N":
        return st.text("0123456789", min_size=place.size, max_size=place.size)
    return texts[place.kind].map(lambda text: text[: place.size])


FIXED = [
    each for each in records.Record.__subclasses__() if each is not records.CardRequest
]


@given(st.data())
@settings(max_examples=300)
def test_records_round_trip(data: st.DataObject) -> None:
    record = data.draw(st.sampled_from(FIXED))
    places = [place for place in record.LAYOUT if place.name]
    made = record(**{place.name: data.draw(value_of(place)) for place in places})
    assert record.from_block(made.to_block()) == made


DIGITS = {size: st.text("0123456789", min_size=size, max_size=size) for size in (1, 2)}


@given(
    st.lists(st.text("0123456789", min_size=4, max_size=4), max_size=99),
    st.none() | DIGITS[1],
)
def test_card_requests_round_trip(listed: list[str], contactless: str | None) -> None:
    head = ("00", "99", "000000002837", "140724", "113922", "TABVER0918")
    made = records.CardRequest(*head, tuple(listed), contactless)
    assert records.CardRequest.from_block(made.to_block()) == made


def value_for(identifier: int) -> st.SearchStrategy[parameters.Value]:
    form = parameters.form_of(identifier)
    sizes = {"min_size": form.least, "max_size": form.most}
    if form.kind == "X":
        return st.integers(0, (1 << 8 * form.most) - 1)
    if form.kind == "B":
        return st.binary(**sizes)
    if form.kind == "N":
        return st.text("0123456789", **sizes)
    most = 0x7E if form.kind == "A" else 0xFF
    return st.text(
        st.characters(min_codepoint=0x20, max_codepoint=most, codec="latin-1"), **sizes
    )


IDENTIFIERS = st.sampled_from([*Spe, *Pp, 0x9100, 0x9263, 0x9302, 0x1234, 0xFFFF])
PARAMETERS = IDENTIFIERS.flatmap(
    lambda each: value_for(each).map(lambda value: Parameter(each, value))
)


@given(st.lists(PARAMETERS, max_size=6))
def test_parameters_round_trip(made: list[Parameter]) -> None:
    blocks = abecs.pack(made)
    assert abecs.unpack(blocks) == tuple(made)
    assert all(len(block) <= 999 for block in blocks)


@pytest.mark.parametrize(
    ("identifier", "value"),
    [
        (Spe.AMOUNT, "12"),
        (Spe.AMOUNT, "00000000048x"),
        (Spe.TIMEOUT, 256),
        (Spe.TIMEOUT, "5"),
        (Spe.MFNAME, "QRCÓDIGO"),
        (Spe.DSPMSG, "全"),
        (Spe.WKENC, bytes(17)),
        (0x1234, bytes(996)),
        (0x1234, "text"),
    ],
)
def test_parameters_that_cannot_be_sent(
    identifier: int, value: parameters.Value
) -> None:
    with pytest.raises(LocalError):
        Parameter(identifier, value).to_bytes()


def test_of_a_parameter_twice_the_first_counts() -> None:
    twice = abecs.command(
        "DMF", Parameter(Spe.MFNAME, "FIRST001"), Parameter(Spe.MFNAME, "SECOND01")
    )
    assert abecs.values(twice)[Spe.MFNAME] == "FIRST001"
    assert abecs.every(twice, Spe.MFNAME) == ("FIRST001", "SECOND01")


def test_a_parameter_shows_no_value() -> None:
    assert repr(Parameter(Pp.PAN, "4111111111111111")) == "Parameter(PP_PAN)"


CODES = st.sampled_from([*abecs.COMMANDS, "XYZ", "A1B"])
BLOCKS = st.lists(st.binary(max_size=200), max_size=4).map(tuple)


@given(CODES, BLOCKS)
def test_messages_round_trip(code: str, blocks: tuple[bytes, ...]) -> None:
    command = Command(code, blocks)
    assert Command.from_bytes(command.to_bytes()) == command
    response = Response(code, abecs.OK, blocks)
    assert Response.from_bytes(response.to_bytes()) == response


@pytest.mark.parametrize(
    "message",
    [
        Command("opn"),
        Command("OPÉN"),
        Command("OPN", (bytes(1000),)),
        Command("DSP", (bytes(999), bytes(30))),
        Command("MLR", (bytes(999), bytes(999), bytes(50))),
        Response("OPN", "00"),
        Response("OPN", "x10"),
        Response("GTS", "011", (b"0123456789",)),
    ],
    ids=lambda message: f"{type(message).__name__}-{message.code}",
)
def test_messages_that_cannot_be_sent(message: Command | Response) -> None:
    with pytest.raises(LocalError):
        message.to_bytes()


READERS = [
    Command.from_bytes,
    Response.from_bytes,
    lambda data: Channel(KSEC).open(data),
    lambda data: abecs.unpack([data]),
    lambda data: abecs.card_event(Response("CKE", blocks=(data,))),
    lambda data: abecs.table_records(Command("TLR", (data,))),
    lambda data: abecs.MediaFile.from_command(Command("MLI", (data,))),
    lambda data: abecs.Facts.from_response(Response("GIX", blocks=(data,))),
    lambda data: abecs.facts_wanted(Command("GIX", (data,))),
    lambda data: abecs.answer_with_key(Command("OPN", (data,)), KSEC),
    *(each.from_block for each in records.Record.__subclasses__()),
]


@given(
    st.integers(0, len(READERS) - 1), st.binary(max_size=400) | ASCII.map(str.encode)
)
@settings(max_examples=500)
def test_garbage_gives_remote_error_only(reader: int, data: bytes) -> None:
    try:
        READERS[reader](data)
    except RemoteError:
        pass


@given(st.data())
@settings(max_examples=300)
def test_printed_messages_damaged_give_remote_error_only(data: st.DataObject) -> None:
    vector = data.draw(st.sampled_from(VECTORS["messages"]))
    message = bytearray.fromhex(vector["hex"])
    for _ in range(data.draw(st.integers(1, 3))):
        message[data.draw(st.integers(0, len(message) - 1))] = data.draw(
            st.integers(0, 255)
        )
    cut = data.draw(st.integers(0, len(message)))
    try:
        blocks = read(vector["from"], bytes(message[:cut])).blocks
        abecs.unpack(blocks)
    except RemoteError:
        pass


# Secure communication


@pytest.mark.parametrize(
    "packet", VECTORS["secure"]["packets"], ids=lambda p: p["from"]
)
def test_printed_sealed_packets_both_directions(packet: dict[str, str]) -> None:
    clear, sealed = bytes.fromhex(packet["clear"]), bytes.fromhex(packet["sealed"])
    message = Channel(KSEC).open(sealed)
    assert clear.startswith(
        len(message).to_bytes(2) + abecs.crc(message).to_bytes(2) + message
    )
    assert Channel(KSEC).seal(message) == sealed
    assert read(packet["from"], message).code == "GIX"


def test_printed_key_exchange() -> None:
    """The cryptogram printed is the printed block under the printed public key."""
    asked = next(
        command
        for each in printed("3.2.2", "host")
        if (command := Command.from_bytes(each)).blocks
    )
    key = records.PublicKey.from_block(asked.blocks[0])
    assert key.to_block() == asked.blocks[0]
    assert key.exponent == b"\x0d" and len(key.modulus) == 256
    (answer,) = map(Response.from_bytes, printed("3.2.2", "pinpad"))
    told = records.KeyCryptogram.from_block(answer.blocks[0])
    opened = bytes.fromhex(VECTORS["secure"]["opened_cryptogram"])
    sealed = pow(int.from_bytes(opened), 13, int.from_bytes(key.modulus))
    assert sealed.to_bytes(256) == told.cryptogram
    assert opened.startswith(b"\0\2") and opened.endswith(b"\0" + KSEC)
    assert abecs.answer_with_key(asked, KSEC).to_bytes()[:12] == answer.to_bytes()[:12]


@given(st.binary(max_size=2044), st.binary(min_size=16, max_size=16))
@settings(max_examples=50)
def test_sealed_messages_round_trip(message: bytes, key: bytes) -> None:
    sealed = Channel(key).seal(message)
    assert abecs.is_sealed(sealed) and len(sealed) <= abecs.MAX_DATA
    assert Channel(key).open(sealed) == message


@pytest.mark.parametrize(
    ("length", "check"), [(8, 0), (13, abecs.crc(b"GTS00202" + bytes(4)))]
)
def test_a_sealed_packet_holds_inside(length: int, check: int) -> None:
    clear = length.to_bytes(2) + check.to_bytes(2) + b"GTS00202" + bytes(4)
    encryptor = Cipher(algorithms.AES128(KSEC), modes.CBC(bytes(16))).encryptor()
    with pytest.raises(RemoteError, match="inside the sealed"):
        Channel(KSEC).open(b"\x12" + encryptor.update(clear) + encryptor.finalize())


def test_a_packet_under_another_key_is_noticed() -> None:
    with pytest.raises(RemoteError):
        Channel(bytes(16)).open(Channel(KSEC).seal(b"GTS00202"))


KEY = abecs.new_key()


def test_key_exchange_of_both_ends() -> None:
    asked = abecs.open_secure(KEY.public_key())
    assert abecs.wants_security(asked)
    answer = abecs.answer_with_key(Command.from_bytes(asked.to_bytes()), KSEC)
    assert abecs.key_in(answer, KEY) == KSEC


def test_a_pinpad_without_security_answers_without_a_key() -> None:
    assert abecs.key_in(Response("OPN"), KEY) is None
    assert not abecs.wants_security(abecs.OPEN)
    assert not abecs.wants_security(Command("OPN", (b"",)))


@pytest.mark.parametrize("size", [0, 255, 256])
def test_a_cryptogram_that_is_none(size: int) -> None:
    block = records.KeyCryptogram(bytes([1]) * size).to_block()
    with pytest.raises(RemoteError):
        abecs.key_in(Response("OPN", blocks=(block,)), KEY)


@pytest.mark.parametrize(
    ("modulus", "exponent"),
    [(bytes(256), b"\3"), (b"\xff" * 256, b"\2"), (b"\xff" * 128, b"\3"), (b"", b"")],
)
def test_a_public_key_that_is_none(modulus: bytes, exponent: bytes) -> None:
    block = records.PublicKey(modulus, exponent).to_block()
    with pytest.raises(RemoteError):
        abecs.answer_with_key(Command("OPN", (block,)), KSEC)


# The till's machine


def asking(command: Command = ASKED, channel: Channel | None = None) -> Asking:
    machine = Asking(command, channel)
    machine.start()
    return machine


def test_asking_course_says_nothing_to_a_good_answer() -> None:
    machine = asking()
    assert machine.wait == session.CONTROL_SECONDS
    assert machine.receive(ACK) == b""
    assert machine.acknowledged and machine.wait == session.ANSWER_SECONDS
    assert machine.receive(b"\xff\xff" + GOOD_FRAME) == b""
    assert machine.response == GOOD
    assert machine.skipped == 2


def test_asking_repeats_on_nak_then_ends() -> None:
    machine = Asking(ASKED)
    first = machine.start()
    assert machine.receive(NAK) == first
    assert machine.receive(NAK) == first
    with pytest.raises(Ended, match=session.REFUSED):
        machine.receive(NAK)


def test_asking_naks_spoilt_answers_then_ends() -> None:
    machine = asking()
    assert machine.receive(ACK + SPOILT) == NAK
    assert machine.receive(SPOILT) == NAK
    with pytest.raises(Ended, match=session.SPOILT):
        machine.receive(SPOILT)


def test_asking_waits_for_the_acknowledgement_first() -> None:
    machine = asking()
    assert machine.receive(EOT + GOOD_FRAME) == b""
    assert machine.response is None
    with pytest.raises(Ended, match=session.UNACKNOWLEDGED):
        machine.expired()


def test_asking_half_an_answer_is_asked_for_again() -> None:
    machine = asking()
    machine.receive(ACK + GOOD_FRAME[:6])
    assert machine.wait == session.BYTE_SECONDS
    assert machine.expired() == NAK
    machine.receive(GOOD_FRAME)
    assert machine.response == GOOD


def test_asking_no_answer() -> None:
    machine = asking()
    machine.receive(ACK)
    with pytest.raises(Ended, match=session.UNANSWERED):
        machine.expired()


def test_asking_has_no_limit_while_a_person_is_waited_for() -> None:
    machine = asking(Command("GKY"))
    machine.receive(ACK)
    assert machine.wait is None
    notice = abecs.notification("PASSE O CARTÃO")
    machine.receive(abecs.frame(notice.to_bytes()))
    assert machine.notifications == ["PASSE O CARTÃO"]
    machine.receive(abecs.frame(Response("GKY", "013").to_bytes()))
    assert machine.response is not None
    assert machine.response.meaning == "ST_CANCEL"


def test_asking_takes_the_answer_to_what_is_not_known() -> None:
    machine = asking(Command("XYZ"))
    machine.receive(ACK + abecs.frame(Response("ERR", "010").to_bytes()))
    assert machine.response == Response("ERR", "010")


def test_asking_refuses_the_answer_to_another_command() -> None:
    machine = asking(Command("TLE"))
    with pytest.raises(RemoteError, match="another command"):
        machine.receive(ACK + GOOD_FRAME)


def test_asking_in_a_secure_session() -> None:
    channel = Channel(KSEC)
    machine = Asking(ASKED, channel)
    (sent,) = Feeder().feed(machine.start())
    assert isinstance(sent, Frame)
    assert Command.from_bytes(channel.open(sent.data)) == ASKED
    machine.receive(ACK + abecs.frame(channel.seal(GOOD.to_bytes())))
    assert machine.response == GOOD


@pytest.mark.parametrize(
    ("command", "answer", "taken"),
    [
        (ASKED, GOOD, False),
        (ASKED, Response("GTS", "009"), True),
        (ASKED, Response("ERR", "003"), True),
        (abecs.close(), Response("CLO"), True),
    ],
)
def test_answers_in_clear_in_a_secure_session(
    command: Command, answer: Response, taken: bool
) -> None:
    machine = asking(command, Channel(KSEC))
    arrived = ACK + abecs.frame(answer.to_bytes())
    if taken:
        machine.receive(arrived)
        assert machine.response == answer
    else:
        with pytest.raises(RemoteError, match="in clear"):
            machine.receive(arrived)


def test_a_sealed_answer_to_a_command_in_clear() -> None:
    machine = asking()
    with pytest.raises(RemoteError, match="sealed"):
        machine.receive(ACK + abecs.frame(Channel(KSEC).seal(GOOD.to_bytes())))


def test_cancelling() -> None:
    machine = Cancelling()
    assert machine.start() == CAN
    machine.receive(b"\xff" + GOOD_FRAME + GOOD_FRAME[:7])
    assert not machine.done
    assert machine.expired() == CAN
    machine.receive(EOT)
    assert machine.done


def test_cancelling_ends_after_three() -> None:
    machine = Cancelling()
    machine.start()
    assert [machine.expired(), machine.expired()] == [CAN, CAN]
    with pytest.raises(Ended, match=session.NOT_CANCELLED):
        machine.expired()


@given(st.binary(max_size=200))
def test_asking_any_bytes_give_remote_error_only(data: bytes) -> None:
    for machine in (asking(), asking(channel=Channel(KSEC))):
        try:
            machine.receive(ACK + data)
        except RemoteError:
            pass


# The pinpad's machine


def taken(machine: Answering, command: Command) -> Command:
    """The command as the machine gives it out, acknowledged."""
    (arrived,) = machine.receive(abecs.frame(command.to_bytes()))
    assert arrived.out == ACK and arrived.command is not None
    return arrived.command


def answers(machine: Answering, data: bytes) -> list[Frame | Control]:
    return [
        event
        for arrived in machine.receive(data)
        for event in Feeder().feed(arrived.out)
    ]


def test_answering_course_and_repetition() -> None:
    machine = Answering()
    assert machine.receive(NAK) == []
    assert taken(machine, ASKED) == ASKED
    sent = machine.respond(GOOD)
    assert sent == GOOD_FRAME
    for _ in range(5):
        assert [each.out for each in machine.receive(NAK)] == [sent]
    assert machine.receive(ACK) == []
    taken(machine, ASKED)
    assert machine.receive(NAK) == []


def test_answering_refuses_spoilt_commands() -> None:
    machine = Answering()
    assert [each.out for each in machine.receive(SPOILT)] == [NAK]
    machine.receive(GOOD_FRAME[:4])
    assert machine.expired() == NAK
    assert machine.expired() == b""
    assert taken(machine, ASKED) == ASKED


def test_cancel_is_always_confirmed() -> None:
    machine = Answering()
    assert machine.receive(CAN) == [abecs.Arrived(EOT)]
    taken(machine, Command("GKY"))
    assert machine.receive(CAN) == [abecs.Arrived(EOT, cancelled=True)]
    assert machine.respond(Response("GKY")) == b""
    assert machine.receive(NAK) == []


def test_another_command_ends_the_one_at_work() -> None:
    machine = Answering()
    taken(machine, Command("GKY"))
    (arrived,) = machine.receive(abecs.frame(ASKED.to_bytes()))
    assert arrived == abecs.Arrived(ACK, ASKED, cancelled=True)
    assert machine.respond(GOOD) == GOOD_FRAME


def test_notifications_go_out_while_a_person_is_waited_for() -> None:
    machine = Answering()
    notice = abecs.notification("SOLICITE A SENHA")
    assert machine.notify(notice) == b""
    taken(machine, ASKED)
    assert machine.notify(notice) == b""
    machine.respond(GOOD)
    taken(machine, Command("GKY"))
    sent = machine.notify(notice)
    assert Feeder().feed(sent) == [Frame(notice.to_bytes())]
    assert [each.out for each in machine.receive(NAK)] == [sent]


@pytest.mark.parametrize(
    ("message", "answer"),
    [
        (b"XYZ", Response("ERR", "010")),
        (b"", Response("ERR", "010")),
        (b"GTS9", Response("GTS", "011")),
        (b"GTS00502", Response("GTS", "011")),
        (Channel(KSEC).seal(b"GTS00202"), Response("ERR", "003")),
    ],
)
def test_answering_what_cannot_be_made_out(message: bytes, answer: Response) -> None:
    machine = Answering()
    told = answers(machine, abecs.frame(message))
    assert told == [Control.ACK, Frame(answer.to_bytes())]


def secured() -> tuple[Answering, Channel]:
    machine, channel = Answering(), Channel(KSEC)
    asked = taken(machine, abecs.open_secure(KEY.public_key()))
    machine.respond(abecs.answer_with_key(asked, KSEC), channel)
    assert machine.secure
    return machine, channel


def test_answering_in_a_secure_session() -> None:
    machine, channel = secured()
    (arrived,) = machine.receive(abecs.frame(channel.seal(ASKED.to_bytes())))
    assert arrived.command == ASKED
    assert machine.respond(GOOD) == abecs.frame(channel.seal(GOOD.to_bytes()))
    told = answers(machine, abecs.frame(ASKED.to_bytes()))
    assert told == [Control.ACK, Frame(b"GTS009")]
    assert machine.secure


@pytest.mark.parametrize(
    ("sealed", "answer"),
    [(b"\x12" + bytes(16), b"ERR009"), (Channel(KSEC).seal(b"OPN"), b"OPN010")],
)
def test_what_ends_a_secure_session(sealed: bytes, answer: bytes) -> None:
    machine, _ = secured()
    told = answers(machine, abecs.frame(sealed))
    assert told == [Control.ACK, Frame(answer)]
    assert not machine.secure


@pytest.mark.parametrize("code", ["CLO", "CLX", "OPN"])
def test_closing_answers_in_clear(code: str) -> None:
    machine, channel = secured()
    message = Command(code).to_bytes()
    data = message if code == "OPN" else channel.seal(message)
    (arrived,) = machine.receive(abecs.frame(data))
    assert arrived.command == Command(code)
    answer = Response(code)
    assert machine.respond(answer) == abecs.frame(answer.to_bytes())
    assert not machine.secure


@given(st.binary(max_size=200), st.booleans())
def test_answering_any_bytes_raises_nothing(data: bytes, wrapped: bool) -> None:
    machine = Answering()
    machine.receive(abecs.frame(data) if wrapped else data)
    machine.expired()
    assert taken(machine, ASKED) == ASKED


# The trace


def test_trace_shows_names_and_sizes_only() -> None:
    card = abecs.response(
        "GCX", Parameter(Pp.PAN, "4111111111111111"), Parameter(0x1234, b"41111111")
    )
    answers_ = abecs.Shown(answers=True)
    assert answers_.feed(ACK + b"zz" + abecs.frame(card.to_bytes())) == [
        "(2 bytes that are no packet)",
        "ACK",
        "GCX | ST_OK | PP_PAN | (parameter)",
    ]
    till = abecs.Shown(answers=False)
    assert till.feed(CAN + abecs.frame(ASKED.to_bytes()) + SPOILT) == [
        "CAN",
        "GTS | 2 B",
        "(spoilt packet, 19 B)",
    ]


def test_trace_shows_nothing_of_what_it_cannot_read() -> None:
    shown = abecs.Shown(answers=True)
    frames = [
        b"41111111",
        b"411000",
        Channel(KSEC).seal(b"GTS000"),
        b"GCX000007411111x",
    ]
    lines = [line for each in frames for line in shown.feed(abecs.frame(each))]
    assert lines == [
        "(packet not readable, 8 B)",
        "(command) | ST_OK",
        "(sealed, 17 B)",
        "GCX | ST_OK | 7 B",
    ]
    assert not re.search("411", " ".join(lines))


@given(st.binary(max_size=120), st.booleans())
def test_trace_of_any_bytes_raises_nothing(data: bytes, answering: bool) -> None:
    abecs.Shown(answers=answering).feed(abecs.frame(data) + data)
