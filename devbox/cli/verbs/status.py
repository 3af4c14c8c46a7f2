"""`devbox status`."""

import typer

from devbox.cli.group import invocation_of, verb
from devbox.cli.render import next_step, port_documents, problem_document, problem_line, session_documents
from devbox.cli.text import as_lines, escaped
from devbox.hot import show
from devbox.workspace.status import status


@verb(
    "status",
    examples=(
        ("devbox status", "state, ports, what is wrong"),
        ("devbox status --json", "the same for a script; exit code 0 in every state"),
    ),
    next_step="devbox up, if it is stale or not running",
)
def command(context: typer.Context) -> None:
    """Say what is there: absent, created, running, stopped or broken, and whether it fits the profile."""
    invocation = invocation_of(context)
    found = status(invocation.host, invocation.workspace)
    document = {
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
    problems = (problem_line(problem) for problem in found.problems)
    invocation.show(document, [*as_lines(show.status_lines(escaped(document))), *problems])
    invocation.say(next_step(show.status_next(document)))
