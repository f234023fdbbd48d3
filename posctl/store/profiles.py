"""Provider profiles: signed, versioned, dated TOML. Numbers live here, not in code.

The shipped ones are unsigned examples. `posctl setup` appends what is pinned (the
office's sealing key, the provider's address and CA) and signs the whole file with the
organisation's root.
"""

from __future__ import annotations

import hashlib
import json
import tomllib
from datetime import datetime
from importlib import resources
from pathlib import Path
from zoneinfo import ZoneInfoNotFoundError

import msgspec
from cryptography import x509

from posctl.model.canonical import Json, canonical
from posctl.model.errors import CheckFailed, UsageError
from posctl.model.profile import Pinned, Profile
from posctl.store.files import write_private
from posctl.store.keys import ROOT, Operator, Trust, check_signature

_PINNED = "\n[pinned]\n"
_MALFORMED = (ValueError, TypeError, RecursionError, ZoneInfoNotFoundError)


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
    lines = [f'{k} = "{v}"' for k, v in msgspec.structs.asdict(pinned).items()]
    return text.rstrip("\n") + "\n" + _PINNED + "\n".join(lines) + "\n"


def unpinned(text: str) -> str:
    """``text`` as it was before ``pin``."""
    return text.rpartition(_PINNED)[0] if _PINNED in text else text


def parse(text: str, *, source: str) -> Profile:
    """Raises UsageError ``profile.invalid`` naming the place and the key."""
    try:
        data = tomllib.loads(text)
        if "sha256" in data:
            raise ValueError("sha256 is not written, but computed")
        read = msgspec.convert(data, Profile, strict=True)
    except _MALFORMED as error:
        reason = str(error) or type(error).__name__
        raise UsageError("profile.invalid", source=source, reason=reason) from None
    return msgspec.structs.replace(read, sha256=_sha256(text))


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


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
    text = load_text(folder, name, root, now)
    return parse(text, source=str(folder / f"{name}.toml"))


def load_text(folder: Path, name: str, root: x509.Certificate, now: datetime) -> str:
    """Its text, signed. Raises as ``load``, but for ``profile.invalid``."""
    path = folder / f"{name}.toml"
    if path.is_file() and not path.with_suffix(".sig").exists():
        raise CheckFailed("profile.unsigned", path=str(path))
    try:
        text = path.read_text("utf-8")
        proof = json.loads(path.with_suffix(".sig").read_text("utf-8"))
        signer = check_signature(
            Trust(root), "profile", _signed_part(text), proof, at=now
        )
    except OSError:
        known = ", ".join(sorted(p.stem for p in folder.glob("*.toml"))) or "-"
        raise UsageError("profile.missing", profile=name, known=known) from None
    except (CheckFailed, ValueError, RecursionError):
        raise CheckFailed("profile.signature", path=str(path)) from None
    if signer.role != ROOT:
        raise CheckFailed("profile.signature", path=str(path))
    return text
