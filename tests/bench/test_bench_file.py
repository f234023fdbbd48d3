"""A bench from a file: `posctl emulate --bench`."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from emulator.bench import Scenario, Till
from emulator.benchfile import BenchFile, read_bench
from posctl.model.deadline import Deadline
from posctl.model.errors import LinkTimeout, Refused
from posctl.terminals import open_terminal

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "bench.toml"


def test_the_example_has_every_key() -> None:
    text = EXAMPLE.read_text()
    told = read_bench(EXAMPLE)
    names = [n for n in BenchFile.__struct_fields__ if n not in ("terminal", "fault")]
    assert [name for name in names if f"\n{name} = " not in text] == []
    assert len(told.fault) == 2 and told.protocol == "poslink"


def test_every_part_of_a_scenario_can_be_told() -> None:
    known = {*BenchFile.__struct_fields__} - {"terminal", "fault"} | {"till"}
    assert {*Scenario.__dataclass_fields__} == known
    assert BenchFile().scenario()["till"] == Till()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("colour = 1", "colour"),
        ('baud = "fast"', "$.baud"),
        ('protocol = "nexo"', "$.protocol"),
        ('card = "library"', "card: one of"),
        ("[[fault]]\nwhere = 'moon'\naction = 'nak'", "$.fault[0].where"),
        ("[[fault]]\nwhere = 'host'\naction = 'nak'", "fault 1, action: one of"),
        (
            "[[fault]]\nwhere = 'host'\naction = 'refuse'\nbody_hex = 'x'",
            "fault 1, body_hex",
        ),
        ("card = ", "Invalid value"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, text: str, told: str) -> None:
    file = tmp_path / "bench.toml"
    file.write_text(text)
    done = _emulate("--bench", str(file), "--json")
    out, _ = done.communicate(timeout=30)
    error = json.loads(out)["error"]
    assert done.returncode == 2 and error["code"] == "bench.file"
    assert told in error["text"] and "Traceback" not in out


def _emulate(*words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "posctl", "emulate", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _ready(process: subprocess.Popen[str]) -> dict[str, Any]:
    assert process.stdout
    text = ""
    for line in process.stdout:
        text += line
        if line == "}\n":
            break
    result: dict[str, Any] = json.loads(text)["result"]
    return result


def test_the_bench_of_the_file_with_its_faults() -> None:
    process = _emulate("--bench", str(EXAMPLE), "--json", "--baud", "115200")
    told = _ready(process)
    assert told["terminal_rfc2217"] and told["protocol"] == "poslink"
    driver = open_terminal("poslink", told["terminal"], baud=115200)
    with pytest.raises(Refused) as caught:
        driver.settle(Deadline(5))
    assert caught.value.params["host_code"] == "96"
    assert driver.settle(Deadline(5)).host_code == "00"
    driver.close()
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 0
    assert not Path(told["terminal"]).exists()


def test_an_answer_that_the_file_drops(tmp_path: Path) -> None:
    file = tmp_path / "bench.toml"
    file.write_text(
        'direct = true\n[[fault]]\nwhere = "terminal"\non = "A00"\n'
        'action = "drop_answer"\n'
    )
    process = _emulate("--bench", str(file), "--json")
    told = _ready(process)
    driver = open_terminal("poslink", told["terminal"])
    with pytest.raises(LinkTimeout, match=r"terminal\.no_answer"):
        driver.identify(Deadline(1))
    assert driver.identify(Deadline(5)).serial == Till.serial
    driver.close()
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 0
