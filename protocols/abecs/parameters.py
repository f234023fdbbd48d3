"""Parameters of the commands that ABECS added (clauses 3.1.3.1 and 3.1.3.2).

Each is an identifier of 2 bytes, a length of 2 bytes, and at most 995 bytes; they come
in any order, and no parameter is spread over two blocks. An identifier that is not
known is skipped by whoever reads; of one that comes twice the first counts, except
where a command says that it may come again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum

from protocols.abecs.messages import MAX_BLOCK, Command, Response
from protocols.errors import LocalError, RemoteError

MAX_PARAMETER = 995
_HEAD = 4

Value = str | int | bytes


class Spe(IntEnum):
    """What a till sends, by the specification's names."""

    IDLIST = 0x0001
    MTHDPIN = 0x0002
    MTHDDAT = 0x0003
    TAGLIST = 0x0004
    EMVDATA = 0x0005
    CEXOPT = 0x0006
    TRACKS = 0x0007
    OPNDIG = 0x0008
    KEYIDX = 0x0009
    WKENC = 0x000A
    MSGIDX = 0x000B
    TIMEOUT = 0x000C
    MINDIG = 0x000D
    MAXDIG = 0x000E
    DATAIN = 0x000F
    ACQREF = 0x0010
    APPTYPE = 0x0011
    AIDLIST = 0x0012
    AMOUNT = 0x0013
    CASHBACK = 0x0014
    TRNDATE = 0x0015
    TRNTIME = 0x0016
    GCXOPT = 0x0017
    GOXOPT = 0x0018
    FCXOPT = 0x0019
    TRMPAR = 0x001A
    DSPMSG = 0x001B
    ARC = 0x001C
    IVCBC = 0x001D
    MFNAME = 0x001E
    MFINFO = 0x001F
    MNUOPT = 0x0020
    TRNTYPE = 0x0021
    TRNCURR = 0x0022
    PANMASK = 0x0023
    PBKMOD = 0x0024
    PBKEXP = 0x0025
    GCDOPT = 0x0026


class Pp(IntEnum):
    """What a pinpad answers, by the specification's names."""

    SERNUM = 0x8001
    PARTNBR = 0x8002
    MODEL = 0x8003
    MNNAME = 0x8004
    CAPAB = 0x8005
    SOVER = 0x8006
    SPECVER = 0x8007
    MANVERS = 0x8008
    APPVERS = 0x8009
    GENVERS = 0x800A
    CTLSCAPAB = 0x800B
    KRNLVER = 0x8010
    CTLSVER = 0x8011
    MCTLSVER = 0x8012
    VCTLSVER = 0x8013
    AECTLSVER = 0x8014
    DPCTLSVER = 0x8015
    PUREVER = 0x8016
    QPCTLSVER = 0x8018
    DSPTXTSZ = 0x8020
    DSPGRSZ = 0x8021
    MFSUP = 0x8022
    MKTDESP = 0x8032
    MKTDESD = 0x8033
    DKPTTDESP = 0x8035
    DKPTTDESD = 0x8036
    EVENT = 0x8040
    TRK1INC = 0x8041
    TRK2INC = 0x8042
    TRK3INC = 0x8043
    TRACK1 = 0x8044
    TRACK2 = 0x8045
    TRACK3 = 0x8046
    TRK1KSN = 0x8047
    TRK2KSN = 0x8048
    TRK3KSN = 0x8049
    ENCPAN = 0x804A
    ENCPANKSN = 0x804B
    KSN = 0x804C
    VALUE = 0x804D
    DATAOUT = 0x804E
    CARDTYPE = 0x804F
    ICCSTAT = 0x8050
    AIDTABINFO = 0x8051
    PAN = 0x8052
    PANSEQNO = 0x8053
    EMVDATA = 0x8054
    CHNAME = 0x8055
    GOXRES = 0x8056
    PINBLK = 0x8057
    FCXRES = 0x8058
    ISRESULTS = 0x8059
    BIGRAND = 0x805A
    LABEL = 0x805B
    ISSCNTRY = 0x805C
    CARDEXP = 0x805D
    MFNAME = 0x805E
    DEVTYPE = 0x8060
    TLRMEM = 0x8062
    ENCKRAND = 0x8063
    BATTINFO = 0x8064
    COMMINFO = 0x8065


KSN_PIN, KSN_DATA, TABLE_VERSION = 0x9100, 0x9200, 0x9300
"""First of 100 identifiers each, the slot's number added: 0x910E is slot 14."""
_SLOTS = 100


@dataclass(frozen=True)
class Form:
    """``kind`` as the specification names formats: A and S are text (ASCII, ISO
    8859-1), N decimal digits, X a number, B bytes. Sizes in bytes."""

    kind: str
    least: int
    most: int


def _exactly(kind: str, size: int) -> Form:
    return Form(kind, size, size)


def _up_to(kind: str, size: int) -> Form:
    return Form(kind, 0, size)


_FORMS: dict[int, Form] = {
    Spe.IDLIST: _up_to("B", 128),
    Spe.MTHDPIN: _exactly("N", 1),
    Spe.MTHDDAT: _exactly("N", 2),
    Spe.TAGLIST: _up_to("B", 128),
    Spe.EMVDATA: _up_to("B", 512),
    Spe.CEXOPT: _exactly("A", 6),
    Spe.TRACKS: _exactly("N", 4),
    Spe.OPNDIG: _exactly("N", 1),
    Spe.KEYIDX: _exactly("N", 2),
    Spe.WKENC: Form("B", 8, 16),
    Spe.MSGIDX: _exactly("X", 2),
    Spe.TIMEOUT: _exactly("X", 1),
    Spe.MINDIG: _exactly("X", 1),
    Spe.MAXDIG: _exactly("X", 1),
    Spe.DATAIN: _up_to("B", MAX_PARAMETER),
    Spe.ACQREF: _exactly("N", 2),
    Spe.APPTYPE: _up_to("N", 20),
    Spe.AIDLIST: _up_to("A", 512),
    Spe.AMOUNT: _exactly("N", 12),
    Spe.CASHBACK: _exactly("N", 12),
    Spe.TRNDATE: _exactly("N", 6),
    Spe.TRNTIME: _exactly("N", 6),
    Spe.GCXOPT: _exactly("N", 5),
    Spe.GOXOPT: _exactly("N", 5),
    Spe.FCXOPT: _exactly("N", 4),
    Spe.TRMPAR: _exactly("B", 10),
    Spe.DSPMSG: _up_to("S", 128),
    Spe.ARC: _exactly("A", 2),
    Spe.IVCBC: _exactly("B", 8),
    Spe.MFNAME: _exactly("A", 8),
    Spe.MFINFO: _exactly("B", 10),
    Spe.MNUOPT: _up_to("S", 24),
    Spe.TRNTYPE: _exactly("B", 1),
    Spe.TRNCURR: _exactly("N", 3),
    Spe.PANMASK: _exactly("N", 4),
    Spe.PBKMOD: _exactly("B", 256),
    Spe.PBKEXP: _up_to("B", 3),
    Spe.GCDOPT: _exactly("N", 4),
    Pp.SERNUM: _up_to("A", 32),
    Pp.PARTNBR: _up_to("A", 32),
    Pp.MODEL: _up_to("A", 20),
    Pp.MNNAME: _up_to("A", 20),
    Pp.CAPAB: _exactly("A", 10),
    Pp.SOVER: _up_to("A", 20),
    Pp.SPECVER: _exactly("A", 4),
    Pp.MANVERS: _exactly("A", 16),
    Pp.APPVERS: _exactly("A", 16),
    Pp.GENVERS: _exactly("A", 16),
    Pp.CTLSCAPAB: _up_to("A", 16),
    Pp.KRNLVER: _up_to("A", 20),
    Pp.CTLSVER: _up_to("A", 20),
    Pp.MCTLSVER: _up_to("A", 20),
    Pp.VCTLSVER: _up_to("A", 20),
    Pp.AECTLSVER: _up_to("A", 20),
    Pp.DPCTLSVER: _up_to("A", 20),
    Pp.PUREVER: _up_to("A", 20),
    Pp.QPCTLSVER: _up_to("A", 20),
    Pp.DSPTXTSZ: _exactly("N", 4),
    Pp.DSPGRSZ: _exactly("N", 8),
    Pp.MFSUP: _up_to("A", 20),
    Pp.MKTDESP: _exactly("A", 100),
    Pp.MKTDESD: _exactly("A", 100),
    Pp.DKPTTDESP: _exactly("A", 100),
    Pp.DKPTTDESD: _exactly("A", 100),
    Pp.EVENT: _exactly("A", 2),
    Pp.TRK1INC: _up_to("A", 60),
    Pp.TRK2INC: _up_to("A", 30),
    Pp.TRK3INC: _up_to("A", 30),
    Pp.TRACK1: _up_to("B", 88),
    Pp.TRACK2: _up_to("B", 28),
    Pp.TRACK3: _up_to("B", 60),
    Pp.TRK1KSN: _exactly("B", 10),
    Pp.TRK2KSN: _exactly("B", 10),
    Pp.TRK3KSN: _exactly("B", 10),
    Pp.ENCPAN: _up_to("B", 16),
    Pp.ENCPANKSN: _exactly("B", 10),
    Pp.KSN: _exactly("B", 10),
    Pp.VALUE: _up_to("A", 32),
    Pp.DATAOUT: _up_to("B", 256),
    Pp.CARDTYPE: _exactly("N", 2),
    Pp.ICCSTAT: _exactly("N", 1),
    Pp.AIDTABINFO: _up_to("A", 120),
    Pp.PAN: _up_to("N", 19),
    Pp.PANSEQNO: _exactly("N", 2),
    Pp.EMVDATA: _up_to("B", 512),
    Pp.CHNAME: _up_to("A", 26),
    Pp.GOXRES: _exactly("N", 6),
    Pp.PINBLK: _exactly("B", 8),
    Pp.FCXRES: _exactly("N", 3),
    Pp.ISRESULTS: _up_to("B", 50),
    Pp.BIGRAND: _exactly("B", 900),
    Pp.LABEL: _up_to("S", 16),
    Pp.ISSCNTRY: _exactly("N", 3),
    Pp.CARDEXP: _exactly("N", 6),
    Pp.MFNAME: _exactly("A", 8),
    Pp.DEVTYPE: _exactly("N", 2),
    Pp.TLRMEM: _exactly("X", 4),
    Pp.ENCKRAND: _exactly("B", 256),
    Pp.BATTINFO: _exactly("B", 2),
    Pp.COMMINFO: _exactly("N", 4),
    **{KSN_PIN + slot: _exactly("B", 10) for slot in range(_SLOTS)},
    **{KSN_DATA + slot: _exactly("B", 10) for slot in range(_SLOTS)},
    **{TABLE_VERSION + slot: _exactly("A", 10) for slot in range(_SLOTS)},
}
_UNKNOWN = _up_to("B", MAX_PARAMETER)


def form_of(identifier: int) -> Form:
    """The form of a parameter; bytes when this specification has none such."""
    return _FORMS.get(identifier, _UNKNOWN)


def name_of(identifier: int) -> str:
    """As ``PP_SERNUM``; ``PP_TABVER02`` for a slot; four digits when not known."""
    for group, prefix in ((Spe, "SPE_"), (Pp, "PP_")):
        if identifier in set(group):
            return prefix + group(identifier).name
    first, slot = identifier & 0xFF00, identifier & 0xFF
    base = _SLOT_NAMES.get(first) if slot < _SLOTS else None
    return f"{base}{slot:02}" if base else f"{identifier:04X}"


_SLOT_NAMES = {
    KSN_PIN: "PP_KSNTDESP",
    KSN_DATA: "PP_KSNTDESD",
    TABLE_VERSION: "PP_TABVER",
}


@dataclass(frozen=True)
class Parameter:
    """Its value is text, a number or bytes, as ``form_of`` says."""

    identifier: int
    value: Value

    def __repr__(self) -> str:
        return f"Parameter({name_of(self.identifier)})"  # a value may be a PAN

    def to_bytes(self) -> bytes:
        """Raises LocalError: a value of another kind, or of no size allowed."""
        form = form_of(self.identifier)
        data = _WRITERS[form.kind](self.value, form)
        if not form.least <= len(data) <= form.most:
            raise LocalError(f"{name_of(self.identifier)}: size not allowed")
        return self.identifier.to_bytes(2) + len(data).to_bytes(2) + data

    @classmethod
    def from_bytes(cls, identifier: int, data: bytes) -> Parameter:
        """The size is not held to the form: the specification's own example of
        PP_ISSCNTRY (clause 3.7.1) has 4 digits where its table has 3.

        Raises:
            RemoteError: text or digits that are none.
        """
        try:
            return cls(identifier, _READERS[form_of(identifier).kind](data))
        except ValueError:
            raise RemoteError(
                "characters not allowed", field=name_of(identifier)
            ) from None


def _write_text(value: Value, form: Form) -> bytes:
    codec = "latin-1" if form.kind == "S" else "ascii"
    try:
        return value.encode(codec) if isinstance(value, str) else _unfit()
    except UnicodeEncodeError:
        return _unfit()


def _write_digits(value: Value, form: Form) -> bytes:
    fits = isinstance(value, str) and value.isascii() and (value or "0").isdecimal()
    return value.encode() if isinstance(value, str) and fits else _unfit()


def _write_number(value: Value, form: Form) -> bytes:
    fits = isinstance(value, int) and 0 <= value < 1 << 8 * form.most
    return value.to_bytes(form.most) if isinstance(value, int) and fits else _unfit()


def _write_bytes(value: Value, form: Form) -> bytes:
    return value if isinstance(value, bytes) else _unfit()


def _unfit() -> bytes:
    raise LocalError("a parameter's value is not of its kind")


def _read_digits(data: bytes) -> str:
    if data and not data.isdigit():
        raise ValueError
    return data.decode("ascii")


_WRITERS: Mapping[str, Callable[[Value, Form], bytes]] = {
    "A": _write_text,
    "S": _write_text,
    "N": _write_digits,
    "X": _write_number,
    "B": _write_bytes,
}
_READERS: Mapping[str, Callable[[bytes], Value]] = {
    "A": lambda data: data.decode("ascii"),
    "S": lambda data: data.decode("latin-1"),
    "N": _read_digits,
    "X": int.from_bytes,
    "B": bytes,
}


def pack(parameters: Iterable[Parameter]) -> tuple[bytes, ...]:
    """As few blocks as hold them in this order. Raises LocalError, as to_bytes."""
    blocks: list[bytes] = []
    for parameter in parameters:
        data = parameter.to_bytes()
        if blocks and len(blocks[-1]) + len(data) <= MAX_BLOCK:
            blocks[-1] += data
        else:
            blocks.append(data)
    return tuple(blocks)


def unpack(blocks: Sequence[bytes]) -> tuple[Parameter, ...]:
    """All of them, in their order, those not known too.

    Raises:
        RemoteError: a head or a value cut off, characters that its form has not.
    """
    return tuple(
        Parameter.from_bytes(identifier, data)
        for block in blocks
        for identifier, data in _split(block)
    )


def _split(block: bytes) -> Iterable[tuple[int, bytes]]:
    at = 0
    while at < len(block):
        begin = at + _HEAD
        if begin > len(block):
            raise RemoteError("identifier and length cut off", position=at)
        end = begin + int.from_bytes(block[at + 2 : begin])
        if end > len(block):
            raise RemoteError("value cut off", position=begin)
        yield int.from_bytes(block[at : at + 2]), block[begin:end]
        at = end


def command(code: str, *parameters: Parameter) -> Command:
    """Raises LocalError: as ``Parameter.to_bytes``."""
    return Command(code, pack(parameters))


def response(code: str, *parameters: Parameter) -> Response:
    """Raises LocalError: as ``Parameter.to_bytes``."""
    return Response(code, blocks=pack(parameters))


def values(message: Command | Response) -> dict[int, Value]:
    """By identifier; of one that comes twice the first. Raises RemoteError."""
    found: dict[int, Value] = {}
    for parameter in unpack(message.blocks):
        found.setdefault(parameter.identifier, parameter.value)
    return found


def every(message: Command | Response, identifier: int) -> tuple[Value, ...]:
    """All values of one that may come again, in their order. Raises RemoteError."""
    found = unpack(message.blocks)
    return tuple(each.value for each in found if each.identifier == identifier)
