"""The one table from a failure to what a person and a script are told.

The texts are in ``errors``; the exit code is the error class's.
"""

from __future__ import annotations

from posctl.cli.text.errors import ERRORS
from posctl.cli.text.language import translated
from posctl.cli.text.messages import _, text_of
from posctl.model.canonical import Json
from posctl.model.errors import PosctlError

_RESUME_ONLY = ("person.no_answer", "person.unreadable")
"""Where an order is under way, the command itself would be refused."""


def describe(failure: PosctlError) -> Json:
    """Code, exit code, text and ``next`` of a failure, with its parameters."""
    params = {name: str(value) for name, value in failure.params.items()}
    text, following = _texts(failure.code)
    if "{order}" in following and "order" not in params:
        following = _("next.again")
    known = {"code": failure.code, "order": "ORDER", **params}
    if "resume" in params and failure.code in _RESUME_ONLY:
        following = _("next.resume_only", order=params["resume"])
    elif "resume" in params and "change resume" not in following:
        following = _("next.resume", first=following, order=params["resume"])
    shown: Json = {
        "code": failure.code,
        "exit_code": failure.exit_code,
        "text": text_of(text, known),
        "next": text_of(following, known),
        "params": params,
    }
    return shown | ({"frames": list(failure.frames)} if failure.frames else {})


def _texts(code: str) -> tuple[str, str]:
    """What happened and what to do next, translated."""
    known = code if code in ERRORS else "unexpected"
    text, following = ERRORS[known]
    told = translated(known, text)
    return told, translated(next_context(known), following) if following else ""


def next_context(code: str) -> str:
    """What a translator finds the second text of an error under."""
    return f"{code} next"
