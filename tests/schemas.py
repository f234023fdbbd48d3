"""Holds what commands print to the published schema, strictly: nothing is in it that
the schema does not name."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema

import posctl

FILE = Path(posctl.__file__).parent / "schema" / "posctl-1.json"


@cache
def schema() -> dict[str, Any]:
    return dict(json.loads(FILE.read_text("utf-8")))


@cache
def _strict() -> jsonschema.Draft202012Validator:
    closed = json.loads(FILE.read_text("utf-8"))
    _close(closed)
    return jsonschema.Draft202012Validator(closed)


def _close(node: Any) -> None:
    """The schema lets consumers meet new parts; a test must not."""
    if isinstance(node, list):
        for item in node:
            _close(item)
    if isinstance(node, dict):
        if node.get("type") == "object" and "properties" in node:
            node.setdefault("additionalProperties", False)
        for item in node.values():
            _close(item)


def check(data: dict[str, Any]) -> dict[str, Any]:
    """``data`` itself, when the schema allows it."""
    found = sorted(_strict().iter_errors(data), key=lambda error: list(error.path))
    assert not found, "\n".join(f"{list(e.path)}: {e.message}" for e in found)
    return data
