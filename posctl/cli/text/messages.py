"""Every text that a person reads, by stable id. English is the first catalogue.

What goes wrong is told in ``failures.py``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from posctl.cli.text.labels import LABELS, VALUES
from posctl.cli.text.language import translated
from posctl.model.clock import moment

MESSAGES: dict[str, str] = {
    # help
    "help.posctl": "Change the settlement account of a POS terminal's merchant:"
    " verified, by two people, crash-safe, with proof.",
    "help.commands": "Commands",
    "help.examples": "Examples",
    "help.list": "List serial ports and card readers; opens none of them.",
    "help.terminal": "What a terminal tells of itself; its batch; its back-up.",
    "help.terminal.info": "Read who the terminal is, its batch and its binding tag;"
    " changes nothing.",
    "help.terminal.settle": "Settle the terminal's batch: shows the totals and asks"
    " first.",
    "help.terminal.backup": "Write the terminal's parameters to a file, proved by a"
    " second read.",
    "help.card": "What a card is.",
    "help.card.show": "Read a card by chip: its masked number, its kind, whether"
    " takings may be paid to it.",
    "help.card.verify": "Check how far the card's chip is proved, link by link: the"
    " CA's key, the certificates of issuer and chip, a challenge.",
    "help.card.watch": "Tell which readers and cards come and go, until Ctrl-C.",
    "help.card.apdu": "Send commands to a card and explain its answers; only such as"
    " read.",
    "help.explain": "What bytes from a card mean; nothing is sent anywhere.",
    "help.explain.atr": "Explain an answer to reset.",
    "help.explain.tlv": "Explain TLV data in FILE (hexadecimal; - is stdin), numbers"
    " masked.",
    "help.card.keys": "List the keys of card schemes' CAs, with origin and check"
    " value.",
    "help.binding": "Which account a terminal is bound to.",
    "help.binding.show": "Compare terminal, terminal list and orders; changes nothing.",
    "help.profile": "The providers' rules.",
    "help.profile.list": "List the profile in force and the shipped examples.",
    "help.profile.show": "Show a profile: the one in force, or NAME (an example or a"
    " TOML file).",
    "help.config": "Settings that need not be typed each time: `lang`, `color`,"
    " `home`, `operator`, `log_file`, `shop`, `port`, `reader`, `pictures`; of a shop"
    " also `merchant`.",
    "help.config.list": "List the settings in force and where each comes from.",
    "help.config.path": "Show where the settings file is.",
    "help.config.get": "Show the value of KEY and where it comes from.",
    "help.config.set": "Set KEY to VALUE, for all shops or for one.",
    "help.config.unset": "Take KEY out of the settings file.",
    "help.completion": "Print the completion script for a shell.",
    "help.setup": "Make the stores, the keys, the organisation's root, the profile.",
    "help.demo": "Play one whole change against the emulator, on real wires.",
    "help.emulate": "Bring up emulated terminal, card, acquirer and provider.",
    "help.merchant": "The provider's terminal list of a merchant (office).",
    "help.merchant.fetch": "Fetch and sign the terminal list of merchant MID (office).",
    "help.change": "Change a settlement account, step by step.",
    "help.change.run": "Look, check, back up, read the card, propose (field)."
    " At most six questions; then you may leave.",
    "help.change.propose": "Go on to the proposal of ORDER, or write its order file"
    " again (field).",
    "help.change.approve": "Check and sign what a colleague proposed (office).",
    "help.change.commit": "Submit, sign, poll until effective, read back (office).",
    "help.change.confirm": "Make the terminal show the new account and close the"
    " order (field).",
    "help.change.resume": "Go on with ORDER from wherever the last run ended.",
    "help.change.rollback": "End ORDER before its commit point; the old account stays.",
    "help.orders": "The orders of both places: what is under way, what happened.",
    "help.orders.list": "List the orders of both places.",
    "help.orders.show": "Show ORDER and its events.",
    "help.receipt": "The signed proof of an effective change.",
    "help.receipt.show": "Show the receipt of ORDER; its signature is checked.",
    "help.receipt.slip": "Print a submission slip of ORDER, before the change is"
    " effective; it is not signed.",
    "help.receipt.verify": "Check a receipt FILE, or the text of its QR code, with the"
    " root's certificate alone; - reads stdin.",
    "help.approval": "The second person is elsewhere: a short request to him, his"
    " signature back.",
    "help.approval.request": "Check ORDER and write the request for a colleague to"
    " sign (office).",
    "help.approval.sign": "Show the request in FILE and sign it: on the colleague's"
    " own machine.",
    "help.approval.take": "Take the colleague's answer in FILE for ORDER (office).",
    "help.audit": "Whether the log is whole, and holds what left this machine.",
    "help.audit.verify": "Check both chains and the projection, and that heads"
    " carried outside are known.",
    "help.audit.export": "Write every event of a place, its head signed.",
    "help.report": "What the clearing institution is to be told of a change.",
    "help.report.list": "List the changes in effect that were not reported yet.",
    "help.report.confirm": "Record, signed, that a change was reported.",
    "help.outbox": "What the old and the new contact are told, at least once.",
    "help.outbox.list": "List the messages that were not delivered yet.",
    "help.outbox.deliver": "Deliver them to a file or a command.",
    "help.orders.due": "List the orders that expire soon; write them as a calendar.",
    "help.orders.expire": "End the orders whose time is over (office).",
    "help.orders.erase": "Erase the sealed numbers of ORDER after its retention"
    " (office).",
    "help.merchant.account": "Ask the provider which account merchant MID is paid to"
    " (office).",
    "help.merchant.branches": "Find the bank code of a branch by its area and name"
    " (office).",
    "help.merchant.register": "Register type, names, phone and mandates of merchant"
    " MID (office).",
    "help.profile.verify": "Check the signature of a profile FILE with the root's"
    " certificate alone.",
    "help.profile.sign": "Sign a newer version of the profile in force and use it.",
    "help.operator": "Who may sign: certificates of the organisation's root.",
    "help.operator.list": "List the operators, and whether their certificates count.",
    "help.operator.issue": "Make a key and a certificate for NAME, under the root's"
    " key.",
    "help.operator.revoke": "Take the certificate of NAME back: what it signed counts"
    " no more, receipts of before excepted.",
    "help.operator.passphrase": "Change the passphrase of NAME; of an approver, and of"
    " `office`, also that of the office's secrets.",
    "help.change.amount": "Tell the amount of the penny drop that the merchant found"
    " (office).",
    "help.change.push": "Take the provider's push in FILE: ask what it speaks of"
    " (office).",
    "help.change.notices": "Show the provider's notices in force.",
    "help.change.plan": "Show when a change may be made next.",
    "help.change.checklist": "Show everything that a change will want, before"
    " anything is typed.",
    "help.change.bind": "Where a terminal that has no account yet gets its first.",
    "help.change.watch": "Look at the bindings again at the provider, after changes"
    " (office).",
    "help.change.cancel": "Withdraw ORDER before the provider has heard of it.",
    "help.change.freeze": "Freeze ORDER and its clock.",
    "help.change.thaw": "Go on with a frozen ORDER (office).",
    "help.change.handoff": "End ORDER, and print what another channel will want.",
    # options
    "option.lang": "Language: English or Simplified Chinese.",
    "option.config": "Take the settings from this file.",
    "option.color": "When to use colours.",
    "option.version": "Show the version, and what a bug report needs.",
    "option.quiet": "Say nothing but questions, warnings and failures.",
    "option.verbose": "Say more: each frame on the line, numbers masked.",
    "option.log_file": "Append a log to this file; it is made readable by you only.",
    "option.shop": "The shop you are at: its port, reader, pictures and merchant are"
    " taken from the settings.",
    "option.new_shop": "The shop you are at: its port, reader, pictures and merchant"
    " are taken from the settings, and remembered there once they have worked.",
    "option.merchant": "The merchant you are at; the terminal of another is refused.",
    "option.profile_read": "Speak to the terminal by this profile: an example's name or"
    " a TOML file. Otherwise by that of the set-up.",
    "option.output_backup": "Write the back-up here.",
    "option.output_receipt": "Write the receipt here too: .txt and .pdf say in which"
    " form; any other name, the signed JSON.",
    "option.output_slip": "Write the slip here: .txt and .pdf say in which form; any"
    " other name, JSON.",
    "option.format": "The form, whatever the file is called; without --output, text or"
    " json is printed on the screen.",
    "option.qr": "Show the text as a QR code too: in a .png or .svg file; - draws it on"
    " the screen.",
    "option.font": "The font for the PDF, with Chinese; otherwise one of this system.",
    "option.root": "PEM file of the root's certificate; otherwise that of the set-up.",
    "option.example": "Of the shipped examples, not the profile in force.",
    "option.config_shop": "In the table of this shop.",
    "option.json": "Print one JSON object on stdout.",
    "option.home": "The folder of the set-up.",
    "option.home.default": "the user's data folder",
    "option.operator": "Who is at work; otherwise the one named at set-up.",
    "option.port": "The terminal: /dev/ttyUSB0, COM3, tcp:HOST:PORT or"
    " rfc2217://HOST:PORT.",
    "option.emulated_protocol": "What the terminal speaks.",
    "option.emulated_baud": "Speed of the terminal's serial line.",
    "option.bench": "What is on the bench, from a file (examples/bench.toml).",
    "option.paced": "Let bytes on the serial line take the time that they take there.",
    "option.network_serial": "Offer the serial line over the network too (RFC 2217).",
    "option.reader": "The card reader's exact name, or tcp:HOST:PORT.",
    "option.typed": "Type the new number twice instead of reading a card.",
    "option.pictures": "Folder with the pictures, named by kind: 0025.jpg and so on.",
    "option.yes": "Do not ask for the word; what is shown is shown, each check made.",
    "option.wait_card": "Seconds to wait for a card to be inserted.",
    "option.order_file": "Write the order file here.",
    "option.order_file_to_end": "Take the order from this file, which has not arrived"
    " yet, and end it (office); also when its maker's certificate was taken back.",
    "option.order_file_in": "Take the order from this file first.",
    "option.output": "Write the signed list here.",
    "option.wait": "Seconds to poll before giving the prompt back.",
    "option.limit": "At most so many, the youngest.",
    "option.open": "Only orders that are not over.",
    "option.technician": "Name of the operator in the field (the maker).",
    "option.approver": "Name of the operator in the office (the checker).",
    "option.organisation": "Name of the organisation in its root certificate.",
    "option.profile": "A shipped example by name, or a TOML file.",
    "option.provider_url": "The provider's address, https only.",
    "option.provider_ca": "PEM file of the CA that the provider's host chains to.",
    "option.credentials": "JSON file with what the provider issued; it is sealed"
    " under the approver's passphrase and can be deleted then.",
    "option.watch_seconds": "Stop after this time.",
    "option.watch_count": "Stop after so many events.",
    "option.aid": "AID of the application: whose names of objects count.",
    "option.credit_code": "The company's unified social credit code.",
    "option.ca_keys": "TOML file with more keys of card schemes, and issuers'"
    " certificates that were revoked.",
    "option.test": "A test set-up: keys without a passphrase under a root that is"
    " refused outside the emulator.",
    "option.directory": "Where the emulator keeps its files.",
    "option.direct": "Put the card on the direct link, not into a pcscd.",
    "option.card": "Which emulated card is in the reader: {cards}.",
    "option.audit": "Seconds that the provider's audit takes.",
    "option.reject": "The provider's audit will reject every application.",
    "option.wrong_terminal": "The terminal is not in the provider's list.",
    "option.unbound": "The merchant has no settlement account yet.",
    "option.open_ports": "Where no network namespace can be had: let the virtual"
    " reader listen on all addresses of this machine.",
    "option.tid": "Of this terminal of the merchant.",
    "option.subject": "Type of the merchant.",
    "option.papers": "What its owner proved himself with: resident ID, a"
    " foreigner's permanent ID, a permit of Hong Kong, Macao or Taiwan, passport.",
    "option.turnover": "What it is expected to take a day.",
    "option.receiving_limit": "What the bank lets the new account receive a day, and"
    " the last day of a temporary limit.",
    "option.merchant_name": "Name of the company or shop.",
    "option.owner": "Name of its legal person.",
    "option.owner_id": "Ask for his ID number too; only a keyed hash is kept.",
    "option.phone": "The number on file, for calling back.",
    "option.phone_changed": "The day that number last changed.",
    "option.mandate": "Who may act for the merchant, and until which day.",
    "option.against": "A head that left this machine: 64 digits, a receipt, an order"
    " file.",
    "option.output_audit": "Write the events here.",
    "option.place": "Of this place.",
    "option.due_days": "Days ahead; otherwise the profile's.",
    "option.ics": "Write an iCalendar file too.",
    "option.reference": "What the institution calls the report: letters, digits,"
    " . _ / -.",
    "option.address": "Where its terminals are installed.",
    "option.to_file": "Append them to this file, one JSON object a line.",
    "option.command": "Run this for each, the JSON on its standard input.",
    "option.corporate": "The new account is a company's, not a card.",
    "option.agent": "Who acts for the merchant; a mandate must be registered.",
    "option.bin_table": "CSV that tells a typed card's kind: bin, type, length.",
    "option.rehearse": "First read the terminal, build its twin on emulators and play"
    " the whole change there; then ask whether to begin the real one. With --json it"
    " is not begun.",
    "option.then_change": "After a rehearsal that passed begin the real change without"
    " asking.",
    "option.role": "What NAME may do: propose, or approve.",
    "option.freeze_reason": "Why it is frozen.",
    "usage.yuan": "not an amount in yuan, as 3500.00",
    "usage.limit": "not an amount in yuan, as 3500.00 or 3500.00:2027-06-30",
    "usage.order": "an order's number looks like AB2C-D3E4F; `posctl orders list`"
    " lists them",
    "usage.shop": "there is no shop {shop}; there are: {known}. `posctl change run`"
    " makes one, or `posctl config set --shop NAME`",
    "usage.shop_name": "a shop has a name",
    "usage.reference": "a reference has up to 64 letters, digits, . _ / - and no row of"
    " twelve digits or more, which could be an account",
    "usage.phone": "a phone number has 5 to 18 digits",
    "usage.credit_code": "a credit code has 18 digits and letters, without"
    " I, O, S, V, Z",
    "usage.folder": "there is no folder {folder}",
    "usage.mid": "a merchant number has up to 20 letters and digits",
    # asking
    "said.yes": "{word} was not asked for: --yes",
    "ask.word": "Type {word} to go on",
    "ask.passphrase": "Passphrase of {name}",
    "ask.new_passphrase": "Passphrase of {name} ({least} characters or more)",
    "ask.again": "{question} once more",
    "ask.old_number": "Number of the present settlement account (not shown)",
    "ask.new_number": "Number of the new card (not shown)",
    "ask.new_number_again": "The same number once more",
    "ask.branch": "Bank code of the new account's branch (12 digits)",
    "ask.mobile": "Mobile number that the bank has for the account (not shown)",
    "ask.pictures": "Folder with the pictures",
    "ask.class": "Class of account {mask} by the bank's papers (I, II, III)",
    "ask.last_four": "Last four digits of the new number, from the merchant's paper",
    "ask.amount": "Amount that arrived on the new account, in yuan (as 0.10)",
    "ask.expiry": "Date on which it expires, or nothing if it has none: {label}",
    "ask.new_account": "Number of the company's new account (not shown)",
    "ask.bank": "Name of the new account's bank",
    "ask.area": "Area code of that bank (6 digits)",
    "ask.holder": "Name of the account's holder, as the bank has it",
    "ask.id_number": "ID number of the account's holder (not shown)",
    "ask.owner_id": "ID number of the legal person (not shown)",
    "ask.otp": "Code that was sent to {mobile}; it counts for {seconds} s more; nothing"
    " if none came (not shown)",
    "ask.label_mid": "Merchant number, from the contract or the label",
    "ask.label_tid": "Terminal number, from the label",
    # steps
    "wait.work": "working",
    "wait.terminal": "waiting for the terminal on {port}",
    "wait.events": "watching readers and cards",
    "wait.card": "waiting for the card",
    "wait.provider": "waiting for the provider",
    "wait.audit": "waiting for the provider's audit",
    "wait.settle": "waiting for the terminal to settle",
    "wait.fetch": "waiting for the terminal to fetch its parameters",
    "wait.elapsed": "… {label}, {seconds} s",
    "look.done": "look: terminal {tid}, serial {serial}, is on the provider's list of"
    " merchant {mid}; it shows {mask}",
    "preflight.batch": "note: {count} transactions, {amount} yuan are not settled yet;"
    " they need not be",
    "preflight.done": "preflight: window open, {documents} documents present",
    "backup.done": "backed up, read back and compared: {sha256}…",
    "document.wanted": "Pictures that the provider wants: {labels}",
    "card.read": "card: {label} {number}, {holder}; chip: {chip_grade} ({apdus} APDUs)",
    "card.link_holds": "{link}: holds ({detail})",
    "card.link_broken": "warning: {link}: does not hold: {reason} {detail}",
    "card.luhn_warning": "warning: the check digit of {number} is wrong; some real"
    " cards are so, the approver decides",
    "account.sealed": "sealed to the office: {number}",
    "propose.terms": "terms: {terms}",
    "propose.confirm": "\n  order     {order}\n  merchant  {mid}, terminal {tid}"
    "\n  from      {old}\n  to        {new} ({label})\n  name      {name}"
    "\n  branch    {branch}"
    "\n  fee       {fee} yuan (change {change}, service {service}, deposit {deposit})"
    "\n  effective when the provider says so; until then the old account is paid."
    "\n  Typing the word accepts fee and terms.",
    "change.you_may_leave": "submitted to the office as order {order}: you may leave",
    "merchant.fetched": "merchant {mid}: terminals {tids}",
    "approve.shown": "\n  order     {order}, proposed by {maker}; for the merchant:"
    " {agent}"
    "\n  merchant  {mid}, terminal {tid}\n  from      {old}\n  to        {new}"
    "\n  name      {name} ({holder_by})\n  branch    {branch}\n  fee       {fee} yuan"
    "\n  number    {source}; check digit {check_digit}"
    "\n  kind      {kind} (by: {kind_by})"
    "\n  chip      {chip_grade}"
    "\n  terminal's binding tag: {tag}"
    "\n  To refuse: posctl change rollback {order}",
    "change.approved": "order {order} approved by {name}",
    "commit.applied": "application {application} taken; it has no effect yet",
    "commit.signed": "application {application} signed: COMMIT POINT",
    "commit.status": "provider says {raw}: {state}",
    "commit.not_listed": "warning: the provider does not list terminal {tid} under"
    " merchant {mid} any more",
    "commit.report": "  to be reported to: {to} (posctl report list)",
    "commit.effective": "EFFECTIVE: takings go to {mask}",
    "receipt.issued": "receipt of order {order} signed",
    "slip.receipt": "Receipt: settlement account changed",
    "slip.submission": "Submission slip: account change under way",
    "slip.test": "Made under a TEST root: proves nothing.",
    "slip.check": "To check it: posctl receipt verify, with the text of the QR code or"
    " the JSON file, and the root's certificate. The root's fingerprint that it shows"
    " must be the one that you were told, not one that came with this slip.",
    "slip.keep": "Keep this slip: by its heads a log that was cut or rewritten is"
    " found out.",
    "slip.unsigned": "NOT SIGNED: this is no receipt and no proof.",
    "slip.old_paid": "Takings still go to the OLD account. Only a receipt says that"
    " this has changed.",
    "slip.not_certain": "The provider has been asked to change the account. Takings go"
    " to the OLD account until the change is effective; when that is, only a receipt"
    " says.",
    "slip.over": "This order is over and has changed no account.",
    "effect.settled": "asked what became of the interrupted step: {state}",
    "resume.found": "order {order} stands at {state} since {since}",
    "resume.effect": "a run ended in the middle of this step: {effect}, begun {since}",
    "next.again": "try again",
    "next.resume": "{first}; then: posctl change resume {order}",
    "next.resume_only": "posctl change resume {order}, or posctl change rollback"
    " {order}",
    "document.yours": "the pictures in {folder} are sealed now; the originals show the"
    " card's number and are yours to delete",
    "setup.keep_root": "{root} is needed only to issue and to sign profiles: keep it"
    " somewhere else",
    "each.failed": "{name}: {failure}",
    "inbox.refused": "left in the inbox: {path}: {failure}",
    "settle.confirm": "\n  To fetch the new account the terminal {tid} must settle:"
    "\n  {count} transactions, {amount} yuan.",
    "settle.done": "settled: {count} transactions, {amount} yuan",
    "confirm.replaced": "order {order} was replaced by {other}: the terminal has"
    " nothing of it to show any more",
    "terminal.confirmed": "terminal {tid} shows {mask}",
    "setup.done": "set up in {path}",
    "list.no_readers": "no readers: {reason} (next: {next})",
    "profile.assumed": "no set-up here: spoken to by the example profile {profile}",
    "shop.new": "shop {shop} is new: what works will be remembered",
    "shop.not_remembered": "what worked cannot be remembered for shop {shop}: {reason}",
    "settle.confirm_alone": "\n  Terminal {tid} is about to settle:"
    "\n  {count} transactions, {amount} yuan.",
    "settle.answer_lost": "the answer was lost, but the batch number has moved: the"
    " batch is settled; totals are on the terminal's slip",
    "table.empty": "no {name}",
    "word.note": "note:",
    "word.comma": ", ",
    "word.semicolon": "; ",
    "word.part": "{name}: {value}",
    "word.colon": ":",
    "account.differs": "the two entries differ: type both again",
    "emulate.answers": "\n  Its answers: present account {old}, branch {branch}, mobile"
    " {mobile}; last four digits of the card {digits}.",
    "emulate.removed": "  Stopping it removes all this, the set-up too;"
    " --directory FOLDER keeps it.",
    "emulate.kept": "  Stopping it leaves what is in {folder}.",
    "word.next": "next:",
    "word.frames": "last frames on the line, numbers masked:",
    "propose.advice": "advice: {advice}",
    "advice.limit_unknown": "advice: the merchant is expected to take {expected} yuan a"
    " day: ask the bank whether the new account may receive as much",
    "advice.limit_low": "advice: the new account may receive {limit} yuan a day, the"
    " merchant is expected to take {expected}: the bank may send back what is above",
    "advice.limit_ends": "advice: that limit of {limit} yuan is temporary and ends on"
    " {until}: ask the bank what holds after it",
    "terminal.clock_warning": "warning: the terminal's clock is {minutes} minutes off",
    "notice.shown": "notice until {ends}: {text}",
    "windows.holiday": "a holiday begins on {first} and ends on {last}: nobody"
    " decides meanwhile",
    "ics.summary": "order {order} expires ({state})",
    "profile.old": "warning: profile {name} is of {date}: somebody should look at it"
    " again",
    "profile.no_licence": "warning: profile {name} names no licence of {provider}",
    "erase.confirm": "\n  The sealed numbers of {order} will be gone for good; the"
    " log stays.",
    "bind.elsewhere": "merchant {mid} has no account yet: {provider} takes the first"
    " one by another channel; what is wanted there:",
    "give_up.confirm": "\n  What became of {order} is not known here, and will not be:"
    " the provider gave no number to ask by.\n  Ask the provider which account it pays,"
    " and whether a change is under way.\n  Given up, the order says nothing of it; the"
    " next order starts from what the provider has.",
    "handoff.closed": "order {order} is closed: what follows is for the other channel",
    "commit.payment": "the provider sends a small amount to the new account",
    "commit.submitted": "application {application} taken: COMMIT POINT",
    "approval.send": "send this text to the second person; there: posctl approval sign"
    " FILE",
    "approval.send_back": "send this text back; at the office: posctl approval take"
    " ORDER FILE",
    "freeze.goes_on": "warning: the provider has the application of {order} already and"
    " may still decide it; `posctl change watch` shows the account that is paid",
    "merchant.credit_code": "warning: the check character of credit code {code} is"
    " wrong; some were issued so: look at the licence",
    "merchant.lost": "warning: no longer on file for {mid}: {lost}; an entry is"
    " replaced as a whole",
    "operator.no_approver": "warning: no approver known here is in force any more:"
    " nothing can be approved. posctl operator issue NAME --role approver",
    "qr.narrow": "warning: the screen has {columns} columns and the QR code needs"
    " {needed}: widen it, or --qr FILE",
    "approval.shown": "\n  order        {number}, proposed by {operator}"
    "\n  merchant     {mid}, terminal {tid}\n  from         {old}\n  to           {new}"
    "\n  names        {name_grade}\n  number       {source}; check digit {check_digit}"
    "\n  kind         {kind} (by: {kind_by})\n  chip         {chip_grade}"
    "\n  branch       {branch}\n  fee          {fee} yuan"
    "\n  valid until  {valid_until}",
    "callback.confirm": "\n  Call merchant {mid} on {phone}: does it want {mask}?",
    "watch.event": "{happened}: {where}",
    "apdu.confirm": "\n  {count} commands go to the card as they are.",
    "document.cover": "cover the three digits on the back of a card before you take its"
    " picture",
    "confirm.others": "the merchant has other terminals ({tids}): each shows the old"
    " account until it is settled, and nobody is told when",
    "settle.moved": "the batch has changed meanwhile: look again",
    "doubt.kind": "\n  What kind of card {mask} is neither chip nor BIN table tells"
    " (read: {source}).\n  Takings may go to debit cards only. Typing the word takes it"
    " upon you, with the bank's paper before you.",
    "doubt.check_digit": "\n  The check digit of {mask} is wrong (read: {source}); of"
    " some real cards it is.\n  Typing the word takes it upon you, with the card before"
    " you.",
    "chip.confirm": "\n  The chip of {mask}: {chip_grade}. Typing the word takes it"
    " upon you.",
    "name.confirm": "\n  on file   {file}\n  account   {account}\n  compared "
    " {grade}\n  Typing the word takes it upon you, with the document before you.",
    "fallback.used": "{other} is made in its place ({cause})",
    "fallback.other_person": "{other} cannot be made in its place ({cause}): name and"
    " ID number of the account are not those on file",
    "fallback.too_late": "{other} cannot be made in its place ({cause}): something did"
    " not match before",
    "fallback.confirm": "\n  The verification service is busy ({cause}). Later it may"
    " answer; or {other} is made in its place.",
    # rehearsal
    "word.rehearsal": "REHEARSAL |",
    "rehearse.read": "the real terminal was read, nothing was written: merchant {mid},"
    " terminal {tid}, serial {serial}, shows {account}; {transactions}"
    " transactions, {amount} yuan are not settled",
    "rehearse.builds": "building the terminal's twin",
    "rehearse.clock_set": "closed now: the twin's clock is set to {opens}, when a"
    " change may be made next",
    "rehearse.step": "\n  {number}. {title}",
    "rehearse.asked": "asked: {question} > answered here: {answer}",
    "rehearse.cooling": "{hours} hours of cooling-off: the twin's clock is set to after"
    " them",
    "rehearse.ended": "the rehearsal ends here: {reason}",
    "rehearse.nothing_changed": "nothing was changed: terminal, orders and account"
    " are as they were",
    "rehearse.begin": "\n  Begin the REAL change now?"
    "\n  merchant  {mid}, terminal {tid}\n  {found}",
    "rehearse.clear": "Nothing was found that stands in its way.",
    "rehearse.hindered": "Problems that stand in its way: {count}, see above.",
    # demo and emulate
    "demo.hidden": "(not shown)",
    "demo.title": "{number}. {title}",
    "demo.bench": "The emulated terminal, card, acquirer and provider are up",
    "demo.setup": "Two people and two places on one machine",
    "demo.fetch": "Office: which terminals has the merchant?",
    "demo.run": "Field: look, check, back up, read the card, propose",
    "demo.approve": "Office: another person approves",
    "demo.commit": "Office: submit, sign, poll, read back, receipt",
    "demo.confirm": "Field again: the terminal settles and fetches the new account",
    "demo.receipt": "The proof",
    "demo.outside": "What the outsiders say (asked behind posctl's back)",
    "demo.ledger": "acquirer's ledger: merchant {mid} is paid to {mask}, version"
    " {version}",
    "demo.screen": "terminal's parameter: {mask}, version {version}",
    "demo.direct": "the card is on the direct link, not in a pcscd: {reason}",
    "emulate.up": "The bench is up. Ctrl-C stops it.",
    "emulate.ready": "The bench is up. Ctrl-C stops it. In another shell:",
}


MESSAGES |= {f"label.{name}": text for name, text in LABELS.items()}
MESSAGES |= {f"value.{name}": text for name, text in VALUES.items()}

WARNINGS = frozenset(
    {
        "card.link_broken",
        "card.luhn_warning",
        "commit.not_listed",
        "document.yours",
        "inbox.refused",
        "each.failed",
        "list.no_readers",
        "freeze.goes_on",
        "merchant.credit_code",
        "merchant.lost",
        "operator.no_approver",
        "profile.assumed",
        "qr.narrow",
        "resume.effect",
        "setup.keep_root",
        "settle.answer_lost",
        "shop.new",
        "shop.not_remembered",
    }
)
"""Said also where a person asked for quiet, and in another colour."""

ALWAYS_SAID = frozenset(
    {"approve.shown", "document.wanted", "emulate.answers", "emulate.ready"}
    | {"emulate.up"}
    | {"emulate.removed", "emulate.kept"}
    | {"rehearse.nothing_changed"}
    | {"preflight.batch", "propose.terms"}
)
"""What a later question or a signature is about."""

_CODED = frozenset(
    {
        *("state", "result", "terminal", "holder", "kind", "kind_by", "source"),
        *("standing", "tasks", "at"),
        *("account_verdict", "serial_verdict", "tid_verdict", "mid_verdict"),
        *("role", "needed", "purpose", "effect", "unsettled_effect"),
        *("name", "reason", "check_digit", "tag", "happened", "label"),
        *("grade", "name_grade", "chip_grade", "link", "holder_by"),
        *("steps", "asks", "channels", "checkers", "account", "old_account"),
        *("subject", "papers", "accounts_allowed"),
    }
)
"""Parameters and parts of results whose values are words of ours."""
_NAMES = ("unknown", "item", "doubt")
"""Those that hold the name of another part."""


def _(message: str, **params: object) -> str:
    """The text of a message id, its parameters filled in."""
    return text_of(translated(message, MESSAGES[message]), params)


def label(name: str) -> str:
    """What people call a part of a result; a variable's name stays as it is."""
    if name in LABELS:
        return _(f"label.{name}")
    return plain(name if name.isupper() else name.replace("_", " "))


def value_text(name: str, value: object) -> str:
    """A word of ours in the language of people; any other value as it is."""
    text = str(value)
    if name in _NAMES:
        return label(text)
    return _(f"value.{text}") if name in _CODED and text in VALUES else text


def text_of(pattern: str, params: Mapping[str, object]) -> str:
    """``pattern`` filled in; a parameter that is missing shows its name."""
    shown = {n: plain(local_times(value_text(n, v))) for n, v in params.items()}
    return pattern.format_map(_Shown(shown))


_STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def local_times(text: str) -> str:
    """Times to the minute, in the zone of this machine; JSON keeps UTC."""
    return _STAMP.sub(_local, text)


def _local(stamp: re.Match[str]) -> str:
    try:
        return f"{moment(stamp[0]).astimezone():%Y-%m-%d %H:%M}"
    except (ValueError, OverflowError):  # it only looks like a time
        return stamp[0]


def plain(value: object) -> str:
    """Fit to print: what others wrote must not move the cursor or add lines."""
    return "".join(c if c.isprintable() else "?" for c in str(value))


class _Shown(dict[str, object]):
    def __missing__(self, name: str) -> str:
        return f"<{name}>"
