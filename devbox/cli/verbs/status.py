"""`devbox status`."""

from typing import Any

import typer

from devbox.cli.group import invocation_of, verb
from devbox.cli.render import next_step, port_documents, problem_document, problem_line, session_documents
from devbox.cli.text import Line, as_lines, escaped
from devbox.hot import show
from devbox.workspace.status import EnvironmentStatus
from devbox.workspace.together import status_all


@verb(
    "status",
    examples=(
        ("devbox status", "state, ports, what is wrong"),
        ("devbox status --json", "the same for a script; exit code 0 in every state"),
    ),
    next_step="devbox up, if it is stale or not running",
    machines=True,
)
def command(context: typer.Context) -> None:
    """Say what is there: absent, created, running, stopped or broken, and whether it fits the profile.

    Of several machines ([machines.NAME]) also what there is of each; -m NAME: of that one alone.
    """
    invocation = invocation_of(context)
    first, *others = status_all(invocation.host, invocation.family)
    document = _document(first)
    machines = [{"machine": one.machine, "orphan": one.orphan, **_document(one)} for one in others]
    lines = [*as_lines(show.status_lines(escaped(document))), *map(problem_line, first.problems)]
    for one in others:
        lines += [*_lines(one), *map(problem_line, one.problems)]
    invocation.show(document | {"machines": machines}, lines)
    invocation.say(next_step(show.status_next(document)))


def _document(found: EnvironmentStatus) -> dict[str, Any]:
    return {
        "name": found.name,
        "workspace": found.workspace,
        "runtime": found.runtime,
        "engine": found.engine,
        "state": found.state,
        "saved": found.saved,
        "stale": found.stale,
        "instance": found.instance,
        "image": found.image,
        "profile_digest": found.profile_digest,
        "ports": port_documents(found.ports),
        "sessions": session_documents(found.sessions),
        "problems": [problem_document(problem) for problem in found.problems],
    }


def _lines(found: EnvironmentStatus) -> list[Line]:
    """Return one of several machines for a person: shorter than the first, which says what they have in common."""
    document = escaped(_document(found))
    orphan = ", and the profile does not have it any more" if found.orphan else ""
    word = show.state_word(document) + orphan
    style = "warn" if found.orphan else show.state_style(document)
    head = [("machine", "dim"), (found.machine, "bold"), (found.runtime, "dim"), (word, style)]
    ports = show.port_lines(document["ports"]) if found.state == "running" else []
    return as_lines([*show.table([head]), *ports, *show.session_lines(document)])
