"""The agent's program: the one that a wheel brings, or one that is compiled when a source checkout first needs it."""

import fcntl
import functools
import hashlib
import importlib.util
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from devbox import paths
from devbox.errors import AgentError, CommandFailedError
from devbox.process import HostProcesses, Processes
from devbox.reporter import SilentReporter

ARCHITECTURES = ("x86_64", "aarch64")
_HERE = Path(__file__).parent
SOURCES = _HERE / "src"
SHIPPED = _HERE / "bin"
_TIMEOUT = 900.0  # seconds; the first compilation makes a C library too, and the machine may be busy
_FLAGS = (
    "-std=c11",
    "-D_GNU_SOURCE",
    "-Os",
    "-fomit-frame-pointer",
    "-static",
    "-s",
    "-Wall",
    "-Wextra",
    "-Werror",
    "-Wconversion",
    "-Wshadow",
    "-fno-sanitize=undefined",
    "-ffunction-sections",
    "-fdata-sections",
    "-fno-unwind-tables",
    "-fno-asynchronous-unwind-tables",
    "-Wl,--gc-sections",
    "-Wl,-z,norelro",  # nothing is relocated when it starts, and so nothing protected afterwards
)
_SMALLER = {"aarch64": ("-Xclang", "-Oz", "-flto")}  # whose instructions take more room


@functools.cache
def build_id() -> str:
    """Return what a program is made from, as 16 hex digits: its sources and how they are compiled."""
    flags = (*_FLAGS, *(flag for one in sorted(_SMALLER) for flag in (one, *_SMALLER[one])))
    digest = hashlib.sha256("\0".join(flags).encode())
    for source in sorted(SOURCES.glob("*.[ch]")):
        data = source.read_bytes()
        digest.update(f"\0{source.name}\0{len(data)}\0".encode() + data)
    return digest.hexdigest()[:16]


def binary(architecture: str) -> Path:
    """Return the path of the program for "x86_64" or "aarch64"; it may be compiled first, which takes a while.

    `AgentError` if there is none for this architecture, or it cannot be compiled.
    """
    if architecture not in ARCHITECTURES:
        raise AgentError(
            f"there is no agent for {architecture} machines",
            hint=f"use an engine on one of these: {', '.join(ARCHITECTURES)}",
        )
    shipped = SHIPPED / name(architecture)
    return shipped if shipped.is_file() else _cached(architecture, HostProcesses(SilentReporter()))


def is_at_hand(architecture: str) -> bool:
    """Whether `binary` has nothing to compile."""
    return (SHIPPED / name(architecture)).is_file() or _output(architecture).is_file()


def name(architecture: str) -> str:
    """Return the file name of a program."""
    return f"agent-{architecture}"


def compile_argv(architecture: str, output: Path) -> list[str]:
    """Return the command that makes the program at `output`."""
    sources = [str(source) for source in sorted(SOURCES.glob("*.c"))]
    target = ["-target", f"{architecture}-linux-musl", *_SMALLER.get(architecture, ()), f'-DAGENT_BUILD="{build_id()}"']
    return [sys.executable, "-m", "ziglang", "cc", *target, *_FLAGS, *sources, "-o", str(output)]


def compile_to(output: Path, architecture: str, *, cache: Path, processes: Processes) -> None:
    """Compile the program; `output` is there whole or not at all. `cache` is the compiler's. `AgentError` if not."""
    if importlib.util.find_spec("ziglang") is None:
        raise AgentError(
            "the agent cannot be compiled: the compiler 'ziglang' is not installed",
            hint=f"run: {sys.executable} -m pip install ziglang",
        )
    partial = output.with_name(f".{output.name}.{os.getpid()}")
    environment = {"ZIG_GLOBAL_CACHE_DIR": str(cache), "ZIG_LOCAL_CACHE_DIR": str(cache)}
    try:
        processes.run(compile_argv(architecture, partial), env=environment, cwd=SOURCES, timeout=_TIMEOUT)
        partial.chmod(0o755)
        partial.replace(output)
    except (CommandFailedError, OSError) as error:
        detail = error.detail if isinstance(error, CommandFailedError) else str(error)
        raise AgentError(f"the agent for {architecture} cannot be compiled", detail=detail) from error
    finally:
        partial.unlink(missing_ok=True)


def _cached(architecture: str, processes: Processes) -> Path:
    output = _output(architecture)
    root = output.parents[1]
    if output.is_file():
        return output
    try:
        paths.private_directory(str(output.parent))
        with _alone(root / "lock"):
            if not output.is_file():  # somebody else may have made it meanwhile
                compile_to(output, architecture, cache=root / "zig", processes=processes)
    except OSError as error:
        raise AgentError(f"the agent cannot be kept in {root}: {error.strerror or error}") from error
    return output


def _output(architecture: str) -> Path:
    return Path(paths.cache_root()) / "agent" / build_id() / name(architecture)


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
