"""`make docs`: brings the translations up to date with the texts, and compiles them.

The English texts are in the code (messages, labels, failures) and in click; a
translation is found by the text AND its id, so that a text that was changed must be
translated anew. New texts appear in the .po file with an empty translation: a test
names them.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import click
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

from posctl.cli.text.errors import ERRORS
from posctl.cli.text.failures import next_context
from posctl.cli.text.language import DOMAIN, LANGUAGES, LOCALE
from posctl.cli.text.messages import MESSAGES

_DATE = datetime(2026, 11, 25, tzinfo=UTC)  # fixed: the same texts, the same bytes
_KEYWORDS = {"_": None, "gettext": None, "ngettext": (1, 2)}


def template() -> Catalog:
    """All texts, without translations."""
    made = Catalog(
        domain=DOMAIN,
        project="posctl",
        version="-",
        msgid_bugs_address="-",
        copyright_holder="the posctl authors",
        header_comment="# Translations of posctl. Terms: docs/glossary.md",
        creation_date=_DATE,
        revision_date=_DATE,
        last_translator="the posctl authors",
        language_team="zh_CN",
        fuzzy=False,
    )
    for context, text in own_texts():
        made.add(text, context=context)
    for text in click_texts():
        made.add(text)
    return made


def own_texts() -> Iterator[tuple[str, str]]:
    """Context and text of everything that posctl says."""
    yield from MESSAGES.items()
    for code, (text, following) in ERRORS.items():
        yield code, text
        if following:
            yield next_context(code), following


def click_texts() -> Iterator[str | tuple[str, str]]:
    """What click says of its own; a pair where it has a plural."""
    folder = str(Path(click.__file__).parent)
    found = extract_from_dir(folder, [("**.py", "python")], keywords=_KEYWORDS)
    for _file, _line, message, _comments, _context in found:
        yield message if isinstance(message, str) else (message[0], message[1])


def path(language: str, ending: str) -> Path:
    return LOCALE / LANGUAGES[language] / "LC_MESSAGES" / f"{DOMAIN}.{ending}"


def updated(language: str) -> Catalog:
    """The translations there are, for the texts there are."""
    with path(language, "po").open("rb") as file:
        known = read_po(file, locale=LANGUAGES[language], domain=DOMAIN)
    made = template()
    made.locale = known.locale
    for message in made:
        found = known.get(message.id, context=message.context)
        if message.id and found is not None:
            message.string = found.string
    return made


def main() -> None:
    made = updated("zh")
    with path("zh", "po").open("wb") as file:
        write_po(file, made, width=88, no_location=True, include_previous=False)
    with path("zh", "mo").open("wb") as file:
        write_mo(file, made)
    empty = [m.context or m.id for m in made if m.id and not m.string]
    click.echo(f"{len(list(made)) - 1} texts, {len(empty)} not translated: {empty}")


if __name__ == "__main__":
    main()
