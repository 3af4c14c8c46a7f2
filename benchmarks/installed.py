"""devbox as pip installs it: the command that starts Python bare, and the package without its sources beside it.

An editable install would not do: it looks at every source file at each start, and somebody may be editing them.
"""

import compileall
import shutil
import sys
import sysconfig
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.common import ROOT


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """An install: its command, its Python and the package."""

    command: Path
    python: Path
    package: Path

    @contextmanager
    def hot_alone(self) -> Iterator[None]:
        """Take away all but the hot path: a command that would leave it fails meanwhile."""
        cold, away = self.package / "cli", self.package / "cli-away"
        cold.rename(away)
        try:
            yield
        finally:
            away.rename(cold)


def install(directory: Path) -> Installed:
    """Lay this checkout out in `directory` as its wheel would be, with the dependencies of the Python that runs us."""
    venv.create(directory, with_pip=False, symlinks=True)
    packages = directory / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}" / "site-packages"
    package = packages / "devbox"
    shutil.copytree(ROOT / "devbox", package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "profiles", package / "data" / "profiles")
    compileall.compile_dir(package, quiet=2)
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    command = directory / "bin" / "devbox"
    shutil.copy(ROOT / "scripts" / "devbox", command)
    command.chmod(0o755)
    return Installed(command=command, python=directory / "bin" / "python3", package=package)
