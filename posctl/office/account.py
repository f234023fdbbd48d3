"""The sealed account, opened and held against what the order says of it."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from stdnum import luhn

from posctl.change.journal import Journal
from posctl.change.order import Order
from posctl.model.canonical import Json, from_canonical
from posctl.model.errors import CheckFailed
from posctl.model.names import JOINED, SIGNED, TYPED, UNSIGNED
from posctl.office.place import Session
from posctl.store.sealing import binding, unseal
from protocols.sensitive import AccountNumber, consistent

_INDEX = b"posctl account index 1"
_PEOPLE = b"posctl person index 1"


@dataclass(frozen=True)
class OpenedAccount:
    """What was sealed in the field. Shows masks only.

    ``holder`` is the name that was typed, or else the chip's; ``holder_by`` which one,
    and how far the chip's proof covers it.
    """

    new: AccountNumber
    old: AccountNumber | None
    mobile: str
    holder: str
    holder_by: str
    bank: str
    area: str
    id_number: str

    @property
    def check_digit_right(self) -> bool:
        """Of a card's number (R21); a company's account has none."""
        return bool(luhn.is_valid(self.new.reveal()))

    def __repr__(self) -> str:
        return f"OpenedAccount(new={self.new}, old={self.old})"


def open_account(session: Session, journal: Journal) -> OpenedAccount:
    """Open the box, and check it against what the order says of it.

    Raises:
        CheckFailed: ``seal.*``; ``account.hash`` where the order names another
            number; ``account.old_missing``, ``account.old_mismatch``.
    """
    order, place = journal.order, session.place
    office_key = place.profile.in_force.office_key
    info = binding("account", order.number, order.field_id, office_key)
    box = place.log.attachment(order.sealed)
    opened, key = _opened(unseal(session.secrets.seal_key, info, box))
    own_hash = opened.new.keyed_hash(key)
    same_hash = hmac.compare_digest(own_hash, order.new_hash)
    if not same_hash or opened.new.masked != order.new_mask:
        raise CheckFailed("account.hash", order=order.number)
    _check_old(session, order, opened.old)
    return opened


def _opened(plain: bytes) -> tuple[OpenedAccount, bytes]:
    """What a technician sealed is not trusted to be well formed."""
    try:
        data = from_canonical(plain)
        texts = {name: _text(data, name) for name in _TEXTS}
        opened = OpenedAccount(
            new=AccountNumber(data["new"]),
            old=AccountNumber(data["old"]) if data["old"] else None,
            holder=_text(data, "holder") or _text(data, "chip_holder"),
            holder_by=_holder_by(data),
            **texts,
        )
        return opened, bytes.fromhex(data["key"])
    except (ValueError, KeyError, TypeError, AttributeError):
        raise CheckFailed("seal.content") from None


def _text(data: Json, name: str) -> str:
    """Raises ValueError: no text, or longer than any that is asked for."""
    text = data.get(name, "")
    if not isinstance(text, str) or len(text) > _LONGEST_TEXT:
        raise ValueError(f"{name} is no text of an account")
    return text


def _holder_by(data: Json) -> str:
    """Raises ValueError: none of the words there are."""
    if _text(data, "holder"):
        return TYPED
    if not _text(data, "chip_holder"):
        return ""
    found = _text(data, "chip_holder_by") or UNSIGNED
    if found not in (SIGNED, UNSIGNED, JOINED):
        raise ValueError("chip_holder_by is none of its words")
    return found


_LONGEST_TEXT = 200
"""Characters; a person reads them, and decides by them."""
_TEXTS = ("mobile", "bank", "area", "id_number")


def _check_old(session: Session, order: Order, old: AccountNumber | None) -> None:
    """The old number is there where the profile wants it, and fits the mask (R3)."""
    if old is None:
        if session.place.profile.account.old == "required":
            raise CheckFailed("account.old_missing", order=order.number)
    elif order.old_mask is not None and consistent(old.masked, order.old_mask) is None:
        raise CheckFailed("account.old_mismatch", shown=order.old_mask)


def account_id(session: Session, number: AccountNumber) -> str:
    """Keyed hash by which the office knows an account again, across orders: under a
    key of its own, which never leaves it. 64 hexadecimal digits."""
    return number.keyed_hash(_index_key(session, _INDEX))


def person_id(session: Session, id_number: str) -> str:
    """The same for a person's ID number, of which nothing else is kept."""
    key = _index_key(session, _PEOPLE)
    return hmac.new(key, id_number.encode(), hashlib.sha256).hexdigest()


def _index_key(session: Session, purpose: bytes) -> bytes:
    seed = session.secrets.seal_key.private_bytes_raw()
    return HKDF(SHA256(), 32, hashlib.sha256(purpose).digest(), purpose).derive(seed)
