"""No number in clear in anything that leaves a course by another way than its screen
(R48): papers, requests, exports, calendars, notices; and none in the process list while
it runs, whoever starts whom. The rest, and the search, is in tests/test_leaks.py.

An OTP is typed nowhere yet: the emulated verification service is to come.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from commands import LI, PHRASES, WANG, guarded_site
from secrets_in import (
    NUMBER_FORMS,
    NUMBER_NEEDLES,
    Watched,
    found_in,
    key_needles,
    keys_of,
    newest,
    seen,
)
from world import Site

from emulator.bench import BRANCH, MID, MOBILE, NEW_NUMBER, OLD_NUMBER, OPERATOR
from posctl.change.approval import read_request
from posctl.receipts import qr

ID_NUMBER = "341126197709218366"
"""Of UnionPay's sandbox persona."""
NEEDLES = NUMBER_NEEDLES | {
    make(ID_NUMBER): f"the ID number as {name}" for name, make in NUMBER_FORMS.items()
}
SECRETS = {phrase.encode(): "a passphrase" for phrase in PHRASES}
ANSWERS = (OLD_NUMBER, BRANCH, MOBILE, OPERATOR, ID_NUMBER, "CHANGE")
DIGITS = NEW_NUMBER[-4:]


# -- the process list --------------------------------------------------------------


@dataclass
class ProcessList:
    """Looks again and again at the arguments and the environment of every process that
    this one has started, and of those that they start. A short one waits for ``gate``,
    which is made when it has been seen."""

    gate: Path
    hits: set[str] = field(default_factory=set)
    seen: set[str] = field(default_factory=set)
    rounds: int = 0

    def look(self) -> None:
        self.rounds += 1
        for process in descendants(os.getpid()):
            for name in ("cmdline", "environ"):
                try:
                    body = Path(f"/proc/{process}/{name}").read_bytes()
                except OSError:  # it has ended
                    continue
                if name == "cmdline" and body.startswith(b"sh\0"):
                    self.gate.touch()
                if name == "cmdline":
                    self.seen.add(body.replace(b"\0", b" ").decode("utf-8", "replace"))
                self.hits.update(seen(name, body, {**NEEDLES, **SECRETS}))


def descendants(root: int) -> set[int]:
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                status = (entry / "stat").read_text("utf-8", "replace")
            except OSError:
                continue
            parents[int(entry.name)] = int(status.rpartition(")")[2].split()[1])
    found, size = {root}, 0
    while size != len(found):
        size = len(found)
        found |= {pid for pid, parent in parents.items() if parent in found}
    return found - {root}


@contextmanager
def watching(folder: Path) -> Iterator[ProcessList]:
    found, over = ProcessList(folder / "gate"), threading.Event()

    def run() -> None:
        while not over.wait(0.01):  # leaves the processor to whom it looks at
            found.look()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield found
    finally:
        over.set()
        thread.join()


def test_the_process_list_sees_a_grandchild(tmp_path: Path) -> None:
    """Arguments and environment of a process that another one has started."""
    script = "import subprocess, sys; subprocess.run(sys.argv[1:])"
    inner = (sys.executable, "-c", "input()", NEW_NUMBER)
    with (
        subprocess.Popen(
            [sys.executable, "-c", script, *inner],
            stdin=subprocess.PIPE,
            env={**os.environ, "LEFT": ID_NUMBER},
        ) as process,
        watching(tmp_path) as found,
    ):
        seen: set[str] = set()
        while not {"cmdline", "environ"} <= seen:
            seen = {hit.partition(":")[0] for hit in tuple(found.hits)}
            assert process.poll() is None
        assert process.stdin
        process.stdin.close()
    assert any("ID number" in hit for hit in found.hits)


# -- the course --------------------------------------------------------------------


@pytest.fixture
def guarded(site: Site, tmp_path: Path) -> Site:
    """Keys under passphrases; a profile that asks for a name and an ID number."""
    made = guarded_site(site.bench, tmp_path / "guarded")
    text = (made.home / "profiles" / "emulator.toml").read_text()
    asks = '["branch", "mobile", "holder", "id_number"]'
    text = text.partition("[pinned]")[0].replace("version = 1", "version = 2", 1)
    text = text.replace('asks = ["branch", "mobile"]', f"asks = {asks}", 1)
    newer = tmp_path / "newer.toml"
    newer.write_text(text)
    made.run("profile", "sign", str(newer), answers=[PHRASES[0]]).ok()
    return made


@pytest.mark.req("R48")
def test_nothing_that_leaves_by_another_way_holds_a_number(
    guarded: Site, tmp_path: Path
) -> None:
    watched = Watched(guarded, tmp_path)
    with watching(tmp_path) as processes:
        number = propose(watched)
        approve_elsewhere(watched, number, tmp_path)
        finish(watched, number)
        papers(watched, number, tmp_path)
        exports(watched, tmp_path)
    assert guarded.account() == NEW_NUMBER
    assert processes.rounds > 20 and processes.hits == set()
    assert [c for c in processes.seen if "outbox deliver" in c]
    assert [c for c in processes.seen if c.startswith("sh -c cat > ")]
    assert watched.hits == []
    assert seen("printed", watched.said.encode(), NEEDLES) == []
    assert found_in(tmp_path, NEEDLES) == []
    secrets = SECRETS | key_needles(**keys_of(guarded.bench.credentials_file))
    assert found_in(guarded.home, secrets) == []
    assert seen("printed", watched.said.encode(), secrets) == []


def said(watched: Watched, *words: str, answers: tuple[str, ...] = ()) -> None:
    code = watched.talk(*words, answers=answers)
    assert code == 0, watched.said[-2000:]


def propose(watched: Watched) -> str:
    name = ("--subject", "micro", "--name", "小面馆", "--owner", OPERATOR)
    phone = ("--phone", "010-55550100", "--mandate", "张三:2099-01-01")
    said(watched, "merchant", "register", *name, *phone, MID, answers=(WANG,))
    said(watched, "merchant", "fetch", MID, answers=(WANG,))
    said(watched, "change", "checklist")
    means = watched.site.means()
    said(watched, "change", "run", *means, answers=(LI, *ANSWERS))
    number = newest(watched.site)
    for name_of_file in ("slip.txt", "slip.pdf", "slip.json"):
        path = str(watched.folder / name_of_file)
        said(watched, "receipt", "slip", number, "--output", path)
    return number


def approve_elsewhere(watched: Watched, number: str, folder: Path) -> None:
    """The armoured texts, and what is in them when they are opened."""
    site = watched.site
    asked = site.run("approval", "request", number, answers=[WANG, "CHIP"])
    text = asked.ok()["text"]
    (folder / "request").write_text(text)
    watched.note(json.dumps(read_request(text).shown))
    signing = ("approval", "sign", str(folder / "request"))
    answer = site.run(*signing, answers=[WANG, DIGITS]).ok()["text"]
    (folder / "answer").write_text(answer)
    said(watched, *signing, answers=(WANG, DIGITS))
    said(watched, "orders", "due", "--ics", str(folder / "due.ics"))
    took = ("approval", "take", number, str(folder / "answer"), "--json")
    said(watched, *took, answers=(WANG,))


def finish(watched: Watched, number: str) -> None:
    port = ("--port", watched.site.bench.port)
    said(watched, "change", "commit", number, answers=(WANG,))
    said(watched, "change", "confirm", number, *port, answers=(LI, "SETTLE"))
    for more in ((), ("--json",)):
        said(watched, "orders", "show", number, *more)
        said(watched, "receipt", "show", number, *more)


def papers(watched: Watched, number: str, folder: Path) -> None:
    """As files, and as what a reader or a scanner gets out of them."""
    for name in ("receipt.json", "receipt.txt", "receipt.pdf"):
        path = str(folder / name)
        said(watched, "receipt", "show", number, "--output", path)
    signed = json.loads((folder / "receipt.json").read_bytes())
    code = qr.receipt_text(signed)
    watched.note(code + json.dumps(qr.read_receipt(code)))
    for pdf in sorted(folder.glob("*.pdf")):
        inside = b"".join(streams(pdf.read_bytes()))
        assert inside
        watched.hits += seen(pdf.name, inside, NEEDLES)
        told = words_of(pdf)
        assert "621626" in told
        watched.note(told)


def streams(pdf: bytes) -> Iterator[bytes]:
    """Unpacked: a search of the file alone would find nothing in them."""
    for found in re.finditer(rb"stream\r?\n(.*?)\r?\nendstream", pdf, re.DOTALL):
        try:
            yield zlib.decompress(found[1])
        except zlib.error:
            yield found[1]


def words_of(pdf: Path) -> str:
    """By poppler, with blanks and without."""
    if shutil.which("pdftotext") is None:
        assert os.environ.get("CI") != "true"
        pytest.skip("no pdftotext: .ci/setup test installs it")
    done = subprocess.run(["pdftotext", str(pdf), "-"], capture_output=True, check=True)
    text = done.stdout.decode()
    return text + "".join(text.split())


def exports(watched: Watched, folder: Path) -> None:
    for place in ("field", "office"):
        out = ("--output", str(folder / f"{place}.log"))
        said(watched, "audit", "export", "--place", place, *out, answers=(WANG,))
    said(watched, "audit", "verify", "--against", str(folder / "receipt.json"))
    said(watched, "outbox", "list", "--json")
    until_seen = f"until test -e {folder}/gate; do sleep 0.01; done"
    line = f"sh -c 'cat > {folder}/told; {until_seen}'"
    said(watched, "outbox", "deliver", "--command", line)
    assert b"621626" in (folder / "told").read_bytes()
    said(watched, "operator", "list")


@pytest.mark.req("R48")
def test_the_search_finds_an_id_number(tmp_path: Path) -> None:
    for name, make in NUMBER_FORMS.items():
        (tmp_path / "x").write_bytes(b"noise" + make(ID_NUMBER) + b"noise")
        assert found_in(tmp_path, NEEDLES) != [], name


@pytest.mark.req("R48")
@pytest.mark.req("R49")
def test_a_course_that_was_declined_leaves_no_id_number(
    guarded: Site, tmp_path: Path
) -> None:
    """After the number was sealed, before it was proposed."""
    means = guarded.means()
    declined = (LI, *ANSWERS[:-1], "no")
    watched = Watched(guarded, tmp_path)
    watched.talk("change", "run", *means, answers=declined)
    assert watched.hits == [] and found_in(tmp_path, NEEDLES) == []
