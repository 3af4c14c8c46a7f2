"""A server inside, for images that have none: a static program, compiled once."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

from tests.support.agent import _PROGRAMS

_SOURCE = Path(__file__).with_suffix(".c")


def program() -> Path:
    """Return the program `guest-server`; see its source for what it does."""
    digest = hashlib.sha256(_SOURCE.read_bytes()).hexdigest()[:16]
    output = _PROGRAMS / f"guest-server-{digest}"
    if output.exists():
        return output
    partial = output.with_name(f"{output.name}.{os.getpid()}")
    target = ["-target", f"{os.uname().machine}-linux-musl", "-Os", "-static", "-s"]
    cache = {"ZIG_GLOBAL_CACHE_DIR": str(_PROGRAMS / "zig"), "ZIG_LOCAL_CACHE_DIR": str(_PROGRAMS / "zig")}
    subprocess.run(
        [sys.executable, "-m", "ziglang", "cc", *target, str(_SOURCE), "-o", str(partial)],
        env={**os.environ, **cache},
        check=True,
    )
    partial.replace(output)
    return output
