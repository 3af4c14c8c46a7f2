"""Somebody saves in the very moment of a change: no content that anybody wrote is lost, and none is half there."""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from devbox import confined
from devbox.sync.endpoint import Code, MakeLink, Remove, Rename, Request
from devbox.sync.host import HostEndpoint
from tests.support.ends import End, put

TRIES = [pytest.param(300, marks=pytest.mark.long), pytest.param(5_000, marks=pytest.mark.nightly)]


class Saver:
    """Somebody who saves one file again and again, by exchange, so that he has what he replaced."""

    def __init__(self, file: Path) -> None:
        self.directory = confined.Root(file.parent)
        self.name = os.fsencode(file.name)
        self.written = 0
        self.replaced: set[bytes] = set()
        self.stop = threading.Event()

    def run(self) -> None:
        handle = self.directory.descriptor
        while not self.stop.is_set():
            content = b"saved %09d" % self.written
            descriptor = confined.create(handle, b".swap", 0o644)
            os.write(descriptor, content)
            os.close(descriptor)
            self.written += 1
            self.save(handle)

    def save(self, handle: int) -> None:
        while True:
            try:
                confined.exchange(handle, b".swap", handle, self.name)
            except FileNotFoundError:
                try:
                    confined.rename_new(handle, b".swap", handle, self.name)
                except FileExistsError:
                    continue
                return
            self.replaced.add((self.path / os.fsdecode(b".swap")).read_bytes())
            os.unlink(b".swap", dir_fd=handle)
            return

    @property
    def path(self) -> Path:
        return Path(f"/proc/self/fd/{self.directory.descriptor}")


@contextmanager
def saving(file: Path) -> Iterator[Saver]:
    saver = Saver(file)
    thread = threading.Thread(target=saver.run)
    thread.start()
    try:
        yield saver
    finally:
        saver.stop.set()
        thread.join()
        saver.directory.close()


@pytest.mark.parametrize("tries", TRIES)
def test_no_save_is_lost_to_a_change_of_ours(end: End, tries: int) -> None:
    """Every content ever written is where it was put, or in the trash, or was replaced by the other himself."""
    file = end.tree / "file"
    ours: set[bytes] = set()
    done = changed = 0
    with saving(file) as saver:
        for number in range(tries):
            stamp, keep = end.stamp(b"file"), b"keep-%d/file" % number
            content = b"ours %09d" % number
            if stamp and number % 3 == 0:
                answer = end.ask(Remove(b"file", stamp, keep))
            else:
                answer = end.ask(put(b"file", content, stamp, keep=keep))
                if answer.code is Code.DONE:
                    ours.add(content)
            assert answer.code in (Code.DONE, Code.CHANGED), answer
            done += answer.code is Code.DONE
            changed += answer.code is Code.CHANGED
    theirs = {b"saved %09d" % number for number in range(saver.written)}
    found = saver.replaced | set(end.trash().values()) | set(end.contents().values())
    assert theirs <= found
    assert ours <= found
    assert all(content.startswith((b"saved ", b"ours ")) for content in found), "a mix of two contents"
    assert done
    assert changed


@pytest.fixture
def host(tmp_path: Path) -> Iterator[End]:
    (tmp_path / "tree").mkdir()
    end = End(tmp_path / "tree", HostEndpoint)
    yield end
    assert not end.leftovers()
    end.endpoint.close()


def edited(file: Path) -> None:
    file.write_bytes(b"edited in between")


def replaced(file: Path) -> None:
    file.with_name("saved").write_bytes(b"edited in between")
    file.with_name("saved").rename(file)


def removed(file: Path) -> None:
    file.unlink()


def linked(file: Path) -> None:
    file.unlink()
    file.symlink_to("elsewhere")


Meanwhile = Callable[[Path], None]
REQUESTS: dict[str, Callable[[End], Request]] = {
    "put": lambda end: put(b"file", b"new", end.there(b"file"), keep=b"k/file"),
    "link": lambda end: MakeLink(b"file", end.there(b"file"), b"target", b"k/file"),
    "remove": lambda end: Remove(b"file", end.there(b"file"), b"k/file"),
    "rename": lambda end: Rename(b"file", end.there(b"file"), b"other"),
}


@pytest.mark.parametrize("request_of", REQUESTS.values(), ids=REQUESTS)
@pytest.mark.parametrize("meanwhile", [edited, replaced, removed, linked])
@pytest.mark.parametrize("atomic", [True, False], ids=["atomic", "by steps"])
def test_a_change_between_the_look_and_the_swap_is_seen(
    host: End,
    monkeypatch: pytest.MonkeyPatch,
    request_of: Callable[[End], Request],
    meanwhile: Meanwhile,
    atomic: bool,
) -> None:
    file = host.tree / "file"
    file.write_bytes(b"old")
    request = request_of(host)
    at_the_last_moment(monkeypatch, lambda: meanwhile(file), atomic=atomic)
    answer = host.ask(request)
    assert answer.code is Code.CHANGED
    assert answer.stamp == host.stamp(b"file")
    assert host.trash() == {}
    match meanwhile.__name__:
        case "removed":
            assert host.contents() == {}
        case "linked":
            assert file.readlink() == Path("elsewhere")
        case _:
            assert host.contents() == {b"file": b"edited in between"}


@pytest.mark.parametrize("atomic", [True, False], ids=["atomic", "by steps"])
def test_what_appears_in_the_last_moment_stays(host: End, monkeypatch: pytest.MonkeyPatch, atomic: bool) -> None:
    at_the_last_moment(monkeypatch, lambda: (host.tree / "file").write_bytes(b"theirs"), atomic=atomic)
    assert host.ask(put(b"file", b"ours")).code is Code.CHANGED
    assert host.contents() == {b"file": b"theirs"}


def test_what_is_written_into_ours_before_it_is_taken_back_is_kept(host: End, monkeypatch: pytest.MonkeyPatch) -> None:
    """It was there for a moment, before it was seen that it should not be; and somebody edited it in that moment."""
    file = host.tree / "file"
    file.write_bytes(b"old")
    request = REQUESTS["put"](host)
    real = confined.exchange
    moments = [lambda: file.write_bytes(b"first"), lambda: file.write_bytes(b"second")]

    def exchange(*names: object) -> None:
        moments.pop(0)()
        real(*names)  # type: ignore[arg-type]

    monkeypatch.setattr(confined, "exchange", exchange)
    assert host.ask(request).code is Code.CHANGED
    assert moments == []
    assert host.contents() == {b"file": b"first"}
    assert list(host.trash().values()) == [b"second"]


def at_the_last_moment(monkeypatch: pytest.MonkeyPatch, happens: Callable[[], object], *, atomic: bool) -> None:
    """Let something happen after all looks, just before names are changed for the first time."""
    left = [happens]

    def before(real: Callable[..., None]) -> Callable[..., None]:
        def call(*names: object) -> None:
            if left:
                left.pop()()
            real(*names)

        return call

    if not atomic:
        monkeypatch.setattr(confined, "_rename2", None)
    monkeypatch.setattr(confined, "exchange", before(confined.exchange))
    monkeypatch.setattr(confined, "rename_aside", before(confined.rename_aside))
    monkeypatch.setattr(confined, "rename_new", before(confined.rename_new))
