"""The certificates that were taken back: a list that the organisation's root signs.

    operators/revoked.json
    {"body": {"number", "revoked": {fingerprint: since}}, "proof"}

Its number only grows. Who can write this folder can put an older list back: an approval
names the number that it was made under, so a place whose log knows a higher one refuses
to work (``Place.trust``).
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from cryptography import x509

from posctl.model.canonical import Json, canonical
from posctl.model.clock import moment, stamp
from posctl.model.errors import CheckFailed, UsageError
from posctl.store.files import read_json, write_private
from posctl.store.keys import ROOT, Operator, Trust, check_signature

_PURPOSE = "revocations"


def load_trust(path: Path, root: x509.Certificate) -> Trust:
    """What the list in ``path`` leaves of the trust in ``root``; all, without a list.

    Raises:
        CheckFailed: ``revocations.signature``.
    """
    if not path.exists():
        return Trust(root)
    try:
        data = read_json(path)
        number, revoked = data["body"]["number"], _moments(data["body"]["revoked"])
        # The root's own time is not looked at: it is pinned.
        at = root.not_valid_before_utc
        proof = data["proof"]
        signer = check_signature(Trust(root), _PURPOSE, data["body"], proof, at=at)
    except (CheckFailed, UsageError, ValueError, KeyError, TypeError, AttributeError):
        raise CheckFailed("revocations.signature", path=str(path)) from None
    if signer.role != ROOT or type(number) is not int:
        raise CheckFailed("revocations.signature", path=str(path))
    return Trust(root, revoked, number)


def _moments(texts: Json) -> dict[str, datetime]:
    return {whose: moment(since) for whose, since in texts.items()}


def revoke(
    path: Path, trust: Trust, root: Operator, whose: str, now: datetime
) -> Trust:
    """Write the next list, with the certificate of fingerprint ``whose`` on it."""
    revoked = {**trust.revoked, whose: now}
    body = {
        "number": trust.number + 1,
        "revoked": {name: stamp(since) for name, since in revoked.items()},
    }
    write_private(path, canonical({"body": body, "proof": root.sign(_PURPOSE, body)}))
    return Trust(trust.root, revoked, trust.number + 1)
