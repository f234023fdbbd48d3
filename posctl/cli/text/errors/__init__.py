"""Error code -> what happened, what to do next. ``failures`` shows them.

A file a subject. Parameters are those of the error; none of them is ever sensitive.
"""

from __future__ import annotations

from posctl.cli.text.errors import (
    cards,
    checks,
    control,
    general,
    orders,
    providers,
    setup,
    store,
    terminals,
    verification,
)

ERRORS: dict[str, tuple[str, str]] = {}
"""Error code -> text, what to do next."""

for _subject in (
    general,
    setup,
    checks,
    verification,
    orders,
    control,
    store,
    terminals,
    cards,
    providers,
):
    ERRORS |= _subject.ERRORS
