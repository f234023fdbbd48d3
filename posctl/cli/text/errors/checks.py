"""What is checked before a change: look, preflight, numbers."""

from __future__ import annotations

ERRORS: dict[str, tuple[str, str]] = {
    "look.mismatch": (
        "terminal {tid} is not one of merchant {mid}: the provider lists {listed}",
        "you may be at the wrong terminal; check the label, then call the provider",
    ),
    "look.other_merchant": (
        "terminal {tid} is of merchant {mid}, not of {expected}",
        "go to the right terminal, or correct --merchant or the shop's settings",
    ),
    "look.unbound": (
        "merchant {mid} has no settlement account yet, says its terminal {tid}:"
        " there is none to change",
        "posctl change bind tells where it gets its first",
    ),
    "bind.bound": (
        "terminal {tid} is bound to {mask}: a first account is not what it needs",
        "posctl change run",
    ),
    "bind.unknown": (
        "terminal {tid} cannot tell whether its merchant has an account",
        "ask the provider, or change the account it has: posctl change run",
    ),
    "look.unknown": (
        "the terminal cannot tell its {item}, and the profile needs it",
        "use a terminal application that tells it",
    ),
    "look.other_terminal": (
        "order {order} is for terminal {tid}, serial {serial}; this is {found}, serial"
        " {found_serial}",
        "connect the right terminal",
    ),
    "binding.moved": (
        "the terminal's binding has moved since order {order} was opened",
        "posctl change rollback {order}, then start again",
    ),
    "list.missing": (
        "no terminal list of merchant {mid} from the office",
        "office: posctl merchant fetch {mid}",
    ),
    "list.old": (
        "the terminal list of merchant {mid} is of {fetched}: too old",
        "office: posctl merchant fetch {mid}",
    ),
    "list.damaged": ("{path} is not a terminal list", "office: fetch it again"),
    "merchant.no_terminals": (
        "the provider lists no terminal for merchant {mid}",
        "check the merchant number",
    ),
    "window.closed": ("closed now; opens {opens}", "come back then"),
    "window.closed_long": (
        "the profile's windows leave no time for a change within {days} days",
        "ask the provider; posctl change plan shows the windows",
    ),
    "document.missing": (
        "document {kind} is missing: {path}",
        "take the picture and save it under that name",
    ),
    "document.size": (
        "a picture of {size} bytes is empty, or larger than the provider takes",
        "save the picture smaller",
    ),
    "document.type": ("{path} is neither JPEG nor PNG", "save it as JPEG"),
    "document.changed": (
        "{path} is not the picture that was checked",
        "restore it, or roll the order back and start again",
    ),
    "document.kind": ("the provider knows no document {kind}", "mend the profile"),
    "document.media_type": (
        "{media_type} is not a picture the provider takes",
        "use JPEG or PNG",
    ),
    "backup.differs": (
        "two reads of the terminal differ in: {parameters}",
        "let the terminal come to rest, then try again",
    ),
    # numbers
    "number.length": ("{count} digits are expected", "type it again"),
    "number.form": ("{low} to {high} digits are expected", "type it again"),
    "number.check_digit": ("the check digit is wrong", "type it again"),
    "number.differs": ("the two entries differ", "type it again"),
    "branch.check_digit": ("the bank code's check digit is wrong", "type it again"),
    "account.old_mismatch": (
        "that is not the account that the terminal shows: {shown}",
        "use the number of the present settlement account",
    ),
    "account.same": (
        "nothing to do: the new number is the present account that you named, {number}",
        "",
    ),
    "account.hash": (
        "the sealed number of order {order} is not the one the order names",
        "stop: tell the security officer",
    ),
    "tag.forged": (
        "the binding tag of terminal {tid} was not made by the acquirer",
        "stop: tell the security officer",
    ),
}
