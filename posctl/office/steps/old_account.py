"""The old number was given, and fits what the terminal shows; the provider matches it
exactly when the application is made (R3)."""

from __future__ import annotations

from posctl.model.canonical import Json
from posctl.office.steps import Context


def run(context: Context) -> Json:
    """It was checked when the box was opened: ``office.account.open_account``."""
    old = context.account.old
    return {"old": old.masked if old else "not used"}
