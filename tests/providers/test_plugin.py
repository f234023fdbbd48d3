"""A provider in a package of its own: found by its entry point, in a process that has
only that package more."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ADAPTER = """
from posctl.providers import Capability, Provider, ReadBinding

class Toy(Provider):
    name = "toy"
    capabilities = frozenset({Capability.READ_BINDING})

    def read_binding(self, mid, deadline, *, tid=None):
        return ReadBinding(effective="621626*********0018", pending=None)

def connect(url, *, ca_file, credentials, clock):
    return Toy()
"""
OPENED = """
import sys
from posctl.model.deadline import Deadline
from posctl.model.errors import PosctlError
from posctl.providers import open_provider, provider_names
try:
    found = open_provider(sys.argv[1], url="-", ca_file=None, credentials={})
    print(found.read_binding("1", Deadline(1)).effective)
    found.apply(None, "1", Deadline(1))
except PosctlError as failure:
    print(failure.code, failure.exit_code)
print(",".join(provider_names()))
"""


def install(folder: Path, *points: str) -> None:
    (folder / "posctl_toy.py").write_text(ADAPTER)
    info = folder / "posctl_toy-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: posctl-toy\n")
    lines = ["[posctl.providers]", *points]
    (info / "entry_points.txt").write_text("\n".join(lines) + "\n")


def opened(folder: Path, name: str) -> list[str]:
    done = subprocess.run(
        (sys.executable, "-c", OPENED, name),
        env={**os.environ, "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.splitlines()


@pytest.mark.req("R4")
def test_a_plug_in_is_found_and_what_it_has_not_refuses(tmp_path: Path) -> None:
    install(tmp_path, "toy = posctl_toy:connect")
    assert opened(tmp_path, "toy") == [
        "621626*********0018",
        "provider.cannot 9",
        "chinaums,lakala,toy,wechatpay",
    ]


def test_a_plug_in_that_cannot_be_loaded_says_so(tmp_path: Path) -> None:
    install(tmp_path, "toy = posctl_toy:nothing")
    assert opened(tmp_path, "toy")[0] == "provider.plugin 2"


def test_no_plug_in_takes_the_place_of_a_shipped_one(tmp_path: Path) -> None:
    install(tmp_path, "chinaums = posctl_toy:connect")
    assert opened(tmp_path, "chinaums")[0] == "provider.settings 2"


def test_an_unknown_one_is_told_with_those_that_are_known(tmp_path: Path) -> None:
    install(tmp_path, "toy = posctl_toy:connect")
    assert opened(tmp_path, "nobody")[0] == "provider.unknown 2"
