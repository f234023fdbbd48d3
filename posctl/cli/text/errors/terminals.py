"""Ports and terminals."""

from __future__ import annotations

ERRORS: dict[str, tuple[str, str]] = {
    "port.none": ("no serial port on this machine", "plug the cable in; --port"),
    "port.ambiguous": ("several ports: {candidates}", "--port with one of them"),
    "port.missing": ("no such port: {port}", "check the cable, and what --port names"),
    "port.denied": (
        "no permission to open {port}",
        "sudo usermod -aG {group} $USER, then log in again",
    ),
    "port.busy": ("{port} is held by another program", "close that program"),
    "port.unusable": (
        "{port} is no serial port, or refuses {baud} baud",
        "check the port's name and the profile's baud rate",
    ),
    "line.address": (
        "{address} is not tcp:HOST:PORT or rfc2217://HOST:PORT",
        "write it like tcp:192.0.2.7:10009 or rfc2217://192.0.2.8:2217",
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
    "bench.file": (
        "{file} is no description of a bench: {reason}",
        "compare it with examples/bench.toml",
    ),
    "terminal.plugin": (
        "the plug-in for protocol {name} cannot be loaded ({reason})",
        "install it again, or ask who made it",
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
    "terminal.cannot": (
        "a terminal that speaks {protocol} cannot do this: {what}",
        "docs/terminals.md tells what each protocol can",
    ),
}
