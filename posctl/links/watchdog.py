"""Give a deadline to calls that know none, such as PC/SC and name resolution."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from posctl.model.deadline import Deadline
from posctl.model.errors import LinkTimeout

T = TypeVar("T")


class _Outcome(Generic[T]):
    """What the worker left behind, once ``done`` is set."""

    def __init__(self, call: Callable[[], T]) -> None:
        self.done = threading.Event()
        self._call = call
        self._values: list[T] = []
        self._error: BaseException | None = None

    def run(self) -> None:
        try:
            self._values.append(self._call())
        except BaseException as error:
            self._error = error
        finally:
            self.done.set()

    def get(self) -> T:
        if self._error is not None:
            raise self._error
        return self._values[0]


def call_within(deadline: Deadline, call: Callable[[], T], *, what: str) -> T:
    """Run a blocking ``call`` in a daemon thread and wait until the deadline.

    The call itself cannot be stopped: after a timeout its thread stays until it
    comes back, its result is dropped, and the interpreter may exit meanwhile.

    Args:
        what: the operation in one dotted word for the error, as in ``card.transmit``.

    Raises:
        LinkTimeout: ``link.timeout`` with ``what`` and ``seconds``.
    """
    outcome = _Outcome(call)
    worker = threading.Thread(target=outcome.run, name=f"within {what}", daemon=True)
    worker.start()
    if not outcome.done.wait(deadline.remaining()):
        raise LinkTimeout("link.timeout", what=what, seconds=deadline.seconds)
    return outcome.get()
