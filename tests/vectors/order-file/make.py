"""Makes the vectors in this folder anew: `make vectors`.

A change on a bench, with published test numbers, gives the good files. The bad ones are
those with one thing wrong, signed again where that thing is not the signature. They are
posctl's own: they show that it still reads and refuses what it did, no more. Who reads
them independently is jsonschema and examples/verify-order.

The root is a test root; its key, the operators' and the office's stay in a folder that
is removed. So the sealed boxes cannot be opened by anybody.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from world import RUN_ANSWERS, Site

from emulator.bench import NEW_NUMBER, Bench, Scenario
from posctl.model.canonical import canonical
from posctl.model.clock import stamp
from posctl.store import keys
from posctl.store.eventlog import Event
from posctl.store.home import Home

HERE = Path(__file__).resolve().parent
File = dict[str, Any]
FIELD, ROOT = "field.posctl-order", "root.pem"
UNREADABLE, WRONG = "orderfile.unreadable", "signature.wrong"
CERTIFICATE, BROKEN = "signature.certificate", "chain.broken"


def chained(data: File, events: list[File]) -> None:
    """These events as an intact chain."""
    chain: list[Event] = []
    for item in events:
        last = chain[-1] if chain else None
        parts = item["order_id"], last, item["time"], item["kind"], item["payload"]
        chain.append(Event.chained(*parts))
    data["body"]["events"] = [event.to_json() for event in chain]
    data["body"]["head"] = chain[-1].hash


def payload(data: File, kind: str) -> File:
    events = data["body"]["events"]
    return next(e["payload"] for e in events if e["kind"] == kind)


def a_box(data: File) -> str:
    return str(data["body"]["attachments"][0])


# -- changes of the value: who signs it again, and what is wrong then ---------------


def edit(data: File) -> None:
    payload(data, "look.done")["tid"] = "66666666"


def swap(data: File) -> None:
    events = data["body"]["events"]
    events[2], events[3] = events[3], events[2]


def unlink(data: File) -> None:
    data["body"]["events"][0]["previous"] = "1" * 64


def truncate(data: File) -> None:
    del data["body"]["events"][-1]


def not_handed_over(data: File) -> None:
    chained(data, data["body"]["events"][:-1])


def change_box(data: File) -> None:
    text = data["boxes"][a_box(data)]
    data["boxes"][a_box(data)] = ("B" if text[0] == "A" else "A") + text[1:]


def put(*path: str | int, value: object) -> Callable[[File], None]:
    def change(data: File) -> None:
        inner: Any = data
        for step in path[:-1]:
            inner = inner[step]
        inner[path[-1]] = value

    return change


def nothing(data: File) -> None:
    pass


LI, NOBODY = "li", ""
OF_NOTHING = hashlib.sha256(b"").hexdigest()
OTHER_TIME = "2026-11-23T08:00:00.000+08:00"
Change = Callable[[File], None]
VALUES: dict[str, tuple[str, str, Change, str, bool, str]] = {
    # name: rule, reason, change, signed again by, fits the schema, note
    "edited-payload": ("S3", WRONG, edit, NOBODY, True, "another terminal"),
    "edited-payload-signed": ("C1", BROKEN, edit, LI, True, "the same, signed"),
    "swapped-events": ("C1", BROKEN, swap, LI, True, "third and fourth event"),
    "wrong-genesis": ("C1", BROKEN, unlink, LI, True, "first event after another"),
    "wrong-last-hash": (
        *("C1", BROKEN, put("body", "events", -1, "hash", value="1" * 64), LI, True),
        "head is right all the same",
    ),
    "no-events": ("C1", BROKEN, put("body", "events", value=[]), LI, False, ""),
    "truncated-chain": ("C2", UNREADABLE, truncate, LI, True, "head of the longer one"),
    "other-number": (
        *("C2", UNREADABLE, put("body", "order", value="AAAA-AAAAA"), LI, True),
        "body and events name two orders",
    ),
    "other-root": ("S1", CERTIFICATE, nothing, "mallory", True, "a root of his own"),
    "not-directly-issued": (
        *("S1", CERTIFICATE, nothing, "below li", True),
        "issued by an operator, not by the root",
    ),
    "other-purpose": ("S3", WRONG, nothing, "receipt", True, "signed as a receipt"),
    "other-body": ("S3", WRONG, nothing, "written", True, "signature of another body"),
    "wrong-role": ("S4", "signature.role", nothing, "wang", True, "approver as field"),
    "wrong-sender": (
        *("S4", "signature.role", put("body", "sender", value="office"), LI, True),
        "technician as office",
    ),
    "unknown-sender": (
        *("S4", UNREADABLE, put("body", "sender", value="bank"), LI, False, ""),
    ),
    "box-differs": ("B1", UNREADABLE, change_box, NOBODY, True, "not its hash"),
    "box-not-named": (
        *("B1", UNREADABLE, put("boxes", OF_NOTHING, value=""), NOBODY, True),
        "one box too many",
    ),
    "box-missing": (
        *("B1", UNREADABLE, put("boxes", value={}), NOBODY, True, "none is there"),
    ),
    "another-format": ("F3", UNREADABLE, put("format", value="x"), NOBODY, False, ""),
    "unknown-version": ("F4", UNREADABLE, put("version", value=2), NOBODY, False, ""),
    "version-true": (
        *("F4", UNREADABLE, put("version", value=True), NOBODY, False),
        "true is not 1",
    ),
    "unknown-part": ("F6", UNREADABLE, put("note", value=""), NOBODY, False, ""),
    "unknown-part-of-event": (
        *("F6", UNREADABLE, put("body", "events", 0, "note", value=""), LI, False),
        "signed, but in no event's hash",
    ),
    "local-time": (
        *("F6", UNREADABLE, put("body", "written", value=OTHER_TIME), LI, False, ""),
    ),
    "not-handed-over": (
        *("H1", "order.not_sent", not_handed_over, LI, True),
        "the field still holds it",
    ),
}

# -- changes of the bytes ----------------------------------------------------------


def instead(old: bytes, new: bytes) -> Callable[[bytes], bytes]:
    def change(raw: bytes) -> bytes:
        assert old in raw
        return raw.replace(old, new, 1)

    return change


PAYLOAD, SENDER = b'"payload":{', b'"sender":"field"'
BYTES: dict[str, tuple[str, Callable[[bytes], bytes], bool | None, str]] = {
    # name: rule, change, fits the schema (null: is not JSON), note
    "duplicate-key": (
        *("F5", instead(SENDER, b'"sender":"office",' + SENDER), True),
        "many readers take the last, some the first",
    ),
    "number-1.0": ("F5", instead(b'"position":1,', b'"position":1.0,'), True, ""),
    "number-1e3": ("F5", instead(PAYLOAD, PAYLOAD + b'"a":1e3,'), True, ""),
    "number-minus-0": ("F5", instead(PAYLOAD, PAYLOAD + b'"a":-0,'), True, ""),
    "number-too-large": (
        *("F5", instead(PAYLOAD, PAYLOAD + b'"a":9007199254740993,'), True),
        "JavaScript reads another number",
    ),
    "needless-escape": ("F5", instead(SENDER, b'"sender":"\\u0066ield"'), True, ""),
    "blank": ("F5", instead(SENDER, b" " + SENDER), True, ""),
    "lone-surrogate": ("F5", instead(PAYLOAD, PAYLOAD + b'"a":"\\ud800",'), True, ""),
    "deep": (
        *("F5", instead(PAYLOAD, PAYLOAD + b'"a":' + b"[" * 40 + b"]" * 40 + b",")),
        *(True, "more than 32 levels"),
    ),
    "very-deep": ("F2", lambda raw: b"[" * 5000 + b"]" * 5000, None, ""),
    "surrogate-bytes": (
        *("F2", instead(PAYLOAD, PAYLOAD + b'"a":"\xed\xa0\x80",'), None, ""),
    ),
    "not-utf-8": ("F2", instead(PAYLOAD, PAYLOAD + b'"a":"\xff",'), None, ""),
    "byte-order-mark": ("F2", lambda raw: b"\xef\xbb\xbf" + raw, None, ""),
    "utf-16": ("F2", lambda raw: b"{\0}\0", None, ""),
    "cut-off": ("F2", lambda raw: raw[:1000], None, ""),
    "empty": ("F2", lambda raw: b"", None, ""),
}

# -- the bench ---------------------------------------------------------------------


def run_course(folder: Path) -> Site:
    """The good files: to the office, back, closed, and the receipt."""
    with Bench(folder / "bench", Scenario(direct=True, audit=0.05)) as bench:
        for picture in bench.pictures.iterdir():
            picture.write_bytes(b"\xff\xd8\xff\xe0\xff\xd9")  # small, for git
        site = Site(bench, folder / "home").setup()
        sent = ["--order-file", str(HERE / FIELD)]
        ran = site.run("change", "run", *site.means(), *sent, answers=RUN_ANSWERS)
        number = ran.ok()["order"]
        last_four = [NEW_NUMBER[-4:]]
        site.run("change", "approve", number, *sent, answers=last_four).ok()
        site.commit(number).ok()
        name = f"{number}.posctl-order"
        keep(site.home / "field" / "inbox" / name, "office.posctl-order")
        site.confirm(number).ok()
        keep(site.home / "office" / "inbox" / name, "closed.posctl-order")
        receipt = ["--output", str(HERE / "receipt.json")]
        site.run("receipt", "show", number, *receipt).ok()
    keep(site.home / "root.pem", ROOT)
    return site


def keep(path: Path, name: str) -> None:
    (HERE / name).write_bytes(path.read_bytes())


def sign(home: Home, who: str, body: File) -> File:
    """As whom, or in which wrong way, the table says."""
    li = keys.load_operator(home.operators, "li", None)
    now = datetime.now(UTC)
    if who == "receipt":
        return li.sign("receipt", body)
    if who == "written":
        return li.sign("order file", body | {"written": stamp(now)})
    if who == "wang":
        li = keys.load_operator(home.operators, "wang", None)
    if who == "below li":
        li = keys.issue(li, "li", keys.TECHNICIAN, now)
    if who == "mallory":
        own_root = keys.make_root("mallory", now, test=False)
        li = keys.issue(own_root, "li", keys.TECHNICIAN, now)
    return li.sign("order file", body)


def entry(file: str, at: datetime, rule: str, reason: str, **more: object) -> File:
    verdict: File = {"ok": not reason, "rule": rule, "reason": reason}
    return {"file": file, "root": ROOT, "at": stamp(at), **verdict, **more}


def good(now: datetime) -> list[File]:
    late, early = now + timedelta(days=731), now - timedelta(days=1)
    order_files = [FIELD, "office.posctl-order", "closed.posctl-order"]
    return [
        *(entry(name, now, "", "", schema=True, note="") for name in order_files),
        entry("receipt.json", late, "", "", schema=None, note="judged as of its date"),
        entry(FIELD, late, "S2", CERTIFICATE, schema=True, note="expired by then"),
        entry(FIELD, early, "S2", CERTIFICATE, schema=True, note="not valid yet"),
    ]


def bad_values(home: Home, now: datetime) -> list[File]:
    made = []
    for name, (rule, reason, change, who, fits, note) in VALUES.items():
        data = json.loads((HERE / FIELD).read_bytes())
        change(data)
        if who:
            data["proof"] = sign(home, who, data["body"])
        (HERE / f"{name}.json").write_bytes(canonical(data))
        made.append(entry(f"{name}.json", now, rule, reason, schema=fits, note=note))
    return made


def bad_bytes(now: datetime) -> list[File]:
    made = []
    for name, (rule, change, fits, note) in BYTES.items():
        (HERE / f"{name}.json").write_bytes(change((HERE / FIELD).read_bytes()))
        made.append(
            entry(f"{name}.json", now, rule, UNREADABLE, schema=fits, note=note)
        )
    return made


def bad_receipts(now: datetime) -> list[File]:
    raw = (HERE / "receipt.json").read_bytes()
    changes = {
        "receipt-edited": ("S3", WRONG, instead(b'"new":"621626', b'"new":"621234')),
        "receipt-duplicate-key": (
            *("F5", "receipt.unreadable", instead(b'"body":{', b'"body":{"new":"",')),
        ),
    }
    made = []
    for name, (rule, reason, change) in changes.items():
        (HERE / f"{name}.json").write_bytes(change(raw))
        made.append(entry(f"{name}.json", now, rule, reason, schema=None, note=""))
    return made


def main() -> None:
    for old in [*HERE.glob("*.json"), *HERE.glob("*.posctl-order")]:
        old.unlink()
    with TemporaryDirectory() as folder:
        home = Home(run_course(Path(folder)).home)
        now = datetime.now(UTC)
        vectors = [*good(now), *bad_values(home, now), *bad_bytes(now)]
        vectors += bad_receipts(now)
    text = json.dumps({"vectors": vectors}, indent=1, ensure_ascii=False)
    (HERE / "vectors.json").write_text(f"{text}\n", "utf-8")


if __name__ == "__main__":
    main()
