"""ISO 8583 as UnionPay POS terminals and hosts speak it (the dialect, 1987 MTIs)."""

from protocols.iso8583.codec import (
    FrameFeeder,
    Header,
    Message,
    ProcessingRequest,
    Reading,
    frame,
    pack,
    unpack,
)

__all__ = [
    "FrameFeeder",
    "Header",
    "Message",
    "ProcessingRequest",
    "Reading",
    "frame",
    "pack",
    "unpack",
]
