"""Cooling-off, freezing, withdrawing, approvals that travel, the audit."""

from __future__ import annotations

ERRORS: dict[str, tuple[str, str]] = {
    "order.steps": (
        "{order}: the evidence of its verification steps is not that of its profile"
        " ({kind})",
        "it was tampered with: keep the file, tell the office",
    ),
    "order.cooling": (
        "{order} is in its cooling-off until {until}",
        "commit it then; until then the merchant may object: posctl change cancel"
        " {order}",
    ),
    "order.frozen": ("{order} is frozen since {since}", "posctl change thaw {order}"),
    "order.not_frozen": (
        "{order} is not frozen but {state}",
        "posctl orders show {order}",
    ),
    "thaw.at_field": (
        "{order} was frozen in the field",
        "posctl change rollback {order}, and propose anew",
    ),
    "freeze.unsettled": (
        "it is not known yet what became of a step of {order}: {effect}",
        "posctl change resume {order}, then freeze it",
    ),
    "cancel.unsettled": (
        "it is not known yet what became of {effect}: order {order} cannot be"
        " withdrawn",
        "posctl change resume {order}",
    ),
    "cancel.too_late": (
        "{order} is at the provider already ({state})",
        "posctl change rollback {order}",
    ),
    "commit.never_arrived": (
        "the application of {order} never arrived at the provider: the old account"
        " stays",
        "propose it again: posctl change run",
    ),
    "commit.amount": (
        "the merchant has to tell the amount that arrives on the new account",
        "posctl change amount {order}",
    ),
    "commit.link": (
        "the merchant signs himself, here: {link}",
        "give him the link; then posctl change resume {order}",
    ),
    "amount.not_asked": ("{order} waits for no amount", "posctl orders show {order}"),
    "amount.form": ("an amount in yuan has two decimals", "as 0.10"),
    "qr.kind": (
        "{path} has no name of a picture",
        "--qr with a name that ends in .png or .svg; - draws the code on the screen",
    ),
    "qr.screen": (
        "this terminal is not set to UTF-8: it has no characters for a QR code",
        "--qr FILE with a name that ends in .png or .svg",
    ),
    "approval.stale": (
        "since the request a step said no ({step}: {cause})",
        "posctl approval request {order}: ask anew",
    ),
    "approval.other": ("this is the approval of {other}", "take the answer to {order}"),
    "armour.long": (
        "the request has {size} characters, {limit} are the most",
        "approve it at the office",
    ),
    "armour.unreadable": (
        "this is no whole text of posctl's: {wanted}",
        "copy it from BEGIN to END",
    ),
    "armour.file": ("{path} is no text", "save what was sent into a file"),
    "notice.stranger": (
        "no order here has the application {application}",
        "ask the provider what it is; nothing was changed",
    ),
    "watch.moved": (
        "merchant {mid} is paid to {shown}: not what order {order} set",
        "tell the provider and the merchant now; posctl outbox list",
    ),
    "erase.open": ("{order} is not over: {state}", "posctl orders show {order}"),
    "erase.early": ("{order} must be kept until {until}", "wait"),
    "audit.head": (
        "no store here ever had the head {head}; events: {events}",
        "the log was cut off, put back from a copy, or swapped: keep it, tell the"
        " office",
    ),
    "audit.heads": (
        "not a head: {text}",
        "64 hexadecimal digits, a receipt, or an order file",
    ),
    "report.not_due": (
        "order {order} ({state}) is not to be reported",
        "posctl report list shows what is",
    ),
    "report.other_reference": (
        "order {order} was reported before, by {name}, under reference {reference}",
        "nothing was recorded; if it was reported twice, tell the institution",
    ),
    "report.altered": (
        "what is kept of the report of order {order} is no signed word of an operator",
        "ask who had access to the office's files; the order's events are not touched",
    ),
    "outbox.where": (
        "where are the messages to go?",
        "--to-file FILE or --command COMMAND",
    ),
    "outbox.altered": (
        "the message of order {order} is gone, or is not what its events say",
        "stop: tell the security officer; tell both contacts yourself",
    ),
    "outbox.failed": (
        "message {key} was not delivered ({reason})",
        "mend the command; posctl outbox deliver goes on",
    ),
    "root.absent": (
        "the root's key is not here: {path}",
        "bring it from where it is kept, and take it away afterwards",
    ),
    "profile.other_name": (
        "the profile is called {name}, the one in force {expected}",
        "sign a newer version of {expected}",
    ),
    "profile.downgrade": (
        "version {version} is not newer than version {now}",
        "give it a higher version",
    ),
}
