"""Ways on that must exist, and set-ups and arguments that are damaged.

Each of these once left somebody stuck, or looking at a traceback.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from orderfiles import approve, root_of
from procedures import shown
from world import RUN_ANSWERS, MakeSite, Site

from emulator.bench import MID, NEW_NUMBER, OLD_NUMBER
from posctl.model.canonical import canonical
from posctl.store.home import Home

# -- ways on ---------------------------------------------------------------------


@pytest.mark.req("R37")
def test_a_reverse_order_may_begin_before_the_terminal_has_confirmed(
    make_site: MakeSite,
) -> None:
    site = make_site()
    number = site.approved()
    site.commit(number).ok()
    site.run("orders", "list").ok()
    core = site.bench.terminal.core
    site.bench.loop.run(site.bench.terminal.host.download())
    assert core.binding_tag().version == 2  # type: ignore[union-attr]
    answers = [OLD_NUMBER, OLD_NUMBER, NEW_NUMBER, *RUN_ANSWERS[1:]]
    back = site.run("change", "run", "--typed", *site.means(), answers=answers)
    assert back.ok()["old"] == "621626*********0018"
    second = str(back.ok()["order"])
    site.run("change", "approve", second, answers=[OLD_NUMBER[-4:]]).ok()
    site.commit(second).ok()
    assert (site.account(), site.version()) == (OLD_NUMBER, 3)


@pytest.mark.req("R37")
def test_a_lost_order_file_is_handed_over_again_without_the_pictures(
    site: Site,
) -> None:
    number = str(site.propose().ok()["order"])
    (site.home / "office" / "inbox" / f"{number}.posctl-order").unlink()
    for picture in site.bench.pictures.iterdir():
        picture.unlink()
    again = site.run("change", "resume", number, *site.means())
    assert again.ok()["state"] == "PROPOSED"
    site.approve(number).ok()
    assert site.commit(number).ok()["state"] == "EFFECTIVE"


def test_a_picture_too_large_for_the_provider_is_refused_at_once(site: Site) -> None:
    path = site.bench.pictures / "0025.jpg"
    path.write_bytes(b"\xff\xd8\xff" + bytes(1_500_000))
    ran = site.propose()
    assert (ran.code, ran.error["code"]) == (7, "document.size")


def test_the_largest_picture_that_passes_is_taken_by_the_provider(site: Site) -> None:
    path = site.bench.pictures / "0025.jpg"
    path.write_bytes(b"\xff\xd8\xff" + bytes(1_499_990))
    number = site.approved()
    assert site.commit(number).ok()["state"] == "EFFECTIVE"


def test_profiles_whose_terminals_show_nothing_close_without_one(
    make_site: MakeSite, tmp_path: Path
) -> None:
    from posctl.store import profiles

    site = make_site()
    home = Home(site.home)
    text = (home.profiles / "emulator.toml").read_text()
    silent = text.replace('confirm = "binding_tag"', 'confirm = "n/a"')
    profiles.install(home.profiles, silent, root_of(home))
    number = site.approved()
    assert shown(site, number)["terminal"] == "n/a"
    site.commit(number).ok()
    closed = site.run("change", "confirm", number, "--port", "/dev/nothing").ok()
    assert (closed["state"], closed["terminal"]) == ("CLOSED", "n/a")


# -- machines that fail ----------------------------------------------------------


def test_a_fifo_in_the_inbox_hangs_nothing(site: Site) -> None:
    inbox = site.home / "office" / "inbox"
    inbox.mkdir(exist_ok=True)
    os.mkfifo(inbox / "AAAA-22222.posctl-order")
    assert site.spawn("orders", "list").code == 0


def test_boxes_of_another_type_are_refused(
    site: Site,
    sent: Path,
) -> None:
    for boxes in ([], "x", {"a": 5}, {"a": "b"}):
        data = json.loads(sent.read_text())
        data["boxes"] = boxes
        broken = sent.with_name("broken")
        broken.write_bytes(canonical(data))
        assert approve(site, broken) == "orderfile.unreadable"


def test_the_users_own_copy_is_left_alone(site: Site, sent: Path) -> None:
    assert approve(site, sent) == "taken"
    assert sent.exists()


@pytest.mark.parametrize(
    "name",
    [
        "home.json",
        "root.pem",
        "operators/li.key",
        "operators/li.pem",
        "profiles/emulator.sig",
        "profiles/emulator.toml",
        "office/seal.key",
        "office/credentials.key",
        "office/provider-ca.pem",
        "field/log.db",
        "office/log.db",
        f"field/terminals/{MID}.json",
    ],
)
@pytest.mark.parametrize("damage", [b"{}", b"[" * 5000, b"\xff\xfe\x00junk" * 999])
def test_a_damaged_set_up_is_said_in_words(
    site: Site, name: str, damage: bytes
) -> None:
    number = str(site.propose().ok()["order"])
    (site.home / name).write_bytes(damage)
    for suffix in ("-wal", "-shm"):
        (site.home / f"{name}{suffix}").unlink(missing_ok=True)
    commands: list[tuple[list[str], list[str]]] = [
        (["orders"], []),
        (["orders", "show", number], []),
        (["change", "run", *site.means()], list(RUN_ANSWERS)),
        (["change", "approve", number], ["0018"]),
        (["merchant", "fetch", MID], []),
    ]
    codes = [site.run(*words, answers=answers).code for words, answers in commands]
    assert set(codes) <= {0, 2, 5, 7}
    assert any(codes) or (damage == b"" and name.endswith("log.db"))
    assert site.account() == OLD_NUMBER


@pytest.mark.parametrize(
    "words",
    [
        ["orders", "show", "../../x"],
        ["change", "commit", "A" * 300],
        ["change", "resume", "\udcff"],
        ["change", "run", "--wait-card", "inf"],
        ["change", "commit", "AAAA-22222", "--wait", "nan"],
        ["merchant", "fetch", "../x"],
        ["merchant", "fetch", "9" * 30],
    ],
)
def test_arguments_that_make_no_sense_are_usage_errors(
    site: Site, words: list[str]
) -> None:
    assert site.run(*words).code == 2
    assert not list(site.home.parent.rglob("*x.lock"))


@pytest.mark.req("R36")
def test_a_clock_that_runs_on_is_no_difference_of_two_reads(site: Site) -> None:
    """A second may pass between the two reads of a back-up."""
    from posctl.field.backup import parameters
    from posctl.terminals import open_terminal

    names = {"tid": "terminalID", "clock": "terminalClock"}
    driver = open_terminal("poslink", site.bench.port, variables=names)
    try:
        read = parameters(driver, sorted(names))
    finally:
        driver.close()
    assert read["tid"] and "clock" not in read
