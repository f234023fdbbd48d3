"""Where a number or a key is found, in whatever form it was written."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from commands import (
    BAD_CHECK_DIGIT,
    OTHER_NUMBER,
    Command,
)
from world import MOBILE, Site

from emulator.bench import CREDIT_NUMBER, NEW_NUMBER, OLD_NUMBER

NUMBERS = (OLD_NUMBER, NEW_NUMBER, CREDIT_NUMBER, OTHER_NUMBER, BAD_CHECK_DIGIT, MOBILE)


def grouped(number: str, separator: str) -> bytes:
    return separator.join(number[i : i + 4] for i in range(0, len(number), 4)).encode()


def bcd(number: str, head: str = "", tail: str = "") -> bytes:
    digits = head + number + tail
    return bytes.fromhex(digits if len(digits) % 2 == 0 else digits[:-1])


def base64_at(secret: bytes, offset: int) -> bytes:
    """The part of the base64 that is the same whatever stands around the secret."""
    text = base64.b64encode(bytes(offset) + secret)
    return text[-(-offset * 8 // 6) : (offset + len(secret)) * 8 // 6]


NUMBER_FORMS: dict[str, Callable[[str], bytes]] = {
    "ASCII": str.encode,
    "groups": lambda n: grouped(n, " "),
    "hyphens": lambda n: grouped(n, "-"),
    "mobile groups": lambda n: f"{n[:3]} {n[3:7]} {n[7:]}".encode(),
    "UTF-16 LE": lambda n: n.encode("utf-16-le"),
    "UTF-16 BE": lambda n: n.encode("utf-16-be"),
    "BCD, padded right": lambda n: bcd(n, tail="F" * (len(n) % 2)),
    "BCD, zero on the right": lambda n: bcd(n, tail="0" * (len(n) % 2)),
    "BCD, padded left": lambda n: bcd(n, head="0" * (len(n) % 2)),
    "BCD, whole bytes": bcd,
    "BCD, off by one digit": lambda n: bcd(n[1:]),
    "hex": lambda n: n.encode().hex().encode(),
    "base64 0": lambda n: base64_at(n.encode(), 0),
    "base64 1": lambda n: base64_at(n.encode(), 1),
    "base64 2": lambda n: base64_at(n.encode(), 2),
    "reversed": lambda n: n[::-1].encode(),
}


KEY_FORMS: dict[str, Callable[[bytes], bytes]] = {
    "raw": bytes,
    "hex": lambda k: k.hex().encode(),
    "HEX": lambda k: k.hex().upper().encode(),
    "hex of hex": lambda k: k.hex().encode().hex().encode(),
    "base64 0": lambda k: base64_at(k, 0),
    "base64 1": lambda k: base64_at(k, 1),
    "base64 2": lambda k: base64_at(k, 2),
    "base64 of hex": lambda k: base64_at(k.hex().encode(), 0),
}


NUMBER_NEEDLES = {
    make(number): f"{number[-4:]} as {name}"
    for number in NUMBERS
    for name, make in NUMBER_FORMS.items()
}


def key_needles(**keys: bytes) -> dict[bytes, str]:
    return {
        make(key): f"{owner} as {name}"
        for owner, key in keys.items()
        for name, make in KEY_FORMS.items()
    }


def seen(where: str, body: bytes, needles: dict[bytes, str]) -> list[str]:
    return [f"{where}: {what}" for needle, what in needles.items() if needle in body]


def found_in(folder: Path, needles: dict[bytes, str]) -> list[str]:
    """Every file, with its name, links not followed; pcscd's sockets are no files."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    assert files, f"nothing to search in {folder}"
    return [
        hit
        for path in files
        for hit in seen(str(path), path.name.encode() + path.read_bytes(), needles)
    ]


@dataclass
class Watched:
    """A set-up whose commands are watched while they run."""

    site: Site
    folder: Path
    hits: list[str] = field(default_factory=list)
    looks: int = 0
    said: str = ""

    def __post_init__(self) -> None:
        for name in ("HOME", "TMPDIR", "XDG_CACHE_HOME", "XDG_STATE_HOME"):
            place = self.folder / f"of-the-user-{name}"
            place.mkdir()
            self.site.environment[name] = str(place)

    def talk(self, *arguments: str, answers: tuple[str, ...] = ()) -> int:
        """As talkative as it can be: each frame on stderr and in a log file."""
        talkative = ("--verbose", "--log-file", str(self.folder / "posctl.log"))
        words = (*arguments, *talkative)
        command = Command(self.site, words, answers, watch=self.look)
        done = command.start().finish()
        self.note(done.out + done.err)
        return done.code

    def look(self, process: int) -> None:
        """At its arguments and its environment, while it works or waits."""
        self.looks += 1
        for name in ("cmdline", "environ"):
            body = Path(f"/proc/{process}/{name}").read_bytes()
            self.hits += seen(f"{name} of {process}", body, NUMBER_NEEDLES)

    def note(self, printed: str) -> None:
        assert "Traceback" not in printed
        self.said += printed
        self.hits += seen("printed", printed.encode(), NUMBER_NEEDLES)

    def everywhere(self) -> list[str]:
        """All hits; the numbers may stand in no file at all."""
        return self.hits + found_in(self.folder, NUMBER_NEEDLES)


def newest(site: Site) -> str:
    return str(site.run("orders", "list").ok()["orders"][-1]["order"])


def keys_of(credentials: Path) -> dict[str, bytes]:
    issued = json.loads(credentials.read_text())
    return {
        "provider key": issued["key"].encode(),
        "verification token": issued["verification_token"].encode(),
        "tag key": bytes.fromhex(issued["tag_key"]),
    }
