"""The one table from a failure to what a person and a script are told."""

from __future__ import annotations

from posctl.cli.messages import ERRORS, text_of
from posctl.model.canonical import Json
from posctl.model.errors import PosctlError


def describe(failure: PosctlError) -> Json:
    """Code, exit code, text and ``next`` of a failure, with its parameters."""
    params = {name: str(value) for name, value in failure.params.items()}
    text, following = ERRORS.get(failure.code, ERRORS["unexpected"])
    known = {"code": failure.code, **params}
    return {
        "code": failure.code,
        "exit_code": failure.exit_code,
        "text": text_of(text, known),
        "next": text_of(following, known),
        "params": params,
    }
