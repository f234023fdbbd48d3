"""One change that is effective, for every test that only reads its receipt."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from papers import Issued
from world import Site

from emulator.bench import Bench, Scenario


@pytest.fixture(scope="session")
def issued(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Issued]:
    folder = tmp_path_factory.mktemp("issued")
    with Bench(folder / "bench", Scenario(direct=True, audit=0.05)) as bench:
        site = Site(bench, folder / "home").setup()
        number = site.approved()
        site.commit(number).ok()
        path = folder / "receipt.json"
        site.run("receipt", "show", number, "--output", str(path)).ok()
        yield Issued(site, number, path.read_bytes())


@pytest.fixture
def elsewhere(issued: Issued, tmp_path: Path) -> Path:
    """A folder of another machine: the root's certificate and nothing else."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    certificate = (issued.site.home / "root.pem").read_bytes()
    (folder / "root.pem").write_bytes(certificate)
    return folder
