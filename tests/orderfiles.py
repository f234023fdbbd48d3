"""Order files on their way, and what who holds a key does to them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from world import Site

from posctl.model.canonical import canonical
from posctl.store import keys
from posctl.store.eventlog import Event
from posctl.store.home import Home

File = dict[str, Any]


def approve(site: Site, path: Path) -> str:
    """The error code that the office meets it with, or "taken"."""
    number = json.loads(path.read_text())["body"]["order"]
    answers = [["0018"], ["--order-file", str(path)]]
    ran = site.run("change", "approve", number, *answers[1], answers=answers[0])
    assert "Traceback" not in ran.err
    return "taken" if ran.code == 0 else str(ran.error["code"])


def resign(site: Site, data: File, name: str = "li") -> None:
    """As somebody who holds that operator's key would."""
    operator = keys.load_operator(Home(site.home).operators, name, None)
    data["proof"] = operator.sign("order file", data["body"])


def rewrite(site: Site, path: Path, change: Callable[[File], None]) -> None:
    data = json.loads(path.read_text())
    change(data)
    resign(site, data)
    path.write_bytes(canonical(data))


def root_of(home: Home) -> keys.Operator:
    """The organisation's root, as a test set-up leaves it open."""
    raw = keys.unprotect(home.path / "root.key", None)
    key = keys.Ed25519PrivateKey.from_private_bytes(raw)
    return keys.Operator(keys.ROOT, keys.ROOT, home.root, key)


def add_events(data: File, *events: tuple[str, dict[str, Any]]) -> None:
    chain = [Event.from_json(event) for event in data["body"]["events"]]
    for kind, payload in events:
        last = chain[-1]
        moment = "2026-11-23T00:00:00.000Z"
        chain.append(Event.chained(last.order_id, last, moment, kind, payload))
    data["body"]["events"] = [event.to_json() for event in chain]
    data["body"]["head"] = chain[-1].hash


def forge(site: Site, path: Path, change: Callable[[str, File], File]) -> None:
    """Rewrite payloads of the order file and sign again, as li could."""
    data = json.loads(path.read_text())
    chain: list[Event] = []
    for item in data["body"]["events"]:
        event = Event.from_json(item)
        last = chain[-1] if chain else None
        payload = change(event.kind, dict(event.payload))
        chain.append(
            Event.chained(event.order_id, last, event.time, event.kind, payload)
        )
    data["body"]["events"] = [event.to_json() for event in chain]
    data["body"]["head"] = chain[-1].hash
    resign(site, data)
    path.write_bytes(canonical(data))


def part(kind: str, **values: object) -> Callable[[str, File], File]:
    return lambda k, payload: payload | values if k == kind else payload
