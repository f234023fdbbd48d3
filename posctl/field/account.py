"""The new account: read from the chip (or typed twice), sealed there and then (R49).

Everything the provider needs and nobody here may keep goes into ONE box that only
the office can open: both numbers, what else was asked, and the key of the keyed hash.
"""

from __future__ import annotations

import hashlib
import os
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from stdnum import luhn
from stdnum.iso7064 import mod_11_10

from posctl.cards.bins import BinTable
from posctl.cards.readers import open_card
from posctl.cards.reading import read_card
from posctl.change.journal import Journal
from posctl.change.order import Order
from posctl.change.person import Person
from posctl.field.place import FieldPlace
from posctl.model.canonical import Json, canonical
from posctl.model.deadline import Deadline
from posctl.model.errors import CheckFailed
from posctl.model.idnumber import IdNumber
from posctl.model.names import JOINED, SIGNED, UNSIGNED, size
from posctl.model.profile import Ask
from posctl.store.sealing import binding, seal
from protocols.carddata import Kind
from protocols.sensitive import AccountNumber, CardNumber, clean_digits, consistent

N = TypeVar("N", bound=AccountNumber)
CARD_SECONDS = 30.0
CORPORATE = "corporate"
BY_AID, BY_TABLE = "AID", "BIN table"
"""How a card's kind is known (R20)."""
_BANK_CODE_DIGITS = 12
_AREA_DIGITS = 6
_MOBILE_DIGITS = 11
_IOT_DIGITS = 13
_LONGEST_NAME = 100
_TRIES = 3


@dataclass(frozen=True)
class NewAccount:
    """A number, where it came from, and what is known of it. Shows masks only."""

    number: AccountNumber
    source: str
    facts: Json
    apdus: int = 0
    holder: str = ""
    holder_by: str = ""


class SameAccount(CheckFailed):
    """The takings already go to this account: nothing to do (R16)."""

    exit_code = 0


def read_chip(
    place: FieldPlace, reader: str | None, wait: float, bins: BinTable
) -> NewAccount:
    """From a card in a reader; raises what ``posctl.cards`` raises. What the AID does
    not tell of its kind, the BIN table may (R20).
    """
    person = place.person
    person.waiting("wait.card")
    deadline = Deadline(CARD_SECONDS + wait)
    link = open_card(reader, deadline, wait=wait)
    try:
        today = place.clock.now().date()
        card = read_card(link, deadline, keys=place.ca_keys, today=today)
    finally:
        link.close()
    by_aid = card.kind is not Kind.UNKNOWN
    facts: Json = {
        "aid": card.aid,
        "kind": card.kind.value if by_aid else bins.kind_of(card.number),
        "kind_by": BY_AID if by_aid else BY_TABLE,
        "bin_table": bins.origin,
        "label": card.label,
        "luhn": card.luhn_ok,
        "chip_grade": card.proof.grade.value,
    }
    if not card.luhn_ok:
        person.tell("card.luhn_warning", number=card.number)
    person.tell(
        "card.read",
        number=card.number,
        label=card.label,
        holder=card.holder or "-",
        chip_grade=card.proof.grade.value,
        apdus=link.apdus,
    )
    by = JOINED if card.holder_joined else SIGNED if card.holder_signed else UNSIGNED
    return NewAccount(card.number, "chip", facts, link.apdus, card.holder, by)


def type_card(person: Person, bins: BinTable) -> NewAccount:
    """A card's number, typed twice (R18, R21). Its kind is what the BIN table says."""
    number = _twice(
        person,
        lambda: person.ask("ask.new_number", typed_card, secret=True),
        typed_card,
    )
    facts = {
        "kind": bins.kind_of(number),
        "kind_by": BY_TABLE,
        "bin_table": bins.origin,
        "luhn": True,
        "label": "",
        "chip_grade": "",
    }
    return NewAccount(number, "typed twice", facts)


def type_corporate(person: Person) -> NewAccount:
    """A company's account: no rule of cards applies to it (R18)."""
    number = _twice(
        person,
        lambda: person.ask("ask.new_account", typed_account, secret=True),
        typed_account,
    )
    facts: Json = {"kind": CORPORATE, "kind_by": "", "luhn": True}
    facts |= {"label": "", "chip_grade": ""}
    return NewAccount(number, "typed twice", facts)


def _twice(person: Person, ask: Callable[[], N], check: Callable[[str], N]) -> N:
    """Raises CheckFailed ``number.differs``: three pairs that did not agree."""
    for _try in range(_TRIES):
        first = ask()
        if person.ask("ask.new_number_again", check, secret=True) == first:
            return first
        person.tell("account.differs")  # either may be the wrong one
    raise CheckFailed("number.differs")


def typed_card(text: str) -> CardNumber:
    """As typed. Raises CheckFailed ``number.form`` or ``number.check_digit``."""
    try:
        number = CardNumber(text)
    except ValueError:
        raise CheckFailed("number.form", low=13, high=19) from None
    if not luhn.is_valid(number.reveal()):
        raise CheckFailed("number.check_digit")
    return number


def typed_account(text: str) -> AccountNumber:
    """As typed, 6 to 40 digits. Raises CheckFailed ``number.form``."""
    try:
        return AccountNumber(text)
    except ValueError:
        raise CheckFailed("number.form", low=6, high=40) from None


def ask_old(place: FieldPlace, old_mask: str | None) -> AccountNumber | None:
    """The present account's number, if the profile wants it (R3).

    It must fit the mask that the terminal shows; the provider then matches it exactly.
    """
    if place.profile.account.old != "required":
        return None

    def check(text: str) -> AccountNumber:
        number = typed_account(text)
        if old_mask is not None and consistent(number.masked, old_mask) is None:
            raise CheckFailed("account.old_mismatch", shown=old_mask)
        return number

    return place.person.ask("ask.old_number", check, secret=True)


# -- what else the provider's call needs -----------------------------------------


def _branch(place: FieldPlace, text: str) -> str:
    """The CNAPS code of the account's branch (ISO 7064 MOD 11,10)."""
    code = _digits(text, _BANK_CODE_DIGITS)
    if not mod_11_10.is_valid(code):
        raise CheckFailed("branch.check_digit")
    return code


def _mobile(place: FieldPlace, text: str) -> str:
    """The mobile number that the bank holds for the account (R25)."""
    plain = unicodedata.normalize("NFKC", text).strip()
    number = clean(plain.removeprefix("+86").removeprefix("0086"))
    if len(number) == _IOT_DIGITS and number.startswith("861"):
        number = number[2:]
    if len(number) == _IOT_DIGITS:
        raise CheckFailed("number.iot", count=_IOT_DIGITS)
    if len(number) != _MOBILE_DIGITS or number[0] != "1" or number[1] in "012":
        raise CheckFailed("number.length", count=_MOBILE_DIGITS)
    return number


def _area(place: FieldPlace, text: str) -> str:
    return _digits(text, _AREA_DIGITS)


def _name(place: FieldPlace, text: str) -> str:
    """A name as it was typed: NFKC would change legal names."""
    name = " ".join(text.split())
    if not 1 < len(name) <= _LONGEST_NAME or not name.isprintable():
        raise CheckFailed("name.form", limit=_LONGEST_NAME)
    return name


def _holder(place: FieldPlace, text: str) -> str:
    """As the account has it; never cut to what the provider's field holds (R26)."""
    return _fitting(place, _name(place, text))


def _fitting(place: FieldPlace, name: str) -> str:
    limit = place.profile.account.name_bytes
    if size(name) > limit:
        raise CheckFailed("name.long", size=size(name), limit=limit)
    return name


def _id_number(place: FieldPlace, text: str) -> str:
    """The holder's, of age on the day (R13)."""
    today = place.clock.now().astimezone(place.profile.zone).date()
    number, least = IdNumber(text, today=today), place.profile.account.least_age
    if number.age(today) < least:
        raise CheckFailed("id.age", least=least)
    return number.reveal()


Check = Callable[[FieldPlace, str], str]
_ASKS: dict[Ask, tuple[Check, bool]] = {
    "branch": (_branch, False),
    "mobile": (_mobile, True),
    "bank": (_name, False),
    "area": (_area, False),
    "holder": (_holder, False),
    "id_number": (_id_number, True),
}
"""What a profile may ask for: its check, and whether it is typed unseen."""


def _asks(place: FieldPlace, order: Order) -> tuple[Ask, ...]:
    """The profile's, in its order (R4); and the holder of a company's account, which no
    chip tells, where names are compared (R26)."""
    asks = place.profile.account.asks
    unknown = order.account_type == CORPORATE and "same_name" in order.steps
    return (*asks, "holder") if unknown and "holder" not in asks else asks


def _ask_all(place: FieldPlace, order: Order) -> dict[str, str]:
    answers = {}
    for name in _asks(place, order):
        check, secret = _ASKS[name]

        def checked(text: str, check: Check = check) -> str:
            return check(place, text)

        answers[str(name)] = place.person.ask(f"ask.{name}", checked, secret=secret)
    return answers


def clean(text: str) -> str:
    """Digits alone, or nothing."""
    try:
        return clean_digits(text)
    except ValueError:
        return ""


def _digits(text: str, count: int) -> str:
    digits = clean(text)
    if len(digits) != count:
        raise CheckFailed("number.length", count=count)
    return digits


def take_account(
    place: FieldPlace, journal: Journal, read: Callable[[], NewAccount]
) -> Order:
    """Read the new account, ask what cannot be read, seal it all, one event.

    Raises:
        SameAccount: ``account.same``; recorded, the order ends there.
        CheckFailed: an answer that stayed wrong; ``name.long``, of a chip.
    """
    order = journal.order
    new = read()
    old = ask_old(place, order.old_mask)
    if old is not None and old == new.number:
        journal.append("order.needless", {"reason": "account.same"})
        raise SameAccount("account.same", number=new.number.masked)
    answers = _ask_all(place, order)
    place.holder_name = _fitting(place, answers.get("holder") or new.holder)
    place.bank_name = f"{answers.get('bank', '')} {answers.get('area', '')}".strip()
    return _seal(place, journal, new, old, answers)


def _seal(
    place: FieldPlace,
    journal: Journal,
    new: NewAccount,
    old: AccountNumber | None,
    answers: dict[str, str],
) -> Order:
    order, order_key = journal.order, os.urandom(32)
    plain = {
        "new": new.number.reveal(),
        "old": old.reveal() if old else None,
        "chip_holder": new.holder,
        "chip_holder_by": new.holder_by,
        **answers,
        "key": order_key.hex(),
    }
    office_key = place.profile.in_force.office_key
    info = binding("account", order.number, order.field_id, office_key)
    box = seal(office_key, info, canonical(plain))
    return journal.append(
        "account.sealed",
        {
            "new_mask": new.number.masked,
            "new_hash": new.number.keyed_hash(order_key),
            "old_given": old is not None,
            "branch": answers.get("branch", ""),
            "source": new.source,
            "apdus": new.apdus,
            **new.facts,
            "sealed": hashlib.sha256(box).hexdigest(),
        },
        attachments=[box],
    )
