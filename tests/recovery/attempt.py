"""One attempt: a course, what strikes it, what people do then, and what is true after.

``play`` raises AssertionError with the whole story where something is not as it must
be; its own ``str`` is enough to repeat it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from checks import check_all, check_committed, check_meanwhile
from course import ENDED, LIST, run, walk, way_on
from points import FAULTS
from stage import ARMED, PLAIN, Setting, Stage
from zygote import Child, Listener, Plan, Ran, Strike

from posctl.model.errors import PosctlError

MOST = 24
"""Commands that people need at most until an order has ended."""
ENDINGS = ("resume", "rollback")
_ENDS_WITH = {"SIGKILL": -9, "SIGTERM": 143, "Ctrl-C": 130}
_ALWAYS_FAILS = ("unplugged", "card removed", "disk full", "store locked")
_UNDER_WAY = ("order.open", "order.at_office")
_TOLD = (3, 4, 5, 6, 7, 8, 9, 10, 11, 130, 143)
"""Exit codes of what may happen to people; 1 and 2 are defects here."""


@dataclass(frozen=True)
class Attempt:
    """``strikes`` go wrong in the course, ``later`` in the recovery, one in each of
    its processes; ``ending`` is what is tried first then."""

    strikes: tuple[Strike, ...]
    ending: str
    setting: Setting = PLAIN
    later: tuple[Strike, ...] = ()

    def __str__(self) -> str:
        struck = "; ".join(map(str, self.strikes))
        later = "".join(f"; then {strike}" for strike in self.later)
        return f"{self.setting}: {struck}{later}; {self.ending}"


@dataclass
class Story:
    """What was done, and by now what it led to."""

    ran: list[Ran] = field(default_factory=list)
    state: str = ""

    def __str__(self) -> str:
        return "\n".join(f"  {ran}\n{_indented(ran)}" for ran in self.ran)


def _indented(ran: Ran) -> str:
    told = [ran.err, str(ran.error.get("next", ""))]
    return "".join(f"      {line}\n" for text in told for line in text.splitlines())


def play(stage: Stage, attempt: Attempt) -> Story:
    """Raises AssertionError."""
    story = Story()
    try:
        stage.reset(attempt.setting)
        story.ran += walk(stage, Listener(stage.strike), strikes=attempt.strikes)
        _check_struck(stage, attempt, story.ran[-1])
        check_meanwhile(stage)
        stage.mend()
        Recovery(stage, attempt, story).go()
        check_all(stage, story.state)
        if story.state in ("ROLLED_BACK", "none"):
            story.ran.append(_new_run(stage))
            assert story.ran[-1].result.get("state") == "PROPOSED"
    except (AssertionError, PosctlError) as error:
        raise AssertionError(f"{attempt}\n{error}\n{story}") from error
    return story


def _new_run(stage: Stage) -> Ran:
    with stage.zygote.fork(Plan(stage.home)) as child:
        return run(stage, child, stage.words("run"))


def _check_struck(stage: Stage, attempt: Attempt, last: Ran) -> None:
    """A fault that nobody felt proves nothing."""
    if len(attempt.strikes) > 1:
        return
    (fault,) = (strike.fault for strike in attempt.strikes)
    assert fault in FAULTS
    assert stage.struck == [fault]
    if fault in _ENDS_WITH:
        assert last.code == _ENDS_WITH[fault]
        _check_named(attempt.strikes[0], last)
    if fault in ARMED:
        struck = [one.action for one in stage.faults_of(fault).struck]
        assert struck[-1:] == [ARMED[fault]]
    if fault in _ALWAYS_FAILS:
        assert last.code > 0


def _check_named(strike: Strike, last: Ran) -> None:
    """Who is interrupted is told which order it was, as soon as there is one."""
    if strike.kind != "order.opened" and last.words != tuple(LIST):
        assert "resume ORDER" not in str(last.error.get("next"))


class Recovery:
    """What li and wang do, told by nothing but the tool, until the order has ended."""

    def __init__(self, stage: Stage, attempt: Attempt, story: Story) -> None:
        self.stage, self.attempt, self.story = stage, attempt, story
        self.later = list(attempt.later)
        self.back = attempt.ending == "rollback"
        self.number = ""

    def go(self) -> None:
        words = LIST
        for child in self._children():
            while child.alive and words:
                ran = run(self.stage, child, words)
                self.story.ran.append(ran)
                _check_told(ran)
                words = self._next(ran)
                if ran.code and self.attempt.later:
                    break  # the child may have been told to be impatient
            self.stage.mend()
            if not words:
                return
        raise AssertionError("no end to it")

    def _children(self) -> Iterator[Child]:
        """A new one whenever one has died."""
        listener = Listener(self.stage.strike)
        while len(self.story.ran) < MOST:
            strikes = (self.later.pop(0),) if self.later else ()
            plan = Plan(self.stage.home, strikes)
            with self.stage.zygote.fork(plan, listener) as child:
                yield child

    # -- what is next ----------------------------------------------------------------

    def _next(self, ran: Ran) -> list[str]:
        """Words of the next command; none when it has ended."""
        assert len(self.story.ran) < MOST, "no end to it"
        if ran.words == tuple(LIST):
            return self._begin(ran)
        if ran.code == 0:
            return self._after_success(ran)
        self.stage.mend()
        return self._after_failure(ran)

    def _begin(self, ran: Ran) -> list[str]:
        """What is under way? Without an answer, asked again."""
        if ran.code:
            self.stage.mend()
            return LIST
        orders = ran.result["orders"]
        if self.story.state:
            return []
        if not orders:
            return self._nothing_there()
        self.number, state = orders[-1]["order"], orders[-1]["state"]
        if state not in (*ENDED, "EFFECTIVE") and not self.attempt.later:
            return self.stage.words("run")  # it must be refused: see _after_failure
        return self.stage.words(self.attempt.ending, self.number)

    def _nothing_there(self) -> list[str]:
        if self.back:
            self.story.state = "none"
            return []
        return self.stage.words("run")

    def _after_success(self, ran: Ran) -> list[str]:
        state = str(ran.result["state"])
        began = ran.words[1] == "run" and self.number
        assert not began, "a second order of the same merchant"
        self.number = str(ran.result["order"])
        if state in ENDED:
            self.story.state = state
            return LIST  # takes in what has arrived
        if self.back:
            return self.stage.words("rollback", self.number)
        words = way_on(self.stage, ran)
        assert words, f"{state}: nothing is said to be next"
        return words

    def _after_failure(self, ran: Ran) -> list[str]:
        code = ran.error.get("code", "")
        if code == "order.over":
            self.story.state = str(ran.error["params"]["state"])
            return LIST
        if code in _UNDER_WAY:
            assert self.number in (ran.error["text"] + ran.error["next"])
            return self.stage.words(self.attempt.ending, self.number)
        if code == "rollback.too_late":
            assert check_committed(self.stage), "it could be rolled back"
            self.back = False
        if not self.number and not ran.error:
            return LIST
        return way_on(self.stage, ran) or self._again(ran)

    def _again(self, ran: Ran) -> list[str]:
        """It was mended; what the tool says is to try again."""
        return LIST if not self.number else self.stage.words("resume", self.number)


def _check_told(ran: Ran) -> None:
    """Every failure has a cause and what is next; none is unexpected."""
    if ran.code in (0, -9):
        return
    assert ran.code in _TOLD, f"exit code {ran.code}"
    assert "Traceback" not in ran.err
    assert ran.error.get("next"), "nothing is said to be next"
    assert not re.search(r"<\w+>|\{|None", str(ran.error["next"]))
