"""The relay between this process's standard streams and a process inside."""

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass

from devbox.agent.client import Greeting
from devbox.agent.relay import OutputError, relay
from devbox.errors import DevboxError
from devbox.runtimes.agent import exec_message, explained
from devbox.runtimes.base import ExecSpec, Instance

_ROWS, _COLUMNS = 24, 80


@dataclass(frozen=True, slots=True, kw_only=True)
class Streams:
    """File descriptors of this process."""

    stdin: int = 0
    stdout: int = 1
    stderr: int = 2

    @property
    def terminal(self) -> bool:
        """Whether a person sits at both ends."""
        return _isatty(self.stdin) and _isatty(self.stdout)

    def size(self) -> tuple[int, int]:
        """Return rows and columns of the terminal."""
        try:
            columns, rows = os.get_terminal_size(self.stdout)
        except OSError:
            return _ROWS, _COLUMNS
        return rows or _ROWS, columns or _COLUMNS


def _isatty(descriptor: int) -> bool:
    try:
        return os.isatty(descriptor)
    except OSError:
        return False


def attach(instance: Instance, spec: ExecSpec, *, streams: Streams) -> int:
    """Start `spec` inside and be it until it ends; return its exit code.

    `CannotStartError` if it cannot be started. The terminal is as it was before, whatever happens.
    """
    with told_apart(instance.name, spec):
        return relay(
            Greeting(instance.connect(), instance.spec_digest),
            request=exec_message(spec),
            stdin=streams.stdin,
            stdout=streams.stdout,
            stderr=streams.stderr,
            terminal=spec.terminal,
        )


@contextlib.contextmanager
def told_apart(name: str, spec: ExecSpec | None = None) -> Iterator[None]:
    """Turn what goes wrong in the relay to the Instance `name` into an error in words."""
    with explained(name, spec):
        try:
            yield
        except OutputError as error:
            raise DevboxError(str(error), hint="look at where the output goes to") from error
