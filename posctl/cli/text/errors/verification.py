"""What the verification steps and the caps refuse."""

from __future__ import annotations

ERRORS: dict[str, tuple[str, str]] = {
    "channel.other": (
        "{provider} changes no account by this channel; its channels: {channels}"
        " ({menu})",
        "go there; official contact: {contact}",
    ),
    "notice.stops": (
        "the provider stops changes until {ends} (notice {notice})",
        "wait, or ask the provider",
    ),
    "terminal.model": (
        "the profile does not know this terminal model: {model}",
        "it may be read; have the office add the model to the profile",
    ),
    "terminal.clock": (
        "the terminal's clock is more than {limit} minutes off: it shows {shown}",
        "have it sign in to its host, then try again",
    ),
    "account.class": (
        "an account of Class {account_class} cannot be settled to; the provider takes"
        " Class {allowed}",
        "the bank can make it Class I, or give another account, in a new order",
    ),
    "account.class_form": ("a class is I, II or III", "type it once more"),
    "account.class_unknown": (
        "nobody told which class of account it is",
        "the merchant asks the bank; then posctl change approve again",
    ),
    "mandate.missing": (
        "no mandate of {agent} is registered for merchant {mid}",
        "the office: posctl merchant register {mid} --mandate AGENT:DAY",
    ),
    "mandate.scope": (
        "the mandate of {agent} covers {scope}, not the settlement account",
        "register another mandate",
    ),
    "mandate.no_step": (
        "{agent} cannot act for the merchant: profile {profile} has no step that looks"
        " at mandates",
        "let the owner do it, without --agent; or add mandate to the profile's steps",
    ),
    "mandate.too_late": (
        "who acts for the merchant was fixed when order {order} was begun, and it was"
        " not {agent}",
        "posctl change rollback {order}, then posctl change run --agent '{agent}'",
    ),
    "mandate.ended": ("the mandate of {agent} ended on {until}", "register a new one"),
    "mandate.form": ("not AGENT:YYYY-MM-DD: {text}", "--mandate 'NAME:2027-06-30'"),
    "eligibility.unknown": (
        "the type of merchant {mid} is not known",
        "the office: posctl merchant register {mid}, then posctl merchant fetch {mid}",
    ),
    "eligibility.micro": (
        "a micro merchant may not have this account: {account}; allowed: {allowed}",
        "use the card of the owner",
    ),
    "eligibility.individual": (
        "an individual business may not have this account: {account}; allowed:"
        " {allowed}",
        "use an account that is allowed",
    ),
    "eligibility.enterprise": (
        "an enterprise may not have this account: {account}; allowed: {allowed}",
        "run again with --corporate",
    ),
    "eligibility.government": (
        "a public body may not have this account: {account}; allowed: {allowed}",
        "run again with --corporate",
    ),
    "eligibility.other": (
        "this merchant may not have this account: {account}; allowed: {allowed}",
        "run again with --corporate",
    ),
    "eligibility.changed": (
        "the merchant's type is {subject} now: this account ({account}) may not be its"
        " own; allowed: {allowed}",
        "posctl change rollback {order}, then begin anew",
    ),
    "eligibility.papers": (
        "a merchant whose owner has these papers ({papers}) may not change its account"
        " here; allowed: {allowed}",
        "go to the provider by: {channel}; or the office corrects what it knows: posctl"
        " merchant register --papers",
    ),
    "eligibility.no_papers": (
        "what the owner of merchant {mid} proved himself with is not known",
        "the office: posctl merchant register {mid} --papers TYPE, then posctl merchant"
        " fetch {mid}",
    ),
    "document.merchant": (
        "a merchant of type {subject} needs other documents than the order has:"
        " {wanted}",
        "posctl change rollback, then begin anew",
    ),
    "document.expired": ("{label} expired on {on}", "have a valid document"),
    "document.date": (
        "not a date",
        "YYYY-MM-DD, or nothing for a document without an end",
    ),
    "caps.technician": (
        "{name} has {limit} open orders already: that is the limit",
        "finish or cancel one: posctl orders list --open",
    ),
    "caps.recent": (
        "order {order} changed this merchant less than {days} days ago",
        "wait, or ask the office",
    ),
    "office.cap_account": (
        "the new account is already used: it would settle {count} merchants, at most"
        " {limit} are allowed",
        "use another account",
    ),
    "office.cap_technician": (
        "at the office {name} has {limit} open orders already: that is the limit",
        "finish or cancel one",
    ),
    "office.cap_recent": (
        "the office counts order {order} of this merchant less than {days} days ago",
        "wait, or cancel this order",
    ),
    "office.cap_phone": (
        "the merchant's phone number changed on {on}, less than {days} days ago",
        "wait, or cancel this order",
    ),
    "card.kind": (
        "takings may not go to this kind of card: {kind}",
        "use a debit card",
    ),
    "bins.unreadable": (
        "{path}: {reason}",
        "see docs/cards.md: a CSV with the columns bin, type, length",
    ),
    "number.iot": (
        "{count} digits: a number of a machine gets no messages",
        "use the mobile number of a person",
    ),
    "name.form": (
        "a name has 2 to {limit} printable characters",
        "type it as the bank has it",
    ),
    "name.long": (
        "the name has {size} bytes, the provider takes {limit}; it is not cut",
        "ask the provider how it writes this name, and type that",
    ),
    "id.form": ("an ID number has {count} places", "type it again"),
    "id.check_digit": (
        "the check character of the ID number is wrong",
        "type it again",
    ),
    "id.birth": ("the ID number holds no date of birth", "type it again"),
    "id.age": ("the holder is younger than {least}", "use another account"),
    "name.not_on_file": (
        "no names are on file for merchant {mid}",
        "posctl merchant register {mid}",
    ),
    "doubt.not_accepted": (
        "what is in doubt ({doubt}) nobody took upon himself",
        "posctl change cancel {order}; use another card",
    ),
    "chip.failed": (
        "the card's chip did not prove itself ({chip_grade})",
        "posctl change cancel {order}; use another card",
    ),
    "chip.not_accepted": (
        "the chip is not proved to be genuine ({chip_grade}) and nobody took it upon"
        " himself",
        "posctl change cancel {order}",
    ),
    "name.not_accepted": (
        "the names differ ({grade}) and nobody took it upon himself",
        "posctl change cancel {order}",
    ),
    "callback.no_number": (
        "no phone number is on file for merchant {mid}",
        "posctl merchant register {mid} --phone NUMBER",
    ),
    "callback.not_done": (
        "merchant {mid} was not called back",
        "call, then approve again",
    ),
    "verification.not_set_up": (
        "profile {profile} names steps of the verification service, and this set-up has"
        " none: no provider offers them",
        "add verification_url, verification_key and verification_token to the"
        " credentials and set up again, or take the steps out of the profile",
    ),
    "verification.refused": (
        "the verification service says no: {namespace}/{raw}",
        "posctl change handoff {order}, or ask who runs the service",
    ),
    "elements.mismatch": (
        "name, ID number, account number and mobile number do not belong together;"
        " which one differs is not told ({namespace}/{raw})",
        "posctl change cancel {order}; compare all four with the papers, once; then the"
        " bank's counter",
    ),
    "elements.card": (
        "the account's bank does not accept this card: unknown, closed, not activated"
        " or locked ({namespace}/{raw})",
        "the holder asks his bank; or posctl change cancel {order} and another card",
    ),
    "elements.unsupported": (
        "the account's bank offers no check of the four elements ({namespace}/{raw})",
        "verify another way: posctl change handoff {order}",
    ),
    "elements.no_phone": (
        "the account's bank has no mobile number for it ({namespace}/{raw})",
        "the holder gives one at the counter; or posctl change handoff {order}",
    ),
    "elements.used_up": (
        "this account was checked too often ({namespace}/{raw})",
        "not before tomorrow; or posctl change handoff {order}",
    ),
    "elements.busy": (
        "the verification service is busy: that is no word on the data"
        " ({namespace}/{raw})",
        "posctl change approve {order} later; nothing is sent again by itself",
    ),
    "elements.unknown": (
        "whether the four elements agree is not known: no answer ({namespace}/{raw})",
        "posctl change approve {order} asks again under the same number",
    ),
    "otp.form": ("a code has {count} digits", "type it again, or nothing if none came"),
    "otp.wrong": (
        "the code is wrong; tries left: {left}",
        "have it read out again",
    ),
    "otp.expired": (
        "the code counts no more ({namespace}/{raw})",
        "posctl change approve {order} sends another one",
    ),
    "otp.not_received": (
        "no code came; another one can be sent in {seconds} s, {left} more in all",
        "check the number with the merchant; then posctl change approve {order}",
    ),
    "otp.no_phone": (
        "the account's bank has no mobile number to send a code to ({namespace}/{raw})",
        "the holder gives one at the counter; or posctl change handoff {order}",
    ),
    "otp.used_up": (
        "no more codes for this order ({namespace}/{raw})",
        "posctl change handoff {order}, or posctl change cancel {order}",
    ),
    "otp.busy": (
        "the verification service is busy: the code is neither right nor wrong"
        " ({namespace}/{raw})",
        "posctl change approve {order} later",
    ),
    "otp.unknown": (
        "whether the code was sent or taken is not known: no answer"
        " ({namespace}/{raw})",
        "posctl change approve {order} asks for the one that was sent",
    ),
    "penny.mismatch": (
        "the account's bank has no such account under this name ({namespace}/{raw})",
        "posctl change cancel {order}; compare name and number with the papers, once;"
        " then the bank's counter",
    ),
    "penny.card": (
        "the account's bank does not accept this account: unknown, closed, not"
        " activated or locked ({namespace}/{raw})",
        "the holder asks his bank; or posctl change cancel {order} and another account",
    ),
    "penny.unsupported": (
        "the account's bank takes no penny drop ({namespace}/{raw})",
        "verify another way: posctl change handoff {order}",
    ),
    "penny.used_up": (
        "the penny drop was tried too often for this account ({namespace}/{raw})",
        "not before tomorrow; or posctl change handoff {order}",
    ),
    "penny.busy": (
        "the verification service is busy: that is no word on the account"
        " ({namespace}/{raw})",
        "posctl change approve {order} later; nothing is sent again by itself",
    ),
    "penny.unknown": (
        "how the penny drop ended is not known yet ({namespace}/{raw})",
        "posctl change approve {order} later: it asks how the same payment ended, and"
        " pays nothing again",
    ),
    "penny.defective": (
        "0.01 yuan was paid, but with a defective success: that proves nothing"
        " ({namespace}/{raw})",
        "verify another way: call the merchant back (penny_drop|call_back in the"
        " profile), the bank's statement and posctl change handoff {order}, or posctl"
        " change cancel {order} and another account; the 0.01 is not to be asked back",
    ),
    "binding.undecided": (
        "the provider shows no effective account of merchant {mid} ({raw})",
        "another change is being verified there: wait for it",
    ),
    "binding.conflict": (
        "the provider shows {shown}, the order replaces {known}",
        "somebody changed it meanwhile: posctl change cancel {order}",
    ),
    "label.cannot": (
        "a terminal without a cable cannot do this: {what}",
        "do it at the terminal by hand",
    ),
    "label.form": ("only letters and digits, as on the label", "type it again"),
}
