"""Commands for whoever diagnoses cards: what they show, and what they never send."""

from __future__ import annotations

import pytest
from cli_runs import Done, run
from world import MakeSite, Ran, Site

from emulator.bench import NEW_NUMBER
from protocols import tlv

PSE = "00A404000E315041592E5359532E4444463031"


def lone(site: Site, *commands: str, answers: tuple[str, ...] = ("APDU",)) -> Ran:
    words = ("card", "apdu", "--reader", site.bench.reader, *commands)
    return site.run(*words, answers=answers)


@pytest.mark.req("R55")
def test_answers_are_explained_and_numbers_masked(site: Site) -> None:
    select = "00A4040008A000000333010101"
    options = "80A80000128310" + "00" * 16
    ran = lone(site, PSE + "00", select, options, "00B2021400")
    answers = ran.ok()["answers"]
    assert [answer["sw"] for answer in answers] == ["9000"] * 4
    inside = [one for one in ran.ok()["objects"] if one["answer"] == 4]
    objects = {one["tag"].removeprefix(". "): one for one in inside}
    assert objects["5A"]["value"] == "621626*********0018"
    assert NEW_NUMBER not in ran.err + str(ran.data)


@pytest.mark.req("R23", "R52")
@pytest.mark.parametrize(
    "command",
    [
        "0020008008241234FFFFFFFFFF",  # VERIFY
        "80AE80001D" + "00" * 29,  # GENERATE AC
        "0024000000",  # CHANGE REFERENCE DATA
        "00DC010400",  # UPDATE RECORD
        "0082000008" + "00" * 8,  # EXTERNAL AUTHENTICATE
        "801E000000",  # APPLICATION BLOCK
        "84A8000002" + "8300",  # an instruction that reads, of another class
    ],
)
def test_what_may_change_a_card_is_never_sent(site: Site, command: str) -> None:
    before = site.bench.cards.apdus
    refused = lone(site, PSE, command)
    assert refused.error["code"] == "card.apdu_refused"
    assert "1234" not in str(refused.data)
    assert site.bench.cards.apdus == before


@pytest.mark.parametrize("command", ["", "00A4", "00A40400", "xyz", "00A4040010AA"])
def test_a_command_that_is_none(site: Site, command: str) -> None:
    refused = lone(site, command)
    good = command == "00A40400"
    assert refused.code == 0 if good else refused.error["code"] == "card.apdu"


@pytest.mark.req("R23")
def test_a_contactless_card_is_only_selected(make_site: MakeSite) -> None:
    """GET PROCESSING OPTIONS could spend its electronic cash."""
    site = make_site(card="contactless")
    refused = lone(site, PSE, "80A80000028300")
    assert refused.error["code"] == "card.apdu_contactless"
    assert site.bench.cards.apdus == 0
    assert (
        lone(site, PSE.replace("315041", "325041")).ok()["answers"][0]["sw"] == "9000"
    )


def test_nothing_is_sent_without_the_word(site: Site) -> None:
    before = site.bench.cards.apdus
    assert lone(site, PSE, answers=("no",)).error["code"] == "person.declined"
    assert site.bench.cards.apdus == before


def for_people(site: Site, *words: str) -> Done:
    reader = ("--reader", site.bench.reader)
    return run("card", *words, *reader, POSCTL_HOME=str(site.home))


def test_for_people_each_thing_is_said_once_and_objects_are_a_table(site: Site) -> None:
    sent = for_people(site, "apdu", PSE + "00", "-y")
    assert sent.code == 0 and "None" not in sent.out
    assert "1 . 84 14 DF name" in " ".join(sent.out.split())
    proved = for_people(site, "verify")
    assert (proved.code, proved.err) == (0, "")
    assert proved.out.count("issuer's certificate") == 1


def test_of_a_chip_that_fails_each_link_is_told(make_site: MakeSite) -> None:
    failed = for_people(make_site(card="forged"), "verify")
    assert (failed.code, failed.out) == (7, "")
    assert "CA's key: holds" in failed.err and "does not hold" in failed.err


# -- explain ---------------------------------------------------------------------------


def test_an_atr_in_every_form_people_copy_it() -> None:
    for words in (["3B 65 00 00 50 4F 53 43 54"], "3B:65:00:00:50:4F:53:43:54".split()):
        told = run("explain", "atr", *words, "--json").result
        assert told["protocols"] == ["T=0"] and not told["contactless"]
    refused = run("explain", "atr", "3B65", "--json")
    assert (refused.code, refused.error["code"]) == (2, "explain.atr")


@pytest.mark.req("R48")
def test_tlv_comes_from_stdin_and_its_numbers_are_masked() -> None:
    data = tlv.write(0x70, tlv.write(0x5A, bytes.fromhex(NEW_NUMBER + "F")))
    told = run("explain", "tlv", "-", "--json", stdin=data.hex())
    assert [one["tag"] for one in told.result["objects"]] == ["70", ". 5A"]
    assert NEW_NUMBER not in told.out + told.err
    text = run("explain", "tlv", "-", stdin=data.hex(" "))
    assert "application PAN" in text.out and "621626*********0018" in text.out


@pytest.mark.parametrize(
    ("stdin", "code"),
    [("70", "explain.tlv"), ("7", "explain.hex"), ("zz", "explain.hex")],
)
def test_tlv_that_is_none(stdin: str, code: str) -> None:
    refused = run("explain", "tlv", "-", "--json", stdin=stdin)
    assert (refused.code, refused.error["code"]) == (2, code)
