"""More companies at a bench's address: a face each, and what it issues to a partner."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from cryptography.hazmat.primitives.asymmetric.rsa import (
    RSAPrivateKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from emulator.acquirer import lakala, wechatpay
from emulator.acquirer.https import ProviderService
from emulator.acquirer.ledger import Ledger

_BITS = 2048
PARTNER, SERIAL_NO = "1900000001", "5157F09EFDC096DE15EBE81A47057A72"
APPID, LAKALA_SERIAL = "OP00000003", "00dfba8194c41b84cf"


def add_wechatpay(
    service: ProviderService,
    ledger: Ledger,
    merchants: Mapping[str, str],
    course: wechatpay.Course | None = None,
    clock: Callable[[], float] = time.time,
) -> dict[str, str]:
    """WeChat Pay for these sub-merchants (number there -> MID in the ledger); the
    partner's credentials, as posctl's adapter wants them."""
    key = generate_private_key(65537, _BITS)
    partner = wechatpay.Partner(PARTNER, SERIAL_NO, key.public_key(), dict(merchants))
    face = wechatpay.WeChatPayFace(ledger, [partner], course=course, clock=clock)
    service.add(face)
    return {
        "mchid": PARTNER,
        "serial_no": SERIAL_NO,
        "private_key": _pem(key),
        "platform_serial": face.serial,
        "platform_public_key": face.public_pem,
    }


def add_lakala(
    service: ProviderService, ledger: Ledger, mids: frozenset[str]
) -> dict[str, str]:
    """Lakala's two queries for these merchants; the institution's credentials."""
    key = generate_private_key(65537, _BITS)
    institution = lakala.Institution(APPID, LAKALA_SERIAL, key.public_key(), mids)
    face = lakala.LakalaFace(ledger, [institution])
    service.add(face)
    return {
        "appid": APPID,
        "serial_no": LAKALA_SERIAL,
        "private_key": _pem(key),
        "platform_certificate": face.certificate_pem,
    }


def _pem(key: RSAPrivateKey) -> str:
    form = PrivateFormat.PKCS8
    return key.private_bytes(Encoding.PEM, form, NoEncryption()).decode()
