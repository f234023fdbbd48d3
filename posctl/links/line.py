"""Open the line to a terminal: a serial port, or TCP."""

from __future__ import annotations

from posctl.links import ByteLink
from posctl.model.deadline import Deadline

_CONNECT_SECONDS = 5.0


def open_line(
    address: str,
    *,
    baud: int = 9600,
    stop_bits: int = 1,
    deadline: Deadline | None = None,
) -> ByteLink:
    """``tcp:HOST:PORT`` through a socket, anything else as a serial port, which may be
    one of the network (RFC 2217).

    Args:
        address: ``/dev/ttyUSB0``, ``COM3``, ``tcp:192.0.2.7:10009``, ``tcp:[::1]:7``,
            ``rfc2217://192.0.2.8:2217``.
        baud, stop_bits: of a serial port, always 8 bits without parity.
        deadline: for connecting; 5 seconds from now if not given.

    Raises:
        UsageError: ``line.address``: a TCP address without host or port.
        NoDevice: ``port.missing``, ``port.denied``, ``port.busy``, ``port.unusable``.
        LinkFailed: ``link.refused``, ``link.unreachable``.
        LinkTimeout: ``link.timeout``.
    """
    if address.startswith("tcp:"):
        from posctl.links.tcpline import TcpLink

        return TcpLink.connect(address, deadline or Deadline(_CONNECT_SECONDS))
    if address.startswith("rfc2217:"):
        from posctl.links.networkserial import NetworkSerialLink

        return NetworkSerialLink.open(address, baud, stop_bits)
    from posctl.links.serialline import SerialLink

    return SerialLink.open(address, baud, stop_bits)
