"""The order file as others read it: the vectors, the schema, the second verifier (R50).

Three readers get the same files: posctl, jsonschema (the structure only), and
examples/verify-order in Node, which shares no code with posctl.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from orderfiles import root_of
from payloads import PAYLOADS
from world import Site

import posctl
from posctl.change import orderfile
from posctl.change.order import _COPIED, _SHAPES, _TYPES, replay
from posctl.change.states import HANDS_OVER, TRANSITIONS
from posctl.model.canonical import DEEPEST, canonical, is_canonical
from posctl.model.clock import moment, stamp
from posctl.model.errors import CheckFailed
from posctl.store import keys
from posctl.store.home import Home

ROOT = Path(__file__).resolve().parents[2]
VECTORS = ROOT / "tests" / "vectors" / "order-file"
DOCUMENT = ROOT / "docs" / "order-file.md"
VERIFIER = ROOT / "examples" / "verify-order" / "verify.mjs"
SCHEMA = Path(posctl.__file__).parent / "schema" / "order-file-1.json"
GOOD = VECTORS / "field.posctl-order"

File = dict[str, Any]
Verify = Callable[[Path, Path, str], File]


@cache
def vectors() -> list[File]:
    return list(json.loads((VECTORS / "vectors.json").read_text("utf-8"))["vectors"])


@cache
def schema() -> File:
    return dict(json.loads(SCHEMA.read_text("utf-8")))


def fits(data: object) -> bool:
    return jsonschema.Draft202012Validator(schema()).is_valid(data)


def read(path: Path, root: Path, at: str) -> str:
    """posctl's verdict: an error code, or nothing."""
    try:
        orderfile.read(path, keys.Trust(keys.load_certificate(root)), moment(at))
    except CheckFailed as failure:
        return failure.code
    return ""


def node() -> str:
    found = shutil.which("node")
    if found is None:
        pytest.fail("no node: install nodejs (18 or newer), or run .ci/setup test")
    return found


@pytest.fixture(scope="module")
def verify() -> Iterator[Verify]:
    """The second verifier, started once: a question a line, a verdict a line."""
    words = [node(), str(VERIFIER), "-"]
    pipe = subprocess.PIPE
    with subprocess.Popen(words, stdin=pipe, stdout=pipe, text=True) as process:

        def ask(path: Path, root: Path, at: str) -> File:
            question = {"file": str(path), "root": str(root), "at": at}
            assert process.stdin and process.stdout
            process.stdin.write(json.dumps(question) + "\n")
            process.stdin.flush()
            return dict(json.loads(process.stdout.readline()))

        yield ask


# -- the vectors -------------------------------------------------------------------


def label(vector: File) -> str:
    return f"{vector['file']} {vector['rule']}"


def order_files() -> list[File]:
    return [v for v in vectors() if not v["file"].startswith("receipt")]


@pytest.mark.req("R50")
@pytest.mark.parametrize("vector", order_files(), ids=label)
def test_posctl_and_the_second_verifier_give_the_verdict(
    verify: Verify, vector: File
) -> None:
    path, root = VECTORS / vector["file"], VECTORS / vector["root"]
    assert read(path, root, vector["at"]) == vector["reason"]
    told = verify(path, root, vector["at"])
    assert (told["ok"], told.get("reason", "")) == (vector["ok"], vector["reason"])


@pytest.mark.req("R45")
def test_receipts_have_one_verdict_too(site: Site, verify: Verify) -> None:
    receipts = [v for v in vectors() if v not in order_files()]
    assert len(receipts) > 2
    for vector in receipts:
        path, root = VECTORS / vector["file"], VECTORS / vector["root"]
        ran = site.run("receipt", "verify", str(path), "--root", str(root))
        assert (ran.data.get("error") or {}).get("code", "") == vector["reason"]
        told = verify(path, root, vector["at"])
        assert (told["ok"], told.get("reason", "")) == (vector["ok"], vector["reason"])


@pytest.mark.parametrize("vector", order_files(), ids=label)
def test_the_schema_sees_what_is_structure(vector: File) -> None:
    try:
        data = json.loads((VECTORS / vector["file"]).read_bytes().decode())
    except (ValueError, RecursionError):
        data = None
    if vector["schema"] is None:  # no JSON, or too deep for some parsers
        assert not isinstance(data, dict)
    else:
        assert fits(data) is vector["schema"]


def test_every_rule_has_a_vector_and_every_vector_a_rule() -> None:
    rows = re.findall(r"^\| ([FSCBH]\d) \|", DOCUMENT.read_text("utf-8"), re.MULTILINE)
    made_below = {"F1"}  # too large to keep
    assert {v["rule"] for v in vectors() if not v["ok"]} == set(rows) - made_below
    files = {v["file"] for v in vectors()} | {"vectors.json", "root.pem", "make.py"}
    assert files == {p.name for p in VECTORS.iterdir() if p.is_file()}


def test_the_vectors_are_small_and_of_a_test_root() -> None:
    assert sum(p.stat().st_size for p in VECTORS.iterdir() if p.is_file()) < 400_000
    assert keys.is_test_root(keys.load_certificate(VECTORS / "root.pem"))
    assert not any(b"PRIVATE KEY" in p.read_bytes() for p in VECTORS.glob("*.[jp]*"))


def test_a_file_that_is_too_large(verify: Verify, tmp_path: Path) -> None:
    """F1. One byte less is refused for another reason."""
    limit, path = 32 * 1024 * 1024, tmp_path / "large"
    at = stamp(datetime.now(UTC))
    details = []
    for size in (limit, limit + 1):
        path.write_bytes(b'{"format":"' + b"x" * (size - 13) + b'"}')
        assert path.stat().st_size == size
        assert read(path, VECTORS / "root.pem", at) == "orderfile.unreadable"
        details.append(verify(path, VECTORS / "root.pem", at)["detail"])
    assert details == ["not an order file", "larger than 32 MiB"]
    with pytest.raises(CheckFailed, match="unreadable") as caught:
        root = keys.load_certificate(VECTORS / "root.pem")
        orderfile.read(path, keys.Trust(root), datetime.now(UTC))
    assert caught.value.params["reason"] == "larger than 32 MiB"


def test_the_verifier_on_the_command_line() -> None:
    at = vectors()[0]["at"]
    words = [node(), str(VERIFIER), str(VECTORS / "root.pem"), str(GOOD)]
    done = subprocess.run([*words, "--at", at], capture_output=True, text=True)
    assert (done.returncode, json.loads(done.stdout)["ok"]) == (0, True)
    late = "2050-01-01T00:00:00.000Z"
    done = subprocess.run([*words, "--at", late], capture_output=True, text=True)
    assert (done.returncode, json.loads(done.stdout)["ok"]) == (1, False)
    assert subprocess.run(words[:3], capture_output=True).returncode == 2


# -- fresh files -------------------------------------------------------------------


@pytest.mark.req("R50")
def test_a_fresh_file_is_read_alike_by_all(
    site: Site, sent: Path, verify: Verify
) -> None:
    home, now = Home(site.home), datetime.now(UTC)
    ours = orderfile.read(sent, home.trust, now)
    assert fits(json.loads(sent.read_bytes()))
    assert verify(sent, home.path / "root.pem", stamp(now)) == {
        "ok": True,
        "order": ours.number,
        "holder": str(replay(ours.events).holder),
        "events": len(ours.events),
        "head": ours.head,
        "signer": ours.signer.name,
        "role": ours.signer.role,
    }


@pytest.mark.parametrize("name", ["李明", 'a,b+c="d"\\', "O=x\nCN=y"])
def test_names_are_read_alike(
    site: Site, sent: Path, verify: Verify, name: str
) -> None:
    home, now = Home(site.home), datetime.now(UTC)
    data = json.loads(sent.read_bytes())
    person = keys.issue(root_of(home), name, keys.TECHNICIAN, now)
    data["proof"] = person.sign("order file", data["body"])
    sent.write_bytes(canonical(data))
    ours = orderfile.read(sent, home.trust, now).signer.name
    told = verify(sent, home.path / "root.pem", stamp(now))
    assert (told["signer"], ours) == (name, name)


# -- mutations ---------------------------------------------------------------------

NO_FIXTURE_CHECK = [HealthCheck.function_scoped_fixture]


def both(verify: Verify, path: Path, raw: bytes) -> tuple[bool, bool]:
    path.write_bytes(raw)
    at, root = str(vectors()[0]["at"]), VECTORS / "root.pem"
    return read(path, root, at) == "", bool(verify(path, root, at)["ok"])


@settings(max_examples=300, deadline=None, suppress_health_check=NO_FIXTURE_CHECK)
@given(where=st.integers(0, GOOD.stat().st_size - 1), mask=st.integers(1, 255))
def test_a_flipped_byte_is_refused_by_both(
    verify: Verify, tmp_path: Path, where: int, mask: int
) -> None:
    raw = bytearray(GOOD.read_bytes())
    raw[where] ^= mask
    assert both(verify, tmp_path / "flipped", bytes(raw)) == (False, False)


Place = tuple[Any, Any]
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**63),
    st.floats(allow_nan=True),
    st.text(max_size=8),
    st.sampled_from(["field", "office", "0" * 64, "__proto__", "\ud800", "-0"]),
    st.just([]),
    st.just({}),
)


def places(value: Any) -> Iterator[Place]:
    """Every container and key in the file."""
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in items:
        yield value, key
        if isinstance(inner, dict | list):
            yield from places(inner)


def same(one: object, other: object) -> bool:
    return type(one) is type(other) and one == other


@settings(max_examples=300, deadline=None, suppress_health_check=NO_FIXTURE_CHECK)
@given(data=st.data(), value=VALUES, remove=st.booleans())
def test_a_changed_value_is_refused_by_both(
    verify: Verify, tmp_path: Path, data: st.DataObject, value: object, remove: bool
) -> None:
    file = json.loads(GOOD.read_bytes())
    found = list(places(file))
    holder, key = found[data.draw(st.integers(0, len(found) - 1))]
    unchanged = not remove and same(holder[key], value)
    if remove:
        del holder[key]
    else:
        holder[key] = value
    text = json.dumps(
        file, sort_keys=True, separators=(",", ":"), ensure_ascii=False
    ).encode("utf-8", "surrogatepass")
    ours, theirs = both(verify, tmp_path / "changed", text)
    assert (ours, theirs) == (unchanged, unchanged)


JSON = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(-(2**53) + 1, 2**53 - 1), st.text()
    ),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=12,
)


@pytest.mark.req("R50")
@settings(max_examples=200, deadline=None, suppress_health_check=NO_FIXTURE_CHECK)
@given(payload=st.dictionaries(st.text(), JSON, max_size=4))
def test_any_payload_that_can_be_signed_has_one_form(
    site_key: keys.Operator, root_file: Path, verify: Verify, payload: File
) -> None:
    """Escapes, key order, numbers: Node hashes to the same as posctl."""
    path = root_file.with_name("any")
    file = json.loads(GOOD.read_bytes())
    events = [orderfile.Event.from_json(e) for e in file["body"]["events"]]
    last = events[-1]
    more = orderfile.Event.chained(last.order_id, last, last.time, "new.kind", payload)
    file["body"]["events"].append(more.to_json())
    file["body"]["head"] = more.hash
    file["proof"] = site_key.sign("order file", file["body"])
    path.write_bytes(canonical(file))
    at = stamp(datetime.now(UTC))
    assert read(path, root_file, at) == ""
    assert verify(path, root_file, at)["head"] == more.hash


@pytest.fixture(scope="module")
def root() -> keys.Operator:
    return keys.make_root("here", datetime.now(UTC), test=True)


@pytest.fixture(scope="module")
def site_key(root: keys.Operator) -> keys.Operator:
    return keys.issue(root, "li", keys.TECHNICIAN, datetime.now(UTC))


@pytest.fixture(scope="module")
def root_file(root: keys.Operator, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("root")
    keys.save_operator(folder, root, None)
    return folder / "root.pem"


# -- the canonical form ------------------------------------------------------------


def test_keys_are_sorted_by_utf_16_units() -> None:
    """U+1F600 is D83D DE00 there, before U+E000; by code point it is after it."""
    assert canonical({"\ue000": 1, "\U0001f600": 2, "b": 3, "é": 4}) == (
        '{"b":3,"é":4,"\U0001f600":2,"\ue000":1}'.encode()
    )


@pytest.mark.parametrize(
    "value",
    [1.0, 2**53, -(2**53), {1: 2}, {"a": 1e3}, "\ud800", {"\ud800": 1}, b"x"],
    ids=repr,
)
def test_what_has_no_form_in_every_language_is_refused(value: object) -> None:
    with pytest.raises((TypeError, ValueError)):
        canonical(value)
    assert not is_canonical(value, b"x")


def test_how_deep() -> None:
    nested: object = 1
    for _level in range(DEEPEST):
        nested = [nested]
    assert canonical(nested) == b"[" * DEEPEST + b"1" + b"]" * DEEPEST
    with pytest.raises(ValueError, match="deeply"):
        canonical({"a": nested})


# -- the schema and the document agree with the code -------------------------------


def kinds() -> dict[str, File]:
    entries = schema()["$defs"]["kinds"]["allOf"]
    named = [e["if"]["properties"]["kind"]["const"] for e in entries]
    assert len(named) == len(set(named))
    payloads = [e["then"]["properties"]["payload"] for e in entries]
    return dict(zip(named, payloads, strict=True))


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(schema())


def test_every_kind_of_event_has_an_entry() -> None:
    """A new kind is one entry there; one whose parts nobody decides by is freeForm."""
    assert set(kinds()) == set(TRANSITIONS)


@pytest.mark.parametrize("kind", _COPIED)
def test_what_an_order_is_made_of_is_required(kind: str) -> None:
    entry = kinds()[kind]
    for name in _COPIED[kind]:
        assert name in entry["required"]
        accepts_null = type(None) in _TYPES.get(name, (str,))
        part = {"$defs": schema()["$defs"], **entry["properties"][name]}
        validator = jsonschema.Draft202012Validator(part)
        assert validator.is_valid(None) is accepts_null
        assert not validator.is_valid([{}] if list in _TYPES.get(name, ()) else ["x"])
        if name in _SHAPES:
            sample = PAYLOADS[kind][name]
            assert validator.is_valid(sample)
            assert validator.is_valid("") is bool(_SHAPES[name].fullmatch(""))
            for wrong in (f"{sample}\n", f"{sample} x" * 9, "\x1b"):
                assert not validator.is_valid(wrong)


def test_an_unknown_kind_fits_and_a_known_one_is_held_to_its_parts() -> None:
    data = json.loads(GOOD.read_bytes())
    event = data["body"]["events"][1]
    event["payload"] = {}
    assert not fits(data)
    event["kind"] = "look.anew"
    assert fits(data)


def test_the_document_tells_who_holds_the_order() -> None:
    text = DOCUMENT.read_text("utf-8").partition("| after | the holder is |")[2]
    table = dict(re.findall(r"^\| `([a-z.]+)` \| `(\w+)` \|$", text, re.MULTILINE))
    assert table == {kind: str(holder) for kind, holder in HANDS_OVER.items()}
    in_node = VERIFIER.read_text("utf-8").partition("const HANDS_OVER")[2]
    pairs = re.findall(r'\["([a-z.]+)", "(\w+)"\]', in_node.partition(";")[0])
    assert dict(pairs) == table
