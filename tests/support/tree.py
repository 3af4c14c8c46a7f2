"""The repository as the tests on its shape see it."""

import ast
import shutil
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.support.skips import NOT_HERE

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "devbox"


def modules(*roots: str) -> list[Path]:
    """Return the Python files below each of `roots`, a directory of the repository."""
    return sorted(path for root in roots for path in (ROOT / root).rglob("*.py") if "node_modules" not in path.parts)


@cache
def tree(path: Path) -> ast.Module:
    """Return the parsed `path`."""
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def imports(path: Path) -> Iterator[tuple[str, int]]:
    """Yield the full name of each module that `path` imports, and the line."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from ((name.name, node.lineno) for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module, node.lineno


def files_to_be_committed() -> list[Path]:
    """Return every file that git tracks or would add; skips the test where there is no clone."""
    if not shutil.which("git") or not (ROOT / ".git").exists():
        pytest.skip(f"{NOT_HERE}this is no git clone")
    argv = ["git", "-c", f"safe.directory={ROOT}", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(argv, cwd=ROOT, check=True, capture_output=True).stdout
    paths = [ROOT / name.decode() for name in listed.split(b"\0") if name]
    return [path for path in paths if path.is_file() and not path.is_symlink()]


def relative(path: Path) -> str:
    """Return `path` as it is named in the repository."""
    return str(path.relative_to(ROOT))
