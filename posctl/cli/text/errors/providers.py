"""Hosts and providers."""

from __future__ import annotations

ERRORS: dict[str, tuple[str, str]] = {
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
    "provider.cannot": (
        "{name} offers no call for this: {capability}",
        "use another channel of the provider: `posctl profile show`",
    ),
    "provider.plugin": (
        "the plug-in for provider {name} cannot be loaded ({reason})",
        "install it again, or ask who made it",
    ),
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
    "provider.no_right": (
        "the provider does not let us act for this merchant: {namespace}/{raw} {text}",
        "nothing was changed; ask who signed the merchant up to make the change",
    ),
    "provider.rate": (
        "the provider takes no more requests for now: {namespace}/{raw} {text}",
        "nothing was changed, and nothing is sent again by itself; wait, and when the "
        "day's number is used up, until after midnight in Beijing",
    ),
    "provider.application_open": (
        "the merchant has an application under way: {namespace}/{raw} {text}",
        "nothing was changed; wait for its result, then make a new order",
    ),
    "provider.duplicate": (
        "the provider has had this request before: {namespace}/{raw}",
        "posctl change resume {order}",
    ),
    "provider.busy": (
        "the provider is busy: {raw}",
        "posctl change resume {order} later; do not send again",
    ),
    "provider.penny_early": (
        "a payment to this account was asked for less than four hours ago: "
        "{namespace}/{raw} {text}",
        "look for it on the bank statement; ask for another after four hours",
    ),
    "provider.penny_wrong": (
        "the provider did not accept the amount: {namespace}/{raw} {text}",
        "read it again on the bank statement, in fen; the fifth wrong amount "
        "ends the application",
    ),
    "provider.penny_amount": (
        "{fen} fen is no amount that arrives on an account",
        "read it on the bank statement: 0.01 yuan is 1 fen",
    ),
    "branch.search": (
        "a branch is looked for by its city and a word of its name",
        "give the city's area code, four digits, and a word",
    ),
    "notice.forged": (
        "this is no push of {name}: {field} does not fit",
        "do not answer it; it changed nothing",
    ),
    "provider.answer": (
        "the provider's answer cannot be trusted: {field}",
        "posctl change resume {order} asks again",
    ),
    "provider.rejected": (
        "the provider rejected the change: {namespace}/{raw} {reason}",
        "the old account stays; correct it in a new order",
    ),
    "provider.account_class": (
        "the provider takes no account of this class: {namespace}/{raw} {reason}",
        "the old account stays; the bank can make it Class I, or give another account",
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
