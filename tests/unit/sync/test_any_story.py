"""Whatever two people do to the two trees, with the session running, stopped or started anew: nothing is lost."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from devbox.confined import exchange, rename_new
from devbox.sync.core.entry import Side
from devbox.sync.report import Report, Settings
from devbox.sync.session import SyncSession
from tests.support.sync_bed import Bed, flushed, trash, tree

NAMES = st.sampled_from(["a", "b", "c", "node_modules"])
PATHS = st.lists(NAMES, min_size=1, max_size=3).map("/".join)
SIDES = st.sampled_from(list(Side))
IGNORED = "node_modules"


class Story(RuleBasedStateMachine):
    """`written`: each content that a user ever wrote; `destroyed`: those that a user took away where they were."""

    def __init__(self) -> None:
        super().__init__()
        self.base = Path(tempfile.mkdtemp(prefix="devbox-story-"))
        (self.base / "out").mkdir()
        self.bed = Bed(self.base, Settings(ignore=(IGNORED,)))
        self.written: set[bytes] = set()
        self.destroyed: set[bytes] = set()
        self.session: SyncSession | None = None
        self.last: Report | None = None

    @initialize()
    def begin(self) -> None:
        self.start()
        assert self.session is not None
        flushed(self.session)

    def root(self, side: Side) -> Path:
        return self.bed.host if side is Side.HOST else self.bed.guest

    def _throw_away(self, path: Path) -> None:
        """A user takes away what is there, in one step, whatever the session does at the same time."""
        out = self.base / "out" / str(len(list((self.base / "out").iterdir())))
        with suppress(OSError):
            path.rename(out)
            self._count_destroyed(out)

    def _count_destroyed(self, out: Path) -> None:
        for one in [out, *out.rglob("*")]:
            if one.is_file() and not one.is_symlink():
                self.destroyed.add(one.read_bytes())

    def _content(self, side: Side, path: str) -> bytes:
        return f"{len(self.written)} {side.value} {path}".encode()

    @rule(side=SIDES, path=PATHS, executable=st.booleans())
    def write(self, side: Side, path: str, executable: bool) -> None:
        """In place, through one handle: what is written over is what is read through it."""
        target = self.root(side) / path
        with suppress(OSError):
            target.parent.mkdir(parents=True, exist_ok=True)
            handle = os.open(target, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o644)
            try:
                self.destroyed.add(os.pread(handle, 1000, 0))
                os.ftruncate(handle, 0)
                content = self._content(side, path)
                os.write(handle, content)
                self.written.add(content)
                os.fchmod(handle, 0o755 if executable else 0o644)
            finally:
                os.close(handle)

    @rule(side=SIDES, path=PATHS)
    def save_by_rename(self, side: Side, path: str) -> None:
        target = self.root(side) / path
        aside = target.with_name("aside")
        with suppress(OSError):
            content = self._content(side, path)
            aside.write_bytes(content)
            self.written.add(content)
            directory = os.open(target.parent, os.O_RDONLY)
            try:
                exchange(directory, b"aside", directory, os.fsencode(target.name))
            finally:
                os.close(directory)
        self._throw_away(aside)

    @rule(side=SIDES, path=PATHS)
    def remove(self, side: Side, path: str) -> None:
        self._throw_away(self.root(side) / path)

    @rule(side=SIDES, path=PATHS)
    def make_directory(self, side: Side, path: str) -> None:
        with suppress(OSError):
            (self.root(side) / path).mkdir(parents=True)

    @rule(side=SIDES, path=PATHS, to=NAMES)
    def link(self, side: Side, path: str, to: str) -> None:
        with suppress(OSError):
            (self.root(side) / path).symlink_to(to)

    @rule(side=SIDES, path=PATHS, to=PATHS)
    def rename(self, side: Side, path: str, to: str) -> None:
        source, target = self.root(side) / path, self.root(side) / to
        with suppress(OSError):
            directories = [os.open(one.parent, os.O_RDONLY) for one in (source, target)]
            try:
                rename_new(directories[0], os.fsencode(source.name), directories[1], os.fsencode(target.name))
            finally:
                for directory in directories:
                    os.close(directory)

    @rule(side=SIDES, path=PATHS, executable=st.booleans())
    def chmod(self, side: Side, path: str, executable: bool) -> None:
        target = self.root(side) / path
        with suppress(OSError):
            if target.is_file() and not target.is_symlink():
                target.chmod(0o755 if executable else 0o644)

    @precondition(lambda self: self.session is not None)
    @rule()
    def flush(self) -> None:
        assert self.session is not None
        report = self.session.flush(timeout=30)
        if report.halted:
            self.session.confirm()
            report = self.session.flush(timeout=30)
        assert report.settled, (report, self.session.status())
        self.check_equal(report)

    @precondition(lambda self: self.session is not None)
    @rule(side=SIDES)
    def resolve(self, side: Side) -> None:
        assert self.session is not None
        conflicts = self.session.flush(timeout=30).conflicts
        for conflict in conflicts[:1]:
            self.session.resolve(conflict.path, side)

    @precondition(lambda self: self.session is not None)
    @rule()
    def stop(self) -> None:
        assert self.session is not None
        self.session.stop()
        self.session = None

    @precondition(lambda self: self.session is None)
    @rule()
    def start(self) -> None:
        self.session = self.bed.session()
        self.session.start()

    def check_equal(self, report: Report) -> None:
        """I3: quiet, and nothing is left: both are the same."""
        host, guest = synced(self.bed.host), synced(self.bed.guest)
        if not report.conflicts and not report.troubles and not self.session_left():
            assert host == guest
        everything = {*host.values(), *guest.values(), *trash(self.bed.host), *trash(self.bed.guest)}
        everything |= {*tree(self.bed.host).values(), *tree(self.bed.guest).values()}
        lost = self.written - self.destroyed - everything
        assert not lost, lost

    def session_left(self) -> bool:
        assert self.session is not None
        return bool(self.session.status().kept)

    @precondition(lambda self: self.session is not None)
    @rule()
    def nothing_happens(self) -> None:
        """I5: without a change, nothing is written on either side."""
        assert self.session is not None
        self.flush()
        before = [stamps(self.bed.host), stamps(self.bed.guest)]
        self.flush()
        assert before == [stamps(self.bed.host), stamps(self.bed.guest)]

    def teardown(self) -> None:
        try:
            if self.session is None:
                self.start()
            self.flush()
        finally:
            if self.session is not None:
                self.session.stop()
            shutil.rmtree(self.base, ignore_errors=True)


def synced(root: Path) -> dict[str, bytes | str | None]:
    return {path: what for path, what in tree(root).items() if IGNORED not in path.split("/")}


def stamps(root: Path) -> dict[str, tuple[int, int, int]]:
    found = {}
    for path in root.rglob("*"):
        now = path.lstat()
        found[str(path)] = (now.st_mtime_ns, now.st_ctime_ns, now.st_ino)
    return found


Story.TestCase.settings = settings(max_examples=int(os.environ.get("DEVBOX_STORIES", "25")), stateful_step_count=30)


@pytest.mark.long
@pytest.mark.usefixtures("_state_home")
class TestAnyStory(Story.TestCase):  # type: ignore[misc, valid-type]
    """The machine, as pytest runs it."""


@pytest.fixture
def _state_home(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with tempfile.TemporaryDirectory(prefix="devbox-state-") as state:
        monkeypatch.setenv("XDG_STATE_HOME", state)
        yield
