"""The process that holds a private pcscd and its cards; see ``pcscd``.

Commands come as JSON lines on stdin, one answer a line goes to stdout. The end of
stdin ends it, and pcscd dies with it, so that nothing outlives the parent.
"""

from __future__ import annotations

import ctypes
import errno
import json
import os
import shutil
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from emulator.card.applet import CardProfile
from emulator.card.pcscd import FRIENDLY_NAME, SLOTS_AN_ENTRY
from emulator.card.vpcd import VpcdCard

_SIOCGIFFLAGS, _SIOCSIFFLAGS, _IFF_UP = 0x8913, 0x8914, 1
_INTERFACE = "16sh14x"
_PRIVATE_PORT = 35963
_LISTENING = "0A"
_START_SECONDS = 5.0
_RUN = "/run/pcscd"  # compiled into pcscd, which refuses to start without it
# pcscd looks at a slot every 400 ms; a swap within one look goes unnoticed.
_SWAP_SECONDS = 0.5
_PR_SET_PDEATHSIG, _SIGKILL = 1, 9

# Socket activation wants the listener as descriptor 3 and pcscd's own process
# number, which only the process itself knows.
_SHIM = (
    "import ctypes, os, sys; "
    f"ctypes.CDLL(None).prctl({_PR_SET_PDEATHSIG}, {_SIGKILL}); "
    "os.dup2(int(sys.argv[1]), 3); "
    "os.environ.update(LISTEN_FDS='1', LISTEN_PID=str(os.getpid())); "
    "os.execv(sys.argv[2], sys.argv[2:])"
)


def _loopback_up() -> None:
    import fcntl  # here, so that the module can be imported on Windows

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        asked = struct.pack(_INTERFACE, b"lo", 0)
        answer = fcntl.ioctl(sock, _SIOCGIFFLAGS, asked)
        flags = struct.unpack(_INTERFACE, answer)[1] | _IFF_UP
        fcntl.ioctl(sock, _SIOCSIFFLAGS, struct.pack(_INTERFACE, b"lo", flags))


def _hide(directory: str) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(b"none", directory.encode(), b"tmpfs", 0, None):
        raise OSError(ctypes.get_errno(), f"cannot mount over {directory}")


def _free_pair() -> int:
    """A port that is free together with the next one."""
    for _ in range(50):
        with socket.create_server(("", 0)) as first:
            port: int = first.getsockname()[1]
            try:
                socket.create_server(("", port + 1)).close()
            except OSError:
                continue
            return port
    raise OSError(errno.EADDRINUSE, "no two ports in a row are free")


def _listening_ports() -> set[int]:
    found = set()
    for table in ("/proc/self/net/tcp", "/proc/self/net/tcp6"):
        if not os.path.exists(table):
            continue
        for line in Path(table).read_text("ascii").splitlines()[1:]:
            local, state = line.split()[1], line.split()[3]
            if state == _LISTENING:
                found.add(int(local.rpartition(":")[2], 16))
    return found


def _friendly(entry: int) -> str:
    """pcscd numbers slots, not entries: two of one name could not be told apart."""
    return FRIENDLY_NAME if entry == 0 else f"{FRIENDLY_NAME} {entry + 1}"


class Helper:
    """pcscd, and a card or none in each slot."""

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self._settings = settings
        self._directory = Path(settings["directory"])
        self._cards: dict[int, VpcdCard] = {}
        self._removed: dict[int, float] = {}
        entries = range(settings["entries"])
        if settings["isolated"]:
            bases = [_PRIVATE_PORT + SLOTS_AN_ENTRY * n for n in entries]
        else:
            bases = [_free_pair() for _ in entries]
        self._ports = [base + n for base in bases for n in range(SLOTS_AN_ENTRY)]
        config = self._configure(bases)
        if settings["isolated"]:
            _loopback_up()
            _hide("/run")
            # Without USB drivers it leaves the machine's real readers alone.
            _hide(str(Path(settings["driver"]).parent.parent))
        self._pcscd = self._start(config)

    @property
    def readers(self) -> list[str]:
        entries, slots = range(self._settings["entries"]), range(SLOTS_AN_ENTRY)
        return [
            f"{_friendly(entry)} 00 {slot:02}" for entry in entries for slot in slots
        ]

    def _configure(self, bases: list[int]) -> Path:
        """One entry a pair of readers, each with a copy of the driver: it keeps
        static state, and two entries on one file get their readers mixed up.
        """
        text = ""
        for number, port in enumerate(bases):
            library = self._directory / f"libifdvpcd-{number}.so"
            shutil.copy(self._settings["driver"], library)
            text += f'FRIENDLYNAME "{_friendly(number)}"\nDEVICENAME /dev/null:{port}\n'
            text += f"CHANNELID {port}\nLIBPATH {library}\n\n"
        config = self._directory / "reader.conf"
        config.write_text(text, "utf-8")
        return config

    def _start(self, config: Path) -> subprocess.Popen[bytes]:
        self._made_run = not os.path.isdir(_RUN)
        os.makedirs(_RUN, exist_ok=True)
        binary, listener = self._settings["pcscd"], self._settings["listener"]
        options = ["--foreground", "--error", "--config", str(config)]
        usage = subprocess.run([binary, "--help"], capture_output=True, timeout=5)
        if b"--disable-polkit" in usage.stdout + usage.stderr:
            options.append("--disable-polkit")
        shim = [sys.executable, "-c", _SHIM, str(listener), binary, *options]
        started = subprocess.Popen(
            shim,
            stdin=subprocess.DEVNULL,
            stdout=(self._directory / "pcscd.log").open("wb"),
            stderr=subprocess.STDOUT,
            pass_fds=[listener],
        )
        os.close(listener)
        self._until_listening(started)
        return started

    def _until_listening(self, started: subprocess.Popen[bytes]) -> None:
        end = time.monotonic() + _START_SECONDS
        while not set(self._ports) <= _listening_ports():
            if started.poll() is not None:
                raise OSError(errno.ECHILD, f"pcscd ended: {self._last_words()}")
            if time.monotonic() > end:
                raise OSError(errno.ETIMEDOUT, f"no readers: {self._last_words()}")
            time.sleep(0.005)

    def _last_words(self) -> str:
        log = (self._directory / "pcscd.log").read_text("utf-8", "replace")
        return " / ".join(log.splitlines()[-3:]) or "nothing said"

    def insert(self, slot: int, profile: CardProfile) -> None:
        self.remove(slot)
        since = time.monotonic() - self._removed.get(slot, 0.0)
        time.sleep(max(0.0, _SWAP_SECONDS - since))
        card = VpcdCard(self._ports[slot], profile)
        self._cards[slot] = card
        if not card.wait_until_seen(5):
            raise OSError(errno.ETIMEDOUT, "pcscd does not see the card")

    def remove(self, slot: int) -> None:
        card = self._cards.pop(slot, None)
        if card is not None:
            card.remove()
            self._removed[slot] = time.monotonic()

    def obey(self, request: Mapping[str, Any]) -> None:
        slot = int(request["slot"])
        if not 0 <= slot < len(self._ports):
            raise ValueError(f"no slot {slot}")
        if request["do"] == "insert":
            self.insert(slot, CardProfile.from_json(request["profile"]))
        elif request["do"] == "remove":
            self.remove(slot)
        else:
            raise ValueError(f"unknown command {request['do']}")

    def stop(self) -> None:
        for slot in list(self._cards):
            self.remove(slot)
        self._pcscd.terminate()
        try:
            self._pcscd.wait(timeout=2)
        except subprocess.TimeoutExpired:
            self._pcscd.kill()
            self._pcscd.wait()
        if self._made_run and not self._settings["isolated"]:
            shutil.rmtree(_RUN, ignore_errors=True)


def _say(answer: Mapping[str, object]) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


def _serve(helper: Helper) -> None:
    for line in sys.stdin:
        request = json.loads(line)
        if request["do"] == "quit":
            return
        try:
            helper.obey(request)
        except (OSError, KeyError, TypeError, ValueError) as error:
            _say({"error": f"{request['do']}: {error}"})
        else:
            _say({"ok": True})


def main(settings: str) -> int:
    try:
        helper = Helper(json.loads(settings))
    except OSError as error:
        _say({"error": str(error)})
        return 1
    try:
        _say({"ok": True, "readers": helper.readers})
        _serve(helper)
    finally:
        helper.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
