"""ABECS commands and answers (ABECS 2.12 and 2.20, clauses 2.3 and 3).

A command is its code of 3 characters, then blocks, each behind its length in 3 digits.
An answer is the command's code, a status of 3 digits, and blocks; after a status that
is not 000 there are none. What blocks hold is the business of ``parameters`` (the
commands that ABECS added) and ``records`` (the older ones).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import NamedTuple

from protocols.errors import LocalError, RemoteError

MAX_BLOCK = 999
MAX_OLD, MAX_ABECS = 1024, 2044
"""Bytes of a whole command or answer: the older commands, and those of ABECS."""

NOTIFICATION, NOT_KNOWN = "NTM", "ERR"
"""In the place of a command's code: a message for the till's operator while a command
is at work, and the answer to what the pinpad cannot make out."""

OK = "000"
NO_SECURITY, SECURITY_ERROR, NO_SUCH_CALL, BAD_PARAMETER = "003", "009", "010", "011"
CANCELLED, PARAMETER_MISSING, TABLES_DIFFER = "013", "019", "020"
NO_ROOM, MEDIA_FAILED = "045", "102"

STATUSES = {
    "000": "ST_OK",
    "003": "ST_NOSEC",
    "004": "ST_F1",
    "005": "ST_F2",
    "006": "ST_F3",
    "007": "ST_F4",
    "008": "ST_BACKSP",
    "009": "ST_ERRPKTSEC",
    "010": "ST_INVCALL",
    "011": "ST_INVPARM",
    "012": "ST_TIMEOUT",
    "013": "ST_CANCEL",
    "019": "ST_MANDAT",
    "020": "ST_TABVERDIF",
    "021": "ST_TABERR",
    "040": "ST_INTERR",
    "041": "ST_MCDATAERR",
    "042": "ST_ERRKEY",
    "043": "ST_NOCARD",
    "044": "ST_PINBUSY",
    "045": "ST_RSPOVRFL",
    "046": "ST_ERRCRYPT",
    "047": "ST_SECURITY",
    "051": "ST_NOSAM",
    "060": "ST_DUMBCARD",
    "061": "ST_ERRCARD",
    "067": "ST_CARDINVALIDAT",
    "068": "ST_CARDPROBLEMS",
    "069": "ST_CARDINVDATA",
    "070": "ST_CARDAPPNAV",
    "071": "ST_CARDAPPNAUT",
    "076": "ST_ERRFALLBACK",
    "077": "ST_INVAMOUNT",
    "078": "ST_ERRMAXAID",
    "079": "ST_CARDBLOCKED",
    "080": "ST_CTLSMULTIPLE",
    "081": "ST_CTLSCOMMERR",
    "082": "ST_CTLSINVALIDAT",
    "083": "ST_CTLSPROBLEMS",
    "084": "ST_CTLSAPPNAV",
    "085": "ST_CTLSAPPNAUT",
    "086": "ST_CTLSEXTCVM",
    "087": "ST_CTLSIFCHG",
    "100": "ST_MFNFOUND",
    "101": "ST_MFERRFMT",
    "102": "ST_MFERR",
}
"""Names of the statuses (clause 3.1.1). 047 is new in 2.20; 2.20 has no 051."""


class Kind(NamedTuple):
    """What a command is. ``waits``: for a person, without a limit, and it may be
    cancelled. ``tagged``: its blocks hold parameters, each with identifier and length.
    """

    name: str
    waits: bool = False
    tagged: bool = False


COMMANDS = {
    "OPN": Kind("open"),
    "GIN": Kind("get information"),
    "GIX": Kind("get information, extended", tagged=True),
    "DWK": Kind("define the working key of the PAN"),
    "CLO": Kind("close"),
    "CLX": Kind("close, extended", tagged=True),
    "CEX": Kind("check event, extended", waits=True, tagged=True),
    "CHP": Kind("direct access to a chip", waits=True),
    "CKE": Kind("check event", waits=True),
    "DEX": Kind("display, extended"),
    "DSP": Kind("display"),
    "EBX": Kind("encrypt a buffer, extended", tagged=True),
    "ENB": Kind("encrypt a buffer"),
    "GCD": Kind("get clear data", waits=True, tagged=True),
    "GDU": Kind("get the serial number of a DUKPT key"),
    "GKY": Kind("get a key press", waits=True),
    "GPN": Kind("get an encrypted PIN", waits=True),
    "GTK": Kind("get tracks", tagged=True),
    "MNU": Kind("menu", waits=True, tagged=True),
    "RMC": Kind("remove the card", waits=True),
    "MLI": Kind("load a media file: begin", tagged=True),
    "MLR": Kind("load a media file: data", tagged=True),
    "MLE": Kind("load a media file: end", tagged=True),
    "LMF": Kind("list media files", tagged=True),
    "DMF": Kind("delete media files", tagged=True),
    "DSI": Kind("display an image", tagged=True),
    "GTS": Kind("get the version of the tables"),
    "TLI": Kind("load tables: begin"),
    "TLR": Kind("load tables: records"),
    "TLE": Kind("load tables: end"),
    "GCR": Kind("get a card", waits=True),
    "CNG": Kind("change an EMV parameter"),
    "GOC": Kind("go on with a chip", waits=True),
    "FNC": Kind("finish with a chip"),
    "GCX": Kind("get a card, extended", waits=True, tagged=True),
    "GED": Kind("get EMV data", tagged=True),
    "GOX": Kind("go on with a chip, extended", waits=True, tagged=True),
    "FCX": Kind("finish with a chip, extended", waits=True, tagged=True),
    "GEN": Kind("generic command of 2.12"),
}
"""By code (the tables that begin clauses 3.2 to 3.7; of GEN clause 3.8, 2.12 only)."""

_CODE, _STATUS = re.compile(rb"[A-Z0-9]{3}"), re.compile(rb"[0-9]{3}")


def waits_for_a_person(code: str) -> bool:
    """Whether the command has no time limit; one that is not known has one."""
    return code in COMMANDS and COMMANDS[code].waits


def _largest(code: str) -> int:
    return MAX_ABECS if code not in COMMANDS or COMMANDS[code].tagged else MAX_OLD


def _message(head: str, code: str, blocks: tuple[bytes, ...]) -> bytes:
    if max(map(len, blocks), default=0) > MAX_BLOCK:
        raise LocalError(f"a block holds at most {MAX_BLOCK} bytes")
    told = b"".join(b"%03d%b" % (len(block), block) for block in blocks)
    if len(head) + len(told) > _largest(code):
        raise LocalError(f"at most {_largest(code)} bytes in a message of {code}")
    return head.encode("ascii") + told


def _blocks(data: bytes, start: int) -> tuple[bytes, ...]:
    blocks = []
    while start < len(data):
        length, begin = data[start : start + 3], start + 3
        if not _STATUS.fullmatch(length):
            raise RemoteError("length of 3 digits expected", position=start)
        start = begin + int(length)
        if start > len(data):
            raise RemoteError("block cut off", position=begin)
        blocks.append(data[begin:start])
    return tuple(blocks)


def _in_form(form: re.Pattern[bytes], data: bytes, start: int, what: str) -> str:
    found = form.fullmatch(data[start : start + 3])
    if not found:
        raise RemoteError(f"{what} expected", position=start)
    return found[0].decode("ascii")


def _checked(form: re.Pattern[bytes], text: str, rule: str) -> None:
    if not form.fullmatch(text.encode("ascii", "replace")):
        raise LocalError(rule)


@dataclass(frozen=True)
class Command:
    """What a till asks of a pinpad."""

    code: str
    blocks: tuple[bytes, ...] = field(default=(), repr=False)

    def to_bytes(self) -> bytes:
        """Raises LocalError: not a code, or too long (block, whole)."""
        _checked(_CODE, self.code, "a code has 3 capitals or digits")
        return _message(self.code, self.code, self.blocks)

    @classmethod
    def from_bytes(cls, data: bytes) -> Command:
        """Raises RemoteError: no code, a length that is none, a block cut off."""
        return cls(_in_form(_CODE, data, 0, "command"), _blocks(data, 3))


@dataclass(frozen=True)
class Response:
    """What a pinpad says to it. ``code`` is the command's, or NTM, or ERR."""

    code: str
    status: str = OK
    blocks: tuple[bytes, ...] = field(default=(), repr=False)

    def to_bytes(self) -> bytes:
        """Raises LocalError: no code or status, too long, blocks after an error."""
        _checked(_CODE, self.code, "a code has 3 capitals or digits")
        _checked(_STATUS, self.status, "a status has 3 digits")
        if self.status != OK and self.blocks:
            raise LocalError("an answer that tells an error has no data")
        return _message(self.code + self.status, self.code, self.blocks)

    @classmethod
    def from_bytes(cls, data: bytes) -> Response:
        """Raises RemoteError: no code or status, bad blocks, blocks after an error."""
        code = _in_form(_CODE, data, 0, "command")
        status = _in_form(_STATUS, data, 3, "status")
        if status != OK and len(data) > 6:
            raise RemoteError("data after a status that tells an error", position=6)
        return cls(code, status, _blocks(data, 6))

    @property
    def meaning(self) -> str:
        """The status by name, or its digits when this specification has none."""
        return STATUSES.get(self.status, self.status)


def notification(text: str) -> Response:
    """Two lines of 16 characters for the till's operator (clause 2.3.3).

    Raises:
        LocalError: longer, or not ISO 8859-1.
    """
    try:
        block = text.encode("latin-1")
    except UnicodeEncodeError:
        raise LocalError("text: ISO 8859-1 expected") from None
    if len(block) > 32:
        raise LocalError("a notification has at most 32 characters")
    return Response(NOTIFICATION, OK, (block,))
