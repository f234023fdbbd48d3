"""`make docs`: docs/troubleshooting.md, keyed by the exact text of each failure.

The texts are the program's own tables, in both languages; troubleshooting.toml adds
what a table has no room for. A test holds the file to both.
"""

from __future__ import annotations

import re
import tomllib
from collections import defaultdict
from pathlib import Path

from posctl.cli.text import language
from posctl.cli.text.errors import ERRORS
from posctl.cli.text.failures import next_context

TARGET = Path(__file__).resolve().parent / "troubleshooting.md"

_HEAD = """# Troubleshooting

Made by `make docs`. posctl tells each failure in the same form:

    posctl: CODE: what happened
    next: what to do

Search this page for the code, or for the words after it; what stands in CAPITALS is
filled in. In Chinese the second line begins with 下一步. `--json` gives the same as
`error.code`, `error.text`, `error.next`; the code is the same in every language and
stays the same.

Before anything else:

- `posctl list` shows the ports and readers that the system sees, and opens none.
- `-v` shows each frame on the line as it passes; a failure of a line shows the last
  ones by itself. Numbers in them are masked, so they may be sent to support.
- `--log-file FILE` keeps the same in a file that only you can read.
- `posctl --version` prints what a bug report needs.
- `posctl orders list --open` shows what is under way. Nothing is lost by running
  `posctl change resume ORDER`: it looks first.
"""

SUBJECTS = {
    "port": "Ports",
    "line": "Ports",
    "link": "Ports",
    "terminal": "Terminals",
    "settle": "Terminals",
    "look": "Terminals",
    "backup": "Terminals",
    "tag": "Terminals",
    "pcsc": "Readers and cards",
    "reader": "Readers and cards",
    "card": "Readers and cards",
    "number": "Numbers and documents",
    "branch": "Numbers and documents",
    "account": "Numbers and documents",
    "document": "Numbers and documents",
    "host": "Hosts and providers",
    "provider": "Hosts and providers",
    "ca": "Hosts and providers",
    "window": "Hosts and providers",
    "config": "Settings",
    "usage": "Settings",
    "setup": "Set-up and people",
    "operator": "Set-up and people",
    "passphrase": "Set-up and people",
    "person": "Set-up and people",
    "office": "Set-up and people",
    "root": "Set-up and people",
    "profile": "Set-up and people",
    "signature": "Set-up and people",
    "list": "Set-up and people",
    "merchant": "Set-up and people",
    "store": "Stores and files",
    "file": "Stores and files",
    "system": "Stores and files",
    "log": "Stores and files",
    "attachment": "Stores and files",
    "seal": "Stores and files",
    "chain": "Stores and files",
}
"""First word of a code -> heading; all others are of orders."""

_ORDERS = "Orders"

NOTES: dict[str, str] = tomllib.loads(TARGET.with_suffix(".toml").read_text("utf-8"))


def text() -> str:
    groups: dict[str, list[str]] = defaultdict(list)
    for code in ERRORS:
        groups[SUBJECTS.get(code.partition(".")[0], _ORDERS)].append(code)
    order = [*dict.fromkeys(SUBJECTS.values()), _ORDERS]
    parts = [_HEAD]
    for subject in order:
        parts += [f"## {subject}\n", *(_entry(code) for code in groups[subject])]
    return "\n".join(parts)


def _entry(code: str) -> str:
    cause, following = ERRORS[code]
    lines = [f"### {code}: {_shown(cause)}\n"]
    lines.append(f"- {_in('zh', code, cause)}")
    if following:
        lines.append(f"- next: {_shown(following)}")
        lines.append(f"- 下一步：{_in('zh', next_context(code), following)}")
    if code in NOTES:
        lines.append(f"\n{NOTES[code]}")
    return "\n".join(lines) + "\n"


def _in(lang: str, context: str, english: str) -> str:
    language.use(lang)
    translated = language.translated(context, english)
    language.use("en")
    return _shown(translated)


def _shown(pattern: str) -> str:
    """``{port}`` as PORT."""
    names = re.sub(r"\{(\w+)[^}]*\}", lambda found: found[1].upper(), pattern)
    return " ".join(names.split())


if __name__ == "__main__":
    TARGET.write_text(text(), "utf-8")
