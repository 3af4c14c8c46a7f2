"""Go: go.mod and go.work."""

import re
from collections.abc import Iterator
from typing import Final

from devbox.profile.detect.evidence import Claim, Evidence, Named, Stack, Task
from devbox.profile.detect.grammars import minimum
from devbox.profile.detect.parts import first_of_each, frameworks, make_tasks, needs
from devbox.profile.detect.sources import GO, agree, claim, version_claims
from devbox.profile.detect.tables import others as tables
from devbox.profile.detect.view import View

_GO: Final = re.compile(r"go\s+(\S+)\s*(?://.*)?\Z")
_TOOLCHAIN: Final = re.compile(r"toolchain\s+go(\S+)")
_REQUIRE: Final = re.compile(r"(?:require\s+)?([a-z0-9][\w.-]*\.[a-z]+/[^\s]+)\s+v\d\S*(?P<indirect>.*// indirect)?")
_SOURCES: Final = 200  # files whose start is looked at for cgo


def go(view: View) -> Stack | None:
    """Return the Go stack of a project, or None."""
    evidence = []
    if view.has("go.mod"):
        evidence.append(Evidence(file="go.mod", line=_line(view, "go.mod", "module "), what="a Go module"))
    if view.has("go.work"):
        evidence.append(Evidence(file="go.work", line=_line(view, "go.work", "use"), what="a workspace of Go modules"))
    if not evidence:
        return None
    if view.has("go.sum"):
        evidence.append(Evidence(file="go.sum", line=None, what="sums of modules"))
    known, version = agree(view, GO, [*version_claims(view, GO), *_claims(view)])
    dependencies = list(_requirements(view))
    hits, ports = frameworks(dependencies, tables.GO_FRAMEWORKS)
    at = evidence[0]
    tasks = _tasks(view, at) if view.has("go.mod") else list(_workspace_tasks(view))
    evidence += [
        Evidence(file=name, line=None, what="golangci-lint, which is not installed") for name in _linters(view)
    ]
    return Stack(
        name="go",
        profile="go",
        key="go",
        evidence=(*evidence, *hits),
        claims=known,
        version=version,
        system=_system(view, dependencies),
        tasks=first_of_each([*tasks, *make_tasks(view)]),
        ports=ports,
        services=tuple(needs(dependencies, tables.GO_SERVICES)),
    )


def _tasks(view: View, at: Evidence) -> list[Task]:
    commands = {"test": "go test ./...", "build": "go build ./...", "lint": "go vet ./..."}
    tasks = [Task(name=name, run=run, at=at) for name, run in commands.items()]
    if view.has("main.go"):
        tasks.append(Task(name="start", run="go run .", at=Evidence(file="main.go", line=None, what="a program")))
    return tasks


def _workspace_tasks(view: View) -> Iterator[Task]:
    """Yield the test task over the modules that go.work names."""
    used = []
    for number, line in view.lines("go.work"):
        match = re.match(r"(?:use\s+)?(\./?[\w./-]*)\s*(?://.*)?\Z", line.strip())
        if match:
            used.append((match[1].rstrip("/"), number))
    if used:
        packages = " ".join(f"{place}/..." for place, _ in used)
        at = Evidence(file="go.work", line=used[0][1], what="modules of the workspace")
        yield Task(name="test", run=f"go test {packages}", at=at)


def _claims(view: View) -> Iterator[Claim | None]:
    for file in ("go.work", "go.mod"):
        for number, line in view.lines(file) if view.has(file) else ():
            for pattern in (_GO, _TOOLCHAIN):
                match = pattern.match(line.strip())
                if match:
                    yield claim(view, GO, match[1], file=file, line=number, grammar=minimum)


def _requirements(view: View) -> Iterator[tuple[str, Evidence]]:
    """Yield the modules that go.mod requires for the project's own sake."""
    for number, line in view.lines("go.mod") if view.has("go.mod") else ():
        match = _REQUIRE.match(line.strip())
        if match and not match["indirect"]:
            yield match[1], Evidence(file="go.mod", line=number, what=match[1])


def _system(view: View, dependencies: list[tuple[str, Evidence]]) -> tuple[Named, ...]:
    found = list(needs(dependencies, tables.GO_SYSTEM))
    if any(one.name == "build-essential" for one in found):
        return tuple(found)
    for name in [name for name in view.names() if name.endswith(".go")][:_SOURCES]:
        for number, line in view.lines(name):
            if re.match(r'(?:import\s+)?"C"\s*\Z', line.strip()):
                at = Evidence(file=name, line=number, what="cgo")
                return (*found, Named(name="build-essential", at=at))
    return tuple(found)


def _line(view: View, file: str, start: str) -> int | None:
    return next((number for number, line in view.lines(file) if line.startswith(start)), None)


def _linters(view: View) -> list[str]:
    return [name for name in view.names() if name.startswith(".golangci.")]
