"""Many new files of one directory of this host at once: read by one handle of it, put there one after the other."""

import os
from collections.abc import Callable
from functools import partial

from devbox import confined
from devbox.confined import Root
from devbox.sync.core.entry import PACKED
from devbox.sync.endpoint import Answer, Content, Gather, Plant, Put, Read, Request
from devbox.sync.reader import content
from devbox.sync.rows import digest_of, unpacked


def check(request: Gather) -> None:
    """Check that these are names. `confined.RefusedError` if they are not."""
    for name, _ in request.files:
        if b"/" in name:
            raise confined.RefusedError("a path for a name")
        confined.check(name)


def gather(root: Root, request: Gather) -> Answer:
    """Read the files that are just as they are expected to be."""
    check(request)
    directory = root.directory(request.path)
    try:
        return Answer(contents=tuple([content(directory, name, stamp) for name, stamp in request.files]))
    finally:
        os.close(directory)


Ask = Callable[[Put, Callable[[Answer], None]], None]


def ask_each(
    request: Gather, ask: Callable[[Request, Callable[[Answer], None]], None], done: Callable[[Answer], None]
) -> None:
    """Have each file read by itself."""
    prefix = request.path + b"/" if request.path else b""
    stamps = [unpacked(stamp) for _, stamp in request.files]

    def take(answers: list[Answer]) -> None:
        read = zip(answers, stamps, strict=True)
        done(Answer(contents=tuple([_whole(one.data, stamp.size) if one.good else None for one, stamp in read])))

    each = _Each(len(stamps), take)
    for index, ((name, _), stamp) in enumerate(zip(request.files, stamps, strict=True)):
        ask(Read(prefix + name, stamp, 0, stamp.size), partial(each.take, index))


def _whole(data: bytes, size: int) -> Content | None:
    return Content(data, digest_of(data)) if len(data) == size else None


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
