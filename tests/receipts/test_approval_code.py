"""The QR code beside an approval's text, read back by zbar from the file and from the
screen; its text is what is pasted otherwise."""

from __future__ import annotations

from pathlib import Path

import pytest
from papers import program
from procedures import proposed
from world import Site

from emulator.bench import NEW_NUMBER

MODULE = 6
MARGIN = 4


def scanned(picture: Path) -> str:
    return program("zbarimg", "--raw", "-q", str(picture)).strip()


def photographed(screen: str, picture: Path) -> Path:
    """A dark terminal that shows half blocks, as a picture (netpbm's plain PBM)."""
    rows: list[str] = []
    for line in screen.splitlines():
        if not line.startswith("█") or set(line) - set(" ▀▄█"):
            continue  # what is said beside the code
        for lit in ("▀█", "▄█"):
            row = " ".join(("0 " if c in lit else "1 ") * MODULE for c in line)
            rows += [row] * MODULE
    width = len(rows[0].split())
    picture.write_text(f"P1\n{width} {len(rows)}\n" + "\n".join(rows) + "\n")
    return picture


@pytest.mark.req("R30")
@pytest.mark.parametrize("kind", ["png", "-"])
def test_request_and_answer_travel_as_qr_codes(
    site: Site, tmp_path: Path, kind: str
) -> None:
    number = proposed(site)

    def code(name: str, *words: str, answers: list[str] | None = None) -> Path:
        file = tmp_path / f"{name}.png"
        where = "-" if kind == "-" else str(file)
        ran = site.run("approval", *words, "--qr", where, answers=answers or [])
        text = ran.ok()["text"].strip()
        if kind == "-":
            file = photographed(ran.err, tmp_path / f"{name}.pbm")
        assert scanned(file) == text
        pasted = tmp_path / name
        pasted.write_text(scanned(file))
        return pasted

    asked = code("request", "request", number)
    answer = code("answer", "sign", str(asked), answers=[NEW_NUMBER[-4:]])
    taken = site.run("approval", "take", number, str(answer))
    assert taken.ok()["state"] == "APPROVED"


def test_a_name_of_no_picture_is_refused_before_anything_is_done(site: Site) -> None:
    number = proposed(site)
    refused = site.run("approval", "request", number, "--qr", "code.gif")
    assert refused.error["code"] == "qr.kind"
    shown = site.run("orders", "show", number).ok()
    assert shown["state"] == "PROPOSED"
    assert "approval.asked" not in str(shown)
