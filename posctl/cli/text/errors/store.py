"""The event log and files."""

from __future__ import annotations

ERRORS: dict[str, tuple[str, str]] = {
    "store.locked": ("{path} is in use by another program", "try again"),
    "store.unusable": ("{path} cannot be used: {reason}", "check disk and rights"),
    "store.not_durable": ("{path} cannot be written durably", "use another disk"),
    "store.newer": (
        "{path} was made by a newer posctl (format {version})",
        "update posctl",
    ),
    "file.exists": ("{path} is there already", "choose another name for --output"),
    "file.unwritable": ("{path}: {reason}", "check disk and rights"),
    "attachment.missing": ("{sha256} is not in the store", "posctl orders list"),
    "attachment.changed": (
        "{sha256} was altered in the store",
        "stop: tell the security officer",
    ),
    "chain.broken": (
        "the order's chain breaks at event {position}",
        "ask for the order file again",
    ),
    "chain.maker": (
        "the file of order {order} holds an event {kind} that its sender may not make",
        "stop: tell the security officer",
    ),
    "order.foreign": (
        "order {order} was not opened here",
        "take the file to the laptop that opened it",
    ),
    "signature.other": (
        "order {order} is signed by another technician than the one who made it",
        "stop: tell the security officer",
    ),
    "chain.forked": (
        "order {order} has another history here",
        "stop: tell the security officer",
    ),
    "log.broken": (
        "the event log breaks at row {sequence}",
        "stop: tell the security officer",
    ),
    "log.projection": (
        "order {order} is not what its events say",
        "stop: tell the security officer",
    ),
    "seal.version": ("the sealed box is of an unknown version", "update posctl"),
    "seal.broken": (
        "the sealed box does not open: altered, or not for this office",
        "roll the order back and propose again",
    ),
}
