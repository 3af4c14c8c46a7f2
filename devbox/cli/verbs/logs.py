"""`devbox logs`."""

from contextlib import nullcontext
from typing import Annotated

import typer

from devbox.cli.following import until_ctrl_c
from devbox.cli.group import invocation_of, verb
from devbox.cli.invocation import Invocation
from devbox.errors import UsageError

_LOGS = ("--build", "--supervisor", "--console")
_STREAMS = {1: "stdout", 2: "stderr"}


def _count(value: str | None) -> int | None:
    """Return the number of lines that was typed."""
    if value is None:
        return None
    if not (value.isascii() and value.isdigit()):
        raise typer.BadParameter(f"{value!r} is no number of lines")
    return int(value)


@verb(
    "logs",
    examples=(
        ("devbox logs -f -n 20", "the last 20 lines, then whatever comes"),
        ("devbox logs --console -f", "what a machine says while it boots"),
        ("devbox logs --supervisor", "which ports were relayed, and why one could not be"),
    ),
    next_step="devbox shell --failed, if a build step failed",
    machines=True,
)
def command(
    context: typer.Context,
    *,
    follow: Annotated[bool, typer.Option("-f", "--follow", help="Wait for more; end with Ctrl-C.")] = False,
    tail: Annotated[
        int | None,
        typer.Option("-n", "--tail", metavar="N", callback=_count, help="Only the last N lines.  [x>=0]"),
    ] = None,
    build: Annotated[bool, typer.Option("--build", help="The last build's steps instead.")] = False,
    supervisor: Annotated[
        bool, typer.Option("--supervisor", help="What the process that relays its ports has to say instead.")
    ] = False,
    console: Annotated[bool, typer.Option("--console", help="The serial console of a machine.")] = False,
) -> None:
    """Show what the environment wrote, or what its last build said.

    A machine writes to its serial console.
    """
    invocation = invocation_of(context)
    asked = [flag for flag, wanted in zip(_LOGS, (build, supervisor, console), strict=True) if wanted]
    if len(asked) > 1:
        raise UsageError(f"{asked[0]} and {asked[1]} are two logs", hint=f"devbox logs {asked[1]}")
    if follow and (invocation.json or build):
        other = "--json" if invocation.json else "--build"
        raise UsageError(f"{other} has an end and --follow has none", hint=f"devbox logs {other}")
    with until_ctrl_c() if follow else nullcontext():
        _show(invocation, asked[0] if asked else None, follow=follow, tail=tail)


def _show(invocation: Invocation, which: str | None, *, follow: bool, tail: int | None) -> None:
    from devbox.workspace.logs import build_log, logs, supervisor_log

    if which == "--supervisor":
        chunks = supervisor_log(invocation.workspace, follow=follow, tail=tail)
    elif which == "--build":
        chunks = build_log(invocation.workspace, tail=tail)
    else:
        chunks = logs(invocation.host, invocation.workspace, follow=follow, tail=tail, console=which == "--console")
    if not invocation.json:
        for stream, data in chunks:
            invocation.terminal.foreign(stream, data)
        return
    entries = [{"stream": _STREAMS[stream], "text": data.decode("utf-8", "replace")} for stream, data in chunks]
    invocation.show({"logs": entries}, ())
