"""Reading a card, and refusing one that is no account to pay out to."""

from __future__ import annotations

import secrets
from dataclasses import replace
from datetime import date

from stdnum import luhn

from posctl.cards.cakeys import built_in
from posctl.links import CardLink
from posctl.model.deadline import Deadline
from posctl.model.errors import CheckFailed, LinkFailed
from protocols import apdu, emv
from protocols.apdu import Command, Response
from protocols.atr import is_contactless
from protocols.carddata import CardData, Kind
from protocols.cardproof import Grade, Keys
from protocols.errors import RemoteError

_REFUSED = (Kind.CREDIT, Kind.QUASI_CREDIT, Kind.ELECTRONIC_CASH)


def read_card(
    link: CardLink,
    deadline: Deadline,
    *,
    keys: Keys | None = None,
    today: date | None = None,
) -> CardData:
    """Read by chip who the card is, let it prove itself, and check that takings may go
    to it.

    The expiry is compared with ``today`` and dropped. A number that fails Luhn only
    leaves ``luhn_ok`` False: some real UnionPay cards do (R21). ``kind`` may be
    UNKNOWN: then it must be verified otherwise (R20).

    Raises:
        CheckFailed: as ``read_any``; ``card.kind_refused``, ``card.token``,
            ``card.expired``, ``card.proof_failed``.
        LinkFailed: as ``read_any``.
    """
    today = today or date.today()
    card = read_any(link, deadline, keys=keys, today=today)
    _check(card, today)
    return replace(card, expiry=None)


def read_any(
    link: CardLink,
    deadline: Deadline,
    *,
    keys: Keys | None = None,
    today: date | None = None,
) -> CardData:
    """Read by chip who the card is, and let it prove itself; whatever comes of it.

    Raises:
        CheckFailed: ``card.contactless``, ``card.not_payment``, ``card.blocked``,
            ``card.foreign``.
        LinkFailed: ``card.malformed``, and what the link raises.
    """
    if is_contactless(link.atr):
        raise CheckFailed("card.contactless", applications=_named(link, deadline))
    today = today or date.today()
    steps = emv.read_card(
        today=today, keys=keys or built_in(), random=secrets.token_bytes
    )
    try:
        with link.recent.told():
            card = link.converse(steps, deadline)
    except emv.NotPayment:
        raise CheckFailed("card.not_payment") from None
    except emv.ForeignCard as foreign:
        raise CheckFailed("card.foreign", aid=foreign.aid) from None
    except emv.CardBlocked:
        raise CheckFailed("card.blocked") from None
    except RemoteError as error:
        raise LinkFailed("card.malformed", reason=str(error)) from None
    return replace(card, luhn_ok=luhn.is_valid(card.number.reveal()))


def _named(link: CardLink, deadline: Deadline) -> str:
    """The applications of a card on the antenna, by label."""
    try:
        found = link.converse(emv.list_contactless(), deadline)
    except RemoteError:
        found = []
    return ", ".join(one.label or one.aid for one in found) or "-"


def _check(card: CardData, today: date) -> None:
    """
    Raises:
        CheckFailed: with the mask at most.
    """
    masked = card.number.masked
    if card.kind in _REFUSED:
        raise CheckFailed("card.kind_refused", kind=card.kind.value, aid=card.aid)
    if card.token:
        raise CheckFailed("card.token", card=masked)
    check_proof(card)
    if card.expiry is not None and card.expiry < (today.year, today.month):
        raise CheckFailed("card.expired", card=masked)


def check_proof(card: CardData) -> None:
    """Raises CheckFailed ``card.proof_failed`` with the link that does not hold."""
    if card.proof.grade is Grade.FAILED:
        wrong = card.proof.checks[-1]
        told = {"link": wrong.name, "reason": wrong.reason, "detail": wrong.detail}
        raise CheckFailed("card.proof_failed", card=card.number.masked, **told)


def answered(link: CardLink, deadline: Deadline, command: Command) -> Response:
    """One command to its final answer.

    Raises:
        LinkFailed, LinkTimeout: as the link raises them; ``card.malformed``.
    """
    try:
        with link.recent.told():
            return link.converse(apdu.exchange(command), deadline)
    except RemoteError as error:
        raise LinkFailed("card.malformed", reason=str(error)) from None
