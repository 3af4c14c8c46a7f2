"""devbox's own wheel, built once for all tests of a run: to compile the agent for every architecture takes a while."""

import fcntl
import functools
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.support.engine import RUN
from tests.support.tree import ROOT

PLACE = Path(tempfile.gettempdir(), f"devbox-test-wheel-{RUN}")  # goes with the run


@functools.cache
def our_wheel() -> Path:
    """Return the wheel of these sources; it is nobody's to change."""
    PLACE.mkdir(mode=0o700, exist_ok=True)
    with (PLACE / "lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        done = PLACE / "wheel"
        if not done.exists():
            build("wheel", ROOT, PLACE / "made").parent.rename(done)
    (found,) = done.iterdir()
    return found


def build(target: str, sources: Path, directory: Path) -> Path:
    """Return what hatchling makes of a source tree: a "wheel" or an "sdist"."""
    argv = [sys.executable, "-m", "hatchling", "build", "-t", target, "-d", str(directory)]
    done = subprocess.run(argv, cwd=sources, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (found,) = directory.iterdir()
    return found
