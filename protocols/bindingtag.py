"""The posctl binding tag: OUR convention, carried by real messages.

No public terminal protocol and no ISO 8583 message knows a settlement account. So
the host of the emulator puts this tag into a parameter download, the terminal keeps
it as an opaque parameter and shows it as a variable. It holds the masked account,
its version and a MAC that only the acquirer and the office can check. An empty mask
says that no account was bound yet; its version is 0.

Wire: BER-TLV template E0 { 80 mask (ASCII), 81 version (4 bytes), 82 MAC (8 bytes) },
shown on terminals as hexadecimal.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass

from protocols import tlv
from protocols.errors import RemoteError
from protocols.sensitive import MASK

_TEMPLATE, _MASK, _VERSION, _MAC = 0xE0, 0x80, 0x81, 0x82
MAC_SIZE = 8


@dataclass(frozen=True)
class BindingTag:
    """Masked settlement account of a terminal, counted version, 8-byte MAC."""

    mask: str
    version: int
    mac: bytes

    @property
    def unbound(self) -> bool:
        """The acquirer says that it has no account for this terminal (R16)."""
        return not self.mask

    @classmethod
    def issue(
        cls, key: bytes, *, mid: str, tid: str, mask: str, version: int
    ) -> BindingTag:
        """Made by the acquirer: MAC under ``key`` over MID, TID, mask, version."""
        return cls(mask, version, _mac(key, mid, tid, mask, version))

    def genuine(self, key: bytes, *, mid: str, tid: str) -> bool:
        """Whether the acquirer that holds ``key`` issued this for MID and TID."""
        expected = _mac(key, mid, tid, self.mask, self.version)
        return hmac.compare_digest(expected, self.mac)

    def fingerprint(self) -> str:
        """SHA-256 of the tag: tells it to somebody who may not know the MAC."""
        return hashlib.sha256(bytes.fromhex(self.to_hex())).hexdigest()

    def to_hex(self) -> str:
        inner = (
            tlv.write(_MASK, self.mask.encode("ascii"))
            + tlv.write(_VERSION, self.version.to_bytes(4, "big"))
            + tlv.write(_MAC, self.mac)
        )
        return tlv.write(_TEMPLATE, inner).hex().upper()

    @classmethod
    def from_hex(cls, text: str) -> BindingTag:
        """Read what a terminal shows.

        Raises:
            RemoteError: not hexadecimal, not our template, or a part missing.
        """
        try:
            outer = tlv.read(bytes.fromhex(text))
        except ValueError:
            raise RemoteError("binding tag is not hexadecimal") from None
        if [item.tag for item in outer] != [_TEMPLATE]:
            raise RemoteError("not a binding tag: template E0 expected")
        parts = {item.tag: item.value for item in tlv.read(outer[0].value)}
        return cls._from_parts(parts)

    @classmethod
    def _from_parts(cls, parts: dict[int, bytes]) -> BindingTag:
        if set(parts) != {_MASK, _VERSION, _MAC} or len(parts[_MAC]) != MAC_SIZE:
            raise RemoteError("binding tag: parts 80, 81, 82 expected")
        shown = parts[_MASK].decode("ascii", "replace")
        if shown and not MASK.fullmatch(shown):
            raise RemoteError("binding tag: a mask expected", field="80")
        version = int.from_bytes(parts[_VERSION], "big")
        if bool(shown) is not bool(version):
            raise RemoteError("binding tag: no mask is version 0", field="81")
        return cls(shown, version, parts[_MAC])


def _mac(key: bytes, mid: str, tid: str, mask: str, version: int) -> bytes:
    text = f"posctl binding tag 1|{mid}|{tid}|{mask}|{version}"
    return hmac.new(key, text.encode(), hashlib.sha256).digest()[:MAC_SIZE]
