"""The emulator where there is no POSIX, as on Windows: it imports, and it falls back.

A stand-in for Windows, in a process of its own: what Windows lacks is taken away.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

WITHOUT_POSIX = """
import importlib, os, pkgutil, signal, socket, sys

MODULES = {"fcntl", "termios", "pty", "tty", "pwd", "grp", "resource"}
NAMES = {
    os: ("fork", "geteuid", "getuid", "killpg", "mkfifo", "openpty", "set_blocking",
         "setsid", "ttyname", "WNOHANG"),
    signal: ("SIGALRM", "SIGHUP", "SIGKILL", "SIGUSR1", "pthread_sigmask"),
    socket: ("AF_UNIX", "SO_REUSEPORT"),
}
OURS = ("emulator", "protocols")

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name in MODULES:
            raise ModuleNotFoundError(f"{name} is blocked", name=name)

def forget(wanted):
    for name in [n for n in sys.modules if n.partition(".")[0] in wanted]:
        del sys.modules[name]

def import_all():
    import emulator
    found = {m.name for m in pkgutil.walk_packages(emulator.__path__, "emulator.")}
    for name in sorted(found):
        importlib.import_module(name)
        forget(MODULES)
    return len(found)

forget(MODULES)
sys.meta_path.insert(0, Blocker())
import_all()
# The standard library is in memory now; here it may go by names that Windows lacks.
forget(OURS)
for module, names in NAMES.items():
    for name in names:
        delattr(module, name)
print(import_all())
try:
    import fcntl
except ModuleNotFoundError:
    sys.exit(0)
sys.exit("nothing was blocked")
"""

BENCH = """
import functools, os, sys
from pathlib import Path
import emulator.bench as bench_module
from emulator.terminal.core import TerminalConfig
from posctl.model.deadline import Deadline
from posctl.terminals import open_terminal

for name in ("fcntl", "termios", "pty", "tty"):
    sys.modules[name] = None
for name in ("geteuid", "openpty", "set_blocking", "ttyname"):
    delattr(os, name)
sys.platform = "win32"
# Its default is taken from os.name, which cannot be changed under a running Python.
bench_module.TerminalConfig = functools.partial(TerminalConfig, pty=False)

scenario = bench_module.Scenario(open_ports=sys.argv[2] == "open")
with bench_module.Bench(Path(sys.argv[1]), scenario) as bench:
    driver = open_terminal("poslink", bench.port)
    print(driver.identify(Deadline(5)).serial == bench_module.SERIAL)
    driver.close()
    print(bench.no_pcscd)
    print(bench.port.rpartition(":")[0], bench.reader.rpartition(":")[0])
"""


def python(script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", script, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_all_of_the_emulator_imports_without_the_posix_modules() -> None:
    done = python(WITHOUT_POSIX)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 20


@pytest.mark.parametrize("ports", ["closed", "open"])
def test_the_bench_falls_back_to_tcp_and_the_direct_link(
    tmp_path: Path, ports: str
) -> None:
    done = python(BENCH, str(tmp_path), ports)
    assert done.stdout.splitlines() == [
        "True",
        "virtual readers need Linux",
        "tcp:127.0.0.1 tcp:127.0.0.1",
    ], done.stderr
