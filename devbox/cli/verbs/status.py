"""`devbox status`."""

import typer

from devbox.cli.group import invocation_of, verb
from devbox.cli.render import next_step, port_documents, port_lines, problem_document, problem_line
from devbox.cli.text import Line, Span, table
from devbox.workspace.status import EnvironmentStatus, status

_STYLES = {"running": "good", "broken": "error"}
_NEXT = {
    "absent": "devbox up",
    "created": "devbox up",
    "stopped": "devbox up",
    "broken": "devbox up",
    "running": "devbox shell",
}


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
        "stale": found.stale,
        "instance": found.instance,
        "image": found.image,
        "profile_digest": found.profile_digest,
        "ports": port_documents(found.ports),
        "sessions": [],
        "problems": [problem_document(problem) for problem in found.problems],
    }
    invocation.show(document, _lines(found))
    invocation.say(next_step("devbox up" if found.stale else _NEXT[found.state]))


def _lines(found: EnvironmentStatus) -> list[Line]:
    state = found.state + (", stale: the profile has changed since" if found.stale else "")
    rows: list[tuple[str | Span, ...]] = [
        (Span("name", "dim"), Span(found.name, "bold")),
        (Span("state", "dim"), Span(state, "warn" if found.stale else _STYLES.get(found.state, ""))),
        (Span("workspace", "dim"), found.workspace),
        (Span("engine", "dim"), found.engine),
    ]
    if found.instance:
        rows.append((Span("instance", "dim"), found.instance[:12]))
    if found.image:
        rows.append((Span("image", "dim"), found.image.removeprefix("sha256:")[:12]))
    ports = port_lines(found.ports) if found.state == "running" else []
    return [*table(rows), *ports, *(problem_line(problem) for problem in found.problems)]
