"""A change as li and wang go through it, told by nothing but the tool."""

from __future__ import annotations

import re
from collections.abc import Callable

from stage import COOLING_HOURS, HOUR, Stage
from zygote import Child, Listener, Plan, Ran, Strike

_COMMAND = re.compile(r"posctl change (\w+) ([0-9A-Z-]+)")
_WAITS = ("order.cooling", "commit.amount", "commit.pending")
"""Nothing went wrong: something has to happen first."""
ENDED = ("CLOSED", "ROLLED_BACK", "CANCELLED", "REJECTED", "EXPIRED")
LIST = ["orders", "list"]


def walk(
    stage: Stage,
    listener: Listener,
    began: Callable[[str], None] = lambda command: None,
    *,
    strikes: tuple[Strike, ...] = (),
    watched: bool = False,
) -> list[Ran]:
    """Command after command in one child, to the end or to the first that fails."""
    done: list[Ran] = []
    plan = Plan(stage.home, strikes, watched)
    with stage.zygote.fork(plan, listener) as child:
        words = stage.words("run")
        while words:
            began(words[1])
            done.append(run(stage, child, words))
            if words == LIST or not goes_on(done[-1]):
                break
            words = way_on(stage, done[-1]) or LIST
    return done


def run(stage: Stage, child: Child, words: list[str]) -> Ran:
    number = words[2] if len(words) > 2 else ""
    return child.run(*words, ahead=stage.ahead, answers=stage.answers(number))


def goes_on(ran: Ran) -> bool:
    return ran.code == 0 or ran.error.get("code") in _WAITS


def way_on(stage: Stage, ran: Ran) -> list[str]:
    """What the tool says is next; empty where it names no command of a change."""
    told = (ran.result or ran.error).get("next") or ""
    if ran.error.get("code") == "order.cooling":
        stage.ahead += COOLING_HOURS * HOUR + 1
        return stage.words("commit", str(ran.error["params"]["order"]))
    found = _COMMAND.search(told)
    return stage.words(found[1], found[2]) if found else []
