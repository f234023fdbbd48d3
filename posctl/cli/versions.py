"""`posctl --version`: what a bug report needs, and nothing that is secret."""

from __future__ import annotations

import locale
import os
import platform
import sys
from collections.abc import Iterator
from importlib import metadata

from posctl import __version__
from posctl.cli.settings import Settings

_LIBRARIES = ("click", "pyserial", "pyscard", "cryptography", "urllib3", "fpdf2")


def report(settings: Settings) -> str:
    """The version alone on the first line, for scripts."""
    rows = dict(_rows(settings))
    width = max(map(len, rows)) + 2
    lines = [f"{name:<{width}}{value}" for name, value in rows.items()]
    return "\n".join([f"posctl {__version__}", *lines])


def _rows(settings: Settings) -> Iterator[tuple[str, str]]:
    """Never translated: whoever reads a bug report must understand them."""
    yield "python", f"{platform.python_version()} ({sys.executable})"
    yield "system", platform.platform()
    for name in _LIBRARIES:
        yield name, _version(name)
    yield "openssl", _openssl()
    yield "language", os.environ["POSCTL_LANG"]
    yield "locale", _locale()
    streams = (sys.stdin, sys.stdout, sys.stderr)
    yield "encodings", " ".join(stream.encoding or "-" for stream in streams)
    there = "" if settings.path.exists() else " (not there)"
    wrong = f" (unusable: {settings.failure.code})" if settings.failure else ""
    yield "settings", f"{settings.path}{there}{wrong}"


def _version(distribution: str) -> str:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return "not installed"


def _openssl() -> str:
    try:
        import ssl
    except ImportError:
        return "not available"
    return ssl.OPENSSL_VERSION


def _locale() -> str:
    names = ("LC_ALL", "LC_CTYPE", "LANG")
    set_to = [f"{n}={os.environ[n]}" for n in names if os.environ.get(n)]
    return " ".join(set_to) or locale.getpreferredencoding(False)
