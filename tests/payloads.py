"""An event of each kind, as it must be to be taken."""

from __future__ import annotations

OPENED = {
    "operator": "li",
    "profile": "p",
    "profile_version": 1,
    "profile_sha256": "s",
    "confirm": "binding_tag",
    "field_id": "AAAA",
    "address": "tcp:1",
    "steps": ["windows", "card_kind", "identity"],
    "account_type": "card",
}


EVIDENCE: dict[str, dict[str, object]] = {
    "preflight.passed": {"windows": {}},
    "order.proposed": {"card_kind": {}},
    "order.approved": {"identity": {}},
}


PAYLOADS: dict[str, dict[str, object]] = {
    "order.opened": OPENED,
    "look.done": {
        "mid": "m",
        "tid": "t",
        "serial": None,
        "old_mask": "621234******1265",
        "old_version": 1,
    },
    "preflight.passed": {
        "documents": [],
        "fee": "0.00",
        "steps": EVIDENCE["preflight.passed"],
    },
    "backup.proved": {"backup": "b"},
    "account.sealed": {
        "new_mask": "621626*********0018",
        "new_hash": "h",
        "sealed": "s",
        "label": "",
        "source": "chip",
        "kind": "debit",
        "luhn": True,
        "kind_by": "AID",
        "chip_grade": "genuine",
        "branch": "102100099996",
        "apdus": 1,
    },
    "order.proposed": {
        "valid_until": "2026-12-08T00:00:00.000Z",
        "steps": EVIDENCE["order.proposed"],
    },
    "binding.read": {"provider_mask": "621234******1265", "failed_mask": ""},
    "order.approved": {
        "approver": "wang",
        "cooling_hours": 0,
        "name_grade": "EQUAL",
        "account_id": "i",
        "steps": EVIDENCE["order.approved"],
    },
    "order.cooling": {"cool_until": "2026-11-26T00:00:00.000Z"},
    "apply.intended": {"request_seq": "1", "apply_commits": False},
    "apply.done": {"application": "a"},
    "receipt.issued": {"receipt": "r"},
    "order.returned": {"expected_tag": None},
    "settle.intended": {"batch": "1"},
}
