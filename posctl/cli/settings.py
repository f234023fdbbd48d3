"""What need not be typed each time: a TOML file, the environment, the shops.

    option > POSCTL_… variable > [shops.NAME] of the file > the file > default

A key or a variable that nobody knows is an error: a setting that is silently not
used could mean the wrong port.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from posctl.model.errors import UsageError

if TYPE_CHECKING:
    import click

PREFIX = "POSCTL_"
CONFIG = "POSCTL_CONFIG"


@dataclass(frozen=True)
class Setting:
    """One key. ``choices`` is empty for a free text.

    Args:
        general: it may stand at the top of the file.
        shop: it may stand in the table of a shop.
    """

    choices: tuple[str, ...] = ()
    general: bool = True
    shop: bool = False


SETTINGS: dict[str, Setting] = {
    "lang": Setting(("en", "zh")),
    "color": Setting(("auto", "always", "never")),
    "home": Setting(),
    "operator": Setting(),
    "log_file": Setting(),
    "shop": Setting(),
    "port": Setting(shop=True),
    "reader": Setting(shop=True),
    "pictures": Setting(shop=True),
    "merchant": Setting(shop=True, general=False),
}
"""Key -> what it may be. Each is also an option and a variable of that name."""


def variable(key: str) -> str:
    """``port``: POSCTL_PORT."""
    return PREFIX + key.upper()


@dataclass
class Settings:
    """The file as it was read. ``failure`` is what was wrong with it, if anything:
    every command but ``config`` ends with it."""

    path: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    general: dict[str, str] = field(default_factory=dict)
    shops: dict[str, dict[str, str]] = field(default_factory=dict)
    failure: UsageError | None = None

    def get(self, key: str, shop: str | None) -> str | None:
        """From the shop's table, then from the top of the file."""
        table = self.shops.get(shop or "", {})
        return table.get(key, self.general.get(key))

    def usable(self) -> None:
        """Raises UsageError ``config.*``."""
        if self.failure is not None:
            raise self.failure

    def effective(self, shop: str | None) -> Iterator[tuple[str, str, str]]:
        """Key, value and where it comes from, for every key that has a value."""
        for key in SETTINGS:
            if value := self.environment.get(variable(key)):
                yield key, value, variable(key)
            elif key in self.shops.get(shop or "", {}):
                yield key, self.shops[shop or ""][key], f"[shops.{shop}]"
            elif key in self.general:
                yield key, self.general[key], str(self.path)


def load(named: str | None, environment: Mapping[str, str]) -> Settings:
    """The file that was named (``--config``, POSCTL_CONFIG), or the user's own.

    A file of that name that is missing is an error; the user's own may be missing.
    """
    given = named or environment.get(CONFIG)
    settings = Settings(Path(given) if given else _own_file(), environment)
    try:
        _check_variables(environment)
        if given or settings.path.exists():
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
        return tomllib.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UsageError("config.unreadable", path=str(path), reason=reason) from None


def _fill(settings: Settings, data: dict[str, Any]) -> None:
    shops = data.pop("shops", {})
    if not isinstance(shops, dict):
        raise UsageError("config.value", place="shops", expected="[shops.NAME]")
    settings.general = _table(data, "", [k for k, s in SETTINGS.items() if s.general])
    of_a_shop = [k for k, s in SETTINGS.items() if s.shop]
    for name, table in shops.items():
        if not isinstance(table, dict):
            raise UsageError(
                "config.value", place=f"shops.{name}", expected="[shops.NAME]"
            )
        settings.shops[name] = _table(table, f"shops.{name}.", of_a_shop)


def _table(data: dict[str, Any], place: str, known: list[str]) -> dict[str, str]:
    for key, value in data.items():
        check_key(place + key, key, known)
        check_value(place + key, key, value)
    return dict(data)


def check_key(place: str, key: str, known: list[str]) -> None:
    """Raises UsageError ``config.unknown_key`` with the keys there are."""
    if key not in known:
        raise UsageError("config.unknown_key", key=place, known=", ".join(known))


def check_value(place: str, key: str, value: object) -> None:
    """Raises UsageError ``config.value``: not a text, or none of the choices."""
    choices = SETTINGS[key].choices
    if isinstance(value, str):
        check_text(place, value)
    if not isinstance(value, str) or not value or (choices and value not in choices):
        raise UsageError(
            "config.value", place=place, expected=" | ".join(choices) or '"…"'
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
        if key not in SETTINGS or (value := self._settings.get(key, shop)) is None:
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
        UsageError: ``config.unreadable``: what is there already is no TOML.
        LinkFailed: ``file.unwritable``.
    """
    import tomlkit
    from filelock import FileLock

    from posctl.store.files import write_private

    path = settings.path.resolve()  # a link to a file elsewhere stays one
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with FileLock(f"{path}.lock", mode=0o600):
        if path.exists():
            _read(path)
        text = path.read_text("utf-8") if path.exists() else ""
        document = tomlkit.parse(text)
        table: Any = document
        if shop is not None:
            shops = document.setdefault("shops", tomlkit.table(is_super_table=True))
            table = shops.setdefault(shop, tomlkit.table())
        for key, value in changes.items():
            if value is None:
                table.pop(key, None)
            else:
                table[key] = value
        write_private(path, tomlkit.dumps(document).encode())


def remember(settings: Settings, shop: str | None, seen: Mapping[str, Any]) -> bool:
    """What worked at a shop, for the next visit; False where nothing is new."""
    if shop is None:
        return False
    known = settings.shops.get(shop, {})
    changes = {k: v for k, v in seen.items() if v and known.get(k) != v}
    if changes:
        write(settings, shop, changes)
    return bool(changes)
