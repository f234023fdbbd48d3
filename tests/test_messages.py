"""The catalogue and the code say the same, and help stays light."""

from __future__ import annotations

import ast
import json
import re
import string
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, get_args

import click
import pytest

import posctl
from posctl.cli.root import COMMANDS
from posctl.cli.root import posctl as root_command
from posctl.cli.text.errors import ERRORS
from posctl.cli.text.labels import VALUES
from posctl.cli.text.messages import MESSAGES
from posctl.model.profile import Ask

SOURCE = Path(posctl.__file__).parent
CATALOGUE = SOURCE / "cli" / "text" / "messages.py"
CODE = re.compile(r"[a-z]+\.[a-z_]+")
ID = re.compile(r"[a-z_]+(\.[a-z_]+)+")
SAYS = (
    *("tell", "waiting", "ask", "confirm", "_", "_title", "command", "group"),
    *("output_option", "order_file_option", "paper_options", "_shop", "_ask"),
)
"""Functions whose message id is the one constant with a dot among their first three."""
LAST_WORDS = {"unexpected", "interrupted", "interrupted.no_order"}
"""Said by ``main`` itself when all else has ended."""
NO_NEXT = {"account.same"}
"""Nothing is left to do."""


@dataclass(frozen=True)
class Use:
    """One place that names an id. ``given`` is None where the parameters are open."""

    id: str
    given: frozenset[str] | None
    place: str


@cache
def trees() -> dict[str, ast.Module]:
    found = sorted(set(SOURCE.rglob("*.py")) - {CATALOGUE})
    return {str(p.relative_to(SOURCE)): ast.parse(p.read_text("utf-8")) for p in found}


def calls(tree: ast.AST) -> Iterator[ast.Call]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.Call))


def name_of(node: ast.AST) -> str:
    return str(getattr(node, "id", None) or getattr(node, "attr", ""))


def texts(node: ast.AST) -> set[str]:
    constants = (n.value for n in ast.walk(node) if isinstance(n, ast.Constant))
    return {text for text in constants if isinstance(text, str)}


def given(call: ast.Call) -> frozenset[str] | None:
    names = [keyword.arg for keyword in call.keywords]
    return None if None in names else frozenset(str(name) for name in names)


# -- errors --------------------------------------------------------------------


@cache
def error_classes() -> frozenset[str]:
    """Those of posctl.model.errors, and whatever is derived from them."""
    known = {"PosctlError"}
    classes = [
        node
        for tree in trees().values()
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
    ]
    for _generation in range(4):
        known |= {c.name for c in classes if known & {name_of(b) for b in c.bases}}
    return frozenset(known)


def makes_error(call: ast.Call) -> bool:
    """By a class of ours, or by one that stands beside its code in a table."""
    return bool(call.args) and name_of(call.func) in {*error_classes(), "kind"}


def functions(tree: ast.Module) -> list[ast.FunctionDef]:
    return [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]


def errors_of(file: str, tree: ast.Module) -> Iterator[Use]:
    for function in functions(tree):
        for call in filter(makes_error, calls(function)):
            place = f"{file}:{call.lineno}"
            for code in codes_of(call.args[0], function, tree):
                yield Use(code, given(call), place)


def codes_of(first: ast.expr, function: ast.FunctionDef, tree: ast.Module) -> set[str]:
    """The code, or all that a computed code can be, as far as its names lead."""
    if isinstance(first, ast.Constant):
        return {str(first.value)}
    if isinstance(first, ast.Attribute):  # raised again: one of the module's tuples
        values = [n.value for n in tree.body if isinstance(n, ast.Assign)]
        return {t for v in values if isinstance(v, ast.Tuple) for t in codes_in(v)}
    reached: list[tuple[ast.AST, ast.FunctionDef]] = [(first, function)]
    for node, where in reached:
        for name in {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}:
            more = meanings(name, where, tree)
            reached += [pair for pair in more if pair not in reached]
    return {code for node, _where in reached for code in codes_in(node)}


def codes_in(node: ast.AST) -> set[str]:
    return {text for text in texts(node) if CODE.fullmatch(text)}


def meanings(
    name: str, where: ast.FunctionDef, tree: ast.Module
) -> Iterator[tuple[ast.AST, ast.FunctionDef]]:
    """What a name stands for: assigned here or in the module, a function of the
    module, or a parameter and so whatever the module's calls give for it."""
    for node in [*ast.walk(where), *tree.body]:
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if name in {name_of(n) for t in targets for n in ast.walk(t)}:
                yield node.value, where
    for function in functions(tree):
        if function.name == name and function in tree.body:
            yield function, function
    if name in {argument.arg for argument in where.args.args}:
        yield from ((c.args[0], where) for c in calls(tree) if is_call(c, where))


def is_call(call: ast.Call, function: ast.FunctionDef) -> bool:
    return bool(call.args) and name_of(call.func) == function.name


@cache
def raised() -> list[Use]:
    return [use for file, tree in trees().items() for use in errors_of(file, tree)]


# -- messages ------------------------------------------------------------------


@cache
def said() -> list[Use]:
    used = [
        Use(text, given(call), f"{file}:{call.lineno}")
        for file, tree in trees().items()
        for call in calls(tree)
        if name_of(call.func) in SAYS
        for text in message_ids(call)
    ]
    named = [f"help.{name}" for name in COMMANDS]
    named += [f"label.{name}" for name in names_in(schema())]
    named += [f"value.{name}" for name in VALUES]
    named += [f"ask.{name}" for name in get_args(Ask)]
    return used + [Use(id, frozenset(), "a table") for id in named]


@cache
def schema() -> dict[str, Any]:
    path = SOURCE / "schema" / "posctl-1.json"
    return dict(json.loads(path.read_text("utf-8")))


def names_in(node: Any) -> set[str]:
    """Of all parts that results have; not those of the envelope and of failures."""
    if isinstance(node, list):
        return set().union(*map(names_in, node))
    if not isinstance(node, dict):
        return set()
    if "$defs" in node:
        return names_in([v for k, v in node["$defs"].items() if k != "error"])
    own = set(node["properties"]) if isinstance(node.get("properties"), dict) else set()
    return own.union(*map(names_in, node.values()))


def message_ids(call: ast.Call) -> set[str]:
    constants = [arg for arg in call.args[:3] if isinstance(arg, ast.Constant)]
    return {t for c in constants for t in texts(c) if re.fullmatch(ID, t)}


def placeholders(*patterns: str) -> set[str]:
    parsed = (part for text in patterns for part in string.Formatter().parse(text))
    return {name for _text, name, _spec, _conversion in parsed if name}


def lacking(uses: list[Use], patterns: dict[str, tuple[str, ...]]) -> list[str]:
    """Where a text would show ``<name>`` instead of a value."""
    return [
        f"{use.place} {use.id} does not give {sorted(missing)}"
        for use in uses
        if use.given is not None
        and (
            missing := placeholders(*patterns.get(use.id, ()))
            - use.given
            - {"code", "order"}
        )
    ]


# -- both directions -----------------------------------------------------------


@pytest.mark.req("R47")
def test_every_error_that_is_raised_has_a_text() -> None:
    assert {use.id: use.place for use in raised() if use.id not in ERRORS} == {}


@pytest.mark.req("R47")
def test_every_error_in_the_catalogue_can_be_raised() -> None:
    assert sorted(ERRORS.keys() - {use.id for use in raised()} - LAST_WORDS) == []


@pytest.mark.req("R47")
def test_every_place_gives_what_its_text_shows() -> None:
    assert lacking(raised(), dict(ERRORS)) == []


@pytest.mark.req("R47")
def test_every_error_says_what_to_do_next() -> None:
    silent = {code for code, (_text, following) in ERRORS.items() if not following}
    assert silent == NO_NEXT
    assert [code for code, (text, _next) in ERRORS.items() if not text] == []


def test_the_search_finds_codes_in_tables_and_helpers() -> None:
    """A guard for the guards above: one of each way to name a code."""
    found = {(use.id, use.place.partition(":")[0]) for use in raised()}
    assert {
        ("card.kind_refused", "cards/reading.py"),
        ("card.removed", "links/pcsc.py"),
        ("port.busy", "links/serialline.py"),
        ("port.unusable", "links/serialline.py"),
        ("host.certificate", "links/https.py"),
        ("link.refused", "links/tcpline.py"),
        ("provider.duplicate", "providers/chinaums.py"),
        ("provider.busy", "office/application.py"),
        ("store.locked", "store/eventlog.py"),
        ("account.same", "field/account.py"),
        ("look.mismatch", "field/look.py"),
    } <= found
    assert not {code for code, _file in found} & {"host.post", "wait.provider"}


def test_every_message_that_is_said_has_a_text() -> None:
    assert {use.id: use.place for use in said() if use.id not in MESSAGES} == {}


def test_every_message_in_the_catalogue_is_said() -> None:
    assert sorted(MESSAGES.keys() - {use.id for use in said()}) == []


def test_every_message_gets_what_it_shows() -> None:
    assert lacking(said(), {id: (text,) for id, text in MESSAGES.items()}) == []


# -- what the texts promise ----------------------------------------------------


def all_texts() -> list[str]:
    return [*MESSAGES.values(), *(text for pair in ERRORS.values() for text in pair)]


@pytest.mark.req("R47")
def test_every_command_that_a_text_names_exists() -> None:
    context = click.Context(root_command)
    pattern = re.compile(r"posctl ([a-z]+)(?: ([a-z]+))?")
    named = {pair for text in all_texts() for pair in pattern.findall(text)}
    assert ("change", "resume") in named
    for name, action in sorted(named):
        found = root_command.get_command(context, name)
        assert found is not None, name
        assert not isinstance(found, click.Group) or action in found.commands


def options(command: click.Command) -> set[str]:
    own = {text for parameter in command.params for text in parameter.opts}
    if not isinstance(command, click.Group):
        return own
    context = click.Context(command)
    under = [command.get_command(context, n) for n in command.list_commands(context)]
    return own.union(*(options(found) for found in under if found))


@pytest.mark.req("R47")
def test_every_option_that_a_text_names_exists() -> None:
    named = set(re.findall(r"--[a-z][a-z-]+", " ".join(all_texts())))
    assert "--home" in named
    assert named - options(root_command) == set()


# -- imports -------------------------------------------------------------------

HEAVY = (
    *("serial", "smartcard", "cryptography", "asyncio", "urllib3", "ssl"),
    *("http.client", "sqlite3", "tomllib", "rich", "fpdf", "fontTools", "segno"),
)

HELP = """
import sys
from posctl.cli import main
code = main._run(sys.argv[1:])
loaded = [name for name in {heavy!r} if name in sys.modules]
sys.exit(f"loaded {{loaded}}" if loaded else code)
"""


def python(script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", script, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.mark.parametrize(
    "arguments",
    [
        "--help",
        "--lang zh --help",
        "list --help",
        "terminal info --help",
        "card show --help",
        "change --help",
        "change run --help",
        "orders list --help",
        "receipt verify --help",
        "config --help",
        "completion bash",
    ],
)
def test_help_touches_no_hardware_and_no_network(arguments: str) -> None:
    done = python(HELP.format(heavy=HEAVY), *arguments.split())
    assert done.returncode == 0, done.stderr
    assert "posctl" in done.stdout


WITHOUT_POSIX = """
import importlib, pkgutil, sys

BLOCKED = {"fcntl", "termios", "pty", "tty", "pwd", "grp", "resource"}
# pyserial chooses its back-end by the system it runs on; on Windows another.
OWN_BACK_ENDS = ("serial.",)

def importer():
    frame = sys._getframe(2)
    while frame.f_globals.get("__name__", "").startswith("importlib"):
        frame = frame.f_back
    return frame.f_globals.get("__name__", "")

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name in BLOCKED and not importer().startswith(OWN_BACK_ENDS):
            raise ModuleNotFoundError(f"{name} is blocked, for {importer()}", name=name)

for name in BLOCKED:
    sys.modules.pop(name, None)
sys.meta_path.insert(0, Blocker())

import posctl
skipped = {"posctl.__main__"}  # it runs the program
found = {m.name for m in pkgutil.walk_packages(posctl.__path__, "posctl.")}
for name in sorted(found - skipped):
    importlib.import_module(name)
    for blocked in BLOCKED:
        sys.modules.pop(blocked, None)
assert skipped <= found
print(len(found - skipped))
try:
    import fcntl
except ModuleNotFoundError:
    sys.exit(0)
sys.exit("nothing was blocked")
"""


def test_all_of_posctl_imports_without_the_posix_modules() -> None:
    """As on Windows."""
    done = python(WITHOUT_POSIX)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 40
