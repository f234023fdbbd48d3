"""What a terminal and a card are ever asked: nothing of keys, PINs or tamper (R52)."""

from __future__ import annotations

import pytest
from world import Site

from emulator.card.applet import Applet
from protocols.apdu import Command

TERMINAL = {
    "A00": "who it is",
    "A02": "variables that its application shows",
    "B00": "close the batch",
    "R00": "totals of the batch",
}
"""Not A04 (set), A10 and A26, and nothing of PIN pads, key injection or card data."""
CARD = {
    "00A4": "SELECT",
    "00B2": "READ RECORD",
    "00C0": "GET RESPONSE",
    "80A8": "GET PROCESSING OPTIONS",
    "0088": "INTERNAL AUTHENTICATE",
}
"""Not VERIFY (a PIN), GENERATE AC (a payment), or anything that writes."""


@pytest.mark.req("R52")
def test_of_a_whole_course_and_of_each_command_beside_it(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    port, reader = ["--port", site.bench.port], ["--reader", site.bench.reader]
    sent: set[str] = set()
    real = Applet.process

    def watched(self: Applet, raw: bytes) -> bytes:
        command = Command.from_bytes(raw)
        sent.add(f"{command.cla:02X}{command.ins:02X}")
        return real(self, raw)

    monkeypatch.setattr(Applet, "process", watched)
    backup = ("terminal", "backup", "--output", str(site.home / "backup.json"))
    for words in (("terminal", "info"), backup, ("binding", "show")):
        site.run(*words, *port).ok()
    for words in (("card", "show"), ("card", "verify")):
        site.run(*words, *reader).ok()
    number = site.approved()
    site.commit(number).ok()
    site.confirm(number).ok()
    site.run("terminal", "settle", *port, answers=["SETTLE"]).ok()

    assert set(site.bench.terminal.core.asked) == set(TERMINAL)
    assert {"00B2", "80A8", "0088"} < sent <= set(CARD)
