"""Which language, and its translations by gettext.

It is chosen before any command is imported, because a command's help is made when the
command is. click's own strings are translated by the same catalogue: click asks the
``gettext`` module, which is pointed at it here.
"""

from __future__ import annotations

import gettext
import os
import sys
from collections.abc import Mapping
from pathlib import Path

DOMAIN = "posctl"
LOCALE = Path(__file__).parent / "locale"
LANGUAGES = {"en": "en", "zh": "zh_CN"}
"""What ``--lang`` takes, and the folder of its catalogue (English has none)."""

_LOCALE_VARIABLES = ("LC_ALL", "LC_MESSAGES", "LANG")
_NO_LANGUAGE = ("C", "POSIX")
_SAMPLE = "中文"

_translations = gettext.NullTranslations()


def choose(
    named: str | None, environment: Mapping[str, str], configured: str | None
) -> str:
    """A key of ``LANGUAGES``: option, variable, file, locale, the system's own.

    English where stderr cannot show Chinese at all (``LC_ALL=C``).
    """
    wanted = (
        named
        or environment.get("POSCTL_LANG")
        or configured
        or _locale(environment)
        or _system()
    )
    language = "zh" if wanted.casefold().startswith("zh") else "en"
    return language if language == "en" or _can_show(_SAMPLE) else "en"


def use(language: str) -> None:
    """From now on ``translated`` and click speak ``language``."""
    global _translations
    os.environ["LANGUAGE"] = LANGUAGES[language]  # for click, and for our children
    os.environ["POSCTL_LANG"] = language
    gettext.bindtextdomain(DOMAIN, str(LOCALE))
    gettext.textdomain(DOMAIN)
    _translations = gettext.translation(
        DOMAIN, str(LOCALE), languages=[LANGUAGES[language]], fallback=True
    )


def translated(context: str, text: str) -> str:
    """``text`` in the language chosen; itself where there is no translation."""
    return _translations.pgettext(context, text)


def _locale(environment: Mapping[str, str]) -> str | None:
    """As gettext does it: LANGUAGE counts unless the locale is C itself."""
    named = next((v for n in _LOCALE_VARIABLES if (v := environment.get(n))), None)
    if named in _NO_LANGUAGE:
        return "en"
    return environment.get("LANGUAGE", "").partition(":")[0] or named


def _system() -> str:
    """Windows keeps the language of its windows in no variable."""
    if sys.platform != "win32":
        return "en"
    import ctypes
    import locale

    number = ctypes.windll.kernel32.GetUserDefaultUILanguage()
    return locale.windows_locale.get(number, "en")


def _can_show(text: str) -> bool:
    try:
        text.encode(sys.stderr.encoding or "ascii")
    except (UnicodeEncodeError, LookupError, AttributeError):
        return False
    return True
