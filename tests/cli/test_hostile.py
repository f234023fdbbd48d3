"""What an unkind console, file, terminal or person does: words, never a traceback,
never half an effect, never a number."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest
from cli_runs import Done, clean_environment, of, on, run
from commands import Command, failed, untouched
from hypothesis import given
from hypothesis import strategies as st
from schemas import check
from world import RUN_ANSWERS, MakeSite, Site

from emulator.bench import MID, NEW_NUMBER, OLD_NUMBER, TID
from emulator.faults import Fault
from posctl.cli.settings import load
from posctl.links.tcpline import TcpLink
from posctl.model.deadline import Deadline
from posctl.terminals import safe_variable
from protocols import poslink
from protocols.poslink import Response, Shown
from protocols.sensitive import mask, masked_text

PAN = NEW_NUMBER
OTHER_MID = "898110054110999"


# -- masking -------------------------------------------------------------------

DISGUISES = [
    PAN,
    " ".join(PAN[i : i + 4] for i in range(0, 19, 4)),
    "-".join(PAN[i : i + 4] for i in range(0, 19, 4)),
    ",".join(PAN[i : i + 6] for i in range(0, 19, 6)),
    " , ".join(PAN),
    PAN.translate({ord(str(n)): 0xFF10 + n for n in range(10)}),
]


@pytest.mark.req("R48")
@pytest.mark.parametrize("disguise", DISGUISES)
def test_a_number_is_masked_however_it_is_written(disguise: str) -> None:
    shown = masked_text(f"card {disguise} declined, code 000100")
    assert shown.startswith(f"card {mask(PAN)} declined")
    cut = disguise[: len(disguise) // 2]  # nine digits: a piece shows nothing
    assert not any(c.isdigit() for c in masked_text(cut)[:-1])


@pytest.mark.req("R48")
@given(st.text(max_size=40), st.text(max_size=40))
def test_masking_never_fails_open(before: str, after: str) -> None:
    shown = masked_text(before + PAN + after)
    assert PAN not in shown and PAN[:7] not in shown


@pytest.mark.req("R48")
@pytest.mark.parametrize("separator", ["\x1c", "\x1f", " ", ""])
def test_no_field_of_a_frame_is_shown(separator: str) -> None:
    parts = separator.join(PAN[i : i + 6] for i in range(0, 19, 6))
    for fields in ((parts,), ("OTP 123456",), ("ZHANG SAN",)):
        sent = poslink.frame(
            Response("A03", "000000", "OK " + parts, fields).to_bytes()
        )
        (shown,) = Shown().feed(sent)
        assert shown.startswith("0 | A03 | 1.28 | 000000 | ")
        for part in (PAN[:6], PAN[6:12], "123456", "ZHANG"):
            assert part not in shown
    disguised = poslink.frame(Response("A03", PAN, "", ()).to_bytes())
    assert Shown().feed(disguised) == ["0 | A03 | 1.28 | (19 B) | 1 more fields, 0 B"]


@pytest.mark.req("R48")
def test_spoilt_frames_and_noise_are_only_counted() -> None:
    spoilt = bytearray(poslink.frame(f"0\x1cA03\x1c{PAN}".encode()))
    spoilt[-1] ^= 1
    told = Shown().feed(PAN.encode() + bytes(spoilt))
    assert told == ["(19 bytes that are no frame)", "(spoilt frame, 25 B)"]


@pytest.mark.req("R48")
@given(st.binary(max_size=200), st.integers(1, 9))
def test_any_bytes_can_be_shown_however_they_are_cut(data: bytes, step: int) -> None:
    whole, cut = Shown(), Shown()
    whole.feed(data)
    for at in range(0, len(data), step):
        for text in cut.feed(data[at : at + step]):
            assert text.isprintable() and not masked_text(text).count("*" * 7)


def test_a_free_text_of_a_terminal_is_masked_and_its_own_numbers_are_not() -> None:
    assert safe_variable("merchant_name", f"shop {PAN}") == f"shop {mask(PAN)}"
    assert safe_variable("mid", MID) == MID
    assert safe_variable("batch", PAN) == mask(PAN)
    assert safe_variable("clock", "20261125101112") == "20261125101112"
    assert safe_variable("clock", None) is None


@pytest.mark.req("R48")
@pytest.mark.parametrize(
    "words",
    [
        (PAN,),
        ("orders", "show", "AB2C-D3E4F", PAN),
        ("config", "get", PAN),
        ("config", "set", PAN, "x"),
        ("orders", "list", f"--{PAN}"),
    ],
)
def test_a_number_typed_anywhere_is_not_echoed(words: tuple[str, ...]) -> None:
    for done in (run(*words), run(*words, "--json")):
        assert done.code == 2
        assert PAN not in done.out + done.err


# -- the shop guards -----------------------------------------------------------


@pytest.fixture
def shops(site: Site, tmp_path: Path) -> Path:
    """Noodles is another merchant's; its port is the terminal of the bench."""
    path = tmp_path / "config.toml"
    path.write_text(
        f'[shops.noodles]\nport = "{site.bench.port}"\nmerchant = "{OTHER_MID}"\n'
    )
    return path


@pytest.mark.req("R2")
@pytest.mark.parametrize(
    "words",
    [
        ("terminal", "info"),
        ("terminal", "settle"),
        ("terminal", "backup"),
        ("binding", "show"),
        ("change", "run"),
    ],
)
def test_the_terminal_next_door_is_refused(
    site: Site, shops: Path, words: tuple[str, ...], tmp_path: Path
) -> None:
    before = shops.read_text()
    more = ("--output", str(tmp_path / "b.json")) if words[1] == "backup" else ()
    done = on(
        site,
        *(*words, *more, "--shop", "noodles", "--json"),
        stdin="SETTLE\n",
        POSCTL_CONFIG=str(shops),
    )
    assert (done.code, done.error["code"]) == (7, "look.other_merchant")
    assert shops.read_text() == before
    assert not (tmp_path / "b.json").exists()
    untouched(site)


@pytest.mark.req("R2")
def test_a_misspelt_or_empty_shop_is_no_shop(site: Site, shops: Path) -> None:
    """It must not mean the only port there is."""
    given = {"POSCTL_CONFIG": str(shops)}
    for name in ("nodles", "", " ", "a\nb"):
        for words in (("terminal", "settle"), ("card", "show"), ("config", "list")):
            done = on(site, *words, "--shop", name, "--json", **given)
            assert (done.code, done.error["code"]) == (2, "usage")
    done = on(site, "terminal", "info", "--json", **given, POSCTL_SHOP="nodles")
    assert done.error["code"] == "usage" and "noodles" in done.error["text"]
    assert on(site, "change", "run", "--shop", "", **given).code == 2
    done = run("config", "set", "--shop", "", "port", "COM3", "--json", **given)
    assert done.code == 2 and load(str(shops), {}).failure is None


@pytest.mark.req("R2")
def test_a_resumed_order_keeps_to_its_shop(make_site: MakeSite, tmp_path: Path) -> None:
    """Also one that was left before its first look was recorded."""
    site = make_site(card="none")
    first = site.run("change", "run", *site.means(), "--merchant", MID)
    number = str(failed(first, "card.none", 4)["params"]["resume"])
    words = ("change", "resume", number, *site.means())
    failed(site.run(*words, "--merchant", OTHER_MID), "look.other_merchant", 7)
    failed(site.run(*words), "card.none", 4)


def test_the_demo_leaves_the_users_settings_alone(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text(
        'shop = "noodles"\noperator = "zhang"\n[shops.noodles]\nport = "x"\n'
    )
    before = config.read_text()
    more = {"POSCTL_CONFIG": str(config), "POSCTL_MERCHANT": "123"}
    done = run("demo", "--direct", "--json", **more)
    assert done.result["apdus"] == 19
    assert config.read_text() == before


def test_that_a_shop_cannot_be_remembered_undoes_nothing(
    site: Site, tmp_path: Path
) -> None:
    """The file's lock is a folder; the order went to the office all the same."""
    config = tmp_path / "config.toml"
    config.touch()
    (tmp_path / "config.toml.lock").mkdir()
    answers = "".join(f"{line}\n" for line in RUN_ANSWERS)
    words = ("change", "run", "--shop", "tea", *site.means(), "--json")
    done = on(site, *words, stdin=answers, POSCTL_CONFIG=str(config))
    assert done.result["state"] == "PROPOSED"
    assert "cannot be remembered for shop tea" in done.err


def test_shops_on_one_line_are_refused_in_words(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text('shops = { tea = { port = "COM3" } }\n')
    words = ("config", "set", "--shop", "noodles", "port", "COM4", "--json")
    done = run(*words, POSCTL_CONFIG=str(config))
    assert (done.code, done.error["code"]) == (2, "config.unreadable")
    assert "[shops.NAME]" in done.error["text"]


def test_a_shop_in_the_file_does_not_steer_config(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text('shop = "tea"\n[shops.tea]\nport = "COM3"\n')
    given = {"POSCTL_CONFIG": str(config)}
    assert run("config", "set", "lang", "zh", **given).code == 0
    assert run("config", "set", "port", "COM7", **given).code == 0
    assert run("config", "unset", "shop", **given).code == 0
    assert run("config", "unset", "--shop", "tea", "port", **given).code == 0
    assert config.read_text().split() == ["lang", "=", '"zh"', "port", "=", '"COM7"']


# -- settlement and back-up ----------------------------------------------------

SLOW = """
import time
from posctl.terminals.poslink import PosLink
real = PosLink.settle
def settle(self, deadline):
    done = real(self, deadline)
    print("B00 is answered", file=__import__("sys").stderr, flush=True)
    time.sleep(20)
    return done
PosLink.settle = settle
from posctl.cli.main import main
main()
"""


@pytest.mark.req("R41")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_settlement_that_is_left_is_not_called_undone(
    site: Site, number: signal.Signals
) -> None:
    words = ["terminal", "settle", "--port", site.bench.port, "--json"]
    command = Command(site, words, program=("-c", SLOW)).start()
    assert command.process.stdin
    command.process.stdin.write("SETTLE\n")
    command.process.stdin.flush()
    command.until("B00 is answered")
    command.process.send_signal(number)
    done = command.finish()
    error = failed(done.ran(), "settle.unknown", 8)
    assert "terminal info" in error["next"]
    core = site.bench.terminal.core
    assert (core.batch, site.account()) == (2, OLD_NUMBER)


@pytest.mark.req("R36")
def test_a_back_up_writes_over_nothing(site: Site, tmp_path: Path) -> None:
    file, link = tmp_path / "good.json", tmp_path / "link.json"
    file.write_text("mine")
    link.symlink_to(tmp_path / "nowhere")
    for path in (file, link):
        words = ("terminal", "backup", "--port", site.bench.port, "--output", str(path))
        failed(site.run(*words), "file.exists", 2)
    assert file.read_text() == "mine" and link.is_symlink()
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.req("R41")
@pytest.mark.parametrize(
    ("spoils", "code", "batch"), [(True, None, 2), (False, "terminal.session", 1)]
)
def test_a_spoilt_answer_may_follow_a_settlement_and_a_refusal_may_not(
    site: Site, monkeypatch: pytest.MonkeyPatch, *, spoils: bool, code: str, batch: int
) -> None:
    """The line spoils every answer to B00; or the terminal refuses B00 three times."""
    if spoils:
        real = TcpLink.read

        def read(self: TcpLink, deadline: Deadline) -> bytes:
            data = real(self, deadline)
            return data[:-1] + bytes([data[-1] ^ 1]) if b"B01" in data else data

        monkeypatch.setattr(TcpLink, "read", read)
    else:
        site.bench.terminal.faults.add(Fault("B00", "nak", times=3))
    port = f"tcp:127.0.0.1:{site.bench.endpoints.tcp}"
    done = site.run("terminal", "settle", "--port", port, answers=["SETTLE"])
    if code is None:
        assert done.ok() == {"tid": TID, "settled": True}
    else:
        failed(done, code, 5)
    core = site.bench.terminal.core
    assert (core.batch, site.account(), site.version()) == (batch, OLD_NUMBER, 1)


# -- consoles ------------------------------------------------------------------


def shell(script: str, **more: str) -> subprocess.CompletedProcess[bytes]:
    python = f'"{sys.executable}" -m posctl'
    return subprocess.run(
        ["bash", "-c", script.replace("posctl", python)],
        capture_output=True,
        timeout=60,
        env=clean_environment(**more),
    )


@pytest.mark.parametrize(
    "script",
    [
        "posctl --version <&-",
        "posctl list <&-",
        "posctl list >&-",
        "posctl list --json >&-",
        "posctl list 2>&-",
        "posctl list --json 2>&-",
        "posctl orders show x 2>&- >&- <&-",
        "posctl list >/dev/full",
        "posctl list --json >/dev/full",
        "posctl --help >/dev/full",
        "posctl --version >/dev/full",
        "posctl completion bash >/dev/full",
        "posctl list -v 2>/dev/full",
        "posctl list --log-file /dev/full",
        "posctl --help | true",
        "posctl list --json | true",
        "posctl --config '' list",
        "posctl config path --config ''",
        "posctl --config= list",
        "posctl list --lang",
        "COLUMNS=1 posctl list --help",
        "COLUMNS=0 posctl orders --help",
        "posctl config set home $'a\\x01b'",
        "posctl config set --shop x merchant 'foo bar'",
        "posctl --config /dev/zero list",
        "printf '\\xff\\xfe\\n' | LC_ALL=en_US.UTF-8 posctl merchant fetch 1",
    ],
)
def test_no_console_gets_a_traceback(script: str, tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.touch()
    done = shell(script, POSCTL_HOME=str(tmp_path / "none"), POSCTL_CONFIG=str(config))
    assert b"Traceback" not in done.stderr and b"Exception" not in done.stderr
    assert b"unexpected" not in done.stderr
    assert done.returncode in (0, 2, 4, 5, 120, 141), done.stderr


def test_pipes_are_no_settings_and_no_receipts(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    done = run("list", "--config", str(fifo), "--json")
    assert done.error["code"] == "config.unreadable"
    done = run("list", "--log-file", str(fifo), "--json")
    assert (done.code, done.error["code"]) == (5, "system.refused")


def test_a_log_file_changes_the_rights_of_nothing_else(tmp_path: Path) -> None:
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_text("")
    target.chmod(0o644)
    link.symlink_to(target)
    before = stat.S_IMODE(os.stat(os.devnull).st_mode)
    for path in (str(link), os.devnull, str(tmp_path)):
        done = run("list", "--log-file", path, "--json")
        assert done.code in (2, 5), path
    assert stat.S_IMODE(target.stat().st_mode) == 0o644
    assert stat.S_IMODE(os.stat(os.devnull).st_mode) == before


def test_bytes_that_are_no_text_are_no_answer(site: Site) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "posctl", "change", "run", *site.means(), "--json"],
        input=b"\xff\xfe\n" * 4,
        capture_output=True,
        timeout=60,
        env=clean_environment(**of(site), LC_ALL="C.UTF-8"),
    )
    error = check(json.loads(done.stdout))["error"]
    assert (done.returncode, error["code"]) == (3, "person.unreadable")
    assert error["next"].startswith("posctl change resume ")
    untouched(site)


def test_what_nobody_foresaw_is_told_without_its_values(tmp_path: Path) -> None:
    broken = (
        "import posctl.links.ports as p\n"
        f"def list_ports(*a): raise KeyError(''.join({list(PAN)!r}))\n"
        "p.list_ports = list_ports\nfrom posctl.cli.main import main; main()"
    )
    log = tmp_path / "log"
    words = ("list", "--json", "--log-file", str(log))
    done = run(*words, program=("-c", broken))
    assert (done.code, done.error["code"]) == (1, "unexpected")
    assert done.error["text"] == "KeyError: this should not happen"
    text = log.read_text()
    assert PAN not in done.out + done.err + text
    assert "cli/list.py" in text and "list_devices" in text


@pytest.mark.parametrize("moment", [0.02, 0.05, 0.08, 0.12, 0.2, 0.3])
def test_ctrl_c_at_any_moment(moment: float, tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "posctl", "list", "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=clean_environment(POSCTL_HOME=str(tmp_path)),
    )
    time.sleep(moment)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    if b"posctl" in err:  # Python's own words before our first line are not ours
        assert process.returncode in (0, 130, -signal.SIGINT)
    if out:
        shown = json.loads(out)
        check(shown)
        assert shown["ok"] or shown["error"]["code"] == "interrupted.no_order"


def test_an_interrupt_is_one_json_object_that_names_the_order(
    make_site: MakeSite,
) -> None:
    site = make_site(card="none")
    means = [*site.means()[:-2], "--wait-card", "30", "--json"]
    command = Command(site, ["change", "run", *means]).start()
    command.until("backed up")
    command.process.send_signal(signal.SIGINT)
    done = command.finish()
    error = failed(done.ran(), "interrupted", 130)
    assert done.ran().data["command"] == "change run"
    (order,) = site.run("orders", "list").ok()["orders"]
    assert f"posctl change resume {order['order']}" in error["next"]


# -- what others wrote ---------------------------------------------------------


def test_what_is_signed_cannot_say_that_it_was_verified(
    site: Site, tmp_path: Path
) -> None:
    from posctl.model.canonical import canonical
    from posctl.store import keys
    from posctl.store.home import Home

    number = site.approved()
    site.commit(number).ok()
    path = tmp_path / "receipt.json"
    site.run("receipt", "show", number, "--output", str(path)).ok()
    body = json.loads(path.read_text())["body"]
    wang = keys.load_operator(Home(site.home).operators, "wang", None)
    body |= {"signed_by": "the bank", "root_fingerprint": "0" * 64, "test_root": False}
    body |= {"\x1b]0;title\x07": "x"}
    signed = {"body": body, "proof": wang.sign("receipt", body)}
    path.write_bytes(canonical(signed))
    told = site.run("receipt", "verify", str(path)).ok()
    assert (told["signed_by"], told["test_root"]) == ("wang", True)
    assert told["root_fingerprint"] != "0" * 64
    assert "\x1b" not in on(site, "receipt", "verify", str(path)).out


@pytest.mark.parametrize(
    "text", ["a = " + "[" * 20000, 'name = "x"\nversion = inf', "terminal = 3", ""]
)
def test_a_profile_that_is_none(tmp_path: Path, text: str) -> None:
    path = tmp_path / "p.toml"
    path.write_text(text)
    done: Done = run("profile", "show", str(path), "--json", POSCTL_HOME=str(tmp_path))
    assert (done.code, done.error["code"]) == (2, "profile.invalid")
