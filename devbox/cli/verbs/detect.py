"""`devbox detect`."""

from collections.abc import Iterator
from typing import Any

import typer

from devbox.cli.group import invocation_of, verb
from devbox.cli.text import Line, Span, table
from devbox.profile.detect import Evidence, Stack
from devbox.workspace.detect import Detected, detect_project


@verb(
    "detect",
    examples=(
        ("devbox detect", "what this repo needs, each with the file and line that says so"),
        ("devbox detect --json", "the same for a script, with the profile that init would write"),
        ("DEVBOX_NODE_VERSION=22 devbox detect", "with a version that goes before those of the files"),
    ),
    next_step="devbox shell, to use it as it is; devbox init, to write it down",
)
def command(context: typer.Context) -> None:
    """Look at the repo and say what environment it needs, with file and line. Runs nothing and writes nothing.

    Where nothing tells, or where files exclude each other, the exit code is 2 and each problem is listed.
    """
    invocation = invocation_of(context)
    detected = detect_project(invocation.host, invocation.workspace)
    invocation.show(_document(detected), list(_lines(detected)))


def _document(detected: Detected) -> dict[str, Any]:
    found = detected.found
    return {
        "name": found.name,
        "stacks": [_stack(stack) for stack in found.stacks],
        "evidence": [_place(one) for one in found.others],
        "profile": detected.text,
    }


def _stack(stack: Stack) -> dict[str, Any]:
    return {
        "stack": stack.name,
        "version": stack.version,
        "versions": [_place(one.at) for one in stack.claims],
        "evidence": [_place(one) for one in stack.evidence],
        "system": [{"name": one.name, **_place(one.at)} for one in stack.system],
        "tasks": [{"name": one.name, "run": one.run, **_place(one.at)} for one in stack.tasks],
        "ports": [{"name": one.name, "port": one.number, **_place(one.at)} for one in stack.ports],
        "services": [{"name": one.name, **_place(one.at)} for one in stack.services],
        "provision": [{"name": one.name, "run": one.run, **_place(one.at)} for one in stack.steps],
    }


def _place(at: Evidence) -> dict[str, Any]:
    return {"file": at.file, "line": at.line, "what": at.what}


def _lines(detected: Detected) -> Iterator[Line]:
    for stack in detected.found.stacks:
        yield (Span(f"{stack.name} {stack.version or ''}".rstrip(), "bold"),)
        yield from table((f"  {what}", Span(place, "dim")) for what, place in _rows(stack))
    if detected.found.others:
        yield (Span("also seen", "bold"),)
        yield from table((f"  {one.what}", Span(one.place, "dim")) for one in detected.found.others)


def _rows(stack: Stack) -> Iterator[tuple[str, str]]:
    yield from ((one.what, one.place) for one in stack.evidence)
    yield from ((f"version: {one.at.what}", one.at.place) for one in stack.claims)
    yield from ((f"system package {one.name}, for {one.at.what}", one.at.place) for one in stack.system)
    yield from ((f"task {one.name}: {one.run}", one.at.place) for one in stack.tasks)
    yield from ((f"port {one.number}", one.at.place) for one in stack.ports)
    yield from ((f"service {one.name}, not started", one.at.place) for one in stack.services)
    yield from ((f"runs when it is made: {one.run}", one.at.place) for one in stack.steps)
