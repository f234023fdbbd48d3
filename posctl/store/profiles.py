"""Provider profiles: signed, versioned, dated TOML. Numbers live here, not in code.

The shipped ones are unsigned examples. `posctl setup` appends what is pinned (the
office's sealing key, the provider's address and CA) and signs the whole file with the
organisation's root.
"""

from __future__ import annotations

import hashlib
import json
import tomllib
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from importlib import resources
from pathlib import Path
from typing import Any

from cryptography import x509

from posctl.model.canonical import Json, canonical
from posctl.model.errors import CheckFailed, UsageError
from posctl.model.windows import Windows
from posctl.store.files import write_private
from posctl.store.keys import ROOT, Operator, check_signature

_MALFORMED = (
    *(ValueError, TypeError, AttributeError, InvalidOperation),
    *(OverflowError, RecursionError),
)


@dataclass(frozen=True)
class Document:
    """A picture the provider wants: its kind there, and what people call it."""

    kind: str
    label: str


@dataclass(frozen=True)
class Pinned:
    """What `posctl setup` adds: sealing key, address, SHA-256 of the CA file."""

    office_key: str
    url: str
    ca_sha256: str


@dataclass(frozen=True)
class Profile:
    """A provider's rules. Money is Decimal yuan; days, seconds, bytes say so.

    ``sha256`` is of the whole signed text: two texts of one version differ in it.
    """

    name: str
    version: int
    date: str
    provider: str
    licence: str
    channels: tuple[str, ...]
    protocol: str
    baud: int
    confirm: str
    variables: dict[str, str]
    required: tuple[str, ...]
    list_days: int
    old_account: str
    documents: tuple[Document, ...]
    windows: Windows
    fee: Decimal
    terms: str
    valid_days: int
    poll_seconds: float
    wait_seconds: float
    contacts: dict[str, str]
    largest_picture: int
    sha256: str
    pinned: Pinned | None

    @property
    def terms_sha256(self) -> str:
        return hashlib.sha256(self.terms.encode()).hexdigest()

    @property
    def in_force(self) -> Pinned:
        """What setup pinned. Raises CheckFailed ``profile.not_set_up``."""
        if self.pinned is None:
            raise CheckFailed("profile.not_set_up", profile=self.name)
        return self.pinned


def example_names() -> list[str]:
    """Of the shipped examples."""
    folder = resources.files("posctl") / "profiles"
    return sorted(f.name[:-5] for f in folder.iterdir() if f.name.endswith(".toml"))


def example(name: str) -> str:
    """The text of a shipped example. Raises UsageError ``profile.missing``."""
    known = example_names()
    if name not in known:
        raise UsageError("profile.missing", profile=name, known=", ".join(known))
    return (resources.files("posctl") / "profiles" / f"{name}.toml").read_text("utf-8")


def text_of(name: str) -> str:
    """A shipped example by name, or a TOML file by path.

    Raises:
        UsageError: ``profile.missing``, ``profile.invalid``.
    """
    path = Path(name)
    if path.suffix != ".toml":
        return example(name)
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = type(error).__name__
        raise UsageError("profile.invalid", source=name, reason=reason) from None


def pin(text: str, pinned: Pinned) -> str:
    """``text`` with the pinned table at its end."""
    lines = [f'{k} = "{v}"' for k, v in vars(pinned).items()]
    return text.rstrip("\n") + "\n\n[pinned]\n" + "\n".join(lines) + "\n"


def parse(text: str, *, source: str) -> Profile:
    """Raises UsageError ``profile.invalid`` naming the place and the key."""
    try:
        return _profile(tomllib.loads(text), text)
    except KeyError as error:
        raise UsageError(
            "profile.invalid", source=source, reason=f"{error.args[0]} is missing"
        ) from None
    except _MALFORMED as error:
        reason = str(error) or type(error).__name__
        raise UsageError("profile.invalid", source=source, reason=reason) from None


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _profile(data: dict[str, Any], text: str) -> Profile:
    terminal, identity = data["terminal"], data["identity"]
    return Profile(
        name=str(data["name"]),
        version=int(data["version"]),
        date=str(data["date"]),
        provider=str(data["provider"]),
        licence=str(data["licence"]),
        channels=tuple(data["channels"]),
        protocol=str(terminal["protocol"]),
        baud=int(terminal["baud"]),
        confirm=str(terminal["confirm"]),
        variables=dict(terminal["variables"]),
        required=tuple(identity["required"]),
        list_days=int(identity["list_days"]),
        old_account=str(data["account"]["old"]),
        documents=tuple(Document(**d) for d in data.get("documents", ())),
        windows=Windows.from_table(data["windows"]),
        fee=Decimal(data["fee"]["change"]),
        terms=str(data["terms"]["text"]),
        valid_days=int(data["order"]["valid_days"]),
        poll_seconds=float(data["poll"]["every_seconds"]),
        wait_seconds=float(data["poll"]["wait_seconds"]),
        contacts=dict(data["contacts"]),
        largest_picture=int(data["pictures"]["largest_bytes"]),
        sha256=_sha256(text),
        pinned=Pinned(**data["pinned"]) if "pinned" in data else None,
    )


def _signed_part(text: str) -> Json:
    return {"sha256": _sha256(text)}


def install(folder: Path, text: str, root: Operator) -> Profile:
    """Check, sign and store a profile. Raises UsageError ``profile.invalid``."""
    profile = parse(text, source="the new profile")
    proof = root.sign("profile", _signed_part(text))
    write_private(folder / f"{profile.name}.toml", text.encode())
    write_private(folder / f"{profile.name}.sig", canonical(proof))
    return profile


def load(folder: Path, name: str, root: x509.Certificate, now: datetime) -> Profile:
    """The signed profile of that name.

    Raises:
        UsageError: ``profile.missing``, ``profile.invalid``.
        CheckFailed: ``profile.signature``.
    """
    path = folder / f"{name}.toml"
    try:
        text = path.read_text("utf-8")
        proof = json.loads(path.with_suffix(".sig").read_text("utf-8"))
        signer = check_signature(root, "profile", _signed_part(text), proof, at=now)
    except OSError:
        known = ", ".join(sorted(p.stem for p in folder.glob("*.toml"))) or "-"
        raise UsageError("profile.missing", profile=name, known=known) from None
    except (CheckFailed, ValueError, RecursionError):
        raise CheckFailed("profile.signature", path=str(path)) from None
    if signer.role != ROOT:
        raise CheckFailed("profile.signature", path=str(path))
    return parse(text, source=str(path))
