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
    ) -> Order:
        """One durable event; the order after it."""
        self._check_held(kind)
        self.log.append(
            self.number, kind, payload, attachments=attachments, notices=notices
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


@contextmanager
def exclusive(log: EventLog, name: str) -> Iterator[None]:
    """Only one process of this machine works on ``name`` (an order, a port).

    The system frees the lock when the process dies, however it dies.

    Raises:
        LinkFailed: ``order.busy``.
    """
    folder = log.path.parent / "locks"
    folder.mkdir(mode=0o700, exist_ok=True)
    lock = FileLock(folder / f"{name}.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise LinkFailed("order.busy", order=name) from None
    try:
        yield
    finally:
        lock.release()
