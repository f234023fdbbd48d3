"""The binding tag at the office, which alone of the two places can hold its key."""

from __future__ import annotations

from posctl.change.order import NOTHING_TO_CONFIRM, Order
from posctl.model.errors import CheckFailed
from posctl.office.place import Session
from protocols.bindingtag import BindingTag
from protocols.errors import RemoteError


def check_tag(session: Session, order: Order, shown: str | None) -> str:
    """``genuine``, or why it was not checked.

    Raises:
        CheckFailed: ``tag.forged``; ``tag.missing`` where the profile's terminals
            show one and the office could check it.
    """
    key = session.secrets.tag_key
    if key is None:
        return "not checked"
    if shown is None:
        if order.confirm == NOTHING_TO_CONFIRM:
            return "not applicable"
        raise CheckFailed("tag.missing", tid=order.tid)
    try:
        tag = BindingTag.from_hex(str(shown))
    except RemoteError:
        raise CheckFailed("tag.forged", tid=order.tid) from None
    same = (tag.mask, tag.version) == (order.old_mask, order.old_version)
    if not same or not tag.genuine(key, mid=order.mid, tid=order.tid):
        raise CheckFailed("tag.forged", tid=order.tid)
    return "genuine"


def expected_tag(session: Session, order: Order) -> str | None:
    """The fingerprint of the tag that the terminal must show after the change.

    The field can compare it, but cannot make the tag from it.
    """
    key = session.secrets.tag_key
    if key is None or order.old_version is None:
        return None
    tag = BindingTag.issue(
        key,
        mid=order.mid,
        tid=order.tid,
        mask=order.new_mask,
        version=order.old_version + 1,
    )
    return tag.fingerprint()
