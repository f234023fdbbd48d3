"""ZVT 13.08: transports, APDUs, both sides of the exchange, the messages.

Written from the public specification: PA00P015 revision 13.08 (commands, BMPs, TLV,
errors) and PA00P016 revision 04 (transport and application protocol).
"""

from protocols.zvt import messages
from protocols.zvt.apdu import Apdu, UnknownField
from protocols.zvt.frames import (
    MAX_APDU,
    SERIAL,
    TCP,
    Control,
    Event,
    Feeder,
    Frame,
    SerialFeeder,
    TcpFeeder,
    Transport,
    crc,
    frame,
)
from protocols.zvt.session import (
    MAX_TRIES,
    REFUSED,
    Answering,
    Asking,
    Ended,
    Timers,
)
from protocols.zvt.shown import Shown

__all__ = [
    "MAX_APDU",
    "MAX_TRIES",
    "REFUSED",
    "SERIAL",
    "TCP",
    "Answering",
    "Apdu",
    "Asking",
    "Control",
    "Ended",
    "Event",
    "Feeder",
    "Frame",
    "SerialFeeder",
    "Shown",
    "TcpFeeder",
    "Timers",
    "Transport",
    "UnknownField",
    "crc",
    "frame",
    "messages",
]
