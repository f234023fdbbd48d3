"""People, set-up, profiles."""

from __future__ import annotations

ERRORS: dict[str, tuple[str, str]] = {
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
    "operator.missing": (
        "no operator {name!r}; known: {known}",
        "posctl operator list",
    ),
    "operator.exists": (
        "there is an operator {name} already",
        "choose another name, or revoke {name} first",
    ),
    "operator.open": (
        "the key of {name} has no passphrase: this is a test set-up",
        "make a real set-up, without --test",
    ),
    "passphrase.wrong": ("the passphrase is wrong", "try again"),
    "passphrase.needed": ("a passphrase is needed", "try again on a terminal"),
    "passphrase.short": (
        "the passphrase is shorter than {least} characters",
        "choose a longer one",
    ),
    "passphrase.differs": (
        "the two entries for {name} differ",
        "run the command again",
    ),
    "signature.certificate": (
        "the signature on this {purpose} does not chain to the pinned root, or its"
        " certificate is not valid today",
        "look at this machine's clock; ask the office who made it",
    ),
    "signature.revoked": (
        "the certificate that signed this was revoked on {since}",
        "ask the office who made it; posctl operator list",
    ),
    "clock.back": (
        "this machine's clock is behind the last event of order {order}, {last}",
        "set the clock; if it was wrong then, posctl change rollback {order}",
    ),
    "revocations.signature": (
        "{path} is not signed by the organisation's root",
        "restore the signed list of revocations",
    ),
    "revocations.old": (
        "the list of revocations here is number {now}, an approval names number"
        " {known}",
        "bring the file revoked.json from the office",
    ),
    "profile.downgraded": (
        "profile {name} here is version {now}, an order was made under version {known}",
        "restore the newer signed profile; somebody put an old one back",
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
    "profile.missing": (
        "no profile {profile!r}; known: {known}",
        "posctl profile list",
    ),
    "profile.unsigned": (
        "{path} is not signed: there is no .sig beside it",
        "put the .sig file beside it, or have the root sign it: posctl profile sign",
    ),
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
}
