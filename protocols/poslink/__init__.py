"""PAX POSLink: frames, both sides of the exchange, the messages posctl uses."""

from protocols.poslink.frames import (
    MAX_PAYLOAD,
    Control,
    Event,
    Feeder,
    Frame,
    frame,
    lrc,
)
from protocols.poslink.messages import (
    EDC_ALL,
    MAX_VARIABLES,
    OK,
    BatchClosed,
    HostInformation,
    Initialised,
    LocalTotals,
    Request,
    Response,
    answer_name,
    get_variables,
    variables,
)
from protocols.poslink.session import MAX_TRIES, REFUSED, Answering, Asking, Ended
from protocols.poslink.shown import Shown

__all__ = [
    "MAX_PAYLOAD",
    "MAX_TRIES",
    "REFUSED",
    "MAX_VARIABLES",
    "EDC_ALL",
    "OK",
    "Answering",
    "Asking",
    "BatchClosed",
    "Control",
    "Ended",
    "Event",
    "Feeder",
    "Frame",
    "HostInformation",
    "Initialised",
    "LocalTotals",
    "Request",
    "Response",
    "Shown",
    "answer_name",
    "frame",
    "get_variables",
    "lrc",
    "variables",
]
