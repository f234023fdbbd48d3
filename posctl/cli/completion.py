"""`posctl completion`: the script that a shell loads once."""

from __future__ import annotations

import re
from typing import Any

import click
from click.shell_completion import BashComplete, ShellComplete, add_completion_class

from posctl.cli.grammar import Command
from posctl.cli.text.messages import _

_SPECIAL = re.compile(r"([^\w@%+=:,./-])")
_ESCAPED = r"\\\\\1"  # the script reads it once before bash does
SHELLS = ("bash", "zsh", "fish", "powershell")


class Bash(BashComplete):
    """click's, but a reader's name with blanks stays one word."""

    name = "bash"

    def format_completion(self, item: Any) -> str:
        return f"{item.type},{_SPECIAL.sub(_ESCAPED, item.value)}"


class PowerShell(ShellComplete):
    """click knows bash, zsh and fish. Words and position come in variables, the
    answers go out a line each: word, tabulator, help."""

    name = "powershell"
    source_template = """\
Register-ArgumentCompleter -Native -CommandName %(prog_name)s -ScriptBlock {
    param($word, $line, $cursor)
    $typed = $line.ToString()
    if ($cursor -lt $typed.Length) { $typed = $typed.Substring(0, $cursor) }
    $env:%(complete_var)s = "powershell_complete"
    $env:COMP_WORDS = $typed
    $env:COMP_WORD = $word.Trim("'")
    try {
        %(prog_name)s | Where-Object { $_ } | ForEach-Object {
            $value, $told = $_ -split "`t", 2
            if (-not $told) { $told = $value }
            $shown = $value
            if ($value -notmatch "^[A-Za-z0-9_+=:./-]+$") {
                $shown = "'" + ($value -replace "'", "''") + "'"
            }
            [System.Management.Automation.CompletionResult]::new(
                $shown, $value, "ParameterValue", $told)
        }
    } finally {
        Remove-Item Env:%(complete_var)s, Env:COMP_WORDS, Env:COMP_WORD
    }
}
"""

    def get_completion_args(self) -> tuple[list[str], str]:
        import os

        from click.shell_completion import split_arg_string

        begun = os.environ.get("COMP_WORD", "")
        typed = split_arg_string(os.environ["COMP_WORDS"])[1:]
        if begun and typed:
            typed = typed[:-1]
        return typed, begun

    def format_completion(self, item: Any) -> str:
        return f"{item.value}\t{item.help or ''}".rstrip("\t")


add_completion_class(Bash)
add_completion_class(PowerShell)


@click.command("completion", cls=Command, help=_("help.completion"))
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Prints the script as it is: the shell reads it."""
    from click.shell_completion import get_completion_class

    made = get_completion_class(shell)
    assert made is not None  # noqa: S101 - SHELLS are click's and ours
    root = ctx.find_root()
    script = made(root.command, {}, "posctl", "_POSCTL_COMPLETE")
    click.echo(script.source())
