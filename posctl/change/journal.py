"""One order in one store, held by this process alone while it works on it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from filelock import FileLock, Timeout

from posctl.change.order import Order
from posctl.change.states import Holder
from posctl.model.canonical import Json
from posctl.model.errors import CheckFailed, LinkFailed, UsageError
from posctl.store.eventlog import EventLog
from posctl.store.files import unwritable


class Journal:
    """Appends to one order and knows what it is now.

    Raises:
        CheckFailed: ``order.not_held`` when the other place holds the order.
    """

    def __init__(self, log: EventLog, place: Holder, number: str) -> None:
        self.log = log
        self.place = place
        self.number = number

    @property
    def order(self) -> Order:
        return load(self.log, self.number)

    def append(
        self,
        kind: str,
        payload: Json,
        *,
        attachments: Sequence[bytes] = (),
        notices: Mapping[str, Json] | None = None,
        then: Sequence[tuple[str, Json]] = (),
    ) -> Order:
        """One durable event, and those that follow at once; the order after it."""
        self._check_held(kind)
        self.log.append(
            self.number,
            kind,
            payload,
            attachments=attachments,
            notices=notices,
            then=then,
        )
        return self.order

    def _check_held(self, kind: str) -> None:
        if kind == "order.opened":
            return
        holder = self.order.holder
        if holder is not self.place:
            raise CheckFailed("order.not_held", order=self.number, holder=str(holder))


def load(log: EventLog, number: str) -> Order:
    """The order of that number.

    Raises:
        UsageError: ``order.missing``.
    """
    projection = log.projection(number)
    if projection is None:
        raise UsageError("order.missing", order=number)
    return Order.from_json(projection)


def last_payload(log: EventLog, number: str, kind: str) -> Json:
    """Of the newest event of that kind. Raises CheckFailed ``order.payload``."""
    for event in reversed(log.events(number)):
        if event.kind == kind:
            return event.payload
    raise CheckFailed("order.payload", kind=kind, part=kind)


@contextmanager
def exclusive(log: EventLog, name: str, *, wait: float = 0.0) -> Iterator[None]:
    """Only one process of this machine works on ``name``: an order, the inbox.

    The system frees the lock when the process dies, however it dies. ``wait`` is how
    many seconds another process may take.

    Raises:
        LinkFailed: ``order.busy``, ``file.unwritable``.
    """
    folder = log.path.parent / "locks"
    lock = FileLock(folder / f"{name}.lock")
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        lock.acquire(timeout=wait)
    except Timeout:
        raise LinkFailed("order.busy", order=name) from None
    except OSError as error:
        raise unwritable(folder, error) from error
    try:
        yield
    finally:
        lock.release()
