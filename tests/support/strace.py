"""What a command did to the machine, as strace saw it: the programs it started, the paths it wrote."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.skips import NOT_HERE

_WRITING = (
    *("creat", "mkdir", "mkdirat", "rmdir", "unlink", "unlinkat", "rename", "renameat", "renameat2", "link", "linkat"),
    *("symlink", "symlinkat", "truncate", "mknod", "mknodat", "chmod", "fchmodat", "chown", "lchown", "fchownat"),
)
_CALLS = ",".join(("execve", "execveat", "open", "openat", "openat2", *_WRITING))
_CALL = re.compile(r"^(?P<name>[a-z0-9]+)\((?P<arguments>.*)\) += (?P<result>-?\d+)")
_TEXT = re.compile(r'"((?:[^"\\]|\\.)*)"')
_OPENED_TO_WRITE = re.compile(r"O_WRONLY|O_RDWR|O_CREAT|O_TRUNC|O_APPEND")


@dataclass(frozen=True, kw_only=True)
class Trace:
    """`started`: every program that was executed; `written`: every path made, changed or removed. Absolute."""

    started: frozenset[str]
    written: frozenset[str]
    status: int
    stderr: str


def traced(argv: Sequence[str], *, cwd: Path, env: Mapping[str, str], log: Path) -> Trace:
    """Run `argv` and all that it starts under strace; skips the test where there is no strace or it may not trace."""
    if not shutil.which("strace"):
        pytest.skip("needs strace: apt-get install strace")
    log.mkdir()
    command = [
        "strace",
        "-ff",
        "--seccomp-bpf",
        "-qq",
        "-s",
        "4096",
        "-e",
        f"trace={_CALLS}",
        "-e",
        "signal=none",
        "-o",
        f"{log}/log",
    ]
    done = subprocess.run([*command, *argv], cwd=cwd, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    lines = [line for file in log.iterdir() for line in file.read_text(errors="surrogateescape").splitlines()]
    if not lines and "not permitted" in done.stderr:
        pytest.skip(f"{NOT_HERE}strace may not trace: {done.stderr.strip()[:200]}")
    assert lines, done.stderr
    started, written = set[str](), set[str]()
    for name, arguments in _succeeded(lines):
        texts = [_unescaped(text) for text in _TEXT.findall(arguments)]
        if name.startswith("exec"):
            started.add(_absolute(texts[0], cwd))
        elif name in _WRITING:
            paths = texts[1:] if name.startswith(("symlink", "link")) else texts
            written.update(_absolute(path, cwd) for path in paths)
        elif _OPENED_TO_WRITE.search(arguments):
            written.add(_absolute(texts[0], cwd))
    return Trace(started=frozenset(started), written=frozenset(written), status=done.returncode, stderr=done.stderr)


def _succeeded(lines: Sequence[str]) -> Iterator[tuple[str, str]]:
    for line in lines:
        match = _CALL.match(line)
        if match and int(match["result"]) >= 0:
            yield match["name"], match["arguments"]


def _unescaped(text: str) -> str:
    return text.encode("latin-1", "backslashreplace").decode("unicode_escape")


def _absolute(path: str, cwd: Path) -> str:
    return os.path.normpath(cwd / path)
