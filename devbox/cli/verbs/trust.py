"""`devbox trust`."""

from dataclasses import asdict
from typing import Annotated

import typer

from devbox.cli.group import invocation_of, verb
from devbox.cli.invocation import Invocation
from devbox.cli.render import next_step
from devbox.cli.text import Line, Span
from devbox.errors import NotConfirmedError, Problem
from devbox.workspace.trust_verb import Review, agree, review

_STYLES = {"+": "good", "-": "error"}


@verb(
    "trust",
    examples=(
        ("devbox trust", "show what the profile asks for, and ask you"),
        ("devbox trust --yes", "agree without being asked, in a script that has looked"),
    ),
    next_step="devbox up; devbox untrust, to take it back",
)
def command(
    context: typer.Context,
    *,
    yes: Annotated[bool, typer.Option("-y", "--yes", help="Agree without being asked.")] = False,
) -> None:
    """Agree to what the profile asks of this machine: host paths, host variables, devices, open ports, Dockerfiles.

    The agreement is to exactly these values; any change of them asks again. Kept for you alone, never in the repo.
    """
    invocation = invocation_of(context)
    reviewed = review(invocation.host, invocation.workspace)
    if reviewed.trusted:
        nothing = "nothing to do" if reviewed.items else "nothing to do: the profile asks for nothing of this machine"
        invocation.show(_document(reviewed, changed=False), [nothing])
        return
    if not yes:
        _ask(invocation, reviewed)
    agree(invocation.host, invocation.workspace, reviewed)
    count = "one thing" if len(reviewed.items) == 1 else f"{len(reviewed.items)} things"
    invocation.show(_document(reviewed, changed=True), [f"agreed to {count} for {invocation.workspace.directory}"])
    invocation.say(next_step("devbox up"))


def _ask(invocation: Invocation, reviewed: Review) -> None:
    if not invocation.interactive:
        raise NotConfirmedError(
            "trust needs a yes, and there is nobody to ask", problems=_problems(reviewed), hint="devbox trust --yes"
        )
    invocation.terminal.say(f"the profile of {invocation.workspace.directory} asks for:")
    for line in _difference(reviewed):
        invocation.terminal.say(line)
    if not invocation.terminal.ask("agree to this?"):
        raise NotConfirmedError("nothing was agreed to", hint="devbox trust, and answer y")


def _difference(reviewed: Review) -> list[Line]:
    return [(Span("  "), Span(line, _STYLES.get(line[:1], ""))) for line in reviewed.difference]


def _problems(reviewed: Review) -> list[Problem]:
    return [Problem(message=item.sentence, key=item.key, file=item.file, line=item.line) for item in reviewed.items]


def _document(reviewed: Review, *, changed: bool) -> dict[str, object]:
    return {"changed": changed, "trusted": True, "items": [asdict(item) for item in reviewed.items]}
