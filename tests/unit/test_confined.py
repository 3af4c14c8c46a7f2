"""Paths beneath a handle: the same with and without openat2, and where names cannot be changed in one step."""

import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from devbox import confined
from devbox.confined import NotAFileError, RefusedError, Root


@pytest.fixture(params=["openat2", "chain"])
def root(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Root]:
    if request.param == "chain":
        monkeypatch.setattr(confined, "_has_openat2", False)
    (tmp_path / "root/a/b").mkdir(parents=True)
    (tmp_path / "root/a/b/file").write_bytes(b"inside")
    (tmp_path / "outside").write_bytes(b"outside")
    (tmp_path / "root/up").symlink_to("..")
    (tmp_path / "root/a/loop").symlink_to("loop")
    (tmp_path / "root/a/absolute").symlink_to("/etc")
    found = Root(tmp_path / "root")
    yield found
    found.close()


@pytest.mark.parametrize("atomic", [True, False])
def test_names_change_places(root: Root, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, atomic: bool) -> None:
    if not atomic:
        monkeypatch.setattr(confined, "_rename2", None)
    (tmp_path / "root/other").symlink_to("x")
    with root.place(b"a/b/file") as file:
        confined.exchange(root.descriptor, b"other", file.directory, file.name)
        assert (tmp_path / "root/other").read_bytes() == b"inside"
        assert (tmp_path / "root/a/b/file").readlink() == Path("x")
        with pytest.raises(FileNotFoundError):
            confined.exchange(root.descriptor, b"nothing", file.directory, file.name)
        with pytest.raises(FileNotFoundError):
            confined.exchange(root.descriptor, b"other", file.directory, b"nothing")
    assert sorted(path.name for path in (tmp_path / "root").iterdir()) == ["a", "other", "up"]
    assert [path.name for path in (tmp_path / "root/a/b").iterdir()] == ["file"]


@pytest.mark.parametrize("atomic", [True, False])
@pytest.mark.parametrize("name", [b"file", b"link", b"directory"])
def test_a_new_name_takes_nothing_away(
    root: Root, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, atomic: bool, name: bytes
) -> None:
    if not atomic:
        monkeypatch.setattr(confined, "_rename2", None)
    (tmp_path / "root/file").write_bytes(b"x")
    (tmp_path / "root/link").symlink_to("x")
    (tmp_path / "root/directory").mkdir()
    here = root.descriptor
    for taken in (b"file", b"link", b"directory", b"a"):
        with pytest.raises(FileExistsError):
            confined.rename_new(here, name, here, taken)
    inode = os.stat(name, dir_fd=here, follow_symlinks=False).st_ino
    confined.rename_new(here, name, here, b"new")
    assert os.stat(b"new", dir_fd=here, follow_symlinks=False).st_ino == inode
    assert confined.look(here, name) is None


def at_the_first_unlink(monkeypatch: pytest.MonkeyPatch, happens: Callable[[], object]) -> None:
    """By steps; and let something happen when the first name is about to go."""
    left, real = [happens], os.unlink

    def unlink(name: bytes, *, dir_fd: int) -> None:
        if left:
            left.pop()()
        real(name, dir_fd=dir_fd)

    monkeypatch.setattr(confined, "_rename2", None)
    monkeypatch.setattr(os, "unlink", unlink)


def forbid() -> None:
    raise PermissionError(errno.EACCES, "the directory may not be written")


def test_what_cannot_lose_its_old_name_gets_no_new_one(
    root: Root, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "root/file").write_bytes(b"x")
    at_the_first_unlink(monkeypatch, forbid)
    with pytest.raises(PermissionError):
        confined.rename_new(root.descriptor, b"file", root.descriptor, b"new")
    assert sorted(path.name for path in (tmp_path / "root").iterdir()) == ["a", "file", "up"]


def test_what_is_saved_between_two_steps_stays(root: Root, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ours, file, saved = (tmp_path / "root" / name for name in ("ours", "file", "saved"))
    ours.write_bytes(b"ours")
    file.write_bytes(b"old")
    saved.write_bytes(b"saved")
    at_the_first_unlink(monkeypatch, lambda: saved.rename(file))
    confined.exchange(root.descriptor, b"ours", root.descriptor, b"file")
    assert (file.read_bytes(), ours.read_bytes()) == (b"saved", b"old")
    assert sorted(path.name for path in (tmp_path / "root").iterdir()) == ["a", "file", "ours", "up"]


def test_a_file_is_opened_beneath(root: Root) -> None:
    with root.place(b"a/b/file") as place:
        descriptor = place.open()
        assert os.read(descriptor, 10) == b"inside"
        os.close(descriptor)


@pytest.mark.parametrize("path", [b"up/outside", b"up/root/a/b/file", b"a/absolute/passwd", b"a/loop/x"])
def test_no_link_is_followed(root: Root, path: bytes) -> None:
    with pytest.raises(OSError, match=r"symbolic|directory") as caught:
        root.place(path)
    assert caught.value.errno in (errno.ELOOP, errno.ENOTDIR)
    with pytest.raises(OSError, match=r"symbolic|directory"):
        root.directory(path.rpartition(b"/")[0])
    with pytest.raises(OSError, match=r"symbolic|directory"):
        root.make_directories(path, 0o755, os.close)


@pytest.mark.parametrize("path", [b"", b"/", b"/a", b"..", b"a/../b", b"a/..", b"a//b", b"a/", b".", b"a/./b", b"\0"])
def test_a_path_of_no_sense_is_refused_before_anything(root: Root, path: bytes) -> None:
    with pytest.raises(RefusedError):
        root.place(path)


def test_what_is_no_file_is_not_opened_and_nobody_waits(root: Root, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "root/fifo")
    for path in (b"fifo", b"up", b"a"):
        with root.place(path) as place, pytest.raises(NotAFileError):
            place.open()


def test_directories_are_made_where_they_are_missing(root: Root, tmp_path: Path) -> None:
    made: list[int] = []
    os.close(root.make_directories(b"a/b/c/d", 0o700, made.append))
    assert len(made) == 2
    assert (tmp_path / "root/a/b/c/d").is_dir()
    assert (tmp_path / "root/a/b/c").stat().st_mode & 0o777 == 0o700
