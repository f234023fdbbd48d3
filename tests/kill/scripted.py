"""Runs commands one after the other and dies by SIGKILL at a chosen append.

A program of its own, started by the kill test. It wraps the event log's writing from
outside: the product has no hook for it. The plan comes as JSON on stdin:

    {"home": path, "point": n, "moment": "before" | "after",
     "commands": [[[argument, …], [answer, …]], …]}

``point`` counts every append and absorb of the whole run from 1; 0 never dies. An
argument ``ORDER`` stands for the number of the newest order. What was written is
listed on stdout: one line of place and kind an append.
"""

from __future__ import annotations

import io
import json
import os
import signal
import sys
from typing import Any

from posctl.cli import main as command_line
from posctl.store.eventlog import EventLog

_count = 0
_newest = ""


def deadly(write: Any, point: int, moment: str) -> Any:
    """``write`` with a SIGKILL just before or just after it, at that point."""

    def wrapped(log: EventLog, what: Any, *rest: Any, **options: Any) -> Any:
        global _count, _newest
        _count += 1
        if (_count, "before") == (point, moment):
            os.kill(os.getpid(), signal.SIGKILL)
        written = write(log, what, *rest, **options)
        kind = rest[0] if write.__name__ == "append" else "(absorb)"
        _newest = what if write.__name__ == "append" else _newest
        print(log.path.parent.name, kind, file=sys.__stdout__, flush=True)
        if (_count, "after") == (point, moment):
            os.kill(os.getpid(), signal.SIGKILL)
        return written

    return wrapped


def main() -> int:
    plan = json.load(sys.stdin)
    os.environ["POSCTL_HOME"] = plan["home"]
    for name in ("append", "absorb"):
        write = getattr(EventLog, name)
        setattr(EventLog, name, deadly(write, plan["point"], plan["moment"]))
    for arguments, answers in plan["commands"]:
        sys.stdin = io.StringIO("".join(f"{answer}\n" for answer in answers))
        sys.stdout = io.StringIO()
        filled = [_newest if word == "ORDER" else word for word in arguments]
        code = command_line._run([*filled, "--json"])
        if code:
            print(filled, code, sys.stdout.getvalue(), file=sys.stderr)
            return code
    return 0


if __name__ == "__main__":
    sys.exit(main())
