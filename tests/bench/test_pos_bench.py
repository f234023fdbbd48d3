"""The pytest plug-in, as other projects use it: in processes of their own."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from datetime import timedelta
from pathlib import Path

import pytest

from emulator.clock import BenchClock
from emulator.posbench import FaultsOnBench, PosBench

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "till-tests"
FAILING = """
import socket
from protocols import poslink

def test_it(pos_bench):
    with socket.create_connection(pos_bench.terminal.address) as line:
        line.sendall(poslink.frame(poslink.Request("A00").to_bytes()))
        got = b""
        while b"\x03" not in got:
            got += line.recv(100)
    assert pos_bench is None
"""


def pytest_in(
    folder: Path, *words: str, python: Path | str = sys.executable, **variables: str
) -> subprocess.CompletedProcess[str]:
    command = [str(python), "-m", "pytest", "-q", "-p", "no:cacheprovider", *words]
    plain = {name: v for name, v in os.environ.items() if "PYTEST" not in name}
    return subprocess.run(
        command,
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=180,
        env={**plain, **variables},
    )


def project(folder: Path, text: str) -> Path:
    (folder / "test_it.py").write_text(text)
    (folder / "pytest.ini").write_text("[pytest]\naddopts = --strict-markers\n")
    return folder


def test_a_failure_has_the_conversation_and_no_number(tmp_path: Path) -> None:
    done = pytest_in(project(tmp_path, FAILING))
    assert done.returncode == 1
    section = done.stdout.partition("pos_bench: the terminal's lines")[2]
    assert "> A00" in section and "| A01 |" in section
    assert "0820000001" not in section


def test_benches_side_by_side(tmp_path: Path) -> None:
    text = "\n".join(
        f"def test_{n}(pos_bench): assert pos_bench.terminal.port" for n in range(6)
    )
    done = pytest_in(project(tmp_path, text), "-n", "2")
    assert done.returncode == 0, done.stdout
    assert "6 passed" in done.stdout


def test_a_mark_without_names(tmp_path: Path) -> None:
    text = "import pytest\n@pytest.mark.pos_bench('zvt')\ndef test_it(pos_bench): ...\n"
    done = pytest_in(project(tmp_path, text))
    assert done.returncode == 1 and "takes keywords only" in done.stdout


def test_another_package_of_this_name_is_named(tmp_path: Path) -> None:
    (tmp_path / "emulator").mkdir()
    (tmp_path / "emulator" / "__init__.py").write_text("")
    done = pytest_in(
        project(tmp_path, "def test_it(pos_bench): ...\n"), PYTHONPATH=str(tmp_path)
    )
    assert "`emulator` is another package here" in done.stdout
    assert str(tmp_path / "emulator") in done.stdout


def test_nothing_of_it_costs_who_does_not_use_it(tmp_path: Path) -> None:
    text = "import sys\ndef test_it(): assert 'emulator.bench' not in sys.modules\n"
    assert pytest_in(project(tmp_path, text)).returncode == 0


def test_the_example_from_the_wheel_in_a_fresh_environment(tmp_path: Path) -> None:
    """Its dependencies are those of this environment; posctl is the wheel's."""
    wheels = tmp_path / "wheels"
    words = ["-m", "pip", "wheel", "--no-deps", "--quiet", "-w", str(wheels), str(ROOT)]
    subprocess.run([sys.executable, *words], check=True, capture_output=True)
    [wheel] = wheels.glob("posctl-*.whl")
    home = tmp_path / "environment"
    venv.create(home, with_pip=False, symlinks=True)
    python = home / "bin" / "python"
    [site] = home.glob("lib/python*/site-packages")
    install = ["-m", "pip", "--python", str(python), "install", "--no-deps", "--quiet"]
    subprocess.run([sys.executable, *install, str(wheel)], check=True)
    ours = Path(pytest.__file__).parents[1]
    (site / "dependencies.pth").write_text(f"{ours}\n")  # nested .pth are not followed
    where = "import posctl; print(posctl.__file__)"
    told = subprocess.run(
        [python, "-c", where], capture_output=True, text=True, cwd=tmp_path, check=True
    )
    assert told.stdout.startswith(str(site))
    done = pytest_in(EXAMPLE, python=python)
    assert done.returncode == 0, done.stdout
    assert "5 passed" in done.stdout


# --- the bench itself -----------------------------------------------------------------


@pytest.fixture
def bench(tmp_path: Path) -> PosBench:
    return PosBench(tmp_path)


def test_what_it_names(bench: PosBench) -> None:
    with bench:
        assert bench.terminal.tid and bench.terminal.mid and bench.terminal.batch == 1
        assert bench.acquirer.version == 1 and "*" in bench.acquirer.account
        assert bench.acquirer.ca_file.exists() and bench.acquirer.host[1]
        assert bench.reader.name.startswith("tcp:") and not bench.reader.is_pcsc
        assert bench.terminal.paper == [] and bench.terminal.asked == []


@pytest.mark.parametrize(
    "wrong",
    [
        lambda b: b.faults.add("terminal", "explode"),
        lambda b: b.faults.add("moon", "nak"),
        lambda b: b.card.insert("library"),
        lambda b: b.clock.advance(-1),
    ],
)
def test_what_it_cannot_is_said(bench: PosBench, wrong: object) -> None:
    assert callable(wrong)
    with bench, pytest.raises(ValueError, match=r"one of|forward only"):
        wrong(bench)


def test_every_fault_has_a_description(bench: PosBench) -> None:
    with bench:
        for where, known in bench.faults.KNOWN.items():
            for action, told in known.items():
                assert len(told) > 10
                bench.faults.add(where, action)
        bench.faults.clear()
        bench.terminal.pay(100)
        assert bench.faults.struck("terminal") == []


def test_cards_come_and_go(bench: PosBench) -> None:
    with bench:
        for kind in ("none", "credit", "debit"):
            bench.card.insert(kind)
        bench.card.remove()
        bench.card.remove()
        assert bench.card.kind is None


def test_the_terminal_is_unplugged_and_loses_power(bench: PosBench) -> None:
    with bench:
        port = bench.terminal.port
        bench.terminal.unplug()
        assert not Path(port).exists()
        bench.terminal.plug()
        bench.terminal.cut_power()
        assert bench.terminal.port == port and Path(port).exists()


def test_days_pass_for_every_host() -> None:
    clock = BenchClock()
    before, seconds = clock.now(), clock()
    clock.advance(timedelta(days=15))
    assert clock.now() - before >= timedelta(days=15)
    assert clock() - seconds >= 15 * 86400


def test_the_page_on_the_bench_names_every_fault_and_attribute(
    bench: PosBench,
) -> None:
    page = (ROOT / "docs" / "bench.md").read_text(encoding="utf-8")
    known = [name for told in FaultsOnBench.KNOWN.values() for name in told]
    with bench:
        for part in ("terminal", "card", "reader", "acquirer", "faults", "clock"):
            kind = type(getattr(bench, part))
            known += [part, *(n for n in vars(kind) if not n.startswith("_"))]
    internal = {"now", "ahead"}
    assert [name for name in known if name not in page and name not in internal] == []
