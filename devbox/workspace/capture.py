"""Run a process inside whose output devbox reads itself."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from devbox.runtimes.agent import explained
from devbox.runtimes.base import ExecSpec, Instance, Session


@dataclass(frozen=True, slots=True, kw_only=True)
class Captured:
    """How it ended, and the first `limit` bytes of what it said."""

    status: int
    stdout: bytes
    stderr: bytes


@contextmanager
def _session(instance: Instance, spec: ExecSpec) -> Iterator[Session]:
    with explained(instance.name, spec):
        session = instance.exec(spec)
        try:
            yield session
        finally:
            session.close()


def capture(instance: Instance, spec: ExecSpec, *, limit: int = 1024 * 1024) -> Captured:
    """Run `spec` without input to its end."""
    parts: dict[int, list[bytes]] = {1: [], 2: []}
    left = limit
    with _session(instance, spec) as session:
        while (frame := session.receive()) is not None:
            parts[frame[0]].append(frame[1][:left])
            left = max(0, left - len(frame[1]))
        status = session.exit_code()
    return Captured(status=status, stdout=b"".join(parts[1]), stderr=b"".join(parts[2]))


def stream_lines(instance: Instance, spec: ExecSpec, say: Callable[[str], None]) -> int:
    """Run `spec` without input, pass each line of its output to `say`, and return its exit code.

    Interrupted, it takes the process inside along.
    """
    buffers = {1: b"", 2: b""}
    with _session(instance, spec) as session:
        try:
            while (frame := session.receive()) is not None:
                number, data = frame
                *lines, buffers[number] = (buffers[number] + data).split(b"\n")
                for line in lines:
                    say(line.decode("utf-8", "replace").rstrip("\r"))
            for rest in buffers.values():
                if rest:
                    say(rest.decode("utf-8", "replace"))
            return session.exit_code()
        except BaseException:
            session.signal(15)
            raise
