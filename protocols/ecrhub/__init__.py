"""ECR Hub (Wiseasy, PayCloud): packets and both ends of a serial line.

No command of it tells who a terminal is over the serial line or writes a setting: its
messages are the business of a till (pay, query, refund). They stay bytes here.
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
