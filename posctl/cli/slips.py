"""A receipt or an order as a slip in the reader's language, and the file it goes to."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from posctl.cli.command import options
from posctl.cli.options import output_option
from posctl.cli.text.messages import _, label, plain, value_text
from posctl.cli.views import effective
from posctl.model.canonical import Json
from posctl.model.clock import moment
from posctl.model.errors import UsageError

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

    from posctl.change.order import Order
    from posctl.receipts.slip import Slip

FORMS = ("json", "text", "pdf")
_ENDINGS = {".txt": "text", ".pdf": "pdf"}
_GROUPED = frozenset({"order_head", "store_head", "sha256"})
"""Hashes: in halves, so that they stand alike on every slip."""
_STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
RECEIPT_ROWS = (
    *("order", "result", "mid", "tid", "serial", "old", "new", "fee"),
    *("proposed", "maker", "approved", "approver", "effective_at", "application"),
    *("profile", "issued", "signed_by", "order_head", "store_head", "sha256"),
)
SUBMISSION_ROWS = (
    *("order", "state", "mid", "tid", "serial", "old", "new", "fee"),
    *("opened", "maker", "approver", "changed", "valid_until", "application"),
    *("order_head", "store_head"),
)


def paper_options(help_id: str) -> Callable[[Any], Any]:
    """Where a slip goes, and in which form."""
    return options(
        output_option(help_id),
        click.option(
            "--format", "form", type=click.Choice(FORMS), help=_("option.format")
        ),
        click.option(
            "--font",
            metavar="FILE",
            type=click.Path(dir_okay=False, path_type=Path),
            help=_("option.font"),
        ),
    )


def receipt_slip(shown: Json, signed: Json, root: Certificate) -> Slip:
    """Of a receipt whose signature has been checked."""
    from posctl.receipts.qr import receipt_text
    from posctl.receipts.slip import Slip

    return Slip(
        title=_("slip.receipt"),
        test=_test(root),
        rows=_rows(shown, RECEIPT_ROWS),
        notes=(_("slip.check"), _("slip.keep")),
        code=receipt_text(signed),
        moment=moment(shown["issued"]),
    )


def submission_slip(order: Order, shown: Json, root: Certificate) -> Slip:
    """Of an order that is not effective: nothing on it is signed."""
    from posctl.receipts.qr import submission_text
    from posctl.receipts.slip import Slip

    heads = (shown["order_head"], shown["store_head"])
    return Slip(
        title=_("slip.submission"),
        test=_test(root),
        rows=_rows(shown, SUBMISSION_ROWS),
        notes=(_("slip.unsigned"), _paid(order), _("slip.keep")),
        code=submission_text(order.number, str(order.state), *heads),
        moment=moment(order.changed),
    )


def _test(root: Certificate) -> str | None:
    from posctl.store.keys import is_test_root

    return _("slip.test") if is_test_root(root) else None


def _paid(order: Order) -> str:
    """Which account takings go to, no more than is certain."""
    if order.final:
        return _("slip.over")
    if effective(order) is None and order.committed:
        return _("slip.not_certain")
    return _("slip.old_paid")


def _rows(shown: Json, names: Iterable[str]) -> tuple[tuple[str, str], ...]:
    told = ((name, shown.get(name)) for name in names)
    return tuple((label(n), _value(n, str(v))) for n, v in told if v not in (None, ""))


def _value(name: str, value: str) -> str:
    if name in _GROUPED:
        half = len(value) // 2
        return f"{value[:half]} {value[half:]}"
    return plain(_STAMP.sub(_with_zone, value_text(name, value)))


def _with_zone(stamp: re.Match[str]) -> str:
    """Paper is read elsewhere: the zone of this machine stands beside the time."""
    try:
        return f"{moment(stamp[0]).astimezone():%Y-%m-%d %H:%M:%S %z}"
    except (ValueError, OverflowError):  # it only looks like a time
        return stamp[0]


def form_for(form: str | None, output: Path | None) -> str | None:
    """What was asked for, else what the file's ending says; None for the screen.

    Raises:
        UsageError: ``receipt.screen``: a PDF without a file.
    """
    if form == "pdf" and output is None:
        raise UsageError("receipt.screen")
    if form is None and output is not None:
        return _ENDINGS.get(output.suffix.casefold(), "json")
    return form


def written(
    slip: Slip, form: str, whole: bytes, output: Path | None, font: Path | None
) -> Json:
    """The part of the result: the file it was written to, or the text itself.

    Args:
        whole: the form for machines.

    Raises:
        CheckFailed: ``font.*``, ``receipt.long``.
        UsageError: ``font.unreadable``.
        LinkFailed: ``file.unwritable``.
    """
    from posctl.store.files import write_private

    made = whole if form == "json" else _printed(slip, form, font)
    if output is None:
        return {"text": made.decode()}
    write_private(output, made)
    return {"file": str(output)}


def _printed(slip: Slip, form: str, font: Path | None) -> bytes:
    if form == "text":
        from posctl.receipts import text

        return text.render(slip).encode()
    from posctl.receipts import fonts, pdf

    return pdf.render(slip, fonts.find(slip.text(), font))


def as_json(shown: Json) -> bytes:
    """A result as a file."""
    return json.dumps(shown, ensure_ascii=False, indent=2).encode() + b"\n"
