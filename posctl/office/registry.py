"""What the office knows of a merchant beside the provider's list: its type, its names,
the number to call back, who may act for it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from posctl.office.place import OfficePlace
from posctl.store.files import read_as, texts, write_json


@dataclass(frozen=True)
class Merchant:
    """``name`` of the company or shop, ``owner`` its legal person; ``phone`` is the
    number on file, ``phone_changed`` the day it last changed, or ``""``; a mandate is
    agent, scope and last day; ``owner_id`` is the keyed hash of the owner's ID number,
    or ``""``; ``credit_code`` the company's (GB 32100), or ``""``; ``address``: where
    its terminals are, or ``""``; ``papers``: what its owner proved himself with;
    ``turnover``: what it is expected to take a day, in yuan."""

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
    papers: str = ""
    turnover: str = ""


def _path(place: OfficePlace, mid: str) -> Path:
    return place.home.office / "merchants" / f"{mid}.json"


def find_merchant(place: OfficePlace, mid: str) -> Merchant | None:
    """None: not registered. Raises UsageError ``setup.damaged``."""
    path = _path(place, mid)
    if not mid.isalnum() or not path.exists():
        return None
    return read_as(path, _merchant)


def _merchant(data: Any) -> Merchant:
    mandates = tuple(texts(mandate) for mandate in data.pop("mandates"))
    return Merchant(**texts(data), mandates=mandates)


def register_merchant(place: OfficePlace, merchant: Merchant) -> None:
    """Write or replace it."""
    write_json(_path(place, merchant.mid), asdict(merchant))
