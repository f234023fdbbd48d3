"""Operators' keys and certificates, and what is kept under a passphrase.

Operators hold Ed25519 keys with X.509 certificates issued by the organisation's
root, which is pinned at `posctl setup`. A test root says TEST in its own name.
Private keys rest under Argon2id (RFC 9106, second recommended option) and
AES-256-GCM; only a test set-up may leave them open.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from posctl.model.canonical import Json, canonical
from posctl.model.clock import stamp
from posctl.model.errors import CheckFailed, UsageError
from posctl.store.files import read_json, write_private

TECHNICIAN = "technician"
APPROVER = "approver"
ROOT = "root"
_TEST_ORGANISATION = "posctl TEST, never for production"
_ROOT_YEARS = 10
_OPERATOR_DAYS = 730
_NO_CERTIFICATE = (KeyError, TypeError, ValueError, AttributeError)
_SIGNATURE = re.compile(r"[0-9a-f]{128}")
_MEMORY_KIB, _PASSES, _LANES = 65536, 3, 4  # RFC 9106, section 4


# -- under a passphrase --------------------------------------------------------


def protect(secret: bytes, passphrase: str | None) -> bytes:
    """A JSON box. Without a passphrase it is open, and says so."""
    if passphrase is None:
        return canonical({"version": 1, "kdf": "none", "open": secret.hex()})
    salt, nonce = os.urandom(16), os.urandom(12)
    body = AESGCM(_stretch(passphrase, salt)).encrypt(nonce, secret, b"posctl key 1")
    box = {"kdf": "argon2id", "salt": salt, "nonce": nonce, "body": body}
    shown = {k: v.hex() if isinstance(v, bytes) else v for k, v in box.items()}
    return canonical({"version": 1, **shown})


def unprotect(path: Path, passphrase: str | None) -> bytes:
    """The secret in the box file ``path``.

    Raises:
        CheckFailed: ``passphrase.wrong``, ``passphrase.needed``.
        UsageError: ``setup.damaged``.
    """
    data = read_json(path)
    try:
        if data["kdf"] == "none":
            return bytes.fromhex(data["open"])
        if passphrase is None:
            raise CheckFailed("passphrase.needed")
        key = _stretch(passphrase, bytes.fromhex(data["salt"]))
        nonce, body = bytes.fromhex(data["nonce"]), bytes.fromhex(data["body"])
        return AESGCM(key).decrypt(nonce, body, b"posctl key 1")
    except InvalidTag:
        raise CheckFailed("passphrase.wrong") from None
    except (KeyError, TypeError, ValueError):
        raise UsageError("setup.damaged", path=str(path)) from None


def change_passphrase(path: Path, old: str, new: str) -> None:
    """Of one box. Raises as ``unprotect``."""
    write_private(path, protect(unprotect(path, old), new))


def is_open(path: Path) -> bool:
    """Whether no passphrase is needed. Raises UsageError ``setup.damaged``."""
    data = read_json(path)
    return isinstance(data, dict) and data.get("kdf") == "none"


def _stretch(passphrase: str, salt: bytes) -> bytes:
    kdf = Argon2id(
        salt=salt, length=32, iterations=_PASSES, lanes=_LANES, memory_cost=_MEMORY_KIB
    )
    return kdf.derive(passphrase.encode())


# -- signing -------------------------------------------------------------------


@dataclass(frozen=True)
class Operator:
    """Who works now: id, role, certificate and the key that signs."""

    name: str
    role: str
    certificate: x509.Certificate
    key: Ed25519PrivateKey

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the certificate, 64 hexadecimal digits."""
        return fingerprint(self.certificate)

    def sign(self, purpose: str, body: object) -> Json:
        """Signature over purpose and canonical body, with the certificate."""
        return {
            "certificate": self.certificate.public_bytes(Encoding.PEM).decode(),
            "signature": self.key.sign(_signed_bytes(purpose, body)).hex(),
        }


@dataclass(frozen=True)
class Signer:
    """Who signed: read from a certificate that the pinned root issued."""

    name: str
    role: str
    fingerprint: str


@dataclass(frozen=True)
class Trust:
    """Whose signatures count: those of certificates that the pinned root issued and has
    not taken back.

    Args:
        revoked: fingerprint -> since when, from the list that the root signed.
        number: of that list; it only grows. 0: there is none yet.
    """

    root: x509.Certificate
    revoked: Mapping[str, datetime] = field(default_factory=dict)
    number: int = 0

    def check(self, whose: str, *, dated: datetime | None = None) -> None:
        """``whose``: the fingerprint of a certificate.

        Args:
            dated: when it signed, where what it signed stays good afterwards.

        Raises:
            CheckFailed: ``signature.revoked``.
        """
        since = self.revoked.get(whose)
        if since is not None and (dated is None or dated >= since):
            raise CheckFailed("signature.revoked", since=stamp(since))


def _signed_bytes(purpose: str, body: object) -> bytes:
    return f"posctl {purpose} 1\n".encode() + canonical(body)


def check_signature(
    trust: Trust,
    purpose: str,
    body: object,
    proof: Json,
    *,
    at: datetime,
    dated: bool = False,
) -> Signer:
    """Who signed ``body`` for ``purpose``.

    Args:
        at: when the certificate must be valid.
        dated: ``at`` is what the body says of itself, and what was signed before a
            revocation stays good (a receipt). Otherwise a certificate that was taken
            back counts at no time, whatever this machine's clock says.

    Raises:
        CheckFailed: ``signature.certificate`` (not issued by the pinned root, or not
            valid at that time), ``signature.wrong`` or ``signature.revoked``.
    """
    try:
        if proof.keys() != {"certificate", "signature"}:
            raise ValueError("other parts than a proof has")
        certificate = _read_certificate(proof["certificate"])
        certificate.verify_directly_issued_by(trust.root)
    except (*_NO_CERTIFICATE, x509.InvalidVersion, InvalidSignature):
        raise CheckFailed("signature.certificate", purpose=purpose) from None
    if not certificate.not_valid_before_utc <= at <= certificate.not_valid_after_utc:
        raise CheckFailed("signature.certificate", purpose=purpose)
    key = certificate.public_key()
    try:
        if not isinstance(key, Ed25519PublicKey):
            raise InvalidSignature
        if not _SIGNATURE.fullmatch(proof["signature"]):
            raise InvalidSignature
        signature = bytes.fromhex(proof["signature"])
        key.verify(signature, _signed_bytes(purpose, body))
    except (KeyError, TypeError, ValueError, InvalidSignature):
        raise CheckFailed("signature.wrong", purpose=purpose) from None
    trust.check(fingerprint(certificate), dated=at if dated else None)
    return signer_of(certificate)


def check_operator(trust: Trust, who: Operator, now: datetime) -> None:
    """His certificate counts now, and the key beside it is its own.

    Raises:
        CheckFailed: ``signature.*``.
    """
    check_signature(trust, "session", who.name, who.sign("session", who.name), at=now)


def _read_certificate(text: str) -> x509.Certificate:
    """Nothing stands around it: no reader finds another certificate in the text."""
    certificate = x509.load_pem_x509_certificate(text.encode())
    if certificate.public_bytes(Encoding.PEM).decode() != text:
        raise ValueError("not as a certificate is written")
    return certificate


def signer_of(certificate: x509.Certificate) -> Signer:
    """Who a certificate says that he is; whether it counts is not looked at."""
    return Signer(
        name=_name_part(certificate, NameOID.COMMON_NAME),
        role=_name_part(certificate, NameOID.ORGANIZATIONAL_UNIT_NAME),
        fingerprint=fingerprint(certificate),
    )


def fingerprint(certificate: x509.Certificate) -> str:
    """SHA-256 of the certificate, 64 hexadecimal digits."""
    from cryptography.hazmat.primitives.hashes import SHA256

    return certificate.fingerprint(SHA256()).hex()


def _name_part(certificate: x509.Certificate, oid: x509.ObjectIdentifier) -> str:
    found = certificate.subject.get_attributes_for_oid(oid)
    return str(found[0].value) if found else ""


def is_issued_by(root: x509.Certificate, certificate: x509.Certificate) -> bool:
    """Directly, and signed by its key."""
    try:
        certificate.verify_directly_issued_by(root)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def is_test_root(root: x509.Certificate) -> bool:
    """A root for the emulator only."""
    return _name_part(root, NameOID.ORGANIZATION_NAME) == _TEST_ORGANISATION


# -- issuing -------------------------------------------------------------------


def make_root(organisation: str, now: datetime, *, test: bool) -> Operator:
    """The organisation's self-signed root. ``test`` marks it for the emulator."""
    key = Ed25519PrivateKey.generate()
    name = _subject(ROOT, ROOT, _TEST_ORGANISATION if test else organisation)
    days = 365 * _ROOT_YEARS
    certificate = _certificate(name, name, key.public_key(), key, now, days, ca=True)
    return Operator(ROOT, ROOT, certificate, key)


def issue(root: Operator, name: str, role: str, now: datetime) -> Operator:
    """A new operator under ``root``."""
    key = Ed25519PrivateKey.generate()
    subject = _subject(
        name, role, _name_part(root.certificate, NameOID.ORGANIZATION_NAME)
    )
    issuer = root.certificate.subject
    certificate = _certificate(
        subject, issuer, key.public_key(), root.key, now, _OPERATOR_DAYS, ca=False
    )
    return Operator(name, role, certificate, key)


def _subject(name: str, role: str, organisation: str) -> x509.Name:
    parts = [
        (NameOID.ORGANIZATION_NAME, organisation),
        (NameOID.ORGANIZATIONAL_UNIT_NAME, role),
        (NameOID.COMMON_NAME, name),
    ]
    return x509.Name([x509.NameAttribute(oid, text) for oid, text in parts])


def _certificate(
    subject: x509.Name,
    issuer: x509.Name,
    public: Ed25519PublicKey,
    signer: Ed25519PrivateKey,
    now: datetime,
    days: int,
    *,
    ca: bool,
) -> x509.Certificate:
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=10))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
    )
    return builder.sign(signer, None)


# -- files ---------------------------------------------------------------------


def save_operator(folder: Path, operator: Operator, passphrase: str | None) -> None:
    """``NAME.pem`` and ``NAME.key`` in ``folder``, readable by the owner only."""
    pem = operator.certificate.public_bytes(Encoding.PEM)
    write_private(folder / f"{operator.name}.pem", pem)
    box = protect(operator.key.private_bytes_raw(), passphrase)
    write_private(folder / f"{operator.name}.key", box)


def operator_names(folder: Path) -> list[str]:
    return sorted(path.stem for path in folder.glob("*.pem"))


def load_certificate(path: Path) -> x509.Certificate:
    """Raises UsageError ``setup.damaged``."""
    try:
        return x509.load_pem_x509_certificate(path.read_bytes())
    except (OSError, ValueError) as error:
        raise UsageError("setup.damaged", path=str(path)) from error


def certificate_of(folder: Path, name: str) -> x509.Certificate:
    """Raises UsageError ``operator.missing``, ``setup.damaged``."""
    if name not in operator_names(folder):
        known = ", ".join(operator_names(folder)) or "-"
        raise UsageError("operator.missing", name=name, known=known)
    return load_certificate(folder / f"{name}.pem")


def key_file(folder: Path, name: str) -> Path:
    """Raises UsageError ``operator.missing`` with the names that exist."""
    path = folder / f"{name}.key"
    if name not in operator_names(folder) or not path.is_file():
        known = ", ".join(operator_names(folder)) or "-"
        raise UsageError("operator.missing", name=name, known=known)
    return path


def open_root(folder: Path, passphrase: str | None) -> Operator:
    """The root of the set-up in ``folder``. Raises as ``load_operator``."""
    certificate = load_certificate(folder / "root.pem")
    key = _private(folder / "root.key", passphrase)
    return Operator(ROOT, ROOT, certificate, key)


def load_operator(folder: Path, name: str, passphrase: str | None) -> Operator:
    """Raises UsageError ``operator.missing``, ``setup.damaged``; CheckFailed
    ``passphrase.wrong``."""
    path = key_file(folder, name)
    certificate = load_certificate(folder / f"{name}.pem")
    signer = signer_of(certificate)
    return Operator(signer.name, signer.role, certificate, _private(path, passphrase))


def _private(path: Path, passphrase: str | None) -> Ed25519PrivateKey:
    try:
        return Ed25519PrivateKey.from_private_bytes(unprotect(path, passphrase))
    except ValueError:
        raise UsageError("setup.damaged", path=str(path)) from None
