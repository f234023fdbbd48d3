"""What posctl and its emulator ask of a pinpad, as whole commands.

The names of parameters and the sizes of records are in ``parameters`` and ``records``;
any other command is a ``Command`` with the blocks that these make.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from protocols.abecs.frames import crc
from protocols.abecs.messages import (
    MAX_BLOCK,
    MAX_OLD,
    OK,
    TABLES_DIFFER,
    Command,
    Response,
)
from protocols.abecs.parameters import Parameter, Pp, Spe, Value, command, values
from protocols.abecs.records import (
    Acquirer,
    ContactlessInformation,
    FreeText,
    KernelInformation,
    NetworkInformation,
    PinpadInformation,
    TableLoad,
    TableVersion,
    TwoLines,
    only_block,
)
from protocols.errors import LocalError, RemoteError

OPEN = Command("OPN")
END_TABLES, END_MEDIA, LIST_MEDIA = Command("TLE"), Command("MLE"), Command("LMF")

PNG, JPG, GIF = 1, 2, 3
_MEDIA_PART, _PARTS = 432, 2
"""As in the specification's own example: bytes in a block, blocks in a command."""


def close(text: str = "") -> Command:
    """CLO: end the session and leave two lines of 16 on the display.

    Raises:
        LocalError: more than 32 characters, or not ISO 8859-1; so ``display``.
    """
    return Command("CLO", (TwoLines(text).to_block(),))


def close_extended(text: str = "") -> Command:
    """CLX, with a text whose lines are split by CR. LocalError: over 128 characters."""
    return command("CLX", *([Parameter(Spe.DSPMSG, text)] if text else []))


def display(text: str) -> Command:
    """DSP: two lines of 16."""
    return Command("DSP", (TwoLines(text).to_block(),))


def display_lines(*lines: str) -> Command:
    """DEX. Raises LocalError: more than 160 characters, or not ISO 8859-1."""
    return Command("DEX", (FreeText("\r".join(lines)).to_block(),))


def get_information(index: str = "00") -> Command:
    """GIN. Raises LocalError: not two digits."""
    return Command("GIN", (Acquirer(index).to_block(),))


Information = (
    PinpadInformation | KernelInformation | ContactlessInformation | NetworkInformation
)
_INFORMATION: dict[str, type[Information]] = {
    "00": PinpadInformation,
    "02": KernelInformation,
    "03": ContactlessInformation,
}


def information(response: Response, index: str = "00") -> Information:
    """GIN's answer to that index. Raises RemoteError: block missing or bad."""
    record = _INFORMATION.get(index, NetworkInformation)
    return record.from_block(only_block(response))


def get_facts(identifiers: Iterable[int] = ()) -> Command:
    """GIX, for these ``Pp`` identifiers, or all that a pinpad of itself tells.

    Raises:
        LocalError: more than 64.
    """
    listed = b"".join(identifier.to_bytes(2) for identifier in identifiers)
    return command("GIX", *([Parameter(Spe.IDLIST, listed)] if listed else []))


def facts_wanted(asked: Command) -> tuple[int, ...]:
    """The identifiers in a GIX; none means all. Raises RemoteError: half of one."""
    listed = values(asked).get(Spe.IDLIST, b"")
    assert isinstance(listed, bytes)  # noqa: S101  (its form says so)
    if len(listed) % 2:
        raise RemoteError("half an identifier", field="SPE_IDLIST")
    return tuple(int.from_bytes(listed[at : at + 2]) for at in range(0, len(listed), 2))


@dataclass(frozen=True)
class Facts:
    """GIX's answer as far as it tells who a pinpad is; None: it does not say.

    ``pin_keys`` and ``data_keys`` are the slots of TDES master keys that are loaded,
    ``dukpt_pin_keys`` and ``dukpt_data_keys`` of DUKPT keys. No value of a key and no
    check value ever leaves a pinpad.
    """

    serial: str | None = None
    part_number: str | None = None
    model: str | None = None
    vendor: str | None = None
    os_version: str | None = None
    spec_version: str | None = None
    app_version: str | None = None
    pin_keys: tuple[int, ...] | None = None
    data_keys: tuple[int, ...] | None = None
    dukpt_pin_keys: tuple[int, ...] | None = None
    dukpt_data_keys: tuple[int, ...] | None = None

    @classmethod
    def from_response(cls, response: Response) -> Facts:
        """Raises RemoteError: parameters cut off, or text that is none."""
        told = values(response)
        text = {name: _text(told.get(each)) for name, each in _TEXTS.items()}
        keys = {name: _loaded(told.get(each)) for name, each in _MAPS.items()}
        return cls(**text, **keys)  # type: ignore[arg-type]


_TEXTS = {
    "serial": Pp.SERNUM,
    "part_number": Pp.PARTNBR,
    "model": Pp.MODEL,
    "vendor": Pp.MNNAME,
    "os_version": Pp.SOVER,
    "spec_version": Pp.SPECVER,
    "app_version": Pp.APPVERS,
}
_MAPS = {
    "pin_keys": Pp.MKTDESP,
    "data_keys": Pp.MKTDESD,
    "dukpt_pin_keys": Pp.DKPTTDESP,
    "dukpt_data_keys": Pp.DKPTTDESD,
}
IDENTITY = (*_TEXTS.values(), *_MAPS.values())
"""What ``Facts`` holds, for ``get_facts``."""


def _text(value: Value | None) -> str | None:
    return str(value).strip() or None if value is not None else None


def _loaded(value: Value | None) -> tuple[int, ...] | None:
    if value is None:
        return None
    return tuple(slot for slot, mark in enumerate(str(value)) if mark == "1")


def get_table_version(index: str = "00") -> Command:
    """GTS. Raises LocalError: not two digits."""
    return Command("GTS", (Acquirer(index).to_block(),))


def table_version(response: Response) -> str:
    """10 characters; ten zeros: no table. Raises RemoteError."""
    return TableVersion.from_block(only_block(response)).version


def load_tables(
    acquirer: str, version: str, records: Sequence[bytes]
) -> tuple[Command, ...]:
    """TLI, as many TLR as it takes, TLE. Without records the tables are erased.

    Args:
        records: each begins with its own length, 3 digits, itself included.

    Raises:
        LocalError: a record whose length does not hold, or too long for a block.
    """
    begin = Command("TLI", (TableLoad(acquirer, version).to_block(),))
    return (begin, *map(_table_records, _grouped(records)), END_TABLES)


_LARGEST_TABLE_BLOCK = min(MAX_BLOCK, MAX_OLD - 6)


def _grouped(records: Sequence[bytes]) -> list[list[bytes]]:
    groups: list[list[bytes]] = []
    for record in records:
        if record[:3] != b"%03d" % len(record) or len(record) > MAX_BLOCK - 2:
            raise LocalError("a table record begins with its own length")
        used = sum(map(len, groups[-1])) + 2 if groups else MAX_BLOCK
        if used + len(record) > _LARGEST_TABLE_BLOCK or len(groups[-1]) == 99:
            groups.append([])
        groups[-1].append(record)
    return groups


def _table_records(records: Sequence[bytes]) -> Command:
    return Command("TLR", (b"%02d" % len(records) + b"".join(records),))


def table_records(asked: Command) -> tuple[bytes, ...]:
    """The records in a TLR. Raises RemoteError: a count or a length that is none."""
    block = only_block(asked)
    count, at = _number(block, 0, 2), 2
    records = []
    for _ in range(count):
        end = at + _number(block, at, 3)
        if not at + 3 <= end <= len(block):
            raise RemoteError("record cut off", position=at, field="TLR")
        records.append(block[at:end])
        at = end
    return tuple(records)


def _number(block: bytes, at: int, size: int) -> int:
    digits = block[at : at + size]
    if len(digits) < size or not digits.isdigit():
        raise RemoteError("number expected", position=at, field="TLR")
    return int(digits)


@dataclass(frozen=True)
class MediaFile:
    """What MLI tells of a file: ``size`` in bytes, ``check`` its CRC-16."""

    name: str
    size: int
    check: int
    kind: int = PNG

    @classmethod
    def of(cls, name: str, data: bytes, kind: int = PNG) -> MediaFile:
        return cls(name, len(data), crc(data), kind)

    def to_command(self) -> Command:
        """MLI. Raises LocalError: a name that has not 8 characters, or too large."""
        if not 0 <= self.size < 1 << 32:
            raise LocalError("a media file has at most 4294967295 bytes")
        told = self.size.to_bytes(4) + self.check.to_bytes(2) + bytes([self.kind])
        info = Parameter(Spe.MFINFO, told + bytes(3))
        return command("MLI", Parameter(Spe.MFNAME, self.name), info)

    @classmethod
    def from_command(cls, asked: Command) -> MediaFile:
        """Raises RemoteError: name or facts missing, or fewer than 7 bytes of them."""
        told = values(asked)
        name, info = told.get(Spe.MFNAME), told.get(Spe.MFINFO)
        if not isinstance(name, str) or not isinstance(info, bytes) or len(info) < 7:
            raise RemoteError("name and 7 bytes expected", field="MLI")
        return cls(name, int.from_bytes(info[:4]), int.from_bytes(info[4:6]), info[6])


def load_media(name: str, data: bytes, kind: int = PNG) -> tuple[Command, ...]:
    """MLI, as many MLR as it takes, MLE. Raises LocalError: as ``MediaFile``."""
    parts = [data[at : at + _MEDIA_PART] for at in range(0, len(data), _MEDIA_PART)]
    blocks = [Parameter(Spe.DATAIN, part).to_bytes() for part in parts]
    loads = [
        Command("MLR", tuple(blocks[at : at + _PARTS]))
        for at in range(0, len(blocks), _PARTS)
    ]
    return (MediaFile.of(name, data, kind).to_command(), *loads, END_MEDIA)


def good(response: Response) -> bool:
    """TLI answers 020 (tables differ) and has begun all the same."""
    begun = response.code == "TLI" and response.status == TABLES_DIFFER
    return response.status == OK or begun
