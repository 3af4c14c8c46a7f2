"""An end of a SyncSession, asked one thing at a time, and the tree that it is an end of."""

import contextlib
import gc
import hashlib
import os
import select
from collections.abc import Callable
from pathlib import Path

from devbox.sync.core.entry import Stamp
from devbox.sync.core.names import OURS, TEMPORARY
from devbox.sync.endpoint import Answer, Barrier, Code, Endpoint, Event, Found, List, Put, Read, Request, Stat

PATIENCE = 20.0
WHEN = 1_600_000_000_123_456_789  # a modification time, ns


def digest(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=32).digest()


class End:
    """An endpoint and its tree. `open` makes another endpoint of the same tree."""

    def __init__(self, tree: Path, open_end: Callable[[Path], Endpoint]) -> None:
        self.tree = tree
        self._open = open_end
        self.endpoint = open_end(tree)

    def reopen(self) -> None:
        self.endpoint.close()
        self.endpoint = self._open(self.tree)

    def ask(self, request: Request) -> Answer:
        """Ask, and wait for the answer."""
        answers: list[Answer] = []
        self.endpoint.ask(request, answers.append)
        while not answers:
            self.wait()
        return answers[0]

    def wait(self, seconds: float = PATIENCE) -> None:
        """Wait until there is something to process, and process it."""
        ready, _, _ = select.select([self.endpoint], [], [], seconds)
        assert ready, "nothing came"
        self.endpoint.process()

    def do(self, request: Request) -> Answer:
        """Ask for something that must be done."""
        answer = self.ask(request)
        assert answer.code is Code.DONE, (request, answer)
        return answer

    def refuses(self, request: Request) -> bool:
        """Ask for something of no sense: it is refused, or cannot even be said."""
        try:
            return self.ask(request).code is Code.REFUSED
        except ValueError:
            return True

    def stamp(self, path: bytes) -> Stamp | None:
        """Look at a path."""
        found = self.do(Stat(path)).found
        return found[0].stamp if found else None

    def there(self, path: bytes) -> Stamp:
        """Look at a path where something is."""
        found = self.stamp(path)
        assert found is not None
        return found

    def names(self, path: bytes = b"") -> dict[bytes, Found]:
        """List a directory."""
        return {found.name: found for found in self.do(List(path)).found}

    def read(self, path: bytes) -> bytes:
        return self.do(Read(path, None, 0, 128 * 1024)).data

    def watch(self, path: bytes) -> int:
        """Watch a directory; returns its number."""
        return self.do(List(path, watch=True)).watch

    def told(self) -> list[Event]:
        """All that was told until now."""
        self.do(Barrier())
        return list(self.endpoint.events())

    def path(self, path: bytes) -> Path:
        """Where that is for the test itself."""
        return self.tree / os.fsdecode(path)

    def contents(self) -> dict[bytes, bytes]:
        """All files of the tree that are not ours, by their paths."""
        return {path: data for path, data in files(self.tree) if not is_ours(path)}

    def trash(self) -> dict[bytes, bytes]:
        """All files of the trash."""
        return dict(files(self.tree / ".devbox" / "trash"))

    def leftovers(self) -> list[bytes]:
        """Temporary names in the tree."""
        return [path for path, _ in files(self.tree) if path.rpartition(b"/")[2].startswith(TEMPORARY)]


def open_files() -> frozenset[tuple[int, int, int]]:
    """The open files of this process: number, device, inode. None where the system does not say."""
    found = set()
    with contextlib.suppress(FileNotFoundError):
        for number in (int(path.name) for path in Path("/proc/self/fd").iterdir()):
            with contextlib.suppress(OSError):  # that of the list itself
                status = os.fstat(number)
                found.add((number, status.st_dev, status.st_ino))
    return frozenset(found)


def left_open(before: frozenset[tuple[int, int, int]]) -> frozenset[tuple[int, int, int]]:
    """What is open now and was not before, but for what nobody holds any more."""
    if open_files() - before:
        gc.collect()
    return open_files() - before


def is_ours(path: bytes) -> bool:
    return path.startswith(OURS + b"/") or path.rpartition(b"/")[2].startswith(TEMPORARY)


def files(tree: Path) -> list[tuple[bytes, bytes]]:
    """The regular files below a directory, with their contents."""
    return [
        (os.fsencode(path.relative_to(tree)), path.read_bytes())
        for directory, _, names in os.walk(tree)
        for path in (Path(directory) / name for name in names)
        if path.is_file() and not path.is_symlink()
    ]


def put(path: bytes, data: bytes, expected: Stamp | None = None, **values: object) -> Put:
    """A Put with nothing special about it."""
    return Put(path, expected, data, digest(data), executable=False, mtime=WHEN)._replace(**values)
