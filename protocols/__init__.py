"""Bytes to meaning and back: frames, messages, session machines, wire formats.

Nothing here opens a port, reads a clock or sleeps, so both the drivers of posctl
and the emulator stand on it and meet nowhere else.
"""
