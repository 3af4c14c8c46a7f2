"""The fuzzed part of the agent, compiled: with libFuzzer by clang, or as a program that replays inputs by ziglang."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from devbox.agent import program
from tests.support.c_program import COMPILER_CACHE, LIKE_THE_AGENT
from tests.support.tree import ROOT

HERE = ROOT / "tests" / "fuzz" / "agent"
CORPUS = HERE / "corpus"
# What forks, connects, signals, listens and changes the machine is played by client.c.
_PLAYED = frozenset(
    f"{name}.c"
    for name in (
        "credentials",
        "door",
        "init",
        "launch",
        "listener",
        "main",
        "relay",
        "settling",
        "socketfile",
        "spawn",
        "stream",
        "vanish",
    )
)
_TOLD = ("-g", "-O1")  # of clang, whose words are for somebody who reads them
_FLAGS = ("-std=c11", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror", f"-I{program.SOURCES}")


def fuzzer(directory: Path) -> Path:
    """Return a program of libFuzzer with the address and undefined-behaviour sanitizers; needs clang."""
    sanitizers = ["-fsanitize=fuzzer,address,undefined", "-fno-sanitize-recover=undefined"]
    return _compile(["clang", *_TOLD], sanitizers, directory, linked=sanitizers)


def replayer(directory: Path) -> Path:
    """Return a program that takes each file that is named as an input; it dies where behaviour is undefined."""
    target = ["-target", f"{os.uname().machine}-linux-musl", "-static", "-s", *LIKE_THE_AGENT]
    sanitizers = ["-fsanitize=undefined", "-fsanitize-trap=undefined"]
    # A trap needs nothing of the compiler's own, which it would make first: a minute.
    return _compile([sys.executable, "-m", "ziglang", "cc", *target], sanitizers, directory, more=("replay.c",))


def sanitized(directory: Path) -> Path:
    """Return the whole agent with the address and undefined-behaviour sanitizers; needs clang."""
    sources = [str(source) for source in sorted(program.SOURCES.glob("*.c"))]
    build = f'-DAGENT_BUILD="{program.build_id()}"'
    sanitizers = ["-fsanitize=address,undefined", "-fno-sanitize-recover=undefined"]
    _run(["clang", *_TOLD, *_FLAGS, build, *sanitizers, *sources, "-o", str(directory / "agent")])
    return directory / "agent"


def _compile(
    compiler: list[str],
    sanitizers: list[str],
    directory: Path,
    *,
    more: tuple[str, ...] = (),
    linked: Sequence[str] = (),
) -> Path:
    common = [*compiler, *_FLAGS, *sanitizers]
    tame = ["-include", str(HERE / "tame.h")]
    objects = []
    for source in sorted(program.SOURCES.glob("*.c")):
        if source.name not in _PLAYED:
            objects.append(str(directory / f"{source.stem}.o"))
            # The sync program keeps within a root of its own, which is what is tried: it sees the files as they are.
            seen = [] if source.name.startswith("sync") else tame
            _run([*common, *seen, "-c", str(source), "-o", objects[-1]])
    (directory / "root").mkdir()
    for name in ("tame.c", "target.c", "client.c", "tree.c", *more):
        objects.append(str(directory / f"our-{Path(name).stem}.o"))
        _run([*common, f'-DSYNC_ROOT="{directory / "root"}"', "-c", str(HERE / name), "-o", objects[-1]])
    _run([*compiler, *linked, *objects, "-o", str(directory / "fuzzed")])
    return directory / "fuzzed"


def _run(argv: list[str]) -> None:
    environment = {**os.environ, **COMPILER_CACHE}
    done = subprocess.run(argv, env=environment, cwd=program.SOURCES, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
