"""Examples for the help of each command."""

from __future__ import annotations

_ORDER = "AB2C-D3E4F"
EXAMPLES: dict[str, tuple[str, ...]] = {
    "list": ("posctl list",),
    "terminal info": (
        "posctl terminal info --port /dev/ttyUSB0",
        "posctl terminal info --port COM3 --profile chinaums",
        "posctl terminal info --port tcp:192.0.2.7:10009",
    ),
    "terminal settle": ("posctl terminal settle --port /dev/ttyUSB0",),
    "terminal backup": ("posctl terminal backup --output till.json",),
    "card keys": ("posctl card keys",),
    "card watch": ("posctl card watch --seconds 60",),
    "card apdu": ('posctl card apdu "00A404000E315041592E5359532E444446303100"',),
    "explain atr": ('posctl explain atr "3B 65 00 00 50 4F 53 43 54"',),
    "explain tlv": ("posctl explain tlv answer.hex",),
    "card verify": ('posctl card verify --reader "ACS ACR39U 00 00"',),
    "card show": (
        "posctl card show",
        "posctl card show --reader 'ACS ACR38U 00 00' --wait-card 60",
    ),
    "binding show": ("posctl binding show --shop noodles",),
    "change run": (
        "posctl change run --shop noodles --port /dev/ttyUSB0 --pictures photos",
        "posctl change run --shop noodles",
        "posctl change run --typed --port COM3",
        "posctl change run --rehearse --shop noodles",
    ),
    "change approve": (f"posctl change approve {_ORDER}",),
    "change commit": (
        f"posctl change commit {_ORDER}",
        f"posctl change commit {_ORDER} --wait 0",
    ),
    "change confirm": (f"posctl change confirm {_ORDER}",),
    "change resume": (f"posctl change resume {_ORDER}",),
    "change rollback": (f"posctl change rollback {_ORDER}",),
    "orders list": ("posctl orders list --open",),
    "orders show": (f"posctl orders show {_ORDER} --json",),
    "receipt show": (
        f"posctl receipt show {_ORDER} --output receipt.json",
        f"posctl receipt show {_ORDER} --output receipt.pdf",
        f"posctl receipt show {_ORDER} --format text",
    ),
    "receipt slip": (
        f"posctl receipt slip {_ORDER}",
        f"posctl receipt slip {_ORDER} --output slip.pdf",
    ),
    "receipt verify": (
        "posctl receipt verify receipt.json --root root.pem",
        "posctl receipt verify code.txt --root root.pem",
    ),
    "merchant fetch": ("posctl merchant fetch 898110054110001",),
    "profile show": ("posctl profile show", "posctl profile show chinaums --example"),
    "config set": (
        "posctl config set lang zh",
        "posctl config set --shop noodles port /dev/ttyUSB0",
    ),
    "config unset": ("posctl config unset --shop noodles reader",),
    "completion": (
        '~/.bashrc   eval "$(posctl completion bash)"',
        '~/.zshrc    eval "$(posctl completion zsh)"',
        "fish, once  posctl completion fish > ~/.config/fish/completions/posctl.fish",
        "$PROFILE    posctl completion powershell | Out-String | Invoke-Expression",
    ),
    "operator issue": ("posctl operator issue zhao --role approver",),
    "operator revoke": ("posctl operator revoke li",),
    "operator passphrase": (
        "posctl operator passphrase li",
        "posctl operator passphrase office",
    ),
    "emulate": ("posctl emulate --card credit --direct",),
}
"""Command -> lines of its help. The same in every language."""
