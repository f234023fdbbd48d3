"""pyiso8583's specification of this dialect, made of our own table."""

from __future__ import annotations

from typing import Any

from iso8583.specs import default

from protocols.iso8583.spec import UNIONPAY_POS, Coding, Field


def _field(field: Field) -> dict[str, Any]:
    digits = field.coding in (Coding.N, Coding.Z, Coding.NL)
    coding = {Coding.A: "ascii", Coding.G: "gbk"}.get(field.coding, "b")
    left = field.coding is Coding.NL or field.prefix
    return {
        "data_enc": coding,
        "len_enc": "bcd",
        "len_type": field.prefix,
        "max_len": field.size,
        "len_count": "nibbles" if digits else "bytes",
        "right_pad" if left else "left_pad": "0",
        "desc": field.coding.value,
    }


def specification() -> dict[str, Any]:
    spec = {k: dict(v) for k, v in default.items()}
    for number, field in UNIONPAY_POS.items():
        spec[str(number)].update(_field(field))
    for head in ("t", "p"):
        spec[head].update(data_enc="b", len_enc="bcd")
    spec["h"].update(data_enc="b", len_type=0, max_len=0)
    return spec
