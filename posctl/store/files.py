"""Small files written whole or not at all, readable by their owner only."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from posctl.model.errors import LinkFailed, UsageError

T = TypeVar("T")


def write_private(path: Path, body: bytes) -> None:
    """Replace ``path`` atomically and durably with mode 0600.

    Raises:
        LinkFailed: ``file.unwritable`` with path and reason.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _replace(path, body)
    except OSError as error:
        raise unwritable(path, error) from error


def unwritable(path: Path, error: OSError) -> LinkFailed:
    """The system's error as ours."""
    reason = error.strerror or type(error).__name__
    return LinkFailed("file.unwritable", path=str(path), reason=reason)


def remove(path: Path) -> None:
    """Remove a file of ours; one that is not there is no error.

    Raises:
        LinkFailed: ``file.unwritable``.
    """
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise unwritable(path, error) from error


def write_json(path: Path, data: object) -> None:
    """A small JSON file of the set-up; paths of any encoding survive in it."""
    write_private(path, json.dumps(data).encode("ascii"))


def read_json(path: Path) -> Any:
    """A small JSON file of the set-up.

    Raises:
        UsageError: ``setup.damaged`` when it is missing, unreadable, not JSON.
    """
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        raise UsageError("setup.damaged", path=str(path)) from None


def read_as(path: Path, shape: Callable[[Any], T]) -> T:
    """What ``shape`` makes of a small JSON file of the set-up. It may fail on another
    shape in any way in which Python does.

    Raises:
        UsageError: ``setup.damaged``, as ``read_json``.
    """
    data = read_json(path)
    try:
        return shape(data)
    except (TypeError, KeyError, ValueError, AttributeError):
        raise UsageError("setup.damaged", path=str(path)) from None


def texts(data: Any) -> dict[str, str]:
    """A shape: names and texts. Raises TypeError."""
    if not isinstance(data, dict) or not all(isinstance(v, str) for v in data.values()):
        raise TypeError("no object of texts")
    return data


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
