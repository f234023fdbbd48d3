"""Who stands in for the person at the keyboard while a change is rehearsed."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from posctl.cli.console import Console
from posctl.cli.text.messages import _
from posctl.model.errors import CheckFailed, Declined

T = TypeVar("T")


class Unasked:
    """The person of the survey: hears the notes, answers nothing."""

    def __init__(self) -> None:
        self.notes: dict[str, str] = {}

    def tell(self, message: str, **params: object) -> None:
        self.notes.setdefault(message, _(message, **params))

    def waiting(self, message: str, **params: object) -> None:
        pass

    def ask(
        self,
        question: str,
        check: Callable[[str], T],
        *,
        secret: bool,
        **params: object,
    ) -> T:
        """Dates of expiry are taken as if there were none: the pictures are looked at
        all the same."""
        if question == "ask.expiry":
            return check("")
        raise Declined("person.no_answer", question=question, asked=question)

    def confirm(self, question: str, word: str, **params: object) -> bool:
        raise Declined("person.declined", word=word)


class Actor:
    """The person at the twin: shows what is asked, and answers it with made-up data."""

    def __init__(self, console: Console, answers: dict[str, str]) -> None:
        self.asked: list[str] = []
        self._console = console
        self._answers = answers

    def tell(self, message: str, **params: object) -> None:
        self._console.tell(message, **params)

    def waiting(self, message: str, **params: object) -> None:
        self._console.waiting(message, **params)

    def ask(
        self,
        question: str,
        check: Callable[[str], T],
        *,
        secret: bool,
        **params: object,
    ) -> T:
        """Raises CheckFailed ``rehearse.no_answer``."""
        shown = _(question, **params)
        self.asked.append(shown)
        answer = self._answers.get(question)
        if answer is None:
            raise CheckFailed("rehearse.no_answer", asked=shown)
        told = _("demo.hidden") if secret else answer or "-"
        self._console.tell("rehearse.asked", question=shown, answer=told)
        return check(answer)

    def confirm(self, question: str, word: str, **params: object) -> bool:
        shown = _("ask.word", word=word)
        self.asked.append(shown)
        self._console.tell(question, **params)
        self._console.tell("rehearse.asked", question=shown, answer=word)
        return True
