"""Many new files of one directory of this host at once: read by one handle of it, put there one after the other."""

import os
from collections.abc import Callable
from functools import partial

from devbox import confined
from devbox.confined import Root
from devbox.sync.core.entry import PACKED, Stamp
from devbox.sync.endpoint import SMALL, Answer, Gather, Plant, Put, Read, Request

_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def gather(root: Root, request: Gather) -> Answer:
    """Read the files that are just as they are expected to be."""
    for name, _ in request.files:
        if b"/" in name:
            raise confined.RefusedError("a path for a name")
        confined.check(name)
    directory = root.directory(request.path)
    try:
        return Answer(contents=tuple([_content(directory, name, stamp) for name, stamp in request.files]))
    finally:
        os.close(directory)


def _content(directory: int, name: bytes, stamp: Stamp) -> bytes | None:
    if stamp.size > SMALL:
        return None
    try:
        descriptor = os.open(name, _FLAGS, dir_fd=directory)
    except OSError:
        return None
    try:
        data = os.read(descriptor, stamp.size + 1)
        # Only afterwards: what was another before the read, or became so, shows it now.
        return data if len(data) == stamp.size and _is(descriptor, stamp) else None
    except OSError:
        return None
    finally:
        os.close(descriptor)


def _is(descriptor: int, stamp: Stamp) -> bool:
    found = os.fstat(descriptor)
    return (found.st_mode, found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino) == stamp


Ask = Callable[[Put, Callable[[Answer], None]], None]


def ask_each(
    request: Gather, ask: Callable[[Request, Callable[[Answer], None]], None], done: Callable[[Answer], None]
) -> None:
    """Have each file read by itself."""
    prefix = request.path + b"/" if request.path else b""
    sizes = [stamp.size for _, stamp in request.files]

    def take(answers: list[Answer]) -> None:
        read = zip(answers, sizes, strict=True)
        done(Answer(contents=tuple([one.data if one.good and len(one.data) == size else None for one, size in read])))

    each = _Each(len(sizes), take)
    for index, (name, stamp) in enumerate(request.files):
        ask(Read(prefix + name, stamp, 0, stamp.size), partial(each.take, index))


def plant(request: Plant, put: Ask, done: Callable[[Answer], None]) -> None:
    """Put each; `done` when all are answered."""

    def take(answers: list[Answer]) -> None:
        done(Answer(stamps=tuple([PACKED.pack(*one.stamp) if one.good and one.stamp else None for one in answers])))

    each = _Each(len(request.files), take)
    for index, one in enumerate(request.puts()):
        put(one, partial(each.take, index))


class _Each:
    """The answers to a number of requests; `done` is called with all of them, in their order."""

    __slots__ = ("_answers", "_done", "_left")

    def __init__(self, count: int, done: Callable[[list[Answer]], None]) -> None:
        self._answers = [Answer()] * count
        self._left = count
        self._done = done
        if not count:
            done([])

    def take(self, index: int, answer: Answer) -> None:
        self._answers[index] = answer
        self._left -= 1
        if not self._left:
            self._done(self._answers)
