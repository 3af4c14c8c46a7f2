"""Files in sync: against rsync and Unison over ssh, a tar stream, Mutagen where it is, and raw pushes.

    python -m benchmarks.sync [--quick]

Both trees lie in memory where this machine has /dev/shm, for all alike. A raw push goes through a line of the same
kind to the same agent, with nothing on it but the same bytes.
"""

import contextlib
import gc
import itertools
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks import sync_edits, sync_idle
from benchmarks.common import Amount, Comparison, Way, command, docker_command, measure, options, report
from benchmarks.sync_bed import Bed, bed, files, settled
from benchmarks.sync_peers import Far, Mutagen, far, mutagen, tar

TARGET = 1.0  # of rsync over ssh, with a hundred thousand files
_TRUST = 4.0  # seconds until a session trusts what it read last: what is ended sooner is read again
NPM = "react-scripts@5"
_numbers = itertools.count()


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """How much is measured: pairs by count of files, and edits."""

    trees: dict[int, int]
    slow: int  # files up to which Unison takes part
    edits: int
    few: int  # files of the small tree for edits
    idle: int  # files of the tree that is only held
    packages: bool


FULL = Sizes(trees={1000: 5, 10_000: 3, 100_000: 2}, slow=10_000, edits=200, few=1000, idle=100_000, packages=True)
QUICK = Sizes(trees={1000: 2}, slow=0, edits=40, few=1000, idle=0, packages=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Peers:
    """Who is here to be compared with."""

    far: Far | None
    mutagen: Mutagen | None

    @property
    def missing(self) -> list[str]:
        """Who is not, and what it takes."""
        left = [] if self.far else ["rsync and Unison over ssh: install openssh-server"]
        return left if self.mutagen else [*left, "Mutagen: set MUTAGEN to its program"]


def fresh(made: Bed) -> Way:
    """Begin a session that knows nothing, and wait until both sides are the same."""
    running = []

    def prepare() -> None:
        made.empty_guest()
        shutil.rmtree(made.host.path / ".devbox", ignore_errors=True)
        gc.collect()  # a Supervisor has not had other sessions before
        running.append(made.session(f"state-{next(_numbers)}"))

    def run() -> None:
        running[-1].start()
        settled(running[-1])

    def clean_up() -> None:
        running.pop().stop()
        made.require_same()

    return Way(name="devbox", prepare=prepare, run=run, clean_up=clean_up)


def others(made: Bed, peers: Peers, *, slow: bool) -> Iterator[Way]:
    """Go through the ways of the peers to do the same."""
    source = made.host.path
    yield Way(name="tar", prepare=made.empty_guest, run=lambda: tar(made))
    if peers.far:
        yield Way(name="rsync", prepare=peers.far.empty, run=lambda: peers.far and peers.far.rsync(source))
        if slow and shutil.which("unison"):
            yield Way(name="Unison", prepare=peers.far.empty, run=lambda: peers.far and peers.far.unison(source))
    if peers.mutagen:
        one = peers.mutagen
        yield Way(name="Mutagen", run=lambda: one.create(source), clean_up=one.end)


def initial(made: Bed, peers: Peers, what: str, *, pairs: int, slow: bool, is_target: bool) -> list[Comparison]:
    """Compare first syncs of the tree that the host has."""
    return [
        measure(
            f"first sync of {what} / {peer.name}",
            fresh(made),
            peer,
            pairs=pairs,
            target=TARGET if is_target and peer.name == "rsync" else None,
        )
        for peer in others(made, peers, slow=slow)
    ]


def restarts(made: Bed, peers: Peers, what: str, *, pairs: int, slow: bool) -> list[Comparison]:
    """Compare starts with nothing to do, on both sides of which all is looked at."""
    state = f"state-{next(_numbers)}"
    first = made.session(state)
    first.start()
    settled(first)
    time.sleep(_TRUST)
    first.stop()
    running = []

    def run() -> None:
        running.append(made.session(state))
        running[-1].start()
        settled(running[-1])

    ours = Way(name="devbox", run=run, clean_up=lambda: running.pop().stop())
    return [
        measure(f"start without a change, {what} / {name}", ours, Way(name=name, run=again), pairs=pairs, target=None)
        for name, again in _again(made, peers, slow=slow)
    ]


def _again(made: Bed, peers: Peers, *, slow: bool) -> Iterator[tuple[str, Callable[[], object]]]:
    source = made.host.path
    if peers.far:
        one = peers.far
        one.empty()
        one.rsync(source)
        yield "rsync", lambda: one.rsync(source)
        if slow and shutil.which("unison"):
            one.unison(source)
            yield "Unison", lambda: one.unison(source)
    if peers.mutagen:
        peers.mutagen.create(source)
        yield "Mutagen", peers.mutagen.flush
        peers.mutagen.end()


def packages(made: Bed) -> bool:
    """Have one large node_modules on the host, which is synced for once; False where there is no npm."""
    if shutil.which("npm") is None:
        return False
    _clear(made)
    quiet = ("--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")
    command(
        "npm", "install", *quiet, "--prefix", made.host.path, NPM, env={"npm_config_cache": f"{made.directory}/npm"}
    )
    (made.host.path / ".devboxignore").write_text("!node_modules\n", encoding="ascii")
    return True


def _clear(made: Bed) -> None:
    for path in made.host.path.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def trees(made: Bed, peers: Peers, sizes: Sizes) -> Iterator[Comparison]:
    """Compare whole trees."""
    for count, pairs in sizes.trees.items():
        _clear(made)
        files(made.host.path, count)
        slow, last = count <= sizes.slow, count == max(sizes.trees)
        yield from initial(made, peers, f"{count} files", pairs=pairs, slow=slow, is_target=last and count >= 100_000)
        if last:
            yield from restarts(made, peers, f"{count} files", pairs=pairs, slow=slow)
    if sizes.packages and packages(made):
        yield from initial(made, peers, "node_modules", pairs=2, slow=False, is_target=False)


def main() -> int:
    quick = options(__doc__).quick
    sizes = QUICK if quick else FULL
    docker_command()
    compared: list[Comparison] = []
    amounts: list[Amount] = []
    with contextlib.ExitStack() as stack:
        made = stack.enter_context(bed())
        peers = Peers(
            far=stack.enter_context(far(made.directory)), mutagen=stack.enter_context(mutagen(made.directory))
        )
        compared += trees(made, peers, sizes)
        for count in sorted({sizes.few, sizes.idle} - {0}):
            _clear(made)
            files(made.host.path, count)
            compared += sync_edits.compared(made, f"{count} files", edits=sizes.edits)
        if sizes.idle:
            amounts += sync_idle.amounts(made)
    good = report("sync", compared, peers.missing, amounts)
    return 0 if good or quick else 1


if __name__ == "__main__":
    os.chdir(Path(__file__).resolve().parents[1])
    sys.exit(main())
