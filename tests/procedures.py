"""Sites whose profile differs from the emulator's: a text of it, changed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from world import Site

from posctl.store.profiles import example


def profile_text(name: str, changes: Mapping[str, str]) -> str:
    """A shipped profile with these pieces of text replaced; each must be there."""
    text = example(name)
    for old, new in changes.items():
        assert old in text, old
        text = text.replace(old, new)
    return text


def site_with(
    site: Site,
    folder: Path,
    changes: Mapping[str, str],
    *,
    name: str = "emulator",
    credentials: Mapping[str, str] | None = None,
) -> Site:
    """Another set-up on the same bench, under a changed profile."""
    folder.mkdir(exist_ok=True)
    profile = folder / f"{name}.toml"
    profile.write_text(profile_text(name, changes), "utf-8")
    issued = site.bench.credentials_file
    if credentials is not None:
        issued = folder / "credentials.json"
        issued.write_text(json.dumps(dict(credentials)))
    made = replace(site, home=folder / "home")
    made.run(
        *("setup", "--test", "--technician", "li", "--approver", "wang"),
        *("--profile", str(profile), "--provider-url", site.bench.url),
        *("--provider-ca", str(site.bench.ca_file), "--credentials", str(issued)),
    ).ok()
    return made


def register(site: Site, mid: str, *more: str, owner: str = "全渠道") -> None:
    """The merchant at the office, and its list for the field."""
    names = ("--name", "小面馆", "--owner", owner, "--phone", "13552535506")
    subject = () if "--subject" in more else ("--subject", "individual")
    site.run("merchant", "register", *subject, *names, *more, mid).ok()
    site.run("merchant", "fetch", mid).ok()
