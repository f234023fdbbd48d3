"""Readers and cards."""

from __future__ import annotations

ERRORS: dict[str, tuple[str, str]] = {
    "pcsc.unavailable": (
        "pyscard is not installed",
        "pip install 'posctl[pcsc]', or a --reader tcp:HOST:PORT",
    ),
    "pcsc.no_service": (
        "the PC/SC service is not running",
        "start it (Linux: sudo systemctl start pcscd.socket), or plug the reader in",
    ),
    "pcsc.denied": (
        "not permitted to use the PC/SC service",
        "ask the administrator for access to pcscd",
    ),
    "pcsc.failed": ("PC/SC reported {pcsc}", "unplug the reader and plug it in"),
    "reader.none": ("no card reader", "plug a reader in"),
    "reader.missing": (
        "reader {reader} is not there any more",
        "plug it in; `posctl list` shows the readers there are",
    ),
    "reader.unknown": (
        "no reader {reader}; there are: {candidates}",
        "--reader with one of them, whole",
    ),
    "reader.ambiguous": ("several readers: {candidates}", "--reader with one of them"),
    "reader.address": (
        "{reader} is not an address of a card link",
        "tcp:HOST:PORT is one",
    ),
    "card.none": ("no card in {reader}", "insert the card"),
    "card.mute": (
        "the card in {reader} does not answer",
        "turn the card round, chip first; then try another card",
    ),
    "card.removed": (
        "the card was taken out of {reader}",
        "insert it again, then try again",
    ),
    "card.swapped": (
        "another card is in {reader} than the one that was being read",
        "leave one card in, then try again",
    ),
    "card.in_use": (
        "another program uses the card in {reader}",
        "close that program",
    ),
    "card.garbled": ("{reader} gave an answer that is none", "try again"),
    "card.malformed": ("the card's data are malformed: {reason}", "use another card"),
    "card.not_payment": ("this is not a payment card", "use a UnionPay debit card"),
    "card.blocked": ("the card or its application is blocked", "ask the bank"),
    "card.foreign": (
        "not a UnionPay card (AID {aid})",
        "use a UnionPay debit card",
    ),
    "card.kind_refused": (
        "a {kind} card cannot receive takings (AID {aid})",
        "use a debit card",
    ),
    "card.proof_failed": (
        "the chip of {card} is not what it says ({link}: {reason} {detail})",
        "use another card; keep this one and tell the office: it may be a copy",
    ),
    "card.apdu": (
        "a command is 4 bytes or more, hexadecimal, with lengths that fit",
        'posctl card apdu "00B2010C00"',
    ),
    "card.apdu_refused": (
        "commands {ins} (class, instruction) are not sent: they may cost the card a"
        " counter, try a PIN or write",
        "SELECT, READ RECORD, READ BINARY, GET DATA, GET PROCESSING OPTIONS, GET"
        " RESPONSE, GET CHALLENGE and INTERNAL AUTHENTICATE are",
    ),
    "card.apdu_contactless": (
        "a contactless card is only selected: reading it could spend electronic cash",
        "insert the card, chip first",
    ),
    "explain.hex": (
        "hexadecimal digits in pairs are expected",
        "blanks, colons and 0x between them may stand",
    ),
    "explain.atr": ("this is no ATR: {reason}", "copy all of it, from 3B or 3F on"),
    "explain.tlv": (
        "this is no TLV data: {reason}",
        "leave the status word at the end out, and copy all of it",
    ),
    "explain.unreadable": ("{path}: {reason}", "name a file of hexadecimal digits"),
    "cakeys.invalid": ("{path}: {reason}", "mend the file"),
    "cakeys.changed": (
        "{path} is not the file that the set-up was made with",
        "put that one back, or set up anew",
    ),
    "cakeys.test": (
        "{path} has test keys: anybody can make a card for them",
        "take them out; they count in a test set-up only (posctl setup --test)",
    ),
    "card.token": (
        "{card} is a device's token, not an account",
        "insert the card itself",
    ),
    "card.expired": ("card {card} has expired", "use a valid card"),
    "card.contactless": (
        "contactless ({applications}) is not read: it could spend electronic cash",
        "insert the card, chip first",
    ),
}
