"""Option, variable, shop, file, default: in this order, and nothing unknown."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

import pytest
from cli_runs import Done, run

from posctl.cli.settings import SETTINGS, load, remember, variable, write
from posctl.links.ports import stable_name

FILE = """\
# mine
lang = "en"
port = "tcp:127.0.0.1:1"   # the till

[shops.noodles]
port = "tcp:127.0.0.1:2"
reader = "R 00 00"

[shops.tea]
merchant = "898110054110002"
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "config.toml"
    path.write_text(FILE, "utf-8")
    return path


def posctl(file: Path, *words: str, **more: str) -> Done:
    return run(*words, POSCTL_CONFIG=str(file), **more)


def refused_at(file: Path, *words: str, **more: str) -> str:
    """The port that was tried: nothing listens there."""
    done = posctl(file, "terminal", "info", *words, "--json", **more)
    assert done.error["code"] == "link.refused", done.out
    return str(done.error["params"]["link"]).rpartition(":")[2]


# -- which wins ----------------------------------------------------------------


def test_what_is_typed_before_variables_before_the_file(file: Path) -> None:
    option, shop = ("--port", "tcp:127.0.0.1:4"), ("--shop", "noodles")
    var = {"POSCTL_PORT": "tcp:127.0.0.1:3"}
    assert refused_at(file) == "1"
    assert refused_at(file, *shop) == "2"
    assert refused_at(file, *shop, **var) == "2"  # a leftover variable moves no shop
    assert refused_at(file, **var) == "3"
    assert refused_at(file, POSCTL_SHOP="noodles", **var) == "3"
    assert refused_at(file, *option, *shop, **var) == "4"
    assert refused_at(file, POSCTL_SHOP="noodles") == "2"
    assert refused_at(file, "--shop", "tea") == "1"


def test_the_file_is_named_by_option_variable_or_is_the_users_own(
    file: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other.toml"
    other.write_text('port = "tcp:127.0.0.1:9"\n', "utf-8")
    done = posctl(file, "--config", str(other), "terminal", "info", "--json")
    assert done.error["params"]["link"] == "tcp:127.0.0.1:9"
    own = {"XDG_CONFIG_HOME": str(tmp_path), "POSCTL_CONFIG": "", "HOME": str(tmp_path)}
    where = run("config", "path", "--json", **own).result["file"]
    assert where == str(tmp_path / "posctl" / "config.toml")


def test_list_says_where_each_value_comes_from(file: Path) -> None:
    var = {"POSCTL_OPERATOR": "li"}
    words = ("config", "list", "--shop", "noodles", "--json")
    found = posctl(file, *words, **var).result
    assert found["shops"] == ["noodles", "tea"]
    rows = {row["key"]: (row["value"], row["origin"]) for row in found["settings"]}
    assert rows == {
        "lang": ("en", str(file)),
        "operator": ("li", "POSCTL_OPERATOR"),
        "port": ("tcp:127.0.0.1:2", "[shops.noodles]"),
        "reader": ("R 00 00", "[shops.noodles]"),
    }
    got = posctl(file, "config", "get", "operator", "--json", **var).result
    assert (got["value"], got["origin"]) == ("li", "POSCTL_OPERATOR")


# -- nothing unknown -----------------------------------------------------------

WRONG: list[tuple[str, str, dict[str, Any]]] = [
    ('prot = "COM3"', "config.unknown_key", {"key": "prot"}),
    ('merchant = "1"', "config.unknown_key", {"key": "merchant"}),
    ('[shops.x]\nlang = "zh"', "config.unknown_key", {"key": "shops.x.lang"}),
    ('[shop.x]\nport = "zh"', "config.value", {"place": "shop"}),
    ("port = 3", "config.value", {"place": "port"}),
    ('port = ""', "config.value", {"place": "port"}),
    ('lang = "fr"', "config.value", {"place": "lang", "expected": "en | zh"}),
    ('shops = "noodles"', "config.value", {"place": "shops"}),
    ("[shops]\nnoodles = 3", "config.value", {"place": "shops.noodles"}),
    ("port = \nlang = 1\n", "config.unreadable", {}),
    ('port = "COM3"\nport = "COM4"\n# x\n', "config.unreadable", {}),
]


@pytest.mark.parametrize(("text", "code", "params"), WRONG)
def test_a_wrong_file_ends_every_command_but_config_path(
    tmp_path: Path, text: str, code: str, params: dict[str, Any]
) -> None:
    file = tmp_path / "config.toml"
    file.write_text(text, "utf-8")
    done = posctl(file, "terminal", "info", "--json")
    assert (done.code, done.error["code"]) == (2, code)
    assert params.items() <= done.error["params"].items()
    if code == "config.unreadable":
        assert "line" in done.error["text"] and str(file) in done.error["text"]
    assert posctl(file, "config", "path", "--json").code == 0
    assert posctl(file, "--help").code == 0
    assert code in posctl(file, "--version").out


def test_a_file_that_is_not_text_and_one_that_is_missing(tmp_path: Path) -> None:
    binary = tmp_path / "binary.toml"
    binary.write_bytes(b"\xff\xfe\x00")
    for path in (binary, tmp_path / "missing.toml", tmp_path):
        done = posctl(path, "terminal", "info", "--json")
        assert (done.code, done.error["code"]) == (2, "config.unreadable")


def test_a_variable_that_nobody_knows(file: Path) -> None:
    done = posctl(file, "orders", "list", "--json", POSCTL_PROT="COM3")
    assert (done.code, done.error["code"]) == (2, "config.unknown_variable")
    assert "POSCTL_PROT" in done.error["text"] and "POSCTL_PORT" in done.error["text"]
    done = posctl(file, "orders", "list", "--json", POSCTL_COLOR="red")
    assert (done.code, done.error["code"]) == (2, "usage")
    assert "--color" in done.error["text"] and "never" in done.error["text"]


def test_a_failure_of_the_settings_is_told_in_the_language_of_the_run(
    tmp_path: Path,
) -> None:
    file = tmp_path / "config.toml"
    file.write_text('prot = "x"', "utf-8")
    done = posctl(file, "--lang", "zh", "list")
    assert done.code == 2 and "没有设置 prot" in done.err


# -- writing -------------------------------------------------------------------


def test_set_and_unset_keep_comments_and_the_rest(file: Path) -> None:
    assert posctl(file, "config", "set", "port", "COM7").code == 0
    shop = ("--shop", "tea")
    assert posctl(file, "config", "set", *shop, "reader", "R 01 00").code == 0
    words = ("config", "unset", "--shop", "noodles", "reader")
    assert posctl(file, *words).code == 0
    text = file.read_text("utf-8")
    assert text.startswith("# mine\n") and "# the till" in text
    settings = load(str(file), {})
    assert settings.failure is None
    assert settings.general == {"lang": "en", "port": "COM7"}
    assert settings.shops == {
        "noodles": {"port": "tcp:127.0.0.1:2"},
        "tea": {"merchant": "898110054110002", "reader": "R 01 00"},
    }
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("set", "prot", "x"), "config.unknown_key"),
        (("set", "merchant", "1"), "config.unknown_key"),
        (("set", "--shop", "tea", "lang", "zh"), "config.unknown_key"),
        (("set", "lang", "fr"), "config.value"),
        (("unset", "reader"), "config.not_set"),
        (("unset", "--shop", "nowhere", "port"), "config.not_set"),
        (("get", "operator"), "config.not_set"),
        (("get", "prot"), "config.unknown_key"),
    ],
)
def test_what_cannot_be_set(file: Path, words: tuple[str, ...], code: str) -> None:
    done = posctl(file, "config", *words, "--json")
    assert (done.code, done.error["code"]) == (2, code)
    assert file.read_text("utf-8") == FILE


def test_a_file_that_is_made_is_its_owners_and_a_link_stays_a_link(
    tmp_path: Path,
) -> None:
    link, target = tmp_path / "config.toml", tmp_path / "dotfiles" / "posctl.toml"
    target.parent.mkdir()
    link.symlink_to(target)
    target.touch()
    assert posctl(link, "config", "set", "lang", "zh").code == 0
    assert link.is_symlink() and target.read_text("utf-8") == 'lang = "zh"\n'
    new = tmp_path / "new" / "config.toml"
    write(load(None, {"POSCTL_CONFIG": str(new)}), None, {"lang": "en"})
    assert stat.S_IMODE(new.stat().st_mode) == 0o600


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    done = run(
        *("config", "set", "lang", "zh", "--json"),
        POSCTL_CONFIG="",
        HOME=str(tmp_path),
        XDG_CONFIG_HOME=str(blocked),
    )
    assert done.code == 5 and "Not a directory" in done.error["text"]


def test_every_key_is_a_variable_and_what_is_not_a_text_is_refused() -> None:
    assert {variable(key) for key in SETTINGS} >= {"POSCTL_PORT", "POSCTL_LOG_FILE"}
    settings = load(None, {"POSCTL_CONFIG": os.devnull, "POSCTL_LANG": "xx"})
    assert settings.failure is not None
    assert settings.failure.code == "config.value"


# -- shops ---------------------------------------------------------------------


def test_a_shop_remembers_what_worked_and_nothing_else(file: Path) -> None:
    settings = load(str(file), {})
    seen = {"merchant": "1", "port": "COM3", "reader": None}
    remember(settings, "noodles", seen)
    assert load(str(file), {}).shops["noodles"] == {
        "port": "COM3",
        "reader": "R 00 00",
        "merchant": "1",
    }
    before = file.stat().st_mtime_ns
    remember(load(str(file), {}), "noodles", seen)
    assert file.stat().st_mtime_ns == before  # nothing new
    remember(load(str(file), {}), "noodles", {"merchant": "2", "port": "COM4"})
    kept = load(str(file), {}).shops["noodles"]
    assert (kept["merchant"], kept["port"]) == ("1", "COM4")  # the guard stays


def test_an_adapter_is_remembered_by_the_name_that_stays(tmp_path: Path) -> None:
    """udev's links, as a folder that looks like /dev/serial/by-id."""
    device = tmp_path / "ttyUSB0"
    device.touch()
    folder = tmp_path / "by-id"
    folder.mkdir()
    (folder / "usb-Prolific_1-if00-port0").symlink_to(device)
    assert stable_name(str(device), folder) == str(folder / "usb-Prolific_1-if00-port0")
    assert stable_name(str(tmp_path / "ttyUSB1"), folder) is None
    assert stable_name(str(device), tmp_path / "none") is None
