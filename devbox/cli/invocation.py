"""Invocation: what one call of the command knows; every verb is given it."""

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from devbox.cli.reporting import make_reporter
from devbox.cli.terminal import Terminal
from devbox.cli.text import Line
from devbox.reporter import Reporter

if TYPE_CHECKING:  # verbs that need no workspace (completion, --help) start faster without it
    from devbox.engine.base import Engine
    from devbox.process import Processes
    from devbox.workspace.context import Host, Workspace
    from devbox.workspace.several import Family

HostFactory = Callable[[Reporter, bool], "Host"]


@dataclass(kw_only=True)
class Invocation:
    """The global options, where to print, and the world around."""

    terminal: Terminal
    host_factory: HostFactory
    project: Path | None = None
    machine: str | None = None  # one of several, by its name; None: whatever the verb means by that
    quiet: bool = False
    verbose: bool = False
    json: bool = False
    no_input: bool = False
    version: bool = False  # asked for, instead of what the verb does
    guest_command: bool = False  # a command was given that runs inside; see exit status 125

    @property
    def interactive(self) -> bool:
        """Whether somebody can be asked."""
        return self.terminal.interactive and not self.no_input and not self.json

    @cached_property
    def reporter(self) -> Reporter:
        """Where the library speaks."""
        return make_reporter(self.terminal, quiet=self.quiet, verbose=self.verbose)

    @cached_property
    def host(self) -> "Host":
        """The world around this call."""
        return self.host_factory(self.reporter, self.interactive)

    @cached_property
    def workspace(self) -> "Workspace":
        """The Workspace that the call is about; `UsageError` if there is no machine of the name that was given."""
        from devbox.workspace.locate import locate

        found = locate(self.host, self.project)
        if self.machine is None:
            return found
        from devbox.workspace.several import member

        return member(self.host, found, self.machine)

    @cached_property
    def family(self) -> "Family":
        """The machines that a verb is about which is about all of them: the one that was named, else every one."""
        from devbox.workspace.several import alone, family

        return family(self.host, self.workspace) if self.machine is None else alone(self.workspace)

    def show(self, document: Mapping[str, Any], lines: Iterable[Line]) -> None:
        """Write the result in the form that was asked for; `document` is without its `schema`."""
        if self.json:
            self.terminal.document(document)
        else:
            self.terminal.result(lines)

    def say(self, line: Line) -> None:
        """Say what to do next; not in the way of a machine, nor under -q."""
        if not self.json and not self.quiet:
            self.terminal.say(line)


def real_host(reporter: Reporter, interactive: bool) -> "Host":  # noqa: FBT001 (the signature of HostFactory)
    """Return the Host of this machine and user."""
    from devbox.process import HostProcesses
    from devbox.workspace.context import Host

    processes = HostProcesses(reporter)
    environ = dict(os.environ)
    return Host(
        reporter=reporter,
        processes=processes,
        environ=environ,
        cwd=_current_directory(),
        connect=lambda: _connect(environ, processes, reporter),
        reachable=lambda: _reachable(environ, processes, reporter),
        interactive=interactive,
        uid=os.getuid(),
        gid=os.getgid(),
    )


def _connect(environ: Mapping[str, str], processes: "Processes", reporter: Reporter) -> "Engine":
    from devbox.engine.discovery import connect  # lazy: the docker SDK costs 150 ms

    return connect(environ, processes, reporter)


def _reachable(environ: Mapping[str, str], processes: "Processes", reporter: Reporter) -> "list[Engine]":
    from devbox.engine.discovery import reachable  # lazy, as above

    return reachable(environ, processes, reporter)


def _current_directory() -> Path:
    """Return it; if it was removed, a path that leads nowhere: whoever names the project does not need it."""
    try:
        return Path.cwd()
    except OSError:
        return Path("/proc/self/cwd")
