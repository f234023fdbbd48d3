"""What need not be typed each time: a TOML file, the environment, the shops.

    option > shop that is typed > POSCTL_… variable > other shop > the file > default

A key or a variable that nobody knows is an error: a setting that is silently not
used could mean the wrong port.
"""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Iterator, Mapping, MutableMapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from posctl.model.errors import LinkFailed, UsageError

if TYPE_CHECKING:
    import click

PREFIX = "POSCTL_"
CONFIG = "POSCTL_CONFIG"
_LARGEST = 1024 * 1024
_LOCK_SECONDS = 5.0


@dataclass(frozen=True)
class Setting:
    """One key. ``choices`` is empty for a free text.

    Args:
        general: it may stand at the top of the file.
        shop: it may stand in the table of a shop.
        path: a path: ``~`` is the user's home, and it is seen from the file's folder.
        shape: what it must look like.
    """

    choices: tuple[str, ...] = ()
    general: bool = True
    shop: bool = False
    path: bool = False
    shape: str = r".*"


SETTINGS: dict[str, Setting] = {
    "lang": Setting(("en", "zh")),
    "color": Setting(("auto", "always", "never")),
    "home": Setting(path=True),
    "operator": Setting(),
    "log_file": Setting(path=True),
    "shop": Setting(),
    "port": Setting(shop=True),
    "reader": Setting(shop=True),
    "pictures": Setting(shop=True, path=True),
    "merchant": Setting(shop=True, general=False, shape=r"[0-9A-Za-z]{1,20}"),
}
"""Key -> what it may be. Each is also an option and a variable of that name."""


def variable(key: str) -> str:
    """``port``: POSCTL_PORT."""
    return PREFIX + key.upper()


@dataclass
class Settings:
    """The file as it was read, and the variables as they were at the start.

    ``failure`` is what was wrong with it, if anything: every command but `config path`
    ends with it.
    """

    path: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    general: dict[str, str] = field(default_factory=dict)
    shops: dict[str, dict[str, str]] = field(default_factory=dict)
    failure: UsageError | None = None

    def get(self, key: str, shop: str | None, *, typed: bool) -> str | None:
        """The value of a key; None where nobody says one.

        Args:
            typed: the shop was named on the command line, so it counts before the
                variables; otherwise they count before it.
        """
        return next((v for _k, v, _o in self._said(key, shop, typed=typed)), None)

    def _said(
        self, key: str, shop: str | None, *, typed: bool
    ) -> Iterator[tuple[str, str, str]]:
        """Key, value, origin; what counts first comes first."""
        table = {} if shop is None else self.shops.get(shop, {})
        of_shop = [(key, table[key], f"[shops.{shop}]")] if key in table else []
        variable_value = self.environment.get(variable(key))
        of_variable = [(key, variable_value, variable(key))] if variable_value else []
        yield from of_shop + of_variable if typed else of_variable + of_shop
        if key in self.general:
            yield key, self.general[key], str(self.path)

    def usable(self) -> None:
        """Raises UsageError ``config.*``."""
        if self.failure is not None:
            raise self.failure

    def effective(
        self, shop: str | None, *, typed: bool
    ) -> Iterator[tuple[str, str, str]]:
        """Key, value and where it comes from, for every key that has a value."""
        for key in SETTINGS:
            yield from islice(self._said(key, shop, typed=typed), 1)


def load(named: str | None, environment: Mapping[str, str]) -> Settings:
    """The file that was named (``--config``, POSCTL_CONFIG), or the user's own.

    A file of that name that is missing is an error; the user's own may be missing.
    """
    given = environment.get(CONFIG) or None if named is None else named
    settings = Settings(_own_file() if given is None else Path(given), environment)
    try:
        _check_variables(environment)
        if given is not None or os.path.exists(settings.path):
            _fill(settings, _read(settings.path))
    except UsageError as failure:
        settings.failure = failure
    return settings


def _own_file() -> Path:
    from platformdirs import user_config_path

    return user_config_path("posctl", appauthor=False) / "config.toml"


def default_home() -> str:
    """Where the set-up is if nothing is said."""
    from platformdirs import user_data_dir

    return user_data_dir("posctl", appauthor=False)


def _check_variables(environment: Mapping[str, str]) -> None:
    known = {CONFIG, *map(variable, SETTINGS)}
    for name in sorted(environment):
        if name.startswith(PREFIX) and name not in known:
            raise UsageError(
                "config.unknown_variable", name=name, known=", ".join(sorted(known))
            )
    for key in SETTINGS:
        if value := environment.get(variable(key)):
            check_value(variable(key), key, value)


def _read(path: Path) -> dict[str, Any]:
    import tomllib

    try:
        return tomllib.loads(_text(path))
    except (OSError, ValueError, RecursionError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UsageError("config.unreadable", path=str(path), reason=reason) from None


def _text(path: Path) -> str:
    """Of a regular file: reading a pipe might never end. /dev/null is no settings."""
    if str(path) == os.devnull:
        return ""
    if not stat.S_ISREG(os.stat(path).st_mode):
        raise OSError(errno.EINVAL, "not a regular file")
    with path.open("rb") as file:
        body = file.read(_LARGEST + 1)
    if len(body) > _LARGEST:
        raise OSError(errno.EFBIG, "too large for settings")
    return body.decode("utf-8-sig")


def _fill(settings: Settings, data: dict[str, Any]) -> None:
    shops = data.pop("shops", {})
    if not isinstance(shops, dict):
        raise UsageError("config.value", place="shops", expected="[shops.NAME]")
    general = [key for key, setting in SETTINGS.items() if setting.general]
    settings.general = _table(settings.path, data, "", general)
    of_a_shop = [k for k, s in SETTINGS.items() if s.shop]
    for name, table in shops.items():
        if not name or not isinstance(table, dict):
            raise UsageError(
                "config.value", place=f"shops.{name}", expected="[shops.NAME]"
            )
        place = f"shops.{name}."
        settings.shops[name] = _table(settings.path, table, place, of_a_shop)
    for found in (settings.general, *settings.shops.values()):
        for key in found:
            if SETTINGS[key].path:
                found[key] = _seen_from(settings.path.parent, found[key])


def _seen_from(folder: Path, path: str) -> str:
    return os.path.join(folder, os.path.expanduser(path))


def _table(
    path: Path, data: dict[str, Any], place: str, known: list[str]
) -> dict[str, str]:
    for key, value in data.items():
        check_key(path, place + key, key, known)
        check_value(place + key, key, value)
    return dict(data)


def check_key(path: Path, place: str, key: str, known: list[str]) -> None:
    """Raises UsageError ``config.unknown_key`` with the keys there are."""
    if key not in known:
        from protocols.sensitive import masked_text

        told = masked_text(place)  # a number may be typed anywhere
        raise UsageError(
            "config.unknown_key", path=str(path), key=told, known=", ".join(known)
        )


def check_value(place: str, key: str, value: object) -> None:
    """Raises UsageError ``config.value``: not a text, or not what the key may be."""
    setting = SETTINGS[key]
    if isinstance(value, str):
        check_text(place, value)
    good = isinstance(value, str) and value.isprintable() and bool(value)
    if setting.choices:
        good = value in setting.choices
    if not good or not re.fullmatch(setting.shape, str(value)):
        raise UsageError(
            "config.value", place=place, expected=" | ".join(setting.choices) or '"…"'
        )


def check_text(place: str, value: str) -> None:
    """What came from a console whose encoding does not know its characters.

    Raises:
        UsageError: ``config.encoding``.
    """
    try:
        value.encode()
    except UnicodeEncodeError:
        raise UsageError("config.encoding", place=place) from None


class Defaults(MutableMapping[str, Any]):
    """What click takes for an option that was not given: a view, never written.

    The shop may be an option of the same command, so it is looked up late.
    """

    def __init__(self, settings: Settings, context: click.Context) -> None:
        self._settings = settings
        self._context = context

    def __getitem__(self, key: str) -> Any:
        shop = self._context.params.get("shop") if key != "shop" else None
        source = self._context.get_parameter_source("shop") if shop else None
        typed = source is not None and source.name == "COMMANDLINE"
        value = None
        if key in SETTINGS:
            value = self._settings.get(key, shop, typed=typed)
        if value is None:
            raise KeyError(key)
        return value

    def __contains__(self, key: object) -> bool:
        try:
            self[str(key)]
        except KeyError:
            return False
        return True

    def __iter__(self) -> Iterator[str]:
        return (key for key in SETTINGS if key in self)

    def __len__(self) -> int:
        return sum(1 for _key in self)

    def __setitem__(self, key: str, value: Any) -> None:
        raise TypeError("settings are written by `posctl config`")

    def __delitem__(self, key: str) -> None:
        raise TypeError("settings are written by `posctl config`")


# -- writing -------------------------------------------------------------------


def write(settings: Settings, shop: str | None, changes: Mapping[str, Any]) -> None:
    """Set keys (None: take them out); comments and order of the file stay.

    Raises:
        UsageError: ``config.unreadable``: what is there already is no TOML, or of a
            form that cannot be added to.
        LinkFailed: ``file.unwritable``, ``config.locked``.
    """
    from filelock import FileLock, Timeout

    path = Path(os.path.realpath(settings.path))  # a link to a file elsewhere stays one
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        with FileLock(f"{path}.lock", mode=0o600, timeout=_LOCK_SECONDS):
            _rewrite(path, shop, changes)
    except Timeout:
        raise LinkFailed("config.locked", path=str(path)) from None


def _rewrite(path: Path, shop: str | None, changes: Mapping[str, Any]) -> None:
    import tomlkit

    from posctl.store.files import write_private

    text = ""
    if os.path.exists(path):
        _read(path)
        text = _text(path)
    document = tomlkit.parse(text)
    table: Any = document
    try:
        if shop is not None:
            shops = document.setdefault("shops", tomlkit.table(is_super_table=True))
            table = shops.setdefault(shop, tomlkit.table())
        for key, value in changes.items():
            if value is None:
                table.pop(key, None)
            else:
                table[key] = value
    except (ValueError, TypeError) as error:  # shops = { … } on one line
        reason = f"{error}: write [shops.NAME]"
        raise UsageError("config.unreadable", path=str(path), reason=reason) from None
    if shop is not None and not table:
        shops.pop(shop)
    write_private(path, tomlkit.dumps(document).encode())


def remember(settings: Settings, shop: str, seen: Mapping[str, str | None]) -> None:
    """What worked at a shop, for the next visit. Its merchant is never another one
    than it was: that guards the shop.

    Raises: as ``write``; UsageError ``config.value``.
    """
    known = settings.shops.get(shop, {})
    changes = {k: v for k, v in seen.items() if v and known.get(k) != v}
    if "merchant" in known:
        changes.pop("merchant", None)
    for key, value in changes.items():
        check_value(f"shops.{shop}.{key}", key, value)
    if changes:
        write(settings, shop, changes)
