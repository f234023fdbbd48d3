"""What a payment company shows of itself over HTTP: paths, and answers to requests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True)
class HttpRequest:
    """A whole request.

    Args:
        target: path and query, as sent.
        headers: names in lower case.
    """

    method: str
    target: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


@dataclass(frozen=True)
class HttpResponse:
    """An answer. Length and connection headers are the server's business."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)


class Face(Protocol):
    """One company's calls. Any thread may call it.

    Attributes:
        paths: the paths it answers; one that ends in ``/`` also answers all below it.
        methods: the methods it answers; another gets status 501.
        content_type: what a POST must carry; another gets status 415.
    """

    paths: tuple[str, ...]
    methods: frozenset[str]
    content_type: str

    def call_name(self, request: HttpRequest) -> str | None:
        """What a fault rule calls this request; None: no rule strikes it, as it is
        no call that this company would begin. Nothing is done or remembered."""

    def respond(self, request: HttpRequest) -> HttpResponse:
        """Do what is asked and answer."""

    def busy(self, request: HttpRequest) -> HttpResponse:
        """The company's answer when it is overloaded; nothing is done."""

    def advance(self) -> None:
        """Move audits to where the clock says they are now."""


def answers(face: Face, target: str) -> bool:
    """Whether this face answers for the target's path."""
    path = target.partition("?")[0]
    below = tuple(p for p in face.paths if p.endswith("/"))
    return path in face.paths or path.startswith(below)
