"""Small files written whole or not at all, readable by their owner only."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from posctl.model.errors import LinkFailed


def write_private(path: Path, body: bytes) -> None:
    """Replace ``path`` atomically and durably with mode 0600.

    Raises:
        LinkFailed: ``file.unwritable`` with path and reason.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _replace(path, body)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise LinkFailed("file.unwritable", path=str(path), reason=reason) from error


def _replace(path: Path, body: bytes) -> None:
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(body)
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    """A new name is durable only after its folder is (not possible on Windows)."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
