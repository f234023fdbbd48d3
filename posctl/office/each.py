"""One act on many: what fails keeps none of the others from its turn."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from posctl.change.person import Person
from posctl.model.errors import PosctlError


def for_each(
    names: Iterable[str], act: Callable[[str], object], person: Person
) -> list[str]:
    """Those for which ``act`` did something.

    Raises:
        PosctlError: the first failure, once all had their turn and the others were
            told; ``done`` among its params names those that succeeded.
    """
    done: list[str] = []
    failed: list[PosctlError] = []
    for name in names:
        try:
            if act(name):
                done.append(name)
        except PosctlError as failure:
            if failed:
                person.tell("each.failed", name=name, failure=failure)
            failed.append(failure)
    if failed:
        failed[0].params["done"] = ", ".join(done) or "-"
        raise failed[0]
    return done
