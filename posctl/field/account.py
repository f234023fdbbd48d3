"""The new account: read from the chip (or typed twice), sealed there and then (R49).

Everything the provider needs and nobody here may keep goes into ONE box that only
the office can open: both numbers, the mobile number, and the key of the keyed hash.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass

from stdnum import luhn
from stdnum.iso7064 import mod_11_10

from posctl.cards.readers import open_card
from posctl.cards.reading import read_card
from posctl.change.journal import Journal
from posctl.change.order import Order
from posctl.change.person import Person
from posctl.field.place import FieldPlace
from posctl.model.canonical import Json, canonical
from posctl.model.deadline import Deadline
from posctl.model.errors import CheckFailed
from posctl.store.sealing import binding, seal
from protocols.sensitive import AccountNumber, CardNumber, clean_digits, consistent

CARD_SECONDS = 30.0
UNKNOWN_KIND = "unknown"  # nothing but a chip or the provider can tell (R20)
_BANK_CODE_DIGITS = 12
_MOBILE_DIGITS = 11
_TRIES = 3


@dataclass(frozen=True)
class NewAccount:
    """A number, where it came from, and what is known of it. Shows masks only."""

    number: AccountNumber
    source: str
    facts: Json
    apdus: int = 0
    holder: str = ""


class SameAccount(CheckFailed):
    """The takings already go to this account: nothing to do (R16)."""

    exit_code = 0


def read_chip(place: FieldPlace, reader: str | None, wait: float) -> NewAccount:
    """From a card in a reader; raises what ``posctl.cards`` raises."""
    person = place.person
    person.waiting("wait.card")
    deadline = Deadline(CARD_SECONDS + wait)
    link = open_card(reader, deadline, wait=wait)
    try:
        card = read_card(link, deadline, today=place.clock.now().date())
    finally:
        link.close()
    facts: Json = {
        "aid": card.aid,
        "kind": card.kind.value,
        "label": card.label,
        "luhn": card.luhn_ok,
    }
    if not card.luhn_ok:
        person.tell("card.luhn_warning", number=card.number)
    person.tell(
        "card.read",
        number=card.number,
        label=card.label,
        holder=card.holder or "-",
        apdus=link.apdus,
    )
    return NewAccount(card.number, "chip", facts, link.apdus, card.holder)


def type_twice(person: Person) -> NewAccount:
    """Typed by hand: two entries that agree and pass the check digit (R18, R21).

    Raises:
        CheckFailed: ``number.differs``: three pairs that did not agree.
    """
    for _try in range(_TRIES):
        first = person.ask("ask.new_number", typed_card, secret=True)
        if person.ask("ask.new_number_again", typed_card, secret=True) == first:
            break
        person.tell("account.differs")  # either may be the wrong one
    else:
        raise CheckFailed("number.differs")
    facts = {"kind": UNKNOWN_KIND, "luhn": True, "label": ""}
    return NewAccount(first, "typed twice", facts)


def typed_card(text: str) -> CardNumber:
    """As typed. Raises CheckFailed ``number.form`` or ``number.check_digit``."""
    try:
        number = CardNumber(text)
    except ValueError:
        raise CheckFailed("number.form", low=13, high=19) from None
    if not luhn.is_valid(number.reveal()):
        raise CheckFailed("number.check_digit")
    return number


def ask_old(place: FieldPlace, old_mask: str | None) -> AccountNumber | None:
    """The present account's number, if the profile wants it (R3).

    It must fit the mask that the terminal shows; the provider then matches it exactly.
    """
    if place.profile.old_account != "required":
        return None

    def check(text: str) -> AccountNumber:
        try:
            number = AccountNumber(text)
        except ValueError:
            raise CheckFailed("number.form", low=6, high=40) from None
        if old_mask is not None and consistent(number.masked, old_mask) is None:
            raise CheckFailed("account.old_mismatch", shown=old_mask)
        return number

    return place.person.ask("ask.old_number", check, secret=True)


def ask_branch(person: Person) -> str:
    """The CNAPS code of the branch that keeps the new account (ISO 7064 MOD 11,10)."""

    def check(text: str) -> str:
        code = _digits(text, _BANK_CODE_DIGITS)
        if not mod_11_10.is_valid(code):
            raise CheckFailed("branch.check_digit")
        return code

    return person.ask("ask.branch", check, secret=False)


def ask_mobile(person: Person) -> str:
    """The mobile number that the bank holds for the account."""

    def check(text: str) -> str:
        number = _digits(text.strip().removeprefix("+86"), _MOBILE_DIGITS)
        if number[0] != "1" or number[1] in "012":
            raise CheckFailed("number.length", count=_MOBILE_DIGITS)
        return number

    return person.ask("ask.mobile", check, secret=True)


def _digits(text: str, count: int) -> str:
    try:
        digits = clean_digits(text)
    except ValueError:
        digits = ""
    if len(digits) != count:
        raise CheckFailed("number.length", count=count)
    return digits


def take_account(
    place: FieldPlace, journal: Journal, read: Callable[[], NewAccount]
) -> Order:
    """Read the new account, ask what cannot be read, seal it all, one event.

    Raises:
        SameAccount: ``account.same``; recorded, the order ends there.
        CheckFailed: an answer that stayed wrong.
    """
    order, person = journal.order, place.person
    new = read()
    old = ask_old(place, order.old_mask)
    if old is not None and old == new.number:
        journal.append("order.needless", {"reason": "account.same"})
        raise SameAccount("account.same", number=new.number.masked)
    branch, mobile = ask_branch(person), ask_mobile(person)
    place.holder_name = new.holder
    order_key = os.urandom(32)
    plain = {
        "new": new.number.reveal(),
        "old": old.reveal() if old else None,
        "mobile": mobile,
        "holder": new.holder,
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
            "branch": branch,
            "source": new.source,
            "apdus": new.apdus,
            **new.facts,
            "sealed": hashlib.sha256(box).hexdigest(),
        },
        attachments=[box],
    )
