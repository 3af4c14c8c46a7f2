"""What is told of changes: all of them by the next Barrier, and each save once."""

import os
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from devbox.sync.endpoint import Barrier, Code, Event, List, MakeDirectory, Remove
from tests.support.ends import End, put


def test_nothing_is_told_of_what_nobody_watches(end: End) -> None:
    (end.tree / "a").mkdir()
    end.watch(b"")
    end.told()
    (end.tree / "a/x").write_bytes(b"x")
    assert end.told() == []


def test_a_watch_has_a_number_and_the_same_again_for_the_same_directory(end: End) -> None:
    (end.tree / "a").mkdir()
    first, second = end.watch(b""), end.watch(b"a")
    assert first >= 0
    assert second >= 0
    assert first != second
    assert end.watch(b"a") == second


def link(tree: Path) -> None:
    (tree / "link").symlink_to("x")


def hard_link(tree: Path) -> None:
    os.link(tree / "old", tree / "hard")


def moved_in(tree: Path) -> None:
    (tree.parent / "elsewhere").write_bytes(b"x")
    (tree.parent / "elsewhere").rename(tree / "moved")


def unnamed(tree: Path) -> None:
    """Write a file that has no name yet, and give it one."""
    descriptor = os.open(tree, os.O_TMPFILE | os.O_RDWR)
    os.write(descriptor, b"x")
    os.link(f"/proc/self/fd/{descriptor}", tree / "named", src_dir_fd=descriptor, follow_symlinks=True)
    os.close(descriptor)


CHANGES: dict[str, tuple[Callable[[Path], object], set[bytes]]] = {
    "new file": (lambda tree: (tree / "new").write_bytes(b"x"), {b"new"}),
    "new empty file": (lambda tree: (tree / "new").touch(), {b"new"}),
    "edit": (lambda tree: (tree / "old").write_bytes(b"x"), {b"old"}),
    "mode": (lambda tree: (tree / "old").chmod(0o755), {b"old"}),
    "time": (lambda tree: os.utime(tree / "old", (1, 1)), {b"old"}),
    "truncated": (lambda tree: os.truncate(tree / "old", 0), {b"old"}),
    "removed": (lambda tree: (tree / "old").unlink(), {b"old"}),
    "renamed": (lambda tree: (tree / "old").rename(tree / "other"), {b"old", b"other"}),
    "moved out": (lambda tree: (tree / "old").rename(tree.parent / "out"), {b"old"}),
    "moved in": (moved_in, {b"moved"}),
    "new directory": (lambda tree: (tree / "d").mkdir(), {b"d"}),
    "removed directory": (lambda tree: (tree / "directory").rmdir(), {b"directory"}),
    "mode of a directory": (lambda tree: (tree / "directory").chmod(0o700), {b"directory"}),
    "link": (link, {b"link"}),
    "hard link": (hard_link, {b"hard"}),
    "fifo": (lambda tree: os.mkfifo(tree / "fifo"), {b"fifo"}),
    "without a name at first": (unnamed, {b"named"}),
}


@pytest.mark.parametrize(("change", "names"), CHANGES.values(), ids=CHANGES)
def test_a_change_is_told_by_the_next_barrier(end: End, change: Callable[[Path], object], names: set[bytes]) -> None:
    (end.tree / "old").write_bytes(b"old")
    (end.tree / "directory").mkdir()
    number = end.watch(b"")
    end.told()
    change(end.tree)
    told = end.told()
    assert {event.watch for event in told} == {number}
    assert {event.name for event in told} >= names
    assert end.told() == []


@pytest.mark.parametrize("name", [b"a\nb", b"\xff\xfe", b"x" * 255, b" ", b"-"])
def test_any_name_is_told(end: End, name: bytes) -> None:
    number = end.watch(b"")
    end.path(name).touch()
    assert Event(number, name) in end.told()


def test_a_change_makes_the_end_ready(end: End) -> None:
    number = end.watch(b"")
    (end.tree / "file").write_bytes(b"x")
    end.wait()
    assert Event(number, b"file") in list(end.endpoint.events())


def test_a_save_is_told_when_it_is_done(end: End) -> None:
    """Not when the file has been emptied to be written anew: it would be sent without its content."""
    (end.tree / "file").write_bytes(b"old")
    number = end.watch(b"")
    end.told()
    with (end.tree / "file").open("wb") as file:
        file.flush()
        end.endpoint.process()
        early = list(end.endpoint.events())
        file.write(b"new")
    end.wait()
    assert Event(number, b"file") in list(end.endpoint.events())
    assert early == []


def test_a_file_that_stays_open_is_told_of_all_the_same(end: End) -> None:
    number = end.watch(b"")
    with (end.tree / "log").open("wb") as file:
        file.write(b"line")
        file.flush()
        told: list[Event] = []
        while not told:
            end.wait()
            told = list(end.endpoint.events())
        assert told == [Event(number, b"log")]
        file.write(b"another")
        file.flush()
        assert end.told() == [Event(number, b"log")]


def test_what_is_done_by_the_end_itself_is_told_by_its_name_alone(end: End) -> None:
    number = end.watch(b"")
    end.do(put(b"file", b"old"))
    end.do(put(b"file", b"new", end.there(b"file")))
    end.do(MakeDirectory(b"a"))
    end.do(Remove(b"file", end.there(b"file")))
    assert set(end.told()) == {Event(number, b"file"), Event(number, b"a")}


def test_a_directory_that_goes_is_told_of(end: End) -> None:
    (end.tree / "a").mkdir()
    root, number = end.watch(b""), end.watch(b"a")
    (end.tree / "a").rmdir()
    assert {Event(root, b"a"), Event(number, b"")} <= set(end.told())


def test_a_moved_directory_is_told_of_and_keeps_its_number(end: End) -> None:
    (end.tree / "a").mkdir()
    root, number = end.watch(b""), end.watch(b"a")
    (end.tree / "a").rename(end.tree / "b")
    assert {Event(root, b"a"), Event(root, b"b"), Event(number, b"")} <= set(end.told())
    assert end.watch(b"b") == number
    end.told()
    (end.tree / "b/x").touch()
    assert end.told() == [Event(number, b"x")]


def test_another_directory_at_the_same_path_has_another_number(end: End) -> None:
    (end.tree / "a").mkdir()
    number = end.watch(b"a")
    (end.tree / "a").rmdir()
    (end.tree / "a").mkdir()
    assert end.watch(b"a") != number


def follow(end: End, known: dict[int, bytes], seen: set[bytes], path: bytes) -> None:
    """List a directory and all below, watching: as a session does."""
    answer = end.ask(List(path, watch=True))
    if answer.code is not Code.DONE:
        return
    known[answer.watch] = path
    for found in answer.found:
        below = path + b"/" + found.name if path else found.name
        seen.add(below)
        if found.stamp.mode & 0o170000 == 0o040000:
            follow(end, known, seen, below)


def test_what_is_put_into_a_new_directory_at_once_is_seen(end: End) -> None:
    """The race: a directory is made and filled before anybody watches it. The list after the watch closes it."""
    made = [f"d{number}/e/f" for number in range(60)]

    def make() -> None:
        for path in made:
            (end.tree / path).parent.mkdir(parents=True)
            (end.tree / path).write_bytes(b"x")

    known: dict[int, bytes] = {}
    seen: set[bytes] = set()
    follow(end, known, seen, b"")
    thread = threading.Thread(target=make)
    thread.start()
    while thread.is_alive() or (told := end.told()):
        told = end.told() if thread.is_alive() else told
        for event in told:
            path = known[event.watch] + b"/" + event.name if known[event.watch] else event.name
            seen.add(path)
            follow(end, known, seen, path)
    thread.join()
    assert {path.encode() for path in made} <= seen


def test_after_a_storm_of_renames_the_last_state_is_known(end: End) -> None:
    number = end.watch(b"")
    (end.tree / "file-0").write_bytes(b"x")
    for turn in range(2000):
        (end.tree / f"file-{turn}").rename(end.tree / f"file-{turn + 1}")
    told = end.told()
    assert {event.name for event in told if event.watch == number} >= {b"file-0", b"file-2000"}


def test_a_removed_root_ends_the_endpoint_or_says_so(end: End) -> None:
    end.watch(b"")
    shutil.rmtree(end.tree)
    gone: list[object] = []
    try:
        answer = end.ask(Barrier())
        gone.append(answer.code is not Code.DONE)
    except OSError:
        gone.append(True)
    end.tree.mkdir()
    assert gone == [True]


def test_nothing_is_told_while_nothing_happens(end: End) -> None:
    end.watch(b"")
    (end.tree / "file").write_bytes(b"x")
    end.told()
    end.do(List(b""))
    end.read(b"file")
    time.sleep(0.2)  # longer than anything is held
    end.endpoint.process()
    assert end.told() == []
