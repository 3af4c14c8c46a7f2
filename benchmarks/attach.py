"""Getting into an environment that runs: against `docker exec` in the very same container, and against other peers.

    python -m benchmarks.attach [--quick]

devbox is an install as pip makes it (installed.py), and all but its hot path is taken away while it is timed. The
peers' commands get the same user, directory and variables as devbox gives to what it starts.
"""

import contextlib
import re
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks import attach_peers
from benchmarks.common import KIB, Amount, Comparison, Way, docker_command, measure, options, report
from benchmarks.inside import Bench, bench
from benchmarks.running import Terminal, pour

START_TARGET = 0.35
PROMPT_TARGET = 0.5
POUR_TARGET = 1.0
KEY_TARGET = 1.0
KEY_PERCENTILE = 95
MIB = 1024 * KIB
MEMORY_MOST = 2 * MIB
READY = re.compile(rb"ready\r\n\Z")
KEY_PAUSE = 0.01  # seconds: nobody types faster, and both ends are asleep again
LINE = 60  # keys; a terminal that gathers lines has an end


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """How much is measured."""

    starts: int
    prompts: int
    keys: int
    pours: int
    bytes: int
    peers: int


FULL = Sizes(starts=60, prompts=30, keys=600, pours=5, bytes=1024 * MIB, peers=10)
QUICK = Sizes(starts=15, prompts=8, keys=300, pours=3, bytes=128 * MIB, peers=3)


def starts(made: Bench, sizes: Sizes) -> list[Comparison]:
    compared = []
    for words in (("exec", "--", "true"), ("up",), ("status",)):
        name = f"{' '.join(words)} / docker exec true"
        ours, theirs = made.run_ours(*words), made.run_theirs("true")
        compared.append(measure(name, ours, theirs, pairs=sizes.starts, target=START_TARGET))
    return compared


def prompt_way(made: Bench, argv: list[str]) -> Way:
    opened: list[Terminal] = []

    def start() -> None:
        opened.append(Terminal(argv, made.environment))
        opened[-1].until()

    def end() -> None:
        with contextlib.closing(opened.pop()) as terminal:
            terminal.leave(b"exit\r")

    return Way(name=argv[0], run=start, clean_up=end)


def prompt(made: Bench, sizes: Sizes) -> Comparison:
    ours = prompt_way(made, made.ours("shell"))
    theirs = prompt_way(made, made.theirs(*made.login, how=("-it", "-e", "TERM=xterm")))
    name = "shell to the prompt / docker exec -it"
    return measure(name, ours, theirs, pairs=sizes.prompts, target=PROMPT_TARGET)


def pour_way(made: Bench, argv: list[str], size: int, *, feed: bool) -> Way:
    return Way(name=argv[0], run=lambda: pour(argv, made.environment, size=size, feed=feed))


def pours(made: Bench, sizes: Sizes) -> list[Comparison]:
    """Pour bytes through; a ratio of times at most 1 is a throughput that is at least the peer's."""
    size, mib = sizes.bytes, f"{sizes.bytes // MIB} MiB"
    cases = (
        (f"{mib} through exec cat / docker exec -i", ("cat",), True),
        (f"{mib} out of exec head / docker exec", ("head", "-c", str(size), "/dev/zero"), False),
    )
    return [
        measure(
            name,
            pour_way(made, made.ours("exec", "--", *words), size, feed=feed),
            pour_way(made, made.theirs(*words, how=("-i",) if feed else ()), size, feed=feed),
            pairs=sizes.pours,
            target=POUR_TARGET,
        )
        for name, words, feed in cases
    ]


def keys(made: Bench, sizes: Sizes) -> Comparison:
    """Press keys in two sessions in turn; the terminal inside shows them, a program there reads lines."""
    script = ("sh", "-c", "echo ready; exec cat >/dev/null")
    found: tuple[list[float], list[float]] = ([], [])
    with (
        contextlib.closing(Terminal(made.ours("exec", "--", *script), made.environment)) as ours,
        contextlib.closing(Terminal(made.theirs(*script, how=("-it",)), made.environment)) as theirs,
    ):
        pairs = list(zip((ours, theirs), found, strict=True))
        for terminal, _ in pairs:
            terminal.until(READY)
        for number in range(1, sizes.keys + 1):
            for terminal, times in pairs if number % 2 else reversed(pairs):
                time.sleep(KEY_PAUSE)
                times.append(terminal.key(b"%d" % (number % 10)))
            if number % LINE == 0:
                for terminal, _ in pairs:
                    terminal.next_line()
        for terminal, _ in pairs:
            terminal.leave(b"\r\x04")
    return Comparison(
        name=f"echo of a key, p{KEY_PERCENTILE} / docker exec -it",
        ours=tuple(found[0]),
        peer="docker exec -it",
        theirs=tuple(found[1]),
        target=KEY_TARGET,
        percentile=KEY_PERCENTILE,
    )


def memory(made: Bench, when: str) -> list[Amount]:
    """Return what the agent has resident: all of it, and what is its own alone."""
    found: dict[str, str] = {}
    status = Path(f"/proc/{made.process}/status")
    if not status.exists():  # the engine has a kernel of its own
        return []
    for line in status.read_text(encoding="ascii").splitlines():
        name, _, value = line.partition(":")
        found[name] = value.strip()
    if found["Name"] != "agent":
        raise SystemExit(f"process 1 of the environment is {found['Name']}, not the agent")
    return [
        Amount(name=f"the agent's {field}, {when}", value=int(found[field].split()[0]) * KIB, most=MEMORY_MOST)
        for field in ("VmRSS", "RssAnon")
    ]


def main() -> int:
    quick = options(__doc__).quick
    sizes = QUICK if quick else FULL
    with bench(docker_command()) as (made, installed):
        amounts = memory(made, "idle")
        with attach_peers.ready(made, quick=quick) as (peers, left_out), installed.hot_alone():
            compared = [*starts(made, sizes), prompt(made, sizes), keys(made, sizes), *pours(made, sizes)]
            amounts += memory(made, f"after {sizes.bytes // MIB} MiB")
            if not amounts:
                left_out.append("the agent's memory: the engine's processes are not this host's")
            ours = made.run_ours("exec", "--", "true")
            compared += [
                measure(f"exec -- true / {peer.name} true", ours, peer, pairs=sizes.peers, target=None)
                for peer in peers
            ]
    return 0 if report("attach", compared, left_out, amounts) or quick else 1


if __name__ == "__main__":
    sys.exit(main())
