"""The person at the keyboard, as the two places see him: no click below the cli."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

T = TypeVar("T")


class Person(Protocol):
    """Told what happens, asked what cannot be read. Message ids, never texts."""

    def tell(self, message: str, **params: object) -> None:
        """One line: a step that was done, or a note."""
        ...

    def waiting(self, message: str, **params: object) -> None:
        """What is being waited for from now on, until the next ``tell``."""
        ...

    def ask(
        self,
        question: str,
        check: Callable[[str], T],
        *,
        secret: bool,
        **params: object,
    ) -> T:
        """An answer that ``check`` takes; a ValueError asks again, three times.

        Raises:
            Declined: ``person.no_answer``.
        """
        ...

    def confirm(self, question: str, word: str, **params: object) -> bool:
        """Go on only when the person types ``word``.

        Returns:
            Whether he was asked: not where ``--yes`` may stand for the word.

        Raises:
            Declined: ``person.declined``.
        """
        ...
