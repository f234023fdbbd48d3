"""ECR Hub (Wiseasy, PayCloud): packets and both ends of a serial line.

Its messages are the business of a till (pair, pay, query, close) and stay bytes here.
None tells TID, MID, batch or clock, none writes a setting; only the answer to a pairing
may hold the terminal's serial number.
"""

from protocols.ecrhub.frames import (
    CONFIRM,
    HANDSHAKE,
    HEARTBEAT,
    MAX_DATA,
    MAX_PACKET,
    Feeder,
    Kind,
    Packet,
    checksum,
)
from protocols.ecrhub.session import (
    HANDSHAKE_SECONDS,
    MAX_REPEATS,
    REPEAT_SECONDS,
    SILENCE_SECONDS,
    UNACKNOWLEDGED,
    UNCONFIRMED,
    Answering,
    Asking,
    Ended,
)
from protocols.ecrhub.shown import Shown

__all__ = [
    "CONFIRM",
    "HANDSHAKE",
    "HANDSHAKE_SECONDS",
    "HEARTBEAT",
    "MAX_DATA",
    "MAX_PACKET",
    "MAX_REPEATS",
    "REPEAT_SECONDS",
    "SILENCE_SECONDS",
    "UNACKNOWLEDGED",
    "UNCONFIRMED",
    "Answering",
    "Asking",
    "Ended",
    "Feeder",
    "Kind",
    "Packet",
    "Shown",
    "checksum",
]
