"""A SyncSession over two directories of this host."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from devbox.sync.endpoint import Endpoint
from devbox.sync.host import HostEndpoint
from devbox.sync.report import Report, Settings
from devbox.sync.session import SyncSession

Content = dict[str, bytes | str | None]


@dataclass
class Bed:
    """Two directories, and where their session remembers. `guest_end`: makes the guest's end."""

    base: Path
    settings: Settings = field(default_factory=Settings)
    guest_end: Callable[[Path], Endpoint] = HostEndpoint
    told: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        for side in (self.host, self.guest):
            side.mkdir(parents=True, exist_ok=True)

    @property
    def host(self) -> Path:
        return self.base / "host"

    @property
    def guest(self) -> Path:
        return self.base / "guest"

    @property
    def state(self) -> str:
        return str(self.base / "sync.db")

    def session(self) -> SyncSession:
        return SyncSession(
            self.settings,
            state=self.state,
            host_root=str(self.host),
            connect_host=lambda: HostEndpoint(self.host),
            connect_guest=lambda: self.guest_end(self.guest),
            notify=self.told.append,
        )

    @contextmanager
    def running(self) -> Iterator[SyncSession]:
        session = self.session()
        with started(session):
            yield session

    def once(self) -> Report:
        """Run a session until nothing is left to do."""
        with self.running() as session:
            return flushed(session)

    def both(self) -> Content:
        """What both have; fails if they differ."""
        host, guest = tree(self.host), tree(self.guest)
        assert host == guest
        return host


@contextmanager
def started(session: SyncSession) -> Iterator[None]:
    session.start()
    try:
        yield
    finally:
        session.stop()


def flushed(session: SyncSession) -> Report:
    report = session.flush(timeout=30)
    assert report.settled, (report, session.status())
    return report


def tree(root: Path) -> Content:
    """All below a root but what is ours: the content of files, "-> target" of links, None of directories."""
    found: Content = {}
    for directory, names, files in os.walk(root):
        here = Path(directory)
        if here == root and ".devbox" in names:
            names.remove(".devbox")
        for name in [*names, *files]:
            path = here / name
            key = str(path.relative_to(root))
            if path.is_symlink():
                found[key] = f"-> {path.readlink()}"
            elif path.is_dir():
                found[key] = None
            elif path.is_file():
                found[key] = path.read_bytes()
            else:
                found[key] = "other"
    return found


def trash(root: Path) -> list[bytes]:
    """The contents of all that was thrown away on this side."""
    return [path.read_bytes() for path in (root / ".devbox" / "trash").rglob("*") if path.is_file()]


def put(root: Path, files: dict[str, str]) -> None:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)


def eventually(what: Callable[[], bool], seconds: float = 10.0) -> None:
    until = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < until, "it did not come to it"
        time.sleep(0.002)
