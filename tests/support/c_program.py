"""A C program for tests: static, compiled once for all that it is made of."""

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from devbox.agent.program import SOURCES
from tests.support.agent import _PROGRAMS

# With what the agent is compiled, and where: for other flags, with -g, or in another directory the compiler makes a C
# library of its own, in a minute.
LIKE_THE_AGENT = ("-Os", "-fomit-frame-pointer", "-fno-unwind-tables", "-fno-asynchronous-unwind-tables")
COMPILER_CACHE = {f"ZIG_{whose}_CACHE_DIR": str(_PROGRAMS / "zig") for whose in ("GLOBAL", "LOCAL")}


def compiled(name: str, sources: Iterable[Path], headers: Path | None = None) -> Path:
    """Return the program `name` made of `sources`. `headers`: where what they include is, all of which counts."""
    made_of = [*sources]
    counted = [*made_of, *(sorted(headers.glob("*.[ch]")) if headers else ())]
    digest = hashlib.sha256(b"\0".join(source.read_bytes() for source in counted)).hexdigest()[:16]
    output = _PROGRAMS / f"{name}-{digest}"
    if output.exists():
        return output
    _PROGRAMS.mkdir(parents=True, exist_ok=True)
    partial = output.with_name(f"{output.name}.{os.getpid()}")
    flags = ["-target", f"{os.uname().machine}-linux-musl", *LIKE_THE_AGENT, "-static", "-s", "-D_GNU_SOURCE"]
    include = [f"-I{headers}"] if headers else []
    subprocess.run(
        [sys.executable, "-m", "ziglang", "cc", *flags, *include, *map(str, made_of), "-o", str(partial)],
        env={**os.environ, **COMPILER_CACHE},
        cwd=SOURCES,
        check=True,
    )
    partial.replace(output)
    return output
