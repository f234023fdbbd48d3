"""The one table: which field is coded how.

Codings: ``N`` BCD digits, zero on the left when fixed and on the right when variable;
``NL`` BCD digits, always left-aligned (F22); ``Z`` track digits, ``D`` or ``=`` the
separator; ``A`` ASCII; ``G`` GBK text; ``B`` bytes. Lengths count digits for N and Z,
bytes for the others; LL is one BCD byte, LLL two.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Coding(Enum):
    N = "BCD digits"
    NL = "BCD digits, left-aligned"
    Z = "track digits"
    A = "ASCII"
    G = "GBK"
    B = "bytes"


@dataclass(frozen=True)
class Field:
    """``size`` is exact when ``prefix`` is 0, else the most; ``prefix`` in bytes."""

    coding: Coding
    size: int
    prefix: int = 0


FIXED, LL, LLL = 0, 1, 2
N, NL, Z, A, G, B = Coding

UNIONPAY_POS: dict[int, Field] = {
    2: Field(N, 19, LL),  # PAN
    3: Field(N, 6),  # processing code
    4: Field(N, 12),  # amount in fen
    11: Field(N, 6),  # STAN
    12: Field(N, 6),  # local time, hhmmss
    13: Field(N, 4),  # local date, MMDD
    14: Field(N, 4),  # expiry, YYMM
    15: Field(N, 4),  # settlement date, MMDD
    22: Field(NL, 3),  # point of service entry mode
    23: Field(N, 3),  # card sequence number
    25: Field(N, 2),  # point of service condition
    26: Field(N, 2),  # longest PIN
    32: Field(N, 11, LL),  # acquiring institution
    35: Field(Z, 37, LL),  # track 2
    36: Field(Z, 104, LLL),  # track 3
    37: Field(A, 12),  # retrieval reference number
    38: Field(A, 6),  # authorisation code
    39: Field(A, 2),  # response code
    41: Field(A, 8),  # TID
    42: Field(A, 15),  # MID
    43: Field(G, 40),  # merchant name and place
    44: Field(A, 25, LL),  # additional response
    46: Field(A, 999, LLL),  # private, terminal description
    48: Field(N, 322, LLL),  # settlement totals
    49: Field(A, 3),  # currency
    52: Field(B, 8),  # PIN block
    53: Field(N, 16),  # security control
    54: Field(A, 20, LLL),  # balance
    55: Field(B, 255, LLL),  # chip data
    56: Field(G, 999, LLL),  # private, text of the response
    57: Field(A, 999, LLL),  # private
    58: Field(A, 100, LLL),  # electronic cash
    59: Field(B, 999, LLL),  # private
    60: Field(N, 30, LLL),  # type, batch, network management code
    61: Field(N, 29, LLL),  # original batch, STAN, date
    62: Field(B, 999, LLL),  # working keys, parameters
    63: Field(A, 163, LLL),  # operator, scheme
    64: Field(B, 8),  # MAC
    128: Field(B, 8),  # MAC when the bitmap has 16 bytes
}
