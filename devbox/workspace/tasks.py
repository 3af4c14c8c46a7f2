"""`run`, `test`, `tasks`: the profile's commands with a name, in a login environment at the project's directory."""

import os
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import tomli

from devbox import paths
from devbox.errors import DevboxError, UsageError
from devbox.profile.layers import Origin
from devbox.profile.linemap import join
from devbox.profile.load import Loaded
from devbox.profile.tasks import near, ordered
from devbox.workspace.attach import Streams
from devbox.workspace.config import toml_value
from devbox.workspace.context import Host, Workspace
from devbox.workspace.effective import load_profile, read_profile, suggest
from devbox.workspace.login import SH
from devbox.workspace.shell import login
from devbox.workspace.up import Ready, bring_up

TEST = "test"  # the task that `devbox test` runs
_WRITE = f"write it below [tasks] in {paths.PROFILE}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """One task and where it is written; `file` is None for what no file says, `source` says what does."""

    name: str
    run: str
    needs: tuple[str, ...]
    source: str
    file: str | None
    line: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """A task that is to be run."""

    name: str
    run: str


def tasks(host: Host, workspace: Workspace) -> tuple[Listed, ...]:
    """Return the tasks of the profile, in the order in which they are written."""
    loaded = load_profile(host, workspace)
    return tuple(_listed(loaded, name) for name in loaded.profile.tasks)


def planned(host: Host, workspace: Workspace, name: str) -> tuple[Named, ...]:
    """Return what runs for the task `name`: what it needs, then itself. `UsageError` if there is none."""
    found = read_profile(host, workspace).profile.tasks
    if name in found:
        return tuple(Named(name=one, run=found[one].run) for one in ordered(found, name))
    if not found:
        raise UsageError(f"there is no task {name!r}: the profile has none", hint=f'{_WRITE}, as {TEST} = "pytest -q"')
    meant = near(name, found)
    there = f"there are: {', '.join(found)}"
    raise UsageError(
        f"there is no task {name!r}", hint=f"did you mean: devbox run {meant}; {there}" if meant else there
    )


def planned_test(host: Host, workspace: Workspace) -> tuple[Named, ...]:
    """Return what runs for the test task, declared or detected; `UsageError` says what to write if there is none."""
    if TEST in read_profile(host, workspace).profile.tasks:
        return planned(host, workspace, TEST)
    detected = _detected_test(host, workspace)
    raise UsageError(
        "nothing says how the tests of this project are run",
        hint=f"{_WRITE}: {TEST} = {toml_value(detected)}" if detected else f'{_WRITE}, as {TEST} = "make check"',
    )


def run(host: Host, workspace: Workspace, plan: Sequence[Named], args: Sequence[str]) -> int:
    """Bring the Environment up and run `plan`, `args` behind the command of its last; return the exit code.

    One that fails ends it, and its code is what is returned. Needs get the terminal if there is one, but nothing of
    a stdin that is none: that is for the last.
    """
    *needs, wanted = plan
    ready = bring_up(host, workspace, flags=None, command=f"devbox run {wanted.name}")
    with Path(os.devnull).open("rb") as nothing:
        ours = Streams()
        given = ours if ours.terminal else Streams(stdin=nothing.fileno())
        for need in needs:
            host.reporter.note(f"{need.name}, which {wanted.name} needs: {title(need.run)}")
            status = _run(host, workspace, ready, need.run, streams=given)
            if status:
                host.reporter.warn(f"{need.name} ended with {status}, so {wanted.name} was not run")
                return status
    return _run(host, workspace, ready, command_line(wanted.run, args), streams=ours)


def command_line(text: str, args: Sequence[str]) -> str:
    """Return the command `text` with `args` behind it, each one word whatever is in it."""
    return f"{text.rstrip()} {shlex.join(args)}" if args else text


def title(text: str) -> str:
    """Return the command `text` on one line; more lines are hinted at."""
    first, *more = text.strip().split("\n")
    return f"{first} ..." if more else first


def _run(host: Host, workspace: Workspace, ready: Ready, line: str, *, streams: Streams) -> int:
    workdir = ready.loaded.profile.user.workdir or workspace.guest_directory
    return login(host, workspace, ready, (SH, "-c", line), workdir=workdir, streams=streams)


def _listed(loaded: Loaded, name: str) -> Listed:
    task = loaded.profile.tasks[name]
    origin = loaded.origins.get(join(("tasks", name, "run")), Origin(value=None, source="built-in"))
    return Listed(name=name, run=task.run, needs=task.needs, source=origin.source, file=origin.file, line=origin.line)


def _detected_test(host: Host, workspace: Workspace) -> str | None:
    """Return the test command that is seen in the repo, be it that its profile says nothing of it."""
    try:
        found = tomli.loads(suggest(host, workspace).text).get("tasks", {}).get(TEST)
    except DevboxError:  # nothing is seen, or what contradicts itself
        return None
    return str(found["run"]) if isinstance(found, dict) else found
