"""Where a set-up lives: one folder with the operators, the profiles and both places.

In a solo set-up field and office are two stores on one machine, for two people. A
field of its own has no ``office`` folder, and an office no ``field``.

    home.json  root.pem  ca-keys.toml  operators/ (with revoked.json)  profiles/
    field/     log.db    terminals/  inbox/
    office/    log.db    seal.key    credentials.key  provider-ca.pem  inbox/  receipts/
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path

from cryptography import x509

from posctl.model.canonical import canonical
from posctl.model.errors import UsageError
from posctl.model.profile import Profile
from posctl.store import keys, profiles, revocation
from posctl.store.files import read_as, texts, write_private


@dataclass(frozen=True)
class Settings:
    """What `posctl setup` was told. ``field_id`` begins every order number."""

    mode: str
    field_id: str
    profile: str
    technician: str
    approver: str


class Home:
    """The folder of one set-up. Raises UsageError ``setup.missing`` or ``.damaged``."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.operators = path / "operators"
        self.profiles = path / "profiles"
        self.field = path / "field"
        self.office = path / "office"
        self.ca_keys = path / "ca-keys.toml"

    def exists(self) -> bool:
        return (self.path / "home.json").exists()

    @cached_property
    def settings(self) -> Settings:
        file = self.path / "home.json"
        if not file.is_file():
            raise UsageError("setup.missing", path=str(self.path))
        return read_as(file, lambda data: Settings(**texts(data)))

    def write_settings(self, settings: Settings) -> None:
        write_private(self.path / "home.json", canonical(asdict(settings)))

    @cached_property
    def root(self) -> x509.Certificate:
        """The organisation's certificate that everything chains to."""
        return keys.load_certificate(self.path / "root.pem")

    @property
    def revocations(self) -> Path:
        """The list of certificates that the root took back."""
        return self.operators / "revoked.json"

    @cached_property
    def trust(self) -> keys.Trust:
        """Whose signatures count here. Raises CheckFailed ``revocations.signature``."""
        return revocation.load_trust(self.revocations, self.root)

    def profile(self, now: datetime) -> Profile:
        name = self.settings.profile
        return profiles.load(self.profiles, name, self.root, now)

    def profile_text(self, now: datetime) -> str:
        """The signed text of the profile in force."""
        name = self.settings.profile
        return profiles.load_text(self.profiles, name, self.root, now)
