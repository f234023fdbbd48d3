"""What the office knows of a merchant beside the provider's list: its type, its names,
the number to call back, who may act for it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

from posctl.model.errors import UsageError
from posctl.office.place import OfficePlace
from posctl.store.files import read_json, write_json


@dataclass(frozen=True)
class Merchant:
    """``name`` of the company or shop, ``owner`` its legal person; ``phone`` is the
    number on file, ``phone_changed`` the day it last changed, or ``""``; a mandate is
    agent, scope and last day; ``owner_id`` is the keyed hash of the owner's ID number,
    or ``""``; ``credit_code`` the company's (GB 32100), or ``""``; ``address``: where
    its terminals are, or ``""``."""

    mid: str
    subject: str
    name: str
    owner: str
    phone: str = ""
    phone_changed: str = ""
    mandates: tuple[dict[str, str], ...] = ()
    owner_id: str = ""
    credit_code: str = ""
    address: str = ""


def _path(place: OfficePlace, mid: str) -> Path:
    return place.home.office / "merchants" / f"{mid}.json"


def find_merchant(place: OfficePlace, mid: str) -> Merchant | None:
    """None: not registered. Raises UsageError ``setup.damaged``."""
    path = _path(place, mid)
    if not mid.isalnum() or not path.exists():
        return None
    try:
        data = read_json(path)
        return Merchant(**{**data, "mandates": tuple(data["mandates"])})
    except (TypeError, KeyError):
        raise UsageError("setup.damaged", path=str(path)) from None


def register_merchant(place: OfficePlace, merchant: Merchant) -> None:
    """Write or replace it."""
    write_json(_path(place, merchant.mid), asdict(merchant))
