"""The pages on which a merchant signs, as bare as they can be."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

CODE_FIELD = "sms_code"


def code_page(link: Mapping[str, str], *, problem: str = "") -> bytes:
    """Asks for the code of the short message; its form is the link with the code.

    Args:
        link: the link's own query.
        problem: what was wrong with the last code.
    """
    hidden = "".join(
        f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">'
        for name, value in link.items()
    )
    field = f'<input name="{CODE_FIELD}" inputmode="numeric" autocomplete="off">'
    button = "<button>签约</button>"
    return _page(f"<p>{escape(problem)}</p><form>{hidden}{field}{button}</form>")


def told_page(text: str) -> bytes:
    """Says one thing."""
    return _page(f"<p>{escape(text)}</p>")


def _page(body: str) -> bytes:
    head = '<!doctype html><html lang="zh"><meta charset="utf-8"><title>签约</title>'
    return f"{head}{body}</html>".encode()
