"""Files of the set-up that hold something else than what was written there: a command
says which file is damaged, and nothing is done."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from world import Site

from emulator.bench import MID

SHAPES = {
    "number": b"1",
    "list": b"[]",
    "text": b'"x"',
    "null": b"null",
    "empty": b"{}",
    "other": b'{"a":[1]}',
    "deep": b"[" * 100_000,
    "surrogate": b'{"body":{"mid":"\\ud800"},"proof":"\\ud800"}',
    "cut": b'{"a":',
    "no text": b"\xff\xfe\x00",
}
KINDS = (".json", ".key", ".sig", ".pem")


def commands(site: Site, effective: str, draft: str) -> Iterator[list[str]]:
    """Those that read them; each leaves things as they were."""
    yield ["orders", "list"]
    yield ["orders", "due"]
    yield ["change", "watch"]
    yield ["operator", "list"]
    yield ["audit", "verify"]
    yield ["change", "commit", effective]
    yield ["change", "resume", draft, *site.means()]
    yield ["merchant", "fetch", MID]


@pytest.fixture
def under_way(site: Site) -> tuple[str, str]:
    """An order that is effective, and one that waits for an answer."""
    names = ("--subject", "individual", "--name", "小面馆", "--owner", "李雷")
    site.run("merchant", "register", MID, *names).ok()
    site.run("operator", "issue", "zhao", "--role", "technician").ok()
    site.run("operator", "revoke", "zhao").ok()
    effective = site.approved()
    site.commit(effective).ok()
    (site.home / "office" / "watched.json").write_text("{}")
    site.confirm(effective).ok()
    stopped = site.run("change", "run", *site.means())
    assert stopped.error["code"] == "person.no_answer"
    (draft,) = site.run("orders", "list", "--open").ok()["orders"]
    return effective, str(draft["order"])


@pytest.mark.req("R47")
@pytest.mark.parametrize("shape", SHAPES)
def test_a_file_of_the_set_up_of_another_shape(
    site: Site, under_way: tuple[str, str], shape: str
) -> None:
    """Every one of them by itself."""
    tracebacks, said = [], set()
    files = sorted(file for file in site.home.rglob("*") if file.suffix in KINDS)
    assert {file.parent.name for file in files} >= {"means", "merchants", "terminals"}
    for file in files:
        before = file.read_bytes()
        for words in commands(site, *under_way):
            file.write_bytes(SHAPES[shape])
            ran = site.run(*words)
            file.write_bytes(before)
            said.add(ran.data.get("error", {}).get("code"))
            if ran.code == 1:
                tracebacks.append((file.name, words[:2], ran.err))
    assert tracebacks == []
    assert said >= {"setup.damaged", "revocations.signature"}
