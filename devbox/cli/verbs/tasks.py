"""`devbox tasks`."""

from dataclasses import asdict

import typer

from devbox.cli.group import invocation_of, verb
from devbox.cli.text import Line, Span, table
from devbox.workspace.tasks import Listed, tasks, title


@verb(
    "tasks",
    examples=(
        ("devbox tasks", "every task, what it runs and where it is written"),
        ("devbox tasks --json", "the same for a script"),
    ),
    next_step="devbox run NAME",
)
def command(context: typer.Context) -> None:
    """List the tasks: what they run, what they need first, and the file and line where they are written."""
    invocation = invocation_of(context)
    found = tasks(invocation.host, invocation.workspace)
    invocation.show({"tasks": [asdict(one) for one in found]}, _lines(found))


def _lines(found: tuple[Listed, ...]) -> list[Line]:
    if not found:
        return ['no tasks; write one below [tasks] in devbox.toml, as test = "pytest -q"']
    rows: list[tuple[str | Span, ...]] = [
        tuple(Span(title, "dim") for title in ("NAME", "NEEDS", "WRITTEN", "COMMAND"))
    ]
    rows += [(Span(one.name, "bold"), ", ".join(one.needs) or "-", _place(one), title(one.run)) for one in found]
    return table(rows)


def _place(one: Listed) -> str:
    return one.source if one.file is None else f"{one.file}:{one.line}"
