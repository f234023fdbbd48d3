"""posctl: changes the settlement account of a POS terminal's merchant."""

__version__ = "0.1.0"
