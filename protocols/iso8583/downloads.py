"""F62 of the downloads of CA keys and of chip parameters.

First a list is asked for (0820, 60.3 is 372 or 382), as often as the host has more;
then each entry by its name (0800, 370 or 380); then the end is told (371 or 381). An
answer begins with one character that says whether and how much follows; the rest is
BER-TLV: 9F06 (RID or AID), 9F22 (index of a key), DF05 (its expiry, YYYYMMDD), and in
the answer for one entry whatever it is made of.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum

from protocols import tlv
from protocols.errors import LocalError, RemoteError

RID = AID = 0x9F06
KEY_INDEX, KEY_EXPIRY = 0x9F22, 0xDF05
KEY_MODULUS, KEY_EXPONENT, KEY_CHECK = 0xDF02, 0xDF04, 0xDF03
KEY_HASH, KEY_CIPHER = 0xDF06, 0xDF07
SHA1 = RSA = b"\x01"

Objects = Mapping[int, bytes]


class Following(Enum):
    """What the first character of an answer says."""

    NOTHING = b"0"
    ALL = b"1"
    MORE_LATER = b"2"
    THE_LAST = b"3"


_WITH_ENTRIES = frozenset({Following.ALL, Following.MORE_LATER, Following.THE_LAST})


@dataclass(frozen=True)
class Listing:
    """One answer to a question for the list: names of entries."""

    entries: tuple[Objects, ...]
    following: Following

    @property
    def more(self) -> bool:
        return self.following is Following.MORE_LATER

    def to_bytes(self) -> bytes:
        return self.following.value + b"".join(_write(each) for each in self.entries)

    @classmethod
    def from_bytes(cls, data: bytes) -> Listing:
        """An entry begins wherever 9F06 stands. Raises RemoteError."""
        following = _following(data)
        entries: list[dict[int, bytes]] = []
        for item in _objects(data[1:]):
            if item.tag == AID:
                entries.append({})
            elif not entries or item.tag in entries[-1]:
                raise RemoteError(f"{item.tag:X} out of its place", field="F62")
            entries[-1][item.tag] = item.value
        if bool(entries) is not (following in _WITH_ENTRIES):
            raise RemoteError(
                f"{len(entries)} entries announced otherwise", field="F62"
            )
        return cls(tuple(entries), following)


def listing(entries: Iterable[Objects], start: int, most: int) -> Listing:
    """The entries from ``start`` on, at most ``most`` of them."""
    known = tuple(entries)
    part = known[start : start + most]
    if not part:
        return Listing((), Following.NOTHING)
    if start + len(part) < len(known):
        return Listing(part, Following.MORE_LATER)
    return Listing(part, Following.THE_LAST if start else Following.ALL)


def write_query(known: int) -> bytes:
    """F62 of the question, with how many names are there already, 0 to 99.

    Raises:
        LocalError: more than that.
    """
    if not 0 <= known <= 99:
        raise LocalError("F62: 0 to 99 entries can be told")
    return f"1{known:02}".encode()


def read_query(data: bytes) -> int:
    """Raises RemoteError."""
    if len(data) != 3 or data[:1] != b"1" or not data[1:].isdigit():
        raise RemoteError("no question for a list", field="F62")
    return int(data[1:])


def write_name(entry: Objects) -> bytes:
    """F62 of the question for one entry: 9F06 and, of a key, 9F22."""
    return _write({tag: entry[tag] for tag in (AID, KEY_INDEX) if tag in entry})


def read_name(data: bytes) -> dict[int, bytes]:
    """Raises RemoteError: no BER-TLV, or without 9F06."""
    found = {item.tag: item.value for item in _objects(data)}
    if AID not in found:
        raise RemoteError("9F06 missing", field="F62")
    return found


def write_entry(entry: Objects | None) -> bytes:
    """F62 of the answer for one entry; None: the host has none such."""
    if entry is None:
        return Following.NOTHING.value
    return Following.ALL.value + _write(entry)


def read_entry(data: bytes) -> dict[int, bytes] | None:
    """Raises RemoteError: no BER-TLV, a tag that stands twice, or no entry announced
    and one there."""
    found = _objects(data[1:])
    objects = {item.tag: item.value for item in found}
    if len(objects) != len(found):
        raise RemoteError("a tag stands twice", field="F62")
    if _following(data) in _WITH_ENTRIES:
        return objects
    if objects:
        raise RemoteError("an entry that was not announced", field="F62")
    return None


def _following(data: bytes) -> Following:
    try:
        return Following(data[:1])
    except ValueError:
        raise RemoteError("0 to 3 expected", position=0, field="F62") from None


def _write(objects: Objects) -> bytes:
    """9F06 first, for an entry begins with it."""
    tags = sorted(objects, key=lambda tag: tag != AID)
    return b"".join(tlv.write(tag, objects[tag]) for tag in tags)


def _objects(data: bytes) -> list[tlv.Tlv]:
    try:
        return tlv.read(data)
    except RemoteError as error:
        where = error.position
        raise RemoteError(error.reason, position=where, field="F62") from None
