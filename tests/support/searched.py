"""Looking for bytes in files that are large and mostly holes."""

import os
from collections.abc import Iterator
from pathlib import Path

_PIECE = 1 << 23


def found_in(path: Path, wanted: tuple[bytes, ...]) -> set[bytes]:
    """Return which of the `wanted`, each shorter than a piece of the file, stand somewhere in the file at `path`."""
    overlap = max(map(len, wanted)) - 1
    found: set[bytes] = set()
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        for start, end in _written(descriptor):
            for at in range(start, end, _PIECE):
                piece = os.pread(descriptor, min(_PIECE + overlap, end - at), at)
                found.update(word for word in wanted if word in piece)
    finally:
        os.close(descriptor)
    return found


def _written(descriptor: int) -> Iterator[tuple[int, int]]:
    """Go through the parts of a file that are no holes: where each begins and ends."""
    end, size = 0, os.fstat(descriptor).st_size
    while end < size:
        try:
            start = os.lseek(descriptor, end, os.SEEK_DATA)
        except OSError:  # nothing but a hole is left
            return
        end = os.lseek(descriptor, start, os.SEEK_HOLE)
        yield start, end
