"""Stand-ins for terminals, cards and the acquirer, on real wires.

Imports ``protocols`` only, never ``posctl``: the two meet on the wire.
"""
