"""The second person is elsewhere: 400 characters there and back."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from orderfiles import root_of
from procedures import (
    proposed,
    state,
)
from world import Site

from emulator.bench import NEW_NUMBER
from posctl.store.home import Home


@pytest.fixture
def elsewhere(site: Site, tmp_path: Path) -> Callable[..., Path]:
    """A file with what came through a messenger, quoted and broken as they do."""

    def save(name: str, text: str) -> Path:
        path = tmp_path / name
        quoted = "\n".join(f"{line}  " for line in text.splitlines())
        path.write_text(f"from: office\n\n{quoted}\n-- sent from a telephone\n")
        return path

    return save


@pytest.mark.req("R30")
def test_request_and_answer_travel_as_400_characters(
    site: Site, elsewhere: Callable[..., Path]
) -> None:
    number = proposed(site)
    request = site.run("approval", "request", number).ok()["text"]
    assert len(request) <= 400
    file = elsewhere("request", request)
    signed = site.run("approval", "sign", str(file), answers=[NEW_NUMBER[-4:]])
    assert "621626*********" in signed.err and NEW_NUMBER[-4:] not in signed.err
    answer = signed.ok()["text"]
    assert len(answer) <= 400
    taken = site.run("approval", "take", number, str(elsewhere("answer", answer)))
    assert taken.ok()["state"] == "APPROVED"
    assert site.commit(number).ok()["state"] == "EFFECTIVE"


@pytest.mark.req("R30")
def test_an_answer_to_another_order_or_spoilt_is_refused(
    site: Site, elsewhere: Callable[..., Path]
) -> None:
    number = proposed(site)
    request = site.run("approval", "request", number).ok()["text"]
    file = elsewhere("request", request)
    digits = [NEW_NUMBER[-4:]]
    answer = site.run("approval", "sign", str(file), answers=digits).ok()["text"]
    site.run("change", "cancel", number).ok()
    other = proposed(site)
    site.run("approval", "request", other).ok()

    def code(text: str) -> str:
        path = elsewhere("answer", text)
        return str(site.run("approval", "take", other, str(path)).error["code"])

    assert code(answer) == "approval.other"
    at = answer.index("\n") + 20
    spoilt = answer[:at] + ("A" if answer[at] != "A" else "B") + answer[at + 1 :]
    assert code(spoilt) == "armour.unreadable"
    assert code(request) == "armour.unreadable"
    assert state(site, other) == "PROPOSED"


@pytest.mark.req("R30")
@pytest.mark.parametrize(
    "plain",
    [
        json.dumps([*["x"] * 11, "\ud800"]).encode(),
        json.dumps(["\ud800"] * 12).encode(),
        b"[" * 4000,
        b"[1e999]",
        b'["\xff"]',
        b'{"0":1,"0":2}',
    ],
    ids=lambda plain: ascii(plain[:20]),
)
def test_a_request_that_nobody_could_have_written(
    site: Site, elsewhere: Callable[..., Path], plain: bytes
) -> None:
    packed = zlib.compress(plain, 9, wbits=-15)
    body = base64.urlsafe_b64encode(packed).decode().rstrip("=")
    head, end = (f"-----{word} POSCTL REQUEST-----" for word in ("BEGIN", "END"))
    text = f"{head}\n{body}\n={zlib.crc32(packed):08x}\n{end}\n"
    refused = site.run("approval", "sign", str(elsewhere("request", text)))
    assert (refused.code, refused.error["code"]) == (7, "armour.unreadable")


@pytest.mark.req("R30")
def test_a_technician_signs_no_approval(
    site: Site, elsewhere: Callable[..., Path]
) -> None:
    number = proposed(site)
    request = site.run("approval", "request", number).ok()["text"]
    file = elsewhere("request", request)
    refused = site.run(
        "approval", "sign", "--operator", "li", str(file), answers=[NEW_NUMBER[-4:]]
    )
    assert refused.error["code"] == "signature.role"


def test_the_root_is_where_tests_think(site: Site) -> None:
    assert root_of(Home(site.home)).role == "root"
