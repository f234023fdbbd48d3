"""The adapter against the emulated service, over real TLS."""

from __future__ import annotations

import pytest
from provider_world import NEW, World, soon

from posctl.providers import Progress


@pytest.mark.req("R35", "R38", "R40")
def test_whole_course(world: World) -> None:
    reg_id = world.applied()
    seen = [world.provider.query(reg_id, soon())]
    world.provider.sign(reg_id, soon())
    for at in (0, 60, 120, 179.9, 180):
        world.clock.now = at
        seen.append(world.provider.query(reg_id, soon()))
    assert [s.raw for s in seen] == ["00", "01", "06", "02", "02", "03"]
    assert seen[-1].progress is Progress.EFFECTIVE
    assert (world.account, world.version) == (NEW, 2)
