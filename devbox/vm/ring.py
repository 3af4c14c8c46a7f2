"""Keep the last of what a machine says: a program of its own, `python -I -S ring.py FILE`, reading stdin to its end.

FILE and FILE.1, which is what came before, have at most `LIMIT` bytes each, however much is said. FILE.end is made when
nothing more will come. It never ends before its stdin does: QEMU would wait for somebody to read.
"""

import contextlib
import os
import signal
import sys

LIMIT = 256 * 1024
_PIECE = 64 * 1024
_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW


def keep(source: int, path: str, limit: int = LIMIT) -> None:
    """Write what comes from the descriptor `source` to `path` until its end; a full disk loses text, nothing else."""
    size = limit  # so that the first piece opens the file
    target = -1
    while piece := os.read(source, min(_PIECE, limit)):
        with contextlib.suppress(OSError):
            if target < 0 or size + len(piece) > limit:
                target = _turned(target, path)
                size = 0
            size += os.write(target, piece)
    with contextlib.suppress(OSError):
        os.close(os.open(path + ".end", _FLAGS, 0o600))


def _turned(target: int, path: str) -> int:
    """Return the descriptor of a new, empty file at `path`; the one before, if it is ours, becomes `path`.1."""
    if target >= 0:
        with contextlib.suppress(FileNotFoundError):  # this has been tried before
            os.replace(path, path + ".1")  # noqa: PTH105
    turned = os.open(path, _FLAGS | os.O_TRUNC, 0o600)
    if target >= 0:
        os.close(target)
    return turned


def main() -> None:
    """Be the program."""
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    keep(0, sys.argv[1])


if __name__ == "__main__":
    main()
