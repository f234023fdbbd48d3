"""Every failure a person can meet: one class an exit code, one stable code a cause.

Texts live in ``posctl.cli``; here are codes with parameters. A parameter is printed
as it is, so it must never hold a sensitive value.
"""

from __future__ import annotations

from typing import ClassVar


class PosctlError(Exception):
    """Base. ``code`` names the cause, for scripts and for the message catalogue."""

    exit_code: ClassVar[int] = 1
    frames: tuple[str, ...] = ()
    """The last frames on the line that failed, masked."""

    def __init__(self, code: str, **params: object) -> None:
        self.code = code
        self.params = params
        shown = ", ".join(f"{k}={v}" for k, v in params.items())
        super().__init__(f"{code}({shown})" if shown else code)


class UsageError(PosctlError):
    """What was asked for makes no sense; nothing was tried."""

    exit_code = 2


class Declined(PosctlError):
    """The person said no."""

    exit_code = 3


class NoDevice(PosctlError):
    """No such port, reader or card, or more than one fits."""

    exit_code = 4


class LinkFailed(PosctlError):
    """The line, the reader or the host did not answer properly or in time."""

    exit_code = 5


class LinkTimeout(LinkFailed):
    """The deadline passed. Whether the peer acted is not known."""


class Refused(PosctlError):
    """The device or the provider said no. Its raw code and namespace are kept.

    Args:
        code: our code for the cause.
        namespace: whose raw code it is, as in ``chinaums`` or ``poslink``.
        raw: the peer's own code, unchanged.
    """

    exit_code = 6

    def __init__(self, code: str, *, namespace: str, raw: str, **params: object):
        self.namespace = namespace
        self.raw = raw
        super().__init__(code, namespace=namespace, raw=raw, **params)


class CheckFailed(PosctlError):
    """A check of ours failed; nothing was changed."""

    exit_code = 7


class StateUnknown(PosctlError):
    """An effect may or may not have happened: `resume` finds out."""

    exit_code = 8


class OtherChannel(PosctlError):
    """This must go by another channel or by hand."""

    exit_code = 9


class ClosedNow(PosctlError):
    """A window, freeze or cooling-off stands in the way now."""

    exit_code = 10


class NotYetEffective(PosctlError):
    """Accepted, but not effective yet."""

    exit_code = 11


def note(interrupt: BaseException, name: str, value: str) -> None:
    """What was being done when it came, for the last words. The innermost counts."""
    interrupt.add_note(f"{name}={value}")


def interrupted_at(error: BaseException) -> dict[str, str]:
    """What ``note`` noted, the first value of each name."""
    notes = [n.partition("=") for n in getattr(error, "__notes__", ())]
    return {name: value for name, _is, value in reversed(notes)}
