"""A disk that is really full: a tmpfs of its own, where this user may mount one."""

from __future__ import annotations

import errno
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def may_mount() -> bool:
    return os.geteuid() == 0


class Room:
    """A file that takes all there is."""

    def __init__(self, folder: Path) -> None:
        self._ballast = folder / "ballast"

    def fill(self) -> None:
        with self._ballast.open("wb", buffering=0) as file:
            for block in (bytes(1 << 20), bytes(4096)):
                _fill(file.fileno(), block)

    def free(self) -> None:
        self._ballast.unlink(missing_ok=True)


def _fill(handle: int, block: bytes) -> None:
    try:
        while os.write(handle, block):
            pass
    except OSError as error:
        assert error.errno == errno.ENOSPC


@contextmanager
def small_disk(folder: Path, size: str = "1500k") -> Iterator[Room]:
    """Over an empty folder; ``size`` as mount(8) writes it. See ``may_mount``."""
    how = f"size={size},mode=700"
    subprocess.run(["mount", "-t", "tmpfs", "-o", how, "posctl", folder], check=True)
    try:
        yield Room(folder)
    finally:
        subprocess.run(["umount", "-l", folder], check=True)
