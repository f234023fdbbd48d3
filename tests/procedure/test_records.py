"""Profiles, erasing, the audit: what stays, what goes."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest
from procedures import (
    Changed,
    proposed,
)
from world import Site

from posctl.store import profiles


@pytest.mark.req("R5")
def test_a_newer_profile_is_signed_and_an_older_one_is_not(
    site: Site, tmp_path: Path
) -> None:
    text = profiles.example("emulator")
    newer = tmp_path / "emulator.toml"
    newer.write_text(text, "utf-8")
    refused = site.run("profile", "sign", str(newer))
    assert refused.error["code"] == "profile.downgrade"
    newer.write_text(text.replace("version = 1", "version = 2"), "utf-8")
    assert site.run("profile", "sign", str(newer)).ok()["version"] == 2
    assert site.run("profile", "show").ok()["version"] == 2
    file = site.home / "profiles" / "emulator.toml"
    assert site.run("profile", "verify", str(file)).ok()["verified"]
    file.write_text(file.read_text("utf-8") + "\n", "utf-8")
    bad = site.run("profile", "verify", str(file))
    assert (bad.code, bad.error["code"]) == (7, "profile.signature")


@pytest.mark.req("R5")
def test_a_profile_is_signed_only_where_the_roots_key_is(
    site: Site, tmp_path: Path
) -> None:
    newer = tmp_path / "emulator.toml"
    text = profiles.example("emulator").replace("version = 1", "version = 2")
    newer.write_text(text, "utf-8")
    (site.home / "root.key").unlink()
    refused = site.run("profile", "sign", str(newer))
    assert (refused.code, refused.error["code"]) == (2, "root.absent")


@pytest.mark.req("R5")
def test_an_old_profile_and_one_without_a_licence_warn(
    site: Site, tmp_path: Path
) -> None:
    text = profiles.example("emulator")
    text = text.replace("date = 2026-11-25", "date = 2020-01-01")
    text = text.replace('licence = "none: an emulated provider"', 'licence = ""')
    old = tmp_path / "old.toml"
    old.write_text(text, "utf-8")
    told = site.run("profile", "show", str(old)).err
    assert "2020-01-01" in told and "no licence" in told


@pytest.mark.req("R50")
def test_numbers_are_erased_after_retention_and_the_chain_holds(
    changed: Changed,
) -> None:
    site = changed({"retention_days = 1825": "retention_days = 0"})
    number = site.approved()
    site.commit(number).ok()
    assert (
        site.run("orders", "erase", number, answers=["ERASE"]).error["code"]
        == "erase.open"
    )
    site.confirm(number).ok()
    gone = site.run("orders", "erase", number, answers=["ERASE"]).ok()["erased"]
    assert len(gone) == 2
    site.run("audit", "verify").ok()
    for place in ("field", "office"):
        for file in (site.home / place).glob("log.db*"):
            assert not any(bytes.fromhex(h) in file.read_bytes() for h in gone)
    assert site.run("receipt", "show", number).ok()["result"] == "EFFECTIVE"


@pytest.mark.req("R50")
def test_nothing_is_erased_before_its_time(site: Site) -> None:
    number = proposed(site)
    site.run("change", "cancel", number).ok()
    early = site.run("orders", "erase", number, answers=["ERASE"])
    assert (early.code, early.error["code"]) == (7, "erase.early")


@pytest.mark.req("R50")
def test_a_log_cut_off_is_found_by_the_receipts_head(
    site: Site, tmp_path: Path
) -> None:
    number = site.approved()
    site.commit(number).ok()
    receipt = tmp_path / "receipt.json"
    site.run("receipt", "show", number, "--output", str(receipt)).ok()
    site.run("audit", "verify", "--against", str(receipt)).ok()
    with sqlite3.connect(site.home / "office" / "log.db") as db:
        (last,) = db.execute("SELECT MAX(sequence) FROM events").fetchone()
        db.execute("DELETE FROM events WHERE sequence > ?", (last - 8,))
        db.execute("DELETE FROM orders")
    with sqlite3.connect(site.home / "field" / "log.db") as db:
        db.execute("DELETE FROM events WHERE order_id = ? AND position > 9", (number,))
        db.execute("DELETE FROM orders")
    found = site.run("audit", "verify", "--against", str(receipt))
    assert found.code == 7
    assert found.error["code"] in ("audit.head", "log.projection", "log.broken")


@pytest.mark.req("R46")
def test_notices_are_delivered_once_marked_and_again_when_it_failed(
    site: Site, tmp_path: Path
) -> None:
    number = site.approved()
    site.commit(number).ok()
    failed = site.run("outbox", "deliver", "--command", "false")
    assert (failed.code, failed.error["code"]) == (5, "outbox.failed")
    (waiting,) = site.run("outbox", "list").ok()["messages"]
    assert (waiting["key"], waiting["result"]) == (number, "EFFECTIVE")
    file = tmp_path / "notices"
    done = site.run("outbox", "deliver", "--to-file", str(file)).ok()
    assert done["delivered"] == [number]
    assert json.loads(file.read_text())["key"] == number
    again = site.run("outbox", "deliver", "--to-file", str(file)).ok()
    assert again["delivered"] == [] and len(file.read_text().splitlines()) == 1


@pytest.mark.req("R46")
def test_a_notice_that_fails_keeps_none_of_the_others(
    site: Site, tmp_path: Path
) -> None:
    first = proposed(site)
    site.run("change", "cancel", first).ok()
    second = proposed(site)
    site.run("change", "cancel", second).ok()
    program = tmp_path / "post"
    program.write_text(f"#!/bin/sh\n! grep -q {first}\n")
    program.chmod(0o700)
    failed = site.run("outbox", "deliver", "--command", str(program))
    assert (failed.code, failed.error["code"]) == (5, "outbox.failed")
    assert failed.error["params"]["key"] == first
    assert failed.error["params"]["done"] == second
    (waiting,) = site.run("outbox", "list").ok()["messages"]
    assert waiting["key"] == first


@pytest.mark.req("R50")
def test_the_head_of_an_empty_store_is_no_head_to_compare(site: Site) -> None:
    proposed(site)
    nothing = ("--against", "0" * 64)
    assert site.run("audit", "verify", *nothing).ok()["heads"] == 0
    head = site.run("audit", "verify").ok()["stores"][0]["store_head"]
    both = (*nothing, "--against", head)
    assert site.run("audit", "verify", *both).ok()["heads"] == 1
