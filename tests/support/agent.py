"""The real agent, on this host, for tests; and its program, compiled once and not for each test's empty home."""

import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from devbox import paths
from devbox.agent import program
from devbox.agent.client import NoAgent, open_socket

IDENTITY = "0123456789abcdef"
_SPARE = "agent-next"  # how the process is called that waits to become the next program
_ZYGOTE = "agent-zygote"  # and the one that bears it
_PROGRAMS = Path(paths.cache_root()) / "agent"  # while this process still has the cache that it was started with
_PATIENCE = 30.0  # seconds; only ever spent by what fails


def share_programs(cache: Path) -> None:
    """Let what has `cache` as XDG_CACHE_HOME use the programs that there are, and keep those that it makes."""
    _PROGRAMS.mkdir(parents=True, exist_ok=True)
    (cache / "devbox").mkdir(mode=0o700, parents=True)
    (cache / "devbox" / "agent").symlink_to(_PROGRAMS)


def children(pid: int) -> list[int]:
    """Return the processes that the agent `pid` has started, those that wait to be reaped included."""
    return [one for one, name in _all_children(pid) if name not in (_SPARE, _ZYGOTE)]


def spares(pid: int) -> list[int]:
    """Return the processes of the agent `pid` that wait to become a program: one, or none."""
    return [one for one, name in _all_children(pid) if name == _SPARE]


def zygotes(pid: int) -> list[int]:
    """Return the processes of the agent `pid` that bear those: one, or none."""
    return [one for one, name in _all_children(pid) if name == _ZYGOTE]


def _all_children(pid: int) -> Iterator[tuple[int, str]]:
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            head, _, rest = stat.read_text(encoding="utf-8", errors="replace").rpartition(")")
        except OSError:  # it has ended meanwhile
            continue
        if int(rest.split()[1]) == pid:
            yield int(stat.parent.name), head.partition("(")[2]


class HostAgent:
    """The agent as a process of this host: not process 1, and it lets in peers of its own uid."""

    def __init__(self, directory: Path, *, identity: str = IDENTITY, argv: Sequence[str] = ()) -> None:
        self.identity = identity
        self.path = str(directory / "agent.sock")
        words = [*(argv or [str(program.binary(os.uname().machine))]), "serve", "--socket", self.path]
        self._process = subprocess.Popen([*words, "--identity", identity], stderr=subprocess.PIPE)
        self.pid = self._process.pid
        self._wait_for_socket()

    def _wait_for_socket(self) -> None:
        end = time.monotonic() + _PATIENCE
        while not self._listens():
            if self._process.poll() is not None or time.monotonic() > end:
                raise AssertionError(f"the agent did not start: {self.stop()[1]}")
            time.sleep(0.005)

    def _listens(self) -> bool:
        """Whether a connection is taken: the socket has its name a moment before."""
        try:
            open_socket(self.path).close()
        except NoAgent:
            return False
        return True

    def memory(self) -> int:
        """Return the resident size in bytes."""
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
        raise AssertionError("the agent has ended")

    def stop(self) -> tuple[int, str]:
        """End it and what it started; return its exit code and what it said."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        said = self._process.communicate(timeout=_PATIENCE)[1].decode()
        return self._process.returncode, said


@contextmanager
def host_agent(*, identity: str = IDENTITY, argv: Sequence[str] = ()) -> Iterator[HostAgent]:
    """Run an agent; it must end cleanly and with nothing to say."""
    with tempfile.TemporaryDirectory(prefix="agent-") as directory:
        agent = HostAgent(Path(directory), identity=identity, argv=argv)
        try:
            yield agent
        finally:
            ended = agent.stop()
        assert ended == (0, "")
