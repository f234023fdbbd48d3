"""The pictures that the provider wants: kind, hash, expiry; none is copied (R7)."""

from __future__ import annotations

from datetime import date

from posctl.field.pictures import check_picture, find_pictures, remember
from posctl.field.steps import Context, today
from posctl.model.canonical import Json
from posctl.model.errors import CheckFailed
from posctl.model.profile import Document

FOREVER = "9999-12-31"


def run(context: Context) -> Json:
    """Raises CheckFailed ``document.missing``, ``.size``, ``.type``, ``.expired``."""
    place, order = context.place, context.journal.order
    subject = place.subject(order.mid)
    wanted = place.profile.documents_for(order.account_type, subject)
    pictures = find_pictures(place, wanted, context.pictures)
    limit = place.profile.pictures.largest_bytes
    if wanted:
        place.person.tell("document.cover")
    checked = [
        {**check_picture(d.kind, pictures[d.kind], limit), **_expiry(context, d)}
        for d in sorted(wanted, key=lambda d: d.kind)
    ]
    remember(place, order.number, pictures)
    return {"documents": checked}


def _expiry(context: Context, document: Document) -> Json:
    """Asked where the document has one; long-term is ``9999-12-31``."""
    if not document.expires:
        return {}

    def check(text: str) -> str:
        try:
            expires = date.fromisoformat(text.strip() or FOREVER)
        except ValueError:
            raise CheckFailed("document.date") from None
        if expires < today(context):
            raise CheckFailed("document.expired", label=document.label, on=expires)
        return expires.isoformat()

    person = context.place.person
    asked = person.ask("ask.expiry", check, secret=False, label=document.label)
    return {"expires": asked}
