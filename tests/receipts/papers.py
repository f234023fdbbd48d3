"""Commands as people run them, and readers of paper that are not ours."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from schemas import check
from world import Site

SMALL_FONT = Path("/usr/share/fonts/truetype/wqy/wqy-microhei.ttc")


@dataclass(frozen=True)
class Issued:
    """The order, and the bytes of its signed JSON."""

    site: Site
    number: str
    stored: bytes

    @property
    def body(self) -> dict[str, str]:
        return dict(json.loads(self.stored)["body"])

    @property
    def signed(self) -> dict[str, Any]:
        return dict(json.loads(self.stored))


def posctl(
    *words: str, home: Path, stdin: bytes = b"", **more: str
) -> subprocess.CompletedProcess[bytes]:
    """One command in a clean environment; bytes, because consoles differ."""
    kept = {n: v for n, v in os.environ.items() if not n.startswith(("POSCTL_", "LC_"))}
    given = {"POSCTL_CONFIG": os.devnull, "LANG": "C.UTF-8", "POSCTL_HOME": str(home)}
    done = subprocess.run(
        [sys.executable, "-m", "posctl", *words],
        input=stdin,
        capture_output=True,
        timeout=60,
        env={**kept, **given, **more},
    )
    assert b"Traceback" not in done.stderr, done.stderr
    return done


def told(done: subprocess.CompletedProcess[bytes]) -> dict[str, Any]:
    """The result, or the error, of a command with --json."""
    data = check(json.loads(done.stdout))
    return dict(data["result"] if data["ok"] else data["error"])


def program(name: str, *words: str) -> str:
    """What an independent reader says."""
    if shutil.which(name) is None:
        assert os.environ.get("CI") != "true"
        pytest.skip(f"no {name}: .ci/setup test installs it")
    done = subprocess.run([name, *words], capture_output=True, check=True)
    return done.stdout.decode()


def words_of(pdf: Path) -> str:
    """By poppler: the text in reading order, every run of blanks one blank."""
    return " ".join(program("pdftotext", "-layout", str(pdf), "-").split())


def code_of(pdf: Path) -> str:
    """By poppler and zbar: the QR code as a scanner at 200 dpi sees it."""
    picture = pdf.with_suffix("")
    program("pdftoppm", "-png", "-r", "200", "-singlefile", str(pdf), str(picture))
    decoded = program("zbarimg", "--raw", "-q", str(picture.with_suffix(".png")))
    return decoded.removesuffix("\n")


def small_font() -> Path:
    if not SMALL_FONT.exists():
        assert os.environ.get("CI") != "true"
        pytest.skip("no fonts-wqy-microhei: .ci/setup test installs it")
    return SMALL_FONT
