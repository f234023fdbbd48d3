"""Every fuzz target over its seeds, what fuzzing found, and bytes of Hypothesis."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent))

from targets import TARGETS, seeds

FOUND: dict[str, list[str]] = {"zvt-message": ["0a00ff0000"]}
"""By target, bytes that once broke it."""


@pytest.mark.parametrize("name", TARGETS)
def test_seeds_and_what_was_found(name: str) -> None:
    known = seeds()
    assert len(known) > 100
    found = [bytes.fromhex(text) for text in FOUND.get(name, [])]
    for seed in (*known, *found):
        TARGETS[name](seed)
        TARGETS[name](seed[: len(seed) // 2])


@pytest.mark.parametrize("name", TARGETS)
@settings(max_examples=50)
@given(st.data())
def test_any_bytes(name: str, data: st.DataObject) -> None:
    seed = data.draw(st.sampled_from(seeds()))
    at = data.draw(st.integers(0, len(seed)))
    cut = data.draw(st.integers(0, 4))
    TARGETS[name](seed[:at] + data.draw(st.binary(max_size=40)) + seed[at + cut :])
