"""What the detectors of all languages share: the tables of needs by dependency, and tasks of a Makefile."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from devbox.profile.detect.evidence import Evidence, Named, Port, Task
from devbox.profile.detect.view import View

_TARGETS: Final = ("test", "check", "build", "lint", "run", "start")
_TARGET: Final = re.compile(r"([A-Za-z0-9_.-]+)\s*:(?!=)")
MAKEFILES: Final = ("GNUmakefile", "makefile", "Makefile")


def needs(dependencies: Iterable[tuple[str, Evidence]], table: Mapping[str, str]) -> Iterator[Named]:
    """Yield what each dependency needs by `table` (names parted by spaces), each name once, with the first reason."""
    seen: set[str] = set()
    for name, at in dependencies:
        for need in table.get(name, "").split():
            if need not in seen:
                seen.add(need)
                yield Named(name=need, at=Evidence(file=at.file, line=at.line, what=name))


def frameworks(
    dependencies: Iterable[tuple[str, Evidence]], table: Mapping[str, tuple[str, int]]
) -> tuple[tuple[Evidence, ...], tuple[Port, ...]]:
    """Return the evidence for each framework among the dependencies, and the port of the first."""
    evidence: list[Evidence] = []
    ports: list[Port] = []
    for name, at in dependencies:
        if name in table:
            title, number = table[name]
            hit = Evidence(file=at.file, line=at.line, what=title)
            if hit not in evidence:
                evidence.append(hit)
                ports.append(Port(number=number, name=name, at=hit))
    return tuple(evidence), tuple(ports[:1])


def targets(view: View) -> dict[str, Evidence]:
    """Return the targets of the project's Makefile with their lines."""
    file = view.first(MAKEFILES)
    found: dict[str, Evidence] = {}
    for number, line in view.lines(file) if file else ():
        match = _TARGET.match(line)
        if match and file and not match[1].startswith("."):
            found.setdefault(match[1], Evidence(file=file, line=number, what=f"target {match[1]}"))
    return found


def make_tasks(view: View, names: Mapping[str, tuple[str, ...]] | None = None) -> tuple[Task, ...]:
    """Return the tasks that the Makefile's targets of common names are."""
    found = targets(view)
    wanted = names or {
        "test": ("test", "check"),
        "build": ("build",),
        "lint": ("lint",),
        "start": ("run", "start", "serve"),
    }
    tasks = []
    for task, choices in wanted.items():
        target = next((name for name in choices if name in found), None)
        if target:
            tasks.append(Task(name=task, run=f"make {target}", at=found[target]))
    return tuple(tasks)


def first_of_each(tasks: Iterable[Task]) -> tuple[Task, ...]:
    """Return the first task of each name, in order."""
    by_name: dict[str, Task] = {}
    for task in tasks:
        by_name.setdefault(task.name, task)
    return tuple(by_name.values())


def strings(value: object) -> list[str]:
    """Return the texts of a list; none of anything else."""
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []


def table(value: object) -> dict[str, object]:
    """Return a table of a document; an empty one for anything else."""
    return value if isinstance(value, dict) else {}


def line_of(view: View, file: str, pattern: str) -> int | None:
    """Return the line of the first match of `pattern` in `file`."""
    compiled = re.compile(pattern)
    return next((number for number, line in view.lines(file) if compiled.search(line)), None)
