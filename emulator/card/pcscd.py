"""A private pcscd with virtual readers, out of the way of the system's own.

vpcd, the driver of the virtual readers, listens on 0.0.0.0. So pcscd and the cards
run in one helper process (``emulator.card.pcscd_helper``) in network and mount
namespaces of their own. Clients reach it through the unix socket that
PCSCLITE_CSOCK_NAME names; libpcsclite reads that variable once per process.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import select
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

from emulator.card.applet import CardProfile

FRIENDLY_NAME = "POS CARD"
CLIENT_VARIABLE = "PCSCLITE_CSOCK_NAME"
SLOTS_AN_ENTRY = 2

_SBIN = "/usr/local/sbin:/usr/sbin:/sbin"
_UNSHARE = ("unshare", "--map-root-user", "--net", "--mount")
_DRIVER = "pcsc/drivers/serial/libifdvpcd.so"
_LIBRARY_ROOTS = ("/usr/lib", "/usr/lib64", "/usr/local/lib")
_SYSTEM_PID_FILE = Path("/run/pcscd/pcscd.pid")
_LONGEST_SOCKET_PATH = 107
_ANSWER_SECONDS = 10.0


class PcscdUnavailable(Exception):
    """No private pcscd can be run here; the text says why."""


def _binary() -> str | None:
    return shutil.which("pcscd", path=f"{os.environ.get('PATH', '')}:{_SBIN}")


def _driver() -> Path | None:
    roots = [Path(root) for root in _LIBRARY_ROOTS]
    places = [root / _DRIVER for root in roots]
    places += [
        found for root in roots for found in root.glob(f"*-linux-gnu*/{_DRIVER}")
    ]
    return next((place for place in places if place.exists()), None)


@functools.cache
def _no_namespaces() -> str | None:
    """None, or why this user gets no namespaces of his own."""
    probe = [*_UNSHARE, "mount", "-t", "tmpfs", "none", "/run"]
    try:
        done = subprocess.run(probe, capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"no namespaces: {error}"
    if done.returncode == 0:
        return None
    return f"no namespaces: {done.stderr.strip() or done.returncode}"


def _not_installed() -> str | None:
    if not sys.platform.startswith("linux"):
        return "virtual readers need Linux"
    if _binary() is None:
        return "pcscd is not installed (Debian: apt install pcscd)"
    if _driver() is None:
        return "libifdvpcd.so is not installed (Debian: apt install vsmartcard-vpcd)"
    return None


def available() -> str | None:
    """None when a private pcscd can run here without open ports, else why not."""
    return _not_installed() or _no_namespaces()


class PrivatePcscd:
    """One pcscd with ``entries`` times two virtual readers.

    Args:
        directory: for its socket, configuration and drivers; not below /run.
        entries: 1 to 8.
        allow_open_ports: where there are no namespaces, run without them; then the
            readers' ports are open to other hosts while it runs.
    """

    def __init__(
        self, directory: Path, *, entries: int = 1, allow_open_ports: bool = False
    ) -> None:
        self.directory = directory
        self.entries = entries
        self.allow_open_ports = allow_open_ports
        self.readers: tuple[str, ...] = ()
        self._helper: subprocess.Popen[bytes] | None = None
        self._unread = b""
        self._one_at_a_time = threading.Lock()

    @property
    def environment(self) -> Mapping[str, str]:
        """What a client's environment needs, before its first PC/SC call."""
        return {CLIENT_VARIABLE: str(self._socket_path)}

    @property
    def _socket_path(self) -> Path:
        return self.directory / "pcscd.comm"

    def start(self) -> Mapping[str, str]:
        """Run it; returns ``environment``. ``readers`` then holds their names.

        Raises:
            PcscdUnavailable: with the reason.
        """
        isolated = self._check()
        self.directory.mkdir(parents=True, exist_ok=True)
        with socket.socket(socket.AF_UNIX) as listener:
            self._socket_path.unlink(missing_ok=True)
            listener.bind(str(self._socket_path))
            listener.listen()
            self._helper = self._spawn(listener.fileno(), isolated)
        try:
            answer = self._answer()
        except PcscdUnavailable:
            self.stop()
            raise
        self.readers = tuple(answer["readers"])
        return self.environment

    def _check(self) -> bool:
        """Whether namespaces will be used."""
        if missing := _not_installed():
            raise PcscdUnavailable(missing)
        reason = None
        no_namespaces = _no_namespaces()
        if no_namespaces and not self.allow_open_ports:
            reason = f"{no_namespaces}; open ports are not allowed"
        if no_namespaces and os.geteuid() == 0 and _SYSTEM_PID_FILE.exists():
            reason = reason or "root would disturb the system's own pcscd"
        if len(str(self._socket_path)) > _LONGEST_SOCKET_PATH:
            reason = reason or "the directory's path is too long for a unix socket"
        if self.directory.resolve().is_relative_to("/run"):
            reason = reason or "the directory is below /run, which the helper hides"
        if reason:
            raise PcscdUnavailable(reason)
        return no_namespaces is None

    def _spawn(self, listener: int, isolated: bool) -> subprocess.Popen[bytes]:
        settings = {
            "listener": listener,
            "directory": str(self.directory.resolve()),
            "pcscd": _binary(),
            "driver": str(_driver()),
            "entries": self.entries,
            "isolated": isolated,
        }
        home = str(Path(__file__).resolve().parents[2])
        paths = [home, os.environ.get("PYTHONPATH", "")]
        helper = [sys.executable, "-m", "emulator.card.pcscd_helper"]
        return subprocess.Popen(
            [*(_UNSHARE if isolated else ()), *helper, json.dumps(settings)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            pass_fds=[listener],
            start_new_session=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))},
        )

    def insert(self, slot: int, profile: CardProfile) -> None:
        """Put a card into a reader, and wait until pcscd has asked for its ATR.

        Raises:
            PcscdUnavailable: the helper refused or is gone.
        """
        self._ask({"do": "insert", "slot": slot, "profile": profile.to_json()})

    def remove(self, slot: int) -> None:
        """Pull the card out, if there is one.

        Raises:
            PcscdUnavailable: the helper refused or is gone.
        """
        self._ask({"do": "remove", "slot": slot})

    def stop(self) -> None:
        """End pcscd and the cards. May be called twice."""
        helper, self._helper = self._helper, None
        if helper is None:
            return
        with contextlib.suppress(OSError):
            _pipe(helper.stdin).close()
        try:
            helper.wait(timeout=5)
        except subprocess.TimeoutExpired:
            helper.kill()
            helper.wait()
        _pipe(helper.stdout).close()
        self._socket_path.unlink(missing_ok=True)

    def __enter__(self) -> PrivatePcscd:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _ask(self, request: Mapping[str, object]) -> None:
        if self._helper is None:
            raise PcscdUnavailable("not started")
        pipe = _pipe(self._helper.stdin)
        with self._one_at_a_time:
            try:
                pipe.write(json.dumps(request).encode() + b"\n")
                pipe.flush()
            except OSError:
                raise PcscdUnavailable("the helper is gone") from None
            self._answer()

    def _answer(self) -> Mapping[str, Any]:
        if self._helper is None:
            raise PcscdUnavailable("not started")
        end = time.monotonic() + _ANSWER_SECONDS
        pipe = _pipe(self._helper.stdout)
        while b"\n" not in self._unread:
            left = max(0.0, end - time.monotonic())
            if not select.select([pipe], [], [], left)[0]:
                raise PcscdUnavailable("the helper does not answer")
            more = os.read(pipe.fileno(), 65536)
            if not more:
                raise PcscdUnavailable("the helper is gone")
            self._unread += more
        line, _, self._unread = self._unread.partition(b"\n")
        answer: Mapping[str, Any] = json.loads(line)
        if "error" in answer:
            raise PcscdUnavailable(str(answer["error"]))
        return answer


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    if pipe is None:
        raise PcscdUnavailable("not started")
    return pipe
