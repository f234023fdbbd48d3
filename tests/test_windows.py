"""Service windows: half open, in the provider's zone, over midnight (R8)."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from posctl.model.errors import ClosedNow
from posctl.model.windows import Windows

ZONE = "Asia/Shanghai"


def windows(closed: list[list[str]], minutes: int = 5) -> Windows:
    return Windows.from_table(
        {"timezone": ZONE, "closed": closed, "estimated_minutes": minutes}
    )


def at(text: str) -> datetime:
    local = datetime.fromisoformat(f"2026-11-23T{text}").replace(tzinfo=ZoneInfo(ZONE))
    return local.astimezone(UTC)


NIGHT = windows([["02:00", "04:00"]])
OVER_MIDNIGHT = windows([["23:30", "00:30"]])


@pytest.mark.req("R8")
@pytest.mark.parametrize("time", ["00:00", "01:55:00", "04:00:00", "12:00", "23:59"])
def test_open(time: str) -> None:
    NIGHT.check(at(time))


@pytest.mark.req("R8")
@pytest.mark.parametrize("time", ["01:55:01", "01:59:59", "02:00", "03:59:59"])
def test_closed_or_not_enough_time_left(time: str) -> None:
    with pytest.raises(ClosedNow) as caught:
        NIGHT.check(at(time))
    assert caught.value.params["opens"] == "2026-11-23 04:00 CST"
    assert caught.value.exit_code == 10


@pytest.mark.parametrize(("time", "closed"), [("23:20", 0), ("23:45", 1), ("00:10", 1)])
def test_over_midnight(time: str, closed: int) -> None:
    if closed:
        with pytest.raises(ClosedNow):
            OVER_MIDNIGHT.check(at(time))
    else:
        OVER_MIDNIGHT.check(at(time))


def test_no_window_is_closed_by_default() -> None:
    windows([]).check(at("03:00"))
