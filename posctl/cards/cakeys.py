"""Keys of certification authorities, by which chips prove themselves (R24).

Built in are UnionPay's, as far as they are public: ``ca-keys.toml``, with origin and
date. A file of the same form adds more, and issuers' certificates that were revoked.
"""

from __future__ import annotations

import hashlib
import tomllib
from datetime import date
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Annotated

import msgspec

from posctl.model.errors import CheckFailed, UsageError
from posctl.model.profile import Profile
from posctl.store.home import Home
from posctl.store.keys import is_test_root
from protocols.cardproof import CaKey, Keys, PublicKey

_LARGEST = 256 * 1024
Hexadecimal = Annotated[str, msgspec.Meta(pattern=r"^[0-9A-Fa-f\s]+$", max_length=600)]
Rid = Annotated[str, msgspec.Meta(pattern="^[0-9A-F]{10}$")]
Index = Annotated[str, msgspec.Meta(pattern="^[0-9A-F]{2}$")]


class _Key(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    rid: Rid
    index: Index
    modulus: Hexadecimal
    exponent: int
    check_value: Annotated[str, msgspec.Meta(pattern="^[0-9A-Fa-f]{40}$")]
    origin: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    expires: date | None = None
    test: bool = False


class _Revoked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    rid: Rid
    index: Index
    serial: Annotated[str, msgspec.Meta(pattern="^[0-9A-F]{6}$")]


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    key: tuple[_Key, ...] = ()
    revoked: tuple[_Revoked, ...] = ()


@cache
def built_in() -> Keys:
    """UnionPay's, as shipped."""
    text = (resources.files("posctl") / "cards" / "ca-keys.toml").read_text("utf-8")
    return parse(text, source="ca-keys.toml")


def pinned(path: Path, sha256: str, *, test: bool) -> Keys:
    """The built-in keys and those of a file, which count before them. It must be the
    one that was pinned at the set-up.

    Args:
        sha256: 64 hexadecimal digits; ``""``: there is none, and no file is looked at.
        test: whether test keys count.

    Raises:
        CheckFailed: ``cakeys.changed``, ``cakeys.test``.
        UsageError: ``cakeys.invalid``.
    """
    if not sha256:
        return built_in()
    text = read(path)
    if digest(text) != sha256:
        raise CheckFailed("cakeys.changed", path=str(path))
    found = parse(text, source=str(path))
    check_test(found, path, test=test)
    return together(found, built_in())


def of_set_up(home: Home, profile: Profile) -> Keys:
    """Those that count in a set-up, by its profile in force. Raises as ``pinned``."""
    sha256 = profile.pinned.ca_keys_sha256 if profile.pinned else ""
    return pinned(home.ca_keys, sha256, test=is_test_root(home.root))


def check_test(found: Keys, path: Path, *, test: bool) -> None:
    """Raises CheckFailed ``cakeys.test``: anybody may make cards for a test key."""
    if not test and any(key.is_test for key in found.keys):
        raise CheckFailed("cakeys.test", path=str(path))


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def together(first: Keys, then: Keys) -> Keys:
    return Keys(first.keys + then.keys, first.revoked | then.revoked)


def read(path: Path) -> str:
    """Raises UsageError ``cakeys.invalid``."""
    try:
        if path.stat().st_size > _LARGEST:
            raise ValueError("larger than 256 KiB")
        return path.read_text("utf-8")
    except (OSError, ValueError) as error:
        reason = str(error) if isinstance(error, ValueError) else type(error).__name__
        raise UsageError("cakeys.invalid", path=str(path), reason=reason) from None


def parse(text: str, *, source: str) -> Keys:
    """Raises UsageError ``cakeys.invalid``: the form, or a check value."""
    try:
        file = msgspec.convert(tomllib.loads(text), _File, strict=True)
        keys = tuple(_key(entry) for entry in file.key)
    except (ValueError, RecursionError) as error:
        raise UsageError("cakeys.invalid", path=source, reason=str(error)) from None
    revoked = {(r.rid, int(r.index, 16), r.serial) for r in file.revoked}
    return Keys(keys, frozenset(revoked))


def _key(entry: _Key) -> CaKey:
    """Raises ValueError."""
    modulus = bytes.fromhex("".join(entry.modulus.split()))
    name = f"{entry.rid} {entry.index}"
    if entry.exponent not in (3, 65537):
        raise ValueError(f"{name}: exponent 3 or 65537 is expected")
    if not 128 <= len(modulus) <= 248 or not modulus[0] & 0x80:
        raise ValueError(f"{name}: a modulus of 1024 to 1984 bits is expected")
    made = CaKey(
        rid=entry.rid,
        index=int(entry.index, 16),
        key=PublicKey(modulus, entry.exponent),
        origin=entry.origin,
        expires=entry.expires,
        is_test=entry.test,
    )
    if made.check_value != entry.check_value.upper():
        raise ValueError(f"{name}: the check value is another")
    return made
