"""A driver in a package of its own: the one of docs/adding-a-driver.md, found by its
entry point in a process that has only that package more, with a terminal on TCP."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs" / "adding-a-driver.md"
OPENED = """
import sys
from posctl.model.deadline import Deadline
from posctl.model.errors import PosctlError
from posctl.terminals import open_terminal, protocol_names
try:
    driver = open_terminal(sys.argv[1], sys.argv[2])
    print(driver.identify(Deadline(5)).serial, driver.traffic)
    print(driver.read_variables(["tid"], Deadline(1)), driver.binding_tag(Deadline(1)))
    driver.close()
except PosctlError as failure:
    print(failure.code, failure.exit_code)
print(",".join(protocol_names()))
"""


def example() -> str:
    """The Python of the page, as it stands there."""
    lines = DOCS.read_text("utf-8").split("\n")
    start = next(n for n, line in enumerate(lines) if "import open_line" in line)
    kept = []
    for line in lines[start:]:
        if line and not line.startswith("    "):
            break
        kept.append(line[4:])
    return "\n".join(kept)


def install(folder: Path, point: str) -> None:
    (folder / "posctl_landi.py").write_text(example())
    info = folder / "posctl_landi-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: posctl-landi\n")
    (info / "entry_points.txt").write_text(f"[posctl.terminals]\n{point}\n")


@pytest.fixture
def terminal() -> Iterator[str]:
    """Answers one question with a serial number; gives its address."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            line, _ = server.accept()
            with line:
                assert line.recv(100) == b"ID?\r"
                line.sendall(b"LD0820000001\r")
                line.recv(100)

        worker = threading.Thread(target=answer, daemon=True)
        worker.start()
        yield f"tcp:127.0.0.1:{server.getsockname()[1]}"


def opened(folder: Path, protocol: str, address: str = "-") -> list[str]:
    done = subprocess.run(
        (sys.executable, "-c", OPENED, protocol, address),
        env={**os.environ, "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.splitlines()


@pytest.mark.req("R4")
def test_the_pages_driver_speaks_to_its_terminal(tmp_path: Path, terminal: str) -> None:
    install(tmp_path, "landi = posctl_landi:open_driver")
    told = opened(tmp_path, "landi", terminal)
    assert told[:2] == ["LD0820000001 17", "{'tid': None} None"]
    assert "landi" in told[2].split(",") and "poslink" in told[2].split(",")


def test_one_that_cannot_be_loaded_says_so(tmp_path: Path) -> None:
    install(tmp_path, "landi = posctl_landi:nothing")
    assert opened(tmp_path, "landi")[0] == "terminal.plugin 2"


def test_none_takes_the_place_of_a_shipped_one(tmp_path: Path) -> None:
    install(tmp_path, "poslink = posctl_landi:open_driver")
    assert opened(tmp_path, "poslink", "/dev/null")[0] == "port.unusable 4"


def test_an_unknown_one_is_told_with_those_that_are_known(tmp_path: Path) -> None:
    install(tmp_path, "landi = posctl_landi:open_driver")
    assert opened(tmp_path, "morse")[0] == "terminal.protocol 2"
