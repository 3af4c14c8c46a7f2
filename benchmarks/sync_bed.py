"""What files are synced between in the benchmark: a tree of this machine, and a directory in a container."""

import contextlib
import os
import select
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from devbox.agent.session import start
from devbox.agent.wire import FLAG_STDIN, FLAG_SYNC, ExecMessage
from devbox.sync.core.entry import Side
from devbox.sync.endpoint import Answer, Code, Endpoint, Request
from devbox.sync.guest import GuestEndpoint
from devbox.sync.host import HostEndpoint
from devbox.sync.session import SyncSession
from tests.sync.pairs.container import ROOT, ContainerPair
from tests.sync.stage import Can, Scenario

PER_DIRECTORY = 50
PATIENCE = 600.0
_ARRIVAL = 30.0
_PLAIN = Scenario(
    number=0,
    name="benchmark",
    title="",
    right="",
    play=lambda _: None,
    needs=frozenset({Can.SMALL}),
    mode="two-way",
    ignore=(),
    nightly=False,
    only=frozenset(),
)


class Bed(ContainerPair):
    """A host's directory and one in a container, in memory there; the guest's user is root, as its peers' is."""

    uid = 0
    room = "3g"

    def __init__(self, directory: Path) -> None:
        super().__init__(_PLAIN, directory)
        self.listens: dict[Side, Arrivals] = {}

    def session(self, state: str) -> SyncSession:
        """Return a session that has not begun, and knows what `state` says."""
        return self._made(self.host.path, state)

    def raw(self, root: str) -> GuestEndpoint:
        """Open one more line to the guest, on which nothing is said but what is measured."""
        self.shell(f"mkdir -p {root}")
        message = ExecMessage((root,), user="0:0", flags=FLAG_SYNC | FLAG_STDIN)
        return GuestEndpoint(start(self.reach().connect(), self.instance.spec_digest, message))

    def empty_guest(self) -> None:
        """Have nothing in the guest's directory."""
        self.guest.sh("rm -rf ./* ./.devbox")

    def require_same(self) -> None:
        """Raise `SystemExit` if the guest lacks more than a .gitignore or two ask for: those cost nothing."""
        here = sum(len(names) for _, _, names in os.walk(self.host.path))
        there = int(self.shell(f"find {ROOT} ! -type d | wc -l")[1])
        if there < here * 0.999:
            raise SystemExit(f"the host has {here} files, the guest {there}")

    @property
    def target(self) -> str:
        """The guest's directory, for a program inside."""
        return ROOT

    def _tapped(self, path: Path) -> Endpoint:
        end = HostEndpoint(path)
        return self.listens[Side.HOST].between(end) if Side.HOST in self.listens else end

    def _guest(self) -> Endpoint:
        end = self.open_guest()[0]
        return self.listens[Side.GUEST].between(end) if Side.GUEST in self.listens else end


@contextlib.contextmanager
def bed() -> Iterator[Bed]:
    """Have one; its directories are in memory where this machine has /dev/shm."""
    place = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    directory = Path(tempfile.mkdtemp(prefix="devbox-sync-", dir=place))
    made = None
    before = os.environ.get("XDG_STATE_HOME")
    state = os.environ["XDG_STATE_HOME"] = tempfile.mkdtemp(prefix="devbox-sync-")
    try:
        made = Bed(directory)
        yield made
    finally:
        if made is not None:
            made.close()
        os.environ.pop("XDG_STATE_HOME")
        if before is not None:
            os.environ["XDG_STATE_HOME"] = before
        for path in (directory, state):
            shutil.rmtree(path, ignore_errors=True)


def files(root: Path, count: int) -> None:
    """Make small files as sources are: half of them text, most of them of a few KiB."""
    for number in range(count):
        directory = root / f"d{number // PER_DIRECTORY:04}"
        if number % PER_DIRECTORY == 0:
            directory.mkdir()
        size = 64 << (number * 7 % 8)  # 64 B to 8 KiB, 2 KiB in the mean
        line = f"line of file {number}\n".encode()
        body = line * (size // len(line)) if number % 2 else number.to_bytes(8, "little") * (size // 8)
        (directory / f"file{number}.txt").write_bytes(body)


def settled(session: SyncSession) -> None:
    """Wait until both sides are the same; `SystemExit` if they are not."""
    report = session.flush(timeout=PATIENCE)
    if not report.settled or report.troubles or report.conflicts:
        raise SystemExit(f"the sync did not come to its end: {report}")


def asked(end: Endpoint, request: Request) -> Answer:
    """Ask one thing, and wait for what comes of it."""
    answers: list[Answer] = []
    end.ask(request, answers.append)
    wait(end, lambda: bool(answers))
    return answers[0]


def wait(end: Endpoint, until: Callable[[], bool]) -> None:
    """Take what comes until something is so."""
    poll = select.poll()
    poll.register(end.fileno(), select.POLLIN)
    while not until():
        poll.poll()
        end.process()


class Arrivals:
    """Tells when a change of a path was done at an end: it stands between the session and that end."""

    def __init__(self) -> None:
        self.path = b""
        self.at = 0.0  # when (perf_counter)
        self._come = threading.Event()

    def expect(self) -> None:
        """Forget the last one."""
        self._come.clear()

    def hear(self) -> None:
        """One is there, now."""
        self.at = time.perf_counter()
        self._come.set()

    def wait(self) -> float:
        """Wait for one, and return when it was there."""
        if not self._come.wait(_ARRIVAL):
            raise SystemExit("an edit did not arrive")
        return self.at

    def between(self, end: Endpoint) -> "Listened":
        """Stand before an end."""
        return Listened(end, self)


class Listened:
    """An `Endpoint` of which an Arrivals hears."""

    def __init__(self, end: Endpoint, arrivals: Arrivals) -> None:
        self._end = end
        self._arrivals = arrivals
        self.fileno, self.process, self.events, self.close = end.fileno, end.process, end.events, end.close

    @property
    def identity(self) -> object:
        return self._end.identity

    def ask(self, request: Request, done: Callable[[Answer], None]) -> None:
        if getattr(request, "path", b"") != self._arrivals.path or not hasattr(request, "digest"):
            self._end.ask(request, done)
            return

        def heard(answer: Answer) -> None:
            if answer.code is Code.DONE:  # what was turned down comes again
                self._arrivals.hear()
            done(answer)

        self._end.ask(request, heard)
