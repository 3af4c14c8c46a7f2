"""Edits while both sides are watched, against raw pushes of the same bytes through a line of the same kind."""

import contextlib
import itertools
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.common import Comparison, Way, measure
from benchmarks.sync_bed import Arrivals, Bed, asked, settled, wait
from devbox.runtimes.base import ExecSpec, Session
from devbox.sync.content import digest
from devbox.sync.core.entry import Side, Stamp
from devbox.sync.endpoint import Answer, Barrier, Put
from devbox.sync.guest import GuestEndpoint
from devbox.sync.session import SyncSession

KIB = 1024
TYPICAL, SLOW = (50, 2.0), (95, 3.0)  # percentile, and how many times a raw push
FLUSH_TARGET = 5.0
BURST = 1000
RAW = "/dev/shm/raw"
_PAUSE = 0.08  # seconds between two edits: nobody saves faster
_PATIENCE = 30.0
_numbers = itertools.count()


def compared(made: Bed, what: str, *, edits: int) -> list[Comparison]:
    """Compare on the tree that the host has."""
    made.empty_guest()
    made.listens = {side: Arrivals() for side in Side}
    session = made.session(f"edits-{next(_numbers)}")
    session.start()
    try:
        settled(session)
        with contextlib.closing(made.raw(RAW)) as raw:
            bench = _Bench(made, session, raw)
            to_guest = bench.to_guest(), bench.raw_to_guest(made.directory)
            found = list(_edits(f"edit host to guest, {what}", *to_guest, edits))
            found += _edits(f"edit guest to host, {what}", *bench.to_host(), edits)
            moved = bench.to_guest(moved=True), to_guest[1]
            found += _edits(f"edit after a move out of the tree, {what}", *moved, edits // 2)
            found.append(bench.burst(f"burst of {BURST} files, {what}"))
            found.append(bench.flush(f"flush, {what}", edits))
    finally:
        session.stop()
        made.listens = {}
    return found


def _edits(name: str, ours: Way, raw: Way, count: int) -> Iterator[Comparison]:
    done = measure(name, ours, raw, pairs=count, target=None)
    for percentile, target in (TYPICAL, SLOW):
        yield Comparison(
            name=f"{name}, p{percentile}",
            ours=done.ours,
            peer=done.peer,
            theirs=done.theirs,
            target=target,
            percentile=percentile,
        )


def _content() -> bytes:
    return f"{next(_numbers):08} ".encode() * (KIB // 9)


class _Bench:
    """A session that watches, a raw line, and a shell in the guest that writes when it is told to."""

    def __init__(self, made: Bed, session: SyncSession, raw: GuestEndpoint) -> None:
        self._made = made
        self._session = session
        self._raw = raw
        self._stamp: Stamp | None = None
        self._arrivals = made.listens

    def to_guest(self, *, moved: bool = False) -> Way:
        """Edit a file of the host, until the guest has said that it is in place."""
        path = self._made.host.path / "d0000" / "file7.txt"
        outside = self._made.directory / "outside"
        come = self._expect(Side.GUEST, b"d0000/file7.txt")

        def prepare() -> None:
            if moved:
                (path.parent / "leaves").write_text("x", encoding="ascii")
                settled(self._session)
            time.sleep(_PAUSE)
            come.clear()

        def run() -> None:
            if moved:
                (path.parent / "leaves").rename(outside)
            path.write_bytes(_content())
            if not come.wait(_PATIENCE):
                raise SystemExit("an edit did not arrive")

        return Way(name="devbox", prepare=prepare, run=run)

    def _expect(self, side: Side, path: bytes) -> object:
        self._arrivals[side].path = path
        return self._arrivals[side].come

    def raw_to_guest(self, directory: Path) -> Way:
        """Write the same and push it, with nothing else."""
        path = directory / "raw"

        def run() -> None:
            path.write_bytes(_content())
            data = path.read_bytes()
            put = Put(b"file7.txt", self._stamp, data, digest(data), executable=False, mtime=time.time_ns())
            self._stamp = asked(self._raw, put).stamp

        return Way(name="raw push", prepare=lambda: time.sleep(_PAUSE), run=run)

    def to_host(self) -> tuple[Way, Way]:
        """Edit a file of the guest, until it is in place on the host; and have the same bytes from the guest."""
        come = self._expect(Side.HOST, b"d0000/file8.txt")
        shell = _shell(self._made)
        raw = self._made.directory / "raw-from-guest"

        def prepare() -> None:
            time.sleep(_PAUSE)
            come.clear()

        def run() -> None:
            shell.send(b"printf %%s '%b' >%b/d0000/file8.txt\n" % (_content(), self._made.target.encode()))
            if not come.wait(_PATIENCE):
                raise SystemExit("an edit did not arrive")

        def pull() -> None:
            content = _content()
            shell.send(b"printf %%s '%b' >%b/of-shell; printf %%s '%b'\n" % (content, RAW.encode(), content))
            data = b""
            while len(data) < len(content) and (frame := shell.receive()) is not None:
                data += frame[1]
            draft = raw.with_suffix(".draft")
            draft.write_bytes(data)
            draft.rename(raw)

        pause = lambda: time.sleep(_PAUSE)  # noqa: E731
        return Way(name="devbox", prepare=prepare, run=run), Way(name="raw pull", prepare=pause, run=pull)

    def burst(self, name: str) -> Comparison:
        """Write many files, until all are there; and push as many without waiting in between."""
        tree = self._made.host.path

        def many(directory: Path) -> None:
            directory.mkdir()
            for number in range(BURST):
                (directory / f"f{number}").write_bytes(b"%d " % number * 100)

        def run() -> None:
            many(tree / f"burst{next(_numbers)}")
            settled(self._session)

        def raw() -> None:
            source = self._made.directory / f"burst{next(_numbers)}"
            many(source)
            left: list[Answer] = []
            for path in source.iterdir():
                data = path.read_bytes()
                target = f"{source.name}-{path.name}".encode()
                put = Put(target, None, data, digest(data), executable=False, mtime=1)
                self._raw.ask(put, left.append)
            wait(self._raw, lambda: len(left) == BURST)

        return measure(name, Way(name="devbox", run=run), Way(name="raw pushes", run=raw), pairs=3, target=None)

    def flush(self, name: str, count: int) -> Comparison:
        """Flush with nothing to do; and one question and its answer."""
        ours = Way(name="devbox", run=lambda: settled(self._session), prepare=lambda: time.sleep(0.01))
        raw = Way(name="round trip", run=lambda: asked(self._raw, Barrier()), prepare=lambda: time.sleep(0.01))
        return measure(name, ours, raw, pairs=count, target=FLUSH_TARGET)


def _shell(made: Bed) -> Session:
    """Start a shell in the guest that does what it is told, line by line."""
    return made.instance.exec(ExecSpec(argv=("/bin/sh",), user="0:0", workdir="/"))
