"""Edits while both sides are watched, against raw pushes of the same bytes through a line of the same kind."""

import contextlib
import itertools
import time
from collections.abc import Callable, Iterator
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


Timed = Callable[[], float]  # does it once, and returns how long that took


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
            push, pull = bench.raw_to_guest(), bench.raw_to_host()
            found = list(_edits(f"edit host to guest, {what}", bench.to_guest(), push, "raw push", edits))
            found += _edits(f"edit guest to host, {what}", bench.to_host(), pull, "raw pull", edits)
            moved = bench.to_guest(moved=True)
            found += _edits(f"edit after a move out, {what}", moved, push, "raw push", edits // 2)
            found.append(bench.burst(f"burst of {BURST} files, {what}"))
            found.append(bench.flush(f"flush, {what}", edits))
    finally:
        session.stop()
        made.listens = {}
    return found


def _edits(name: str, ours: Timed, raw: Timed, peer: str, count: int) -> Iterator[Comparison]:
    """Run both `count` times, one right after the other. Each takes its own time: what it waits for is not its end."""
    times: tuple[list[float], list[float]] = ([], [])
    for number in range(count):
        for which in (0, 1) if number % 2 == 0 else (1, 0):
            times[which].append((ours, raw)[which]())
    for percentile, target in (TYPICAL, SLOW):
        yield Comparison(
            name=f"{name}, p{percentile}",
            ours=tuple(times[0]),
            peer=peer,
            theirs=tuple(times[1]),
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
        self._shell = _shell(made)

    def to_guest(self, *, moved: bool = False) -> Timed:
        """Edit a file of the host, until the guest has said that it is in place."""
        path = self._made.host.path / "d0000" / "file7.txt"
        outside = self._made.directory / "outside"
        arrivals = self._made.listens[Side.GUEST]
        arrivals.path = b"d0000/file7.txt"

        def run() -> float:
            if moved:
                (path.parent / "leaves").write_text("x", encoding="ascii")
                settled(self._session)
            time.sleep(_PAUSE)
            arrivals.expect()
            begin = time.perf_counter()
            if moved:
                (path.parent / "leaves").rename(outside)
            path.write_bytes(_content())
            return arrivals.wait() - begin

        return run

    def raw_to_guest(self) -> Timed:
        """Write the same and push it, with nothing else."""
        path = self._made.directory / "raw"

        def run() -> float:
            time.sleep(_PAUSE)
            begin = time.perf_counter()
            path.write_bytes(_content())
            data = path.read_bytes()
            put = Put(b"file7.txt", self._stamp, data, digest(data), executable=False, mtime=time.time_ns())
            self._stamp = asked(self._raw, put).stamp
            return time.perf_counter() - begin

        return run

    def to_host(self) -> Timed:
        """Edit a file of the guest, until it is in place on the host."""
        arrivals = self._made.listens[Side.HOST]
        arrivals.path = b"d0000/file8.txt"
        script = b"printf %%s '%b' >" + self._made.target.encode() + b"/d0000/file8.txt\n"

        def run() -> float:
            time.sleep(_PAUSE)
            arrivals.expect()
            begin = time.perf_counter()
            self._shell.send(script % _content())
            return arrivals.wait() - begin

        return run

    def raw_to_host(self) -> Timed:
        """Have the same written in the guest, and the same bytes from there in a file of the host."""
        path = self._made.directory / "raw-from-guest"
        script = b"printf %%s '%b' >" + RAW.encode() + b"/of-shell; printf %%s '%b'\n"

        def run() -> float:
            time.sleep(_PAUSE)
            content, data = _content(), b""
            begin = time.perf_counter()
            self._shell.send(script % (content, content))
            while len(data) < len(content) and (frame := self._shell.receive()) is not None:
                data += frame[1]
            draft = path.with_suffix(".draft")
            draft.write_bytes(data)
            draft.rename(path)
            return time.perf_counter() - begin

        return run

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
