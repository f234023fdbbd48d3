"""The last day and the first, the last byte: where a rule begins and ends."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from procedures import Changed
from stdnum.iso7064 import mod_11_2
from world import RUN_ANSWERS

from emulator.bench import BRANCH, MOBILE, OLD_NUMBER
from posctl.change.mandates import SCOPE, Terms, good_until
from posctl.field.pictures import check_picture
from posctl.model.errors import CheckFailed
from posctl.store.profiles import example, parse

SHANGHAI = ZoneInfo("Asia/Shanghai")
JPEG, PNG = b"\xff\xd8\xff", b"\x89PNG"


def born(years: int, days: int) -> str:
    """An ID number of somebody who is ``years`` old in ``days``."""
    today = datetime.now(SHANGHAI).date() + timedelta(days=days)
    year, leap = today.year - years, (today.month, today.day) == (2, 29)
    birth = date(year, 3, 1) if leap else today.replace(year=year)
    body = f"110105{birth:%Y%m%d}002"
    return body + str(mod_11_2.calc_check_digit(body))


@pytest.mark.req("R13")
def test_eighteen_on_the_day(changed: Changed) -> None:
    """The one that is eighteen tomorrow is asked again, the one of today goes on."""
    site = changed(
        {
            'asks = ["branch", "mobile"]': 'asks = ["branch", "mobile", "id_number"]\n'
            "least_age = 18"
        }
    )
    answers = (OLD_NUMBER, BRANCH, MOBILE, born(18, 1), born(18, 0), "CHANGE")
    ran = site.run("change", "run", *site.means(), answers=answers)
    assert ran.ok()["state"] == "PROPOSED"
    assert "18" in ran.err
    young = (OLD_NUMBER, BRANCH, MOBILE, *[born(18, 1)] * 3)
    number = ran.data["result"]["order"]
    site.run("change", "rollback", number)
    refused = site.run("change", "run", *site.means(), answers=young)
    assert (refused.code, refused.error["code"]) == (3, "person.no_answer")


@pytest.mark.req("R15")
@pytest.mark.parametrize(("day", "code"), [(0, None), (1, "mandate.ended")])
def test_a_mandate_holds_on_its_last_day(day: int, code: str | None) -> None:
    mandate, today = Terms("zhang", SCOPE, "2027-06-30"), date(2027, 6, 30)
    now = today + timedelta(days=day)
    if code is None:
        assert good_until([mandate], "zhang", "1", now) == "2027-06-30"
        return
    with pytest.raises(CheckFailed) as refused:
        good_until([mandate], "zhang", "1", now)
    assert refused.value.code == code


@pytest.mark.req("R8")
@pytest.mark.parametrize(
    ("moment", "there"),
    [("11:59:59", False), ("12:00:00", True), ("12:59:59", True), ("13:00:00", False)],
)
def test_a_notice_is_half_open(moment: str, there: bool) -> None:
    text = (
        '[[notices]]\nid = "works"\nbegins = 2026-11-23T12:00:00\n'
        'ends = 2026-11-23T13:00:00\ntext = "works"\n\n[caps]'
    )
    profile = parse(example("emulator").replace("[caps]", text), source="-")
    now = datetime.fromisoformat(f"2026-11-23T{moment}").replace(tzinfo=SHANGHAI)
    assert bool(profile.notices_at(now.astimezone(UTC))) is there


@pytest.mark.req("R7")
@pytest.mark.parametrize(
    ("body", "code"),
    [
        (JPEG + b"1234567", None),
        (PNG + b"123456", None),
        (JPEG + b"12345678", "document.size"),
        (b"", "document.size"),
        (b"GIF89a", "document.type"),
        (b"\x89pn", "document.type"),
    ],
)
def test_a_pictures_size_and_type(
    tmp_path: Path, body: bytes, code: str | None
) -> None:
    path = tmp_path / "0025.jpg"
    path.write_bytes(body)
    if code is None:
        assert check_picture("0025", path, 10)["size"] == 10
        return
    with pytest.raises(CheckFailed) as refused:
        check_picture("0025", path, 10)
    assert refused.value.code == code


@pytest.mark.req("R7")
def test_a_file_that_is_no_picture_stops_the_order(
    changed: Changed, tmp_path: Path
) -> None:
    site = changed({})
    folder = tmp_path / "pictures"
    folder.mkdir()
    for kind in ("0025", "0026"):
        (folder / f"{kind}.jpg").write_bytes(b"%PDF-1.7")
    means = (*site.means(), "--pictures", str(folder))
    refused = site.run("change", "run", *means, answers=RUN_ANSWERS)
    assert (refused.code, refused.error["code"]) == (7, "document.type")
