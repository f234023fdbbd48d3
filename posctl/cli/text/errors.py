"""Error code -> what happened, what to do next. ``failures`` shows them.

Parameters are those of the error; none of them is ever sensitive.
"""

from __future__ import annotations

ERRORS: dict[str, tuple[str, str]] = {}
"""Error code -> text, what to do next. Filled below, by subject."""

ERRORS |= {
    "unexpected": (
        "{kind}: this should not happen",
        "report it with the command and `posctl --version`",
    ),
    "interrupted": (
        "interrupted",
        "`posctl orders list --open` shows what was under way, `posctl change resume"
        " {order}` goes on",
    ),
    "usage": ("{reason}", "{help}"),
    # settings
    "config.unreadable": ("{path}: {reason}", "mend the file, or name another"),
    "config.unknown_key": (
        "{path}: there is no setting {key}; there are: {known}",
        "take it out, or correct its name",
    ),
    "config.unknown_variable": (
        "there is no variable {name}; there are: {known}",
        "unset it, or correct its name",
    ),
    "config.encoding": (
        "{place}: the encoding of this console does not know these characters",
        "use a UTF-8 console, or only letters and digits",
    ),
    "config.locked": ("{path} is being written by another program", "try again"),
    "config.not_set": ("{key} is not set", "posctl config list"),
    "config.value": ("{place} must be {expected}", "correct it"),
    "demo.step": ("the demo stopped at: {command}", "see what it said above"),
    # people and set-up
    "person.unreadable": (
        "the answer is no text in this console's encoding: {question}",
        "use a UTF-8 console",
    ),
    "person.declined": ("not confirmed: {word} was not typed", "nothing was changed"),
    "person.no_answer": (
        "no usable answer: {question}",
        "run the command again",
    ),
    "setup.missing": (
        "no set-up in {path}",
        "run `posctl setup`, or name another folder by --home or POSCTL_HOME",
    ),
    "setup.damaged": (
        "a part of the set-up cannot be read: {path}",
        "restore it from your back-up",
    ),
    "setup.exists": (
        "there is a set-up in {path} already",
        "use it, or choose another --home",
    ),
    "setup.name": (
        "{name!r} cannot be an operator's name",
        "use letters, digits and _, beginning with a letter",
    ),
    "setup.two_people": (
        "{name} cannot be both maker and checker",
        "name two people",
    ),
    "setup.url": ("{url} is not an https address", "give the https address"),
    "setup.credentials": (
        "{path} is not a JSON object of texts",
        "see docs/setup.md for what the provider issues",
    ),
    "office.missing": (
        "no office in {path}",
        "run this where the office is set up",
    ),
    "operator.missing": ("no operator {name!r}; known: {known}", "--operator NAME"),
    "passphrase.wrong": ("the passphrase is wrong", "try again"),
    "passphrase.needed": ("a passphrase is needed", "try again on a terminal"),
    "passphrase.short": (
        "the passphrase is shorter than {least} characters",
        "choose a longer one",
    ),
    "passphrase.differs": (
        "the two entries for {name} differ",
        "run the set-up again",
    ),
    "signature.certificate": (
        "the signature on this {purpose} does not chain to the pinned root",
        "ask the office who made it",
    ),
    "signature.wrong": (
        "the {purpose} was altered after it was signed",
        "ask the sender for it again",
    ),
    "signature.role": (
        "this needs the role {needed}, not {role}",
        "--operator NAME of somebody with that role",
    ),
    "root.test": (
        "a test set-up may only meet the emulator, not {url}",
        "make a real set-up, without --test",
    ),
    "ca.changed": (
        "{path} is not the CA file that the profile pins",
        "run the set-up again with the right one",
    ),
    "profile.missing": ("no profile {profile!r}; known: {known}", "--profile NAME"),
    "profile.invalid": ("profile {source}: {reason}", "mend the file"),
    "profile.signature": (
        "{path} is not signed by the organisation's root",
        "restore the signed profile",
    ),
    "profile.not_set_up": (
        "profile {profile} is an example that was not set up",
        "posctl setup --profile {profile} …",
    ),
    "profile.differs": (
        "order {order} was made under another profile or version",
        "roll it back and propose again under the present profile",
    ),
    # look and preflight
    "look.mismatch": (
        "terminal {tid} is not one of merchant {mid}: the provider lists {listed}",
        "you may be at the wrong terminal; check the label, then call the provider",
    ),
    "look.other_merchant": (
        "terminal {tid} is of merchant {mid}, not of {expected}",
        "go to the right terminal, or correct --merchant or the shop's settings",
    ),
    "look.unknown": (
        "the terminal cannot tell its {item}, and the profile needs it",
        "use a terminal application that tells it",
    ),
    "look.other_terminal": (
        "order {order} is for terminal {tid}, serial {serial}; this is {found}, serial"
        " {found_serial}",
        "connect the right terminal",
    ),
    "binding.moved": (
        "the terminal's binding has moved since order {order} was opened",
        "posctl change rollback {order}, then start again",
    ),
    "list.missing": (
        "no terminal list of merchant {mid} from the office",
        "office: posctl merchant fetch {mid}",
    ),
    "list.old": (
        "the terminal list of merchant {mid} is of {fetched}: too old",
        "office: posctl merchant fetch {mid}",
    ),
    "list.damaged": ("{path} is not a terminal list", "office: fetch it again"),
    "merchant.no_terminals": (
        "the provider lists no terminal for merchant {mid}",
        "check the merchant number",
    ),
    "window.closed": ("closed now; opens {opens}", "come back then"),
    "document.missing": (
        "document {kind} is missing: {path}",
        "take the picture and save it under that name",
    ),
    "document.size": (
        "a picture of {size} bytes is empty, or larger than the provider takes",
        "save the picture smaller",
    ),
    "document.type": ("{path} is neither JPEG nor PNG", "save it as JPEG"),
    "document.changed": (
        "{path} is not the picture that was checked",
        "restore it, or roll the order back and start again",
    ),
    "document.kind": ("the provider knows no document {kind}", "mend the profile"),
    "document.media_type": (
        "{media_type} is not a picture the provider takes",
        "use JPEG or PNG",
    ),
    "backup.differs": (
        "two reads of the terminal differ in: {parameters}",
        "let the terminal come to rest, then try again",
    ),
    # numbers
    "number.length": ("{count} digits are expected", "type it again"),
    "number.form": ("{low} to {high} digits are expected", "type it again"),
    "number.check_digit": ("the check digit is wrong", "type it again"),
    "number.differs": ("the two entries differ", "type it again"),
    "branch.check_digit": ("the bank code's check digit is wrong", "type it again"),
    "account.old_mismatch": (
        "that is not the account that the terminal shows: {shown}",
        "use the number of the present settlement account",
    ),
    "account.same": (
        "nothing to do: the new number is the present account that you named, {number}",
        "",
    ),
    "account.hash": (
        "the sealed number of order {order} is not the one the order names",
        "stop: tell the security officer",
    ),
    "tag.forged": (
        "the binding tag of terminal {tid} was not made by the acquirer",
        "stop: tell the security officer",
    ),
    # orders
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
    "settle.declined": (
        "terminal {tid} is not settled, {count} transactions are open: takings go to"
        " {mask} already, the terminal does not show it yet",
        "posctl change confirm {order}",
    ),
    "order.missing": ("no order {order} here", "posctl orders list"),
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
    "commit.manual": (
        "the provider does not let order {order} be signed, and has not rejected it:"
        " whether it takes effect is not decided",
        "call the provider's official contact; then posctl change resume {order}",
    ),
    "commit.older_store": (
        "the provider had the request of order {order} before: this office's store is"
        " older than what the provider knows",
        "restore a newer back-up of the store; call the provider's official contact",
    ),
    "order.unconfirmed": (
        "the terminal still shows the account that order {order} has replaced",
        "posctl change confirm {order}, then start again",
    ),
    "tag.later": (
        "terminal {tid} shows a later version of the binding, which cannot be checked"
        " here",
        "call the office: the binding has moved once more",
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
        "posctl change resume {order} hands it over again",
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
        "call the provider's official contact",
    ),
    # store
    "store.locked": ("{path} is in use by another program", "try again"),
    "store.unusable": ("{path} cannot be used: {reason}", "check disk and rights"),
    "store.not_durable": ("{path} cannot be written durably", "use another disk"),
    "store.newer": (
        "{path} was made by a newer posctl (format {version})",
        "update posctl",
    ),
    "file.exists": ("{path} is there already", "choose another name for --output"),
    "file.unwritable": ("{path}: {reason}", "check disk and rights"),
    "attachment.missing": ("{sha256} is not in the store", "posctl orders list"),
    "attachment.changed": (
        "{sha256} was altered in the store",
        "stop: tell the security officer",
    ),
    "chain.broken": (
        "the order's chain breaks at event {position}",
        "ask for the order file again",
    ),
    "chain.maker": (
        "the file of order {order} holds an event {kind} that its sender may not make",
        "stop: tell the security officer",
    ),
    "order.foreign": (
        "order {order} was not opened here",
        "take the file to the laptop that opened it",
    ),
    "signature.other": (
        "order {order} is signed by another technician than the one who made it",
        "stop: tell the security officer",
    ),
    "chain.forked": (
        "order {order} has another history here",
        "stop: tell the security officer",
    ),
    "log.broken": (
        "the event log breaks at row {sequence}",
        "stop: tell the security officer",
    ),
    "log.projection": (
        "order {order} is not what its events say",
        "stop: tell the security officer",
    ),
    "seal.version": ("the sealed box is of an unknown version", "update posctl"),
    "seal.broken": (
        "the sealed box does not open: altered, or not for this office",
        "roll the order back and propose again",
    ),
}

ERRORS |= {
    # ports and terminals
    "port.none": ("no serial port on this machine", "plug the cable in; --port"),
    "port.ambiguous": ("several ports: {candidates}", "--port with one of them"),
    "port.missing": ("no such port: {port}", "check the cable, and what --port names"),
    "port.denied": (
        "no permission to open {port}",
        "sudo usermod -aG {group} $USER, then log in again",
    ),
    "port.busy": ("{port} is held by another program", "close that program"),
    "port.unusable": (
        "{port} is no serial port, or refuses {baud} baud 8N1",
        "check the port's name and the profile's baud rate",
    ),
    "line.address": (
        "{address} is not tcp:HOST:PORT",
        "write it like tcp:192.0.2.7:10009",
    ),
    "link.refused": (
        "{link} refuses the connection",
        "start the terminal's application; check the port number",
    ),
    "link.unreachable": (
        "{link} cannot be reached",
        "check the network and the address",
    ),
    "link.lost": (
        "the line to {link} broke",
        "plug it in again, then try again",
    ),
    "terminal.protocol": (
        "unknown protocol {protocol}; known: {known}",
        "mend the profile",
    ),
    "terminal.variable": (
        "the profile maps unknown names {names}; known: {known}",
        "mend the profile",
    ),
    "terminal.answer": (
        "the terminal's answer breaks {protocol}: {reason}",
        "check the terminal's protocol setting; report the model",
    ),
    "terminal.silent": (
        "the terminal on {link} said nothing for {seconds} s",
        "check cable and power, that its application is running, and that its baud"
        " rate is the profile's",
    ),
    "terminal.garbage": (
        "what came from {link} in {seconds} s cannot be read: {bytes} bytes, no frame",
        "the baud rate or the protocol is another: compare the terminal's setting with"
        " the profile's",
    ),
    "terminal.no_answer": (
        "the terminal on {link} took the request and did not answer within {seconds} s",
        "it may be busy with a customer or with its host: look at its screen, then try"
        " again",
    ),
    "terminal.session": (
        "the terminal ended the exchange: {reason}",
        "try again; if it repeats, check cable and baud rate",
    ),
    "terminal.refused": (
        "the terminal refused: {namespace}/{raw} {text} {host_code}",
        "if its host cannot be reached, try again later",
    ),
    # readers and cards
    "pcsc.unavailable": (
        "pyscard is not installed",
        "pip install 'posctl[pcsc]', or a --reader tcp:HOST:PORT",
    ),
    "pcsc.no_service": (
        "the PC/SC service is not running",
        "start it (Linux: sudo systemctl start pcscd.socket), or plug the reader in",
    ),
    "pcsc.denied": (
        "not permitted to use the PC/SC service",
        "ask the administrator for access to pcscd",
    ),
    "pcsc.failed": ("PC/SC reported {pcsc}", "unplug the reader and plug it in"),
    "reader.none": ("no card reader", "plug a reader in"),
    "reader.missing": (
        "reader {reader} is not there any more",
        "plug it in; `posctl list` shows the readers there are",
    ),
    "reader.unknown": (
        "no reader {reader}; there are: {candidates}",
        "--reader with one of them, whole",
    ),
    "reader.ambiguous": ("several readers: {candidates}", "--reader with one of them"),
    "reader.address": (
        "{reader} is not an address of a card link",
        "tcp:HOST:PORT is one",
    ),
    "card.none": ("no card in {reader}", "insert the card"),
    "card.mute": (
        "the card in {reader} does not answer",
        "turn the card round, chip first; then try another card",
    ),
    "card.removed": (
        "the card was taken out of {reader}",
        "insert it again, then try again",
    ),
    "card.in_use": (
        "another program uses the card in {reader}",
        "close that program",
    ),
    "card.garbled": ("{reader} gave an answer that is none", "try again"),
    "card.malformed": ("the card's data are malformed: {reason}", "use another card"),
    "card.not_payment": ("this is not a payment card", "use a UnionPay debit card"),
    "card.blocked": ("the card or its application is blocked", "ask the bank"),
    "card.foreign": (
        "not a UnionPay card (AID {aid})",
        "use a UnionPay debit card",
    ),
    "card.kind_refused": (
        "a {kind} card cannot receive takings (AID {aid})",
        "use a debit card",
    ),
    "card.token": (
        "{card} is a device's token, not an account",
        "insert the card itself",
    ),
    "card.expired": ("card {card} has expired", "use a valid card"),
    "card.contactless": (
        "contactless is not read: it could spend electronic cash",
        "insert the card, chip first",
    ),
    # hosts and providers
    "host.unreachable": (
        "{host} cannot be reached: {reason}",
        "check the network; nothing was sent",
    ),
    "host.certificate": (
        "{host} has no certificate that this set-up trusts: {reason}",
        "do not go on; check the address and the network",
    ),
    "host.protocol": (
        "{host} does not speak as it should: {reason}",
        "call the provider's official contact",
    ),
    "host.lost": (
        "the connection to {host} broke: {reason}",
        "posctl change resume {order} finds out what happened",
    ),
    "host.status": (
        "{host} answered with status {reason}",
        "posctl change resume {order} finds out what happened",
    ),
    "host.timeout": (
        "{host} did not answer within {seconds} s",
        "posctl change resume {order} finds out what happened",
    ),
    "host.url": ("the provider's address is not usable", "give an https address"),
    "host.ca_file": ("{path} is no usable CA file", "give the right PEM file"),
    "link.timeout": ("{what} did not answer within {seconds} s", "try again"),
    "provider.unknown": ("no provider {name}; known: {known}", "mend the profile"),
    "provider.settings": (
        "the credentials for {name} need: {needed}",
        "run the set-up again with what the provider issued",
    ),
    "provider.request": ("this cannot be asked: {reason}", "mend the profile"),
    "provider.refused": (
        "the provider refused: {namespace}/{raw} {text}",
        "nothing was changed; call the provider's official contact",
    ),
    "provider.field": (
        "the provider refused what was sent: {namespace}/{raw} {text}",
        "nothing was changed; correct it in a new order",
    ),
    "provider.credentials": (
        "the provider does not accept the credentials: {namespace}/{raw} {text}",
        "check what the provider issued; set up again",
    ),
    "provider.duplicate": (
        "the provider has had this request before: {namespace}/{raw}",
        "posctl change resume {order}",
    ),
    "provider.busy": (
        "the provider is busy: {raw}",
        "posctl change resume {order} later; do not send again",
    ),
    "provider.answer": (
        "the provider's answer cannot be trusted: {field}",
        "posctl change resume {order} asks again",
    ),
    "provider.rejected": (
        "the provider rejected the change: {namespace}/{raw} {reason}",
        "the old account stays; correct it in a new order",
    ),
    "provider.contradicts": (
        "the provider refused a signature that may be there already: {raw}",
        "posctl change resume {order} asks what is true",
    ),
    "provider.undecided": (
        "the provider's status {raw} decides nothing",
        "posctl change resume {order} later",
    ),
}
