"""Receipts as PDF, read back by poppler: every field, one subset font, same bytes."""

from __future__ import annotations

import re
import zlib
from datetime import UTC, datetime
from pathlib import Path

import pytest
from fontTools.ttLib import TTFont
from papers import Issued, code_of, posctl, program, small_font, told, words_of
from world import MakeSite

from emulator.bench import NEW_NUMBER, OLD_NUMBER
from posctl.model.errors import CheckFailed
from posctl.receipts import fonts, pdf
from posctl.receipts.slip import Slip

NAME = "全渠道饭馆（北京）"


def made(issued: Issued, path: Path, *more: str) -> Path:
    words = ("receipt", "show", issued.number, "--output", str(path), *more)
    assert told(posctl(*words, "--json", home=issued.site.home))["file"] == str(path)
    return path


def slip(*values: str, test: str | None = None) -> Slip:
    rows = tuple((f"行{n}", value) for n, value in enumerate(values, 1))
    moment = datetime(2026, 11, 25, tzinfo=UTC)
    return Slip("回执", test, rows, ("说明。",), "POSCTL:SLIP:1:X", moment)


# -- what is on it -------------------------------------------------------------


@pytest.mark.req("R45", "R50")
@pytest.mark.parametrize("lang", ["en", "zh"])
def test_another_program_reads_every_field(
    issued: Issued, tmp_path: Path, lang: str
) -> None:
    path = made(issued, tmp_path / "r.pdf", "--lang", lang, "--font", str(small_font()))
    shown = words_of(path)
    title = {"en": "Receipt: settlement account changed", "zh": "回执：结算账户已变更"}
    assert title[lang] in shown and "TEST" in shown
    for name, value in issued.body.items():
        times = name in ("proposed", "approved", "effective_at", "issued")
        expected = value[:19].replace("T", " ") if times else value
        for piece in (expected[:32], expected[32:]):  # a hash stands in halves
            assert piece in shown, name
    for word in {"zh": ("原账户", "新账户", "审批人", "变更单链头")}.get(lang, ()):
        assert word in shown


@pytest.mark.req("R45")
def test_a_chinese_name_can_be_read_back(tmp_path: Path) -> None:
    path = tmp_path / "r.pdf"
    shown = slip(NAME, "商户" * 60)
    path.write_bytes(pdf.render(shown, fonts.find(shown.text(), small_font())))
    read = words_of(path)
    assert NAME in read and "商户" * 60 in "".join(read.split())
    assert "TEST" not in read


@pytest.mark.req("R45")
def test_only_the_used_part_of_the_font_is_embedded(
    issued: Issued, tmp_path: Path
) -> None:
    font = small_font()
    path = made(issued, tmp_path / "r.pdf", "--lang", "zh", "--font", str(font))
    (line,) = program("pdffonts", str(path)).splitlines()[2:]
    assert re.search(r" yes +yes +yes ", line)  # embedded, a subset, with Unicode
    assert path.stat().st_size < 100_000 < font.stat().st_size


@pytest.mark.req("R45")
def test_the_same_receipt_is_the_same_pdf(issued: Issued, tmp_path: Path) -> None:
    twice = []
    for seed in ("1", "2"):
        path = tmp_path / f"{seed}.pdf"
        words = ("receipt", "show", issued.number, "--output", str(path))
        posctl(*words, home=issued.site.home, PYTHONHASHSEED=seed)
        twice.append(path.read_bytes())
    assert twice[0] == twice[1]
    dates = set(re.findall(rb"D:(\d{14})", twice[0]))
    assert dates == {re.sub(r"\D", "", issued.body["issued"])[:14].encode()}


@pytest.mark.req("R48")
def test_no_pdf_holds_a_card_number(issued: Issued, tmp_path: Path) -> None:
    path = made(issued, tmp_path / "r.pdf", "--font", str(small_font()))
    whole = path.read_bytes()
    streams = re.findall(rb"stream\n(.*?)\nendstream", whole, re.DOTALL)
    opened = whole + b"".join(map(opened_stream, streams))
    shown = "".join(words_of(path).split())
    assert b"/FontFile" in opened and "*0018" in shown
    for number in (NEW_NUMBER, OLD_NUMBER):
        assert number.encode() not in opened and number not in shown
        assert number[6:-4] not in shown


def opened_stream(stream: bytes) -> bytes:
    try:
        return zlib.decompress(stream)
    except zlib.error:
        return b""


def test_a_long_slip_goes_on_on_another_page(tmp_path: Path) -> None:
    shown = slip(*map(str, range(60)))
    path = tmp_path / "r.pdf"
    path.write_bytes(pdf.render(shown, fonts.find(shown.text(), small_font())))
    assert "Pages: 2" in " ".join(program("pdfinfo", str(path)).split())
    assert "行60" in words_of(path).replace(" ", "")


@pytest.mark.req("R50")
def test_a_submission_slip_carries_the_heads_in_its_code(
    make_site: MakeSite, tmp_path: Path
) -> None:
    site = make_site(audit=60)
    number = str(site.propose().ok()["order"])
    path = tmp_path / "s.pdf"
    words = ("receipt", "slip", number, "--output", str(path), "--lang", "zh")
    posctl(*words, "--font", str(small_font()), home=site.home)
    told = site.run("receipt", "slip", number).ok()
    heads = f"{told['order_head']}:{told['store_head']}"
    assert code_of(path) == f"POSCTL:SLIP:1:{number}:PROPOSED:{heads}"
    read = words_of(path)
    assert "没有签名" in read and "收款仍付到原账户" in read
    assert "*0018" not in read and "621626****" in read


# -- fonts ---------------------------------------------------------------------


@pytest.mark.req("R45", "R47")
def test_a_character_that_the_font_lacks_is_named() -> None:
    font = fonts.load(small_font())
    assert font is not None
    lacked = next(chr(p) for p in range(0x20000, 0x30000) if p not in font.points)
    shown = slip(NAME, f"全{lacked}")
    with pytest.raises(CheckFailed) as caught:
        fonts.find(shown.text(), small_font())
    assert caught.value.code == "font.glyph"
    assert caught.value.params["point"] == f"U+{ord(lacked):04X}"


@pytest.mark.req("R45")
def test_a_system_s_next_font_may_have_what_the_first_lacks(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    poor = tmp_path / "poor.ttf"
    with TTFont(small_font(), fontNumber=0) as font:
        for table in font["cmap"].tables:
            table.cmap.pop(ord("渠"), None)
        font.save(poor)
    monkeypatch.setitem(fonts.PATHS, "linux", (poor, small_font()))
    assert fonts.find("中文").path == poor
    assert fonts.find(NAME).path == small_font()
    with pytest.raises(CheckFailed) as caught:
        fonts.find(NAME, poor)
    assert caught.value.params["point"] == "U+6E20"


@pytest.mark.req("R45", "R47")
def test_without_a_chinese_font_a_pdf_is_refused(
    issued: Issued, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(fonts.PATHS, "linux", (tmp_path / "none.ttc",))
    monkeypatch.setenv("PATH", str(tmp_path))
    path = tmp_path / "r.pdf"
    words = ("receipt", "show", issued.number, "--output", str(path))
    ran = issued.site.run(*words)
    assert (ran.error["code"], ran.code) == ("font.missing", 7)
    assert "fonts-noto-cjk" in ran.error["next"]
    assert not path.exists()
    assert issued.site.run(*words, "--font", str(small_font())).code == 0


@pytest.mark.req("R47")
@pytest.mark.parametrize("what", ["missing", "text", "noise", "cut", "restricted"])
def test_a_file_that_is_no_font_to_embed(
    issued: Issued, tmp_path: Path, what: str
) -> None:
    path = tmp_path / f"{what}.ttf"
    whole = small_font().read_bytes()
    if what == "restricted":
        with TTFont(small_font(), fontNumber=0) as font:
            font["OS/2"].fsType = 0x0002
            font.save(path)
    elif what != "missing":
        kinds = {"text": b"no font", "noise": bytes(range(256)) * 9, "cut": whole[:999]}
        path.write_bytes(kinds[what])
    words = ("receipt", "show", issued.number, "--output", str(tmp_path / "r.pdf"))
    ran = issued.site.run(*words, "--font", str(path))
    assert (ran.error["code"], ran.code) == ("font.unreadable", 2)
    assert not (tmp_path / "r.pdf").exists()


def test_a_collection_gives_its_face_for_mainland_china() -> None:
    path = fonts.PATHS["linux"][0]
    if not path.exists():
        pytest.skip("fonts-noto-cjk is not needed, only preferred")
    font = fonts.load(path)
    assert font is not None
    with TTFont(path, fontNumber=font.face, lazy=True) as face:
        assert face["name"].getBestFullName() == "Noto Sans CJK SC"


@pytest.mark.req("R47")
def test_a_pdf_needs_a_file(issued: Issued) -> None:
    ran = issued.site.run("receipt", "show", issued.number, "--format", "pdf")
    assert (ran.error["code"], ran.code) == ("receipt.screen", 2)
