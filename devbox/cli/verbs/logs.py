"""`devbox logs`."""

import click

from devbox.cli.group import pass_invocation, verb
from devbox.cli.invocation import Invocation
from devbox.errors import UsageError

_STREAMS = {1: "stdout", 2: "stderr"}


@verb(
    "logs",
    examples=(
        ("devbox logs", "what the environment's first process wrote"),
        ("devbox logs -f -n 20", "the last 20 lines, then whatever comes"),
        ("devbox logs --build", "what each step of the last build said"),
    ),
    next_step="devbox shell --failed, if a build step failed",
)
@click.option("-f", "--follow", is_flag=True, help="Wait for more; end with Ctrl-C.")
@click.option("-n", "--tail", type=click.IntRange(min=0), metavar="N", help="Only the last N lines.")
@click.option("--build", is_flag=True, help="The last build's steps instead.")
@pass_invocation
def command(invocation: Invocation, *, follow: bool, tail: int | None, build: bool) -> None:
    """Show what the environment wrote, or what its last build said."""
    from devbox.workspace.logs import logs

    if follow and (invocation.json or build):
        other = "--json" if invocation.json else "--build"
        raise UsageError(f"{other} has an end and --follow has none", hint=f"devbox logs {other}")
    chunks = logs(invocation.host, invocation.workspace, follow=follow, tail=tail, build=build)
    if not invocation.json:
        for stream, data in chunks:
            invocation.terminal.foreign(stream, data)
        return
    entries = [{"stream": _STREAMS[stream], "text": data.decode("utf-8", "replace")} for stream, data in chunks]
    invocation.show({"logs": entries}, ())
