"""Service windows: half open, in the provider's zone, over midnight (R8)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from posctl.model.errors import ClosedNow
from posctl.model.windows import Windows

ZONE = "Asia/Shanghai"


def windows(closed: list[list[str]], minutes: int = 5) -> Windows:
    pairs = tuple((time.fromisoformat(a), time.fromisoformat(b)) for a, b in closed)
    return Windows(ZoneInfo(ZONE), pairs, timedelta(minutes=minutes))


def at(text: str) -> datetime:
    local = datetime.fromisoformat(f"2026-11-23T{text}").replace(tzinfo=ZoneInfo(ZONE))
    return local.astimezone(UTC)


NIGHT = windows([["02:00", "04:00"]])
OVER_MIDNIGHT = windows([["23:30", "00:30"]])


@pytest.mark.req("R8")
@pytest.mark.parametrize("moment", ["00:00", "01:55:00", "04:00:00", "12:00", "23:59"])
def test_open(moment: str) -> None:
    NIGHT.check(at(moment))


@pytest.mark.req("R8")
@pytest.mark.parametrize("moment", ["01:55:01", "01:59:59", "02:00", "03:59:59"])
def test_closed_or_not_enough_time_left(moment: str) -> None:
    with pytest.raises(ClosedNow) as caught:
        NIGHT.check(at(moment))
    assert caught.value.params["opens"] == "2026-11-23 04:00 CST"
    assert caught.value.exit_code == 10


@pytest.mark.parametrize(
    ("moment", "closed"), [("23:20", 0), ("23:45", 1), ("00:10", 1)]
)
def test_over_midnight(moment: str, closed: int) -> None:
    if closed:
        with pytest.raises(ClosedNow):
            OVER_MIDNIGHT.check(at(moment))
    else:
        OVER_MIDNIGHT.check(at(moment))


def test_no_window_is_closed_by_default() -> None:
    windows([]).check(at("03:00"))


@pytest.mark.req("R8")
def test_closed_twice_in_a_row_opens_after_the_second() -> None:
    twice = windows([["02:00", "04:00"], ["04:02", "05:00"]])
    with pytest.raises(ClosedNow) as caught:
        twice.check(at("03:00"))
    assert caught.value.params["opens"] == "2026-11-23 05:00 CST"


@pytest.mark.req("R8")
def test_a_single_closure_is_half_open() -> None:
    begins, ends = datetime(2026, 11, 23, 12), datetime(2026, 11, 24, 12)
    once = replace(NIGHT, closures=((begins, ends),))
    once.check(at("11:55"))
    with pytest.raises(ClosedNow) as caught:
        once.check(at("11:55:01"))
    assert caught.value.params["opens"] == "2026-11-24 12:00 CST"
    once.check(at("12:00") + timedelta(days=1))


@pytest.mark.req("R8")
def test_a_window_that_does_not_open_for_long_is_no_opening() -> None:
    """What lies behind sixty days is not looked for, and nothing is told to be open."""
    never = windows([["00:00", "00:00"]])
    with pytest.raises(ClosedNow) as caught:
        never.next_opening(at("12:00"))
    assert caught.value.code == "window.closed_long"
    span = (datetime(2026, 11, 1), datetime(2027, 1, 20, 9))  # 59 days, then 58
    long = replace(windows([]), closures=(span,))
    assert long.next_opening(at("12:00")) == at("09:00") + timedelta(days=58)


@pytest.mark.req("R8")
def test_the_gap_between_two_closures_is_found_when_it_is_long_enough() -> None:
    gap = windows([["02:00", "04:00"], ["04:05", "05:00"]])
    assert gap.next_opening(at("03:00")) == at("04:00")
    short = windows([["02:00", "04:00"], ["04:04:59", "05:00"]])
    assert short.next_opening(at("03:00")) == at("05:00")


@pytest.mark.req("R8")
@pytest.mark.parametrize(
    ("days", "told"), [(5, False), (4, True), (0, True), (-3, False)]
)
def test_a_holiday_is_told_from_that_many_days_before(days: int, told: bool) -> None:
    """Of three days, with ``warn_days`` four: told until its last day is over."""
    rules = replace(NIGHT, holidays=((date(2026, 11, 23), date(2026, 11, 25)),))
    near = rules.next_holiday(at("12:00") - timedelta(days=days), 4)
    assert (near is not None) is told


@pytest.mark.req("R8")
def test_the_next_slot_is_open_and_no_holiday() -> None:
    holiday = (date(2026, 11, 24), date(2026, 11, 26))
    rules = replace(NIGHT, holidays=(holiday,))
    assert rules.next_slot(at("12:00")) == at("12:00")
    midnight = at("00:00") + timedelta(days=4)
    assert rules.next_slot(at("12:00") + timedelta(days=1)) == midnight
    assert rules.next_slot(at("23:58")) == at("23:58")
    assert rules.next_holiday(at("12:00"), 5) == holiday
    assert rules.next_holiday(at("12:00") - timedelta(days=5), 5) is None
