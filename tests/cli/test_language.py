"""Which language is spoken, and that nothing is left in another."""

from __future__ import annotations

import re
import runpy
import string
import sys
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from babel.messages.catalog import Catalog
from babel.messages.mofile import read_mo
from babel.messages.pofile import read_po

from posctl.cli.text import language

ROOT = Path(__file__).resolve().parents[2]
HAN = re.compile(r"[一-鿿]")
COMMAND = re.compile(
    r"`[^`]*`|posctl [^;，；（）]*|--[a-z-]+( NAME| FILE)?"
    r"|[a-z.]+\.(py|md|pem|key|toml)|tcp:HOST:PORT|sudo [^,，；]*|\{[^}]*\}|https?",
    re.IGNORECASE,
)
"""Parts of a text that are typed or filled in: not translated."""


@cache
def maker() -> dict[str, Any]:
    return runpy.run_path(str(ROOT / "docs" / "make_catalogue.py"))


@cache
def chinese() -> Catalog:
    path: Path = maker()["path"]("zh", "po")
    with path.open("rb") as file:
        return read_po(file, locale="zh_CN")


def pairs() -> list[tuple[str, str, str]]:
    """Id, English, Chinese; of click's texts the id is empty."""
    found = []
    for message in chinese():
        if message.id:
            one = message.id if isinstance(message.id, str) else message.id[1]
            other = message.string
            text = other if isinstance(other, str) else other[0]
            found.append((message.context or "", str(one), text))
    return found


# -- which ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("named", "environment", "configured", "chosen"),
    [
        (None, {}, None, "en"),
        ("zh", {"POSCTL_LANG": "en"}, "en", "zh"),
        (None, {"POSCTL_LANG": "zh", "LANG": "en_US.UTF-8"}, "en", "zh"),
        (None, {"LANG": "en_US.UTF-8"}, "zh", "zh"),
        (None, {"LANG": "zh_CN.UTF-8"}, None, "zh"),
        (None, {"LANG": "zh_CN.GB18030"}, None, "zh"),
        (None, {"LC_MESSAGES": "zh_SG", "LANG": "de_DE"}, None, "zh"),
        (None, {"LC_ALL": "en_GB", "LANG": "zh_CN.UTF-8"}, None, "en"),
        (None, {"LANGUAGE": "zh_CN:en", "LANG": "de_DE.UTF-8"}, None, "zh"),
        (None, {"LANGUAGE": "zh_CN", "LC_ALL": "C"}, None, "en"),
        (None, {"LANG": "C.UTF-8"}, None, "en"),
        (None, {"LANG": "fr_FR"}, None, "en"),
        (None, {"POSCTL_LANG": ""}, None, "en"),
    ],
)
def test_option_variable_file_locale(
    named: str | None,
    environment: dict[str, str],
    configured: str | None,
    chosen: str,
) -> None:
    assert language.choose(named, environment, configured) == chosen


@pytest.mark.parametrize(
    ("encoding", "chosen"),
    [("utf-8", "zh"), ("gbk", "zh"), ("cp936", "zh"), ("ascii", "en"), ("cp437", "en")],
)
def test_english_where_chinese_cannot_be_shown(
    monkeypatch: pytest.MonkeyPatch, encoding: str, chosen: str
) -> None:
    monkeypatch.setattr(sys, "stderr", SimpleNamespace(encoding=encoding))
    assert language.choose("zh", {}, None) == chosen


# -- nothing is missing --------------------------------------------------------


def test_the_catalogue_has_every_text_and_no_other() -> None:
    """Of posctl and of the click that is installed; `make docs` brings new ones in."""
    wanted = {(m.context, m.id) for m in maker()["template"]() if m.id}
    there = {(m.context, m.id) for m in chinese() if m.id}
    texts_of_click = {(context, id) for context, id in there if context is None}
    assert wanted - there == set()
    assert there - wanted - texts_of_click == set()


def test_no_text_lacks_a_translation() -> None:
    lacking = [id or english for id, english, text in pairs() if not text]
    assert lacking == []


def test_what_is_compiled_is_what_is_written() -> None:
    path: Path = maker()["path"]("zh", "mo")
    with path.open("rb") as file:
        compiled = read_mo(file)
    assert texts(compiled) == texts(chinese())


def texts(catalogue: Catalog) -> set[str]:
    """Read from .mo a plural is a list, from .po a tuple."""
    return {
        f"{_plain(m.context)} {_flat(m.id)} {_flat(m.string)}"
        for m in catalogue
        if m.id
    }


def _plain(context: Any) -> str:
    """Read from .mo a context is bytes."""
    return context.decode() if isinstance(context, bytes) else str(context)


def _flat(text: Any) -> str:
    return text if isinstance(text, str) else " / ".join(text)


def test_no_translation_is_marked_as_doubtful() -> None:
    assert [m.id for m in chinese() if m.fuzzy] == []


def names(text: str) -> set[str]:
    found = {n for _t, n, _s, _c in string.Formatter().parse(text) if n}
    return found | set(re.findall(r"%\((\w+)\)s", text))


def test_translations_are_filled_in_with_the_same_values() -> None:
    differing = [i for i, one, other in pairs() if names(one) != names(other)]
    assert differing == []


def test_a_translation_is_chinese_unless_nothing_is_to_translate() -> None:
    def worded(english: str) -> bool:
        return bool(re.search(r"[a-z]{2}", COMMAND.sub("", english)))

    spoken = ("SHA", "AID", "USB", "APDU")
    left = [
        id or english
        for id, english, text in pairs()
        if worded(english) and not HAN.search(text) and english not in spoken
    ]
    assert left == []


def test_commands_and_options_are_the_same_in_both_languages() -> None:
    typed = re.compile(r"posctl [a-z]+(?: [a-z]+)?|--[a-z][a-z-]*")
    differing = {
        id: (typed.findall(one), typed.findall(other))
        for id, one, other in pairs()
        if id and set(typed.findall(one)) - set(typed.findall(other))
    }
    assert differing == {}


def test_layouts_keep_their_lines() -> None:
    for id, english, text in pairs():
        assert english.count("\n") == text.count("\n"), id
        lead = len(english) - len(english.lstrip())
        assert text[:lead] == english[:lead], id


# -- one glossary --------------------------------------------------------------


def glossary() -> list[tuple[str, str]]:
    text = (ROOT / "docs" / "glossary.md").read_text("utf-8")
    rows = re.findall(r"^\| ([a-z -]+) \| (\S+) \|", text, re.MULTILINE)
    return [(term, word) for term, word in rows if term != "term"]


WORDS = {
    "settle": r"settle[sd]?|settling",
    "approve": r"approved?|approves",
    "commit": r"commits?(?! point)",
    "confirm": r"confirm(s|ed)?",
    "document": r"documents?",
    "batch": r"batch(es)?",
    "takings": r"takings",
    "effective": r"effective",
    "branch": r"branch(es)?",
    "pending": r"pending",
}
"""A term's English forms, where they are more than a plural."""


def test_one_term_one_word() -> None:
    assert len(glossary()) > 40
    wrong = []
    for term, word in glossary():
        pattern = re.compile(rf"\b(?:{WORDS.get(term, term + 's?')})\b", re.IGNORECASE)
        for id, english, text in pairs():
            said = COMMAND.sub(" ", english)
            if id and pattern.search(said) and word not in text:
                wrong.append((term, word, id, english, text))
    assert wrong == []
