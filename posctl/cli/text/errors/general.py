"""What any command can meet, and the settings."""

from __future__ import annotations

ERRORS: dict[str, tuple[str, str]] = {
    "unexpected": (
        "{kind}: this should not happen",
        "report it with the command and `posctl --version`",
    ),
    "interrupted": (
        "interrupted",
        "`posctl orders list --open` shows what was under way, `posctl change resume"
        " {order}` goes on",
    ),
    "interrupted.no_order": (
        "interrupted",
        "`posctl orders list --open` shows whether an order is under way; if none is,"
        " run the command again",
    ),
    "usage": ("{reason}", "{help}"),
    # settings
    "config.unreadable": ("{path}: {reason}", "mend the file, or name another"),
    "config.unknown_key": (
        "{path}: there is no setting {key}; there are: {known}",
        "take it out, or correct its name",
    ),
    "config.unknown_variable": (
        "there is no variable {name}; there are: {known}",
        "unset it, or correct its name",
    ),
    "config.encoding": (
        "{place}: the encoding of this console does not know these characters",
        "use a UTF-8 console, or only letters and digits",
    ),
    "config.locked": ("{path} is being written by another program", "try again"),
    "config.not_set": ("{key} is not set", "posctl config list"),
    "config.value": ("{place} must be {expected}", "correct it"),
    "demo.step": ("the demo stopped at: {command}", "see what it said above"),
}
