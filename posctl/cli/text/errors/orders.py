"""The course of an order."""

from __future__ import annotations

ERRORS: dict[str, tuple[str, str]] = {
    "rehearse.not_here": (
        "no rehearsal: there is no emulator for {what}",
        "posctl change checklist tells what the real change will want",
    ),
    "rehearse.stopped": (
        "the rehearsal stopped at `{step}`: {cause}; the real change would too, and"
        " was not begun. It found: {found}",
        "mend what the rehearsal found, then rehearse again",
    ),
    "rehearse.no_answer": (
        "the rehearsal has no answer to: {asked}",
        "go on without a rehearsal, and have the answer at hand",
    ),
    "rehearse.missing": (
        "--then-change is for after a rehearsal",
        "add --rehearse",
    ),
    "order.over": (
        "order {order} is over: {state} ({reason}); nothing of it goes on",
        "a new try is a new order: posctl change run",
    ),
    "order.effective": (
        "order {order} is EFFECTIVE: there is nothing left to propose",
        "posctl change confirm {order}",
    ),
    "order.at_office": (
        "order {order} is at the office: {state} since {since}",
        "posctl orders show {order}",
    ),
    "propose.declined": (
        "not confirmed: the order stays as it is",
        "posctl change resume {order}, or posctl change rollback {order}",
    ),
    "propose.not_accepted": (
        "the technician has not accepted this profile's fee ({fee} yuan) and terms",
        "posctl change rollback {order}, then begin anew",
    ),
    "settle.declined": (
        "terminal {tid} is not settled: takings go to {mask} already, the terminal does"
        " not show it yet",
        "posctl change confirm {order}",
    ),
    "order.missing": (
        "no order {order} here",
        "posctl orders list; one that another machine holds comes with its order file",
    ),
    "order.open": (
        "order {order} of this terminal is unfinished: {state} since {since}",
        "posctl change resume {order}, or posctl change rollback {order}",
    ),
    "office.order_open": (
        "order {order} is refused: order {other} of this merchant is under way",
        "end order {other} first",
    ),
    "order.transition": (
        "order {order} is {state} (interrupted step: {effect}); {kind} cannot"
        " happen now",
        "posctl orders show {order}",
    ),
    "order.payload": (
        "an event {kind} has no usable {part}",
        "ask for the file again",
    ),
    "order.refused": (
        "order {order} was refused when it arrived: {cause}",
        "it goes back to the field; start again there",
    ),
    "fee.differs": (
        "order {order} names a fee of {fee} yuan, which is not the profile's",
        "roll it back and propose again under the present profile",
    ),
    "order.not_sent": (
        "the file of order {order} was written before it was sent",
        "field: posctl change resume {order}",
    ),
    "orderfile.swapped": (
        "the order file of {order} is not the one that was received",
        "stop: tell the security officer",
    ),
    "document.others": (
        "order {order} holds other documents than those that were checked",
        "stop: tell the security officer",
    ),
    "account.old_missing": (
        "order {order} does not name the old account, and the profile wants it",
        "roll it back and propose again",
    ),
    "tag.missing": (
        "terminal {tid} showed no binding tag, and the profile wants one",
        "look at the terminal again, in a new order",
    ),
    "seal.content": (
        "the sealed box opens, but its content is not usable",
        "roll the order back and propose again",
    ),
    "receipt.other": (
        "the receipt stored for order {order} is of another change",
        "stop: tell the security officer",
    ),
    "order.colleague": (
        "order {order} is {name}'s: nobody else can hand it to the office",
        "{name} goes on with it, or: posctl change rollback {order}, then start again",
    ),
    "commit.manual": (
        "the provider does not let order {order} be signed, and has not rejected it:"
        " whether it takes effect is not decided",
        "call the provider's official contact; then posctl change resume {order}",
    ),
    "commit.older_store": (
        "the provider had the request of order {order} before: this office's store is"
        " older than what the provider knows",
        "restore a newer back-up of the store, or ask the provider what it did, then:"
        " posctl change cancel {order}",
    ),
    "order.unconfirmed": (
        "the terminal still shows the account that order {order} has replaced",
        "posctl change confirm {order}, then start again",
    ),
    "tag.later": (
        "terminal {tid} shows a later version of the binding, which cannot be checked"
        " here",
        "the binding has moved once more: with a newer list of the office (posctl"
        " merchant fetch) the order can be closed",
    ),
    "provider.no_status": (
        "the provider did not say what became of the application: {raw}",
        "posctl change resume {order}",
    ),
    "system.refused": ("{path}: {reason}", "check rights, disk and pipes"),
    "log.unreadable": (
        "the event log holds what is not its own",
        "restore it from your back-up",
    ),
    "order.not_held": (
        "order {order} is held by the {holder} now",
        "wait until it comes back",
    ),
    "order.in_transit": (
        "order {order} is on its way to the {holder} and has not arrived",
        "posctl change resume {order} hands it over again; where its maker may not any"
        " more, the office ends it: posctl change cancel {order} --order-file FILE",
    ),
    "orderfile.other": (
        "the file is of order {other}, not of {order}",
        "posctl change cancel {other} --order-file FILE",
    ),
    "order.busy": ("{order} is being worked on by another run", "wait for it"),
    "order.not_approved": (
        "order {order} is not approved yet: confirm first",
        "posctl change approve {order}",
    ),
    "order.not_proposed": (
        "order {order} is {state}: there is nothing to approve",
        "posctl orders show {order}",
    ),
    "order.not_effective": (
        "order {order} is {state}, not effective",
        "posctl orders show {order}",
    ),
    "order.expired": (
        "order {order} was valid until {until}",
        "start again: posctl change run",
    ),
    "orderfile.unreadable": ("{path}: {reason}", "ask for the order file again"),
    "approve.own": (
        "{name} made order {order} and cannot approve it",
        "another person must approve",
    ),
    "approve.digits": (
        "these are not the last four digits of the new number",
        "compare with the merchant's paper",
    ),
    "rollback.too_late": (
        "order {order} is past its commit point ({state})",
        "posctl change resume {order}; the way back is a new, reverse order",
    ),
    "receipt.unreadable": ("{path} is not a receipt", "ask for the file again"),
    "receipt.slip": (
        "this is the code of a submission slip: it is not signed and proves nothing",
        "ask for the receipt: its code begins with POSCTL:RECEIPT",
    ),
    "receipt.screen": ("a PDF goes to a file", "--output FILE"),
    "receipt.long": (
        "the receipt has {characters} characters: more than a QR code holds",
        "--output FILE with a name that ends in .json or .txt",
    ),
    "slip.effective": (
        "order {order} is {state}: there is a receipt, and no submission slip any more",
        "posctl receipt show {order}",
    ),
    "slip.draft": (
        "order {order} has not been submitted: it is {state}",
        "posctl orders show {order} says how to go on",
    ),
    "font.missing": (
        "no font with Chinese characters on this system that a PDF may embed",
        "install one (Debian: apt install fonts-noto-cjk, or the small"
        " fonts-wqy-microhei), or --font FILE; --format text needs none",
    ),
    "font.glyph": (
        "the font {font} has no character {point}",
        "--font FILE with a font that has it (fonts-noto-cjk has most), or"
        " --format text",
    ),
    "font.unreadable": (
        "{path} is no TrueType or OpenType font that may be embedded",
        "--font FILE with another one: .ttf, .otf, .ttc or .otc",
    ),
    "receipt.root": (
        "{path} is no root's certificate",
        "--root FILE with the organisation's root.pem",
    ),
    "settle.unknown": (
        "terminal {tid} was told to settle batch {batch}, and its answer was lost"
        " ({cause}): whether it is settled is not known",
        "wait a minute, then posctl terminal info: another batch number means settled",
    ),
    "receipt.none": (
        "order {order} has no receipt: it is {state}",
        "posctl orders show {order}",
    ),
    "commit.pending": (
        "order {order} is accepted, not yet effective ({state}); as of this answer"
        " the old account is paid",
        "posctl change resume {order}",
    ),
    "commit.unknown": (
        "the provider does not say what became of order {order}",
        "posctl change resume {order}; do not start another order",
    ),
    "readback.failed": (
        "read-back of order {order} contradicts: status {raw}",
        "call the provider's official contact",
    ),
    "effect.unknown": (
        "order {order}: whether {effect} happened is not known ({cause})",
        "posctl change resume {order}",
    ),
    "terminal.not_yet": (
        "terminal {tid} does not show the new account yet",
        "posctl change confirm {order} again later",
    ),
    "terminal.third_account": (
        "the terminal shows {shown}, neither old nor new ({expected})",
        "call the provider's official contact; where a later order changed it, fetch a"
        " newer list first (posctl merchant fetch)",
    ),
}
