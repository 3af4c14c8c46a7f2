"""`devbox doctor`."""

import shlex
from collections.abc import Sequence
from typing import Annotated

import typer

from devbox.cli.group import invocation_of, verb
from devbox.cli.invocation import Invocation
from devbox.cli.text import Line, Span, table
from devbox.errors import NotConfirmedError, UsageError
from devbox.workspace.doctor import Check, Status, diagnose, fixes
from devbox.workspace.remedies import Command, carry_out

_STYLES = {Status.OK: "good", Status.WARN: "warn", Status.FAIL: "error"}


@verb(
    "doctor",
    examples=(
        ("devbox doctor", "look at everything, change nothing"),
        ("devbox doctor --fix", "show what would help, ask, do it"),
        ("devbox doctor --fix --yes", "do it without asking, on a build machine"),
    ),
    next_step="devbox shell, once no line says fail",
)
def command(
    context: typer.Context,
    *,
    fix: Annotated[bool, typer.Option("--fix", help="Install and start what is missing, after asking.")] = False,
    yes: Annotated[bool, typer.Option("-y", "--yes", help="With --fix: without asking.")] = False,
) -> int:
    """Check this machine: engine, QEMU, acceleration, disk, permissions; each line with its remedy.

    Exit code 1 if a check fails. Without --fix it installs and changes nothing.
    """
    invocation = invocation_of(context)
    if yes and not fix:
        raise UsageError("--yes is an answer to --fix", hint="devbox doctor --fix --yes")
    checks = diagnose(invocation.host)
    if fix and _mend(invocation, fixes(checks), agreed=yes):
        checks = diagnose(invocation.host)
    invocation.show({"checks": [_document(check) for check in checks]}, _lines(checks))
    return 1 if any(check.status is Status.FAIL for check in checks) else 0


def _mend(invocation: Invocation, commands: Sequence[Command], *, agreed: bool) -> bool:
    """Carry out `commands` once somebody agreed; return whether there was anything to do."""
    if not commands:
        return False
    for one in commands:
        invocation.say((Span("  would run: ", "dim"), Span(shlex.join(one.argv) + (" &" if one.background else ""))))
    if not agreed:
        if not invocation.interactive:
            raise NotConfirmedError(
                "doctor --fix needs a yes, and there is nobody to ask", hint="devbox doctor --fix --yes"
            )
        if not invocation.terminal.ask("run this?"):
            raise NotConfirmedError("nothing was changed", hint="devbox doctor --fix, and answer y")
    carry_out(invocation.host, tuple(commands))
    return True


def _document(check: Check) -> dict[str, object]:
    return {"id": check.id, "status": check.status.value, "message": check.message, "remedy": check.remedy}


def _lines(checks: Sequence[Check]) -> list[Line]:
    lines: list[Line] = []
    facts = table(
        (Span(check.status.value, _STYLES[check.status]), Span(check.id, "bold"), check.message) for check in checks
    )
    for check, fact in zip(checks, facts, strict=True):
        lines.append(fact)
        if check.remedy and check.status is not Status.OK:
            lines.append((Span("      remedy: ", "hint"), Span(check.remedy)))
    return lines
