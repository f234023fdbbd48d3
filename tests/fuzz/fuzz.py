"""Coverage-guided fuzzing of one target after another: ``make fuzz``.

    python tests/fuzz/fuzz.py --seconds 60 [TARGET...]

Each target runs in a process of its own, for libFuzzer ends it. A find is written to
``build/fuzz/TARGET/`` and the run ends with 1; put its bytes into ``FOUND`` of
tests/fuzz/test_targets.py with the mending.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(Path(__file__).parent)]
_DONE = re.compile(r"Done (\d+) runs|stat::number_of_executed_units: (\d+)")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=int, default=60, help="for each target")
    parser.add_argument("--only", help=argparse.SUPPRESS)
    parser.add_argument("targets", nargs="*")
    told = parser.parse_args()
    if told.only:
        return _run(told.only, told.seconds)
    from targets import TARGETS

    if unknown := set(told.targets) - set(TARGETS):
        parser.error(f"no such target: {', '.join(unknown)}; {', '.join(TARGETS)}")
    names = told.targets or list(TARGETS)
    finds = [name for name in names if not _apart(name, told.seconds)]
    print(f"{len(names)} targets, finds in: {', '.join(finds) or 'none'}")
    return 1 if finds else 0


def _apart(name: str, seconds: int) -> bool:
    """Whether nothing was found; prints the executions."""
    words = [sys.executable, __file__, "--only", name, "--seconds", str(seconds)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    found = _DONE.findall(done.stderr)
    runs = next((a or b for a, b in reversed(found)), "?")
    guided = "no interesting inputs" not in done.stderr
    told = "" if guided else "  (NOT guided: nothing is instrumented)"
    print(f"{name:20} {runs:>10} executions{told}", flush=True)
    if done.returncode:
        print(done.stderr[-3000:])
    return done.returncode == 0


def _run(name: str, seconds: int) -> int:
    """``protocols`` is imported here first of all: what is loaded already cannot be
    instrumented."""
    import atheris

    with atheris.instrument_imports(include=["protocols"]):
        from targets import TARGETS, seeds

    folder = ROOT / "build" / "fuzz" / name
    corpus = folder / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    for seed in seeds():
        digest = hashlib.sha256(seed).hexdigest()[:16]
        (corpus / digest).write_bytes(seed)
    words = [sys.argv[0], f"-max_total_time={seconds}", f"-artifact_prefix={folder}/"]
    words += ["-max_len=1200", "-rss_limit_mb=1024", "-timeout=10"]
    atheris.Setup([*words, "-print_final_stats=1", str(corpus)], TARGETS[name])
    atheris.Fuzz()
    return 0


if __name__ == "__main__":
    sys.exit(main())
