"""Which way a file system is filled, and what the programs are asked to do."""

import os
from pathlib import Path

import pytest

from devbox.errors import CommandFailedError, MachineError, RuntimeUnavailableError
from devbox.process import Completed
from devbox.vm import disk
from devbox.vm.disk import Way, backing_file, overlay, tool, virtual_size, ways
from devbox.vm.rootfs import DAWN, RootFiles
from tests.fakes.processes import Call, FakeProcesses, completed
from tests.support.disks import qcow2

OLD, NEW = "mke2fs 1.47.0 (5-Feb-2023)", "mke2fs 1.47.2 (1-Jan-2025)"


@pytest.mark.parametrize(
    ("said", "is_root", "has_fakeroot", "expected"),
    [
        (OLD, True, True, (Way.ROOT,)),
        (OLD, False, True, (Way.FAKEROOT,)),
        (OLD, False, False, ()),
        (NEW, False, False, (Way.TAR,)),
        (NEW, False, True, (Way.TAR, Way.FAKEROOT)),
        (NEW, True, False, (Way.TAR, Way.ROOT)),
        ("mke2fs 1.47.1 (20-May-2024)", True, False, (Way.TAR, Way.ROOT)),
        ("mke2fs 1.48 (1-Jan-2030)", False, False, (Way.TAR,)),
        ("something else", True, True, (Way.ROOT,)),
    ],
)
def test_the_way_is_the_best_that_is_there(
    said: str, is_root: bool, has_fakeroot: bool, expected: tuple[Way, ...]
) -> None:
    assert ways(said, is_root=is_root, has_fakeroot=has_fakeroot) == expected


def root(tmp_path: Path) -> RootFiles:
    return RootFiles(tar=tmp_path / "root.tar", size=5, members=1, places={})


@pytest.fixture
def settled(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    found: list[Path] = []
    monkeypatch.setattr(disk, "settle_dates", found.append)
    return found


def ordinary(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)


def remember(call: Call) -> Completed:
    Path(call.argv[2]).write_text("dev=1,ino=1,mode=0,uid=0,gid=0,nlink=1,rdev=0\n")
    return completed()


def test_a_fakeroot_that_forgets_is_not_believed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settled: list[Path]
) -> None:
    ordinary(monkeypatch)
    fake = FakeProcesses("mke2fs", "fakeroot")
    fake.answer("mke2fs", "-V", with_=completed(stderr=OLD))
    with pytest.raises(CommandFailedError, match="whose files"):
        disk.draw(root(tmp_path), tmp_path / "raw", fake, identity="x")
    assert not settled


def test_an_ordinary_user_lays_out_and_fills_under_one_fakeroot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settled: list[Path]
) -> None:
    ordinary(monkeypatch)
    fake = FakeProcesses("mke2fs")
    fake.answer("fakeroot", "-s", with_=remember)
    fake.answer("mke2fs", "-V", with_=completed(stderr=OLD))
    disk.draw(root(tmp_path), tmp_path / "raw", fake, identity="sha256:1")
    assert settled == [tmp_path / "raw"]
    _, untar, fill = fake.calls
    assert untar.argv[:2] == ("fakeroot", "-s")
    assert untar.argv[3:5] == ("--", "tar")
    assert fill.argv[:2] == ("fakeroot", "-i")
    assert fill.argv[2] == untar.argv[2]
    assert fill.argv[4] == "mke2fs"
    assert fill.env["E2FSPROGS_FAKE_TIME"] == str(DAWN)
    assert not Path(fill.argv[2]).parent.exists()


def test_without_libarchive_the_next_way_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settled: list[Path]
) -> None:
    ordinary(monkeypatch)
    fake = FakeProcesses("mke2fs")
    fake.answer("fakeroot", "-s", with_=remember)
    fake.answer("mke2fs", "-V", with_=completed(stderr=NEW))
    fake.answer("mke2fs", "-q", with_=CommandFailedError("mke2fs failed", detail="you need libarchive to"))
    disk.draw(root(tmp_path), tmp_path / "raw", fake, identity="x")
    assert [call.argv[0] for call in fake.calls] == ["mke2fs", "mke2fs", "fakeroot", "fakeroot"]
    fake.programs.remove("fakeroot")
    with pytest.raises(RuntimeUnavailableError, match="by an ordinary user") as caught:
        disk.draw(root(tmp_path), tmp_path / "raw", fake, identity="x")
    assert "fakeroot" in str(caught.value.hint)


def test_another_failure_of_mke2fs_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settled: list[Path]
) -> None:
    ordinary(monkeypatch)
    fake = FakeProcesses("mke2fs")
    fake.answer("mke2fs", "-V", with_=completed(stderr=NEW))
    fake.answer("mke2fs", "-q", with_=CommandFailedError("mke2fs failed", detail="no space left"))
    with pytest.raises(CommandFailedError):
        disk.draw(root(tmp_path), tmp_path / "raw", fake, identity="x")
    assert [call.argv[0] for call in fake.calls] == ["mke2fs", "mke2fs"]


def test_the_same_image_has_the_same_uuid_and_seed(tmp_path: Path, settled: list[Path]) -> None:
    argvs = []
    for identity in ("sha256:1", "sha256:1", "sha256:2"):
        fake = FakeProcesses("mke2fs")
        fake.answer("mke2fs", "-V", with_=completed(stderr=NEW))
        disk.draw(root(tmp_path), tmp_path / "raw", fake, identity=identity)
        argvs.append(fake.argvs[-1])
    assert argvs[0] == argvs[1] != argvs[2]
    assert f"hash_seed={argvs[0][argvs[0].index('-U') + 1]}" in argvs[0][argvs[0].index("-E") + 1]
    assert argvs[0][-1] == str(disk.ROOT_SIZE // 4096)


def test_a_large_root_has_room(tmp_path: Path, settled: list[Path]) -> None:
    fake = FakeProcesses("mke2fs")
    fake.answer("mke2fs", "-V", with_=completed(stderr=NEW))
    large = RootFiles(tar=tmp_path / "t", size=20 * 1024**3 + 1, members=1, places={})
    disk.draw(large, tmp_path / "raw", fake, identity="x")
    assert fake.argvs[-1][-1] == str(41 * 1024**3 // 4096)


def test_so_has_one_of_many_small_files(tmp_path: Path, settled: list[Path]) -> None:
    fake = FakeProcesses("mke2fs")
    fake.answer("mke2fs", "-V", with_=completed(stderr=NEW))
    many = RootFiles(tar=tmp_path / "t", size=1024**3, members=3 * 2**20, places={})
    disk.draw(many, tmp_path / "raw", fake, identity="x")
    argv = fake.argvs[-1]
    inodes = int(argv[-1]) * 4096 // int(argv[argv.index("-i") + 1])
    assert inodes >= 2 * many.members


def test_a_missing_program_is_named_with_its_package() -> None:
    with pytest.raises(RuntimeUnavailableError, match="need no-such-tool") as caught:
        tool(FakeProcesses(), "no-such-tool", "its-package")
    assert caught.value.hint == "install it: apt-get install its-package"
    assert tool(FakeProcesses("mke2fs"), "mke2fs", "e2fsprogs") == "mke2fs"


def creating(fake: FakeProcesses) -> None:
    def create(call: Call) -> Completed:
        qcow2(Path(call.argv[-2]), int(call.argv[-1]), call.argv[call.argv.index("-b") + 1])
        return completed()

    fake.answer("qemu-img", "create", with_=create)


def test_an_overlay_is_as_large_as_its_base_at_least_and_grows(tmp_path: Path) -> None:
    base, path = tmp_path / "base", tmp_path / "own"
    qcow2(base, 100)
    fake = FakeProcesses("qemu-img")
    creating(fake)
    overlay(base, path, 50, fake)
    assert virtual_size(path) == 100
    assert backing_file(path) == str(base)
    assert path.stat().st_mode & 0o777 == 0o600
    overlay(base, path, 80, fake)
    assert len(fake.calls) == 1
    overlay(base, path, 200, fake)
    assert fake.argvs[-1] == ("qemu-img", "resize", "-q", "-f", "qcow2", str(path), "200")
    assert [entry.name for entry in sorted(tmp_path.iterdir())] == ["base", "own"]


def test_an_overlay_of_another_base_is_not_touched(tmp_path: Path) -> None:
    qcow2(tmp_path / "base", 100)
    qcow2(tmp_path / "own", 100, "/elsewhere")
    with pytest.raises(MachineError, match="of another image"):
        overlay(tmp_path / "base", tmp_path / "own", 100, FakeProcesses("qemu-img"))


@pytest.mark.parametrize("content", [b"", b"QFI\xfb", b"x" * 200])
def test_a_damaged_disk_is_said_to_be_one(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "disk").write_bytes(content)
    with pytest.raises(MachineError, match="is damaged"):
        virtual_size(tmp_path / "disk")


def test_a_disk_that_could_not_be_made_leaves_nothing(tmp_path: Path) -> None:
    qcow2(tmp_path / "base", 100)
    fake = FakeProcesses("qemu-img")

    def half(call: Call) -> Completed:
        Path(call.argv[-2]).write_bytes(b"half")
        return completed(status=1, stderr="no space left")

    fake.answer("qemu-img", "create", with_=half)
    with pytest.raises(CommandFailedError):
        overlay(tmp_path / "base", tmp_path / "own", 1, fake)
    assert [entry.name for entry in tmp_path.iterdir()] == ["base"]


def test_what_was_left_of_a_disk_goes_with_the_next_one(tmp_path: Path) -> None:
    qcow2(tmp_path / "base", 100)
    for name in ("own.123.new", "own.123.raw", "own.aside", "owner.1.new"):
        (tmp_path / name).touch()

    def whole(call: Call) -> Completed:
        Path(call.argv[-2]).touch()
        return completed()

    fake = FakeProcesses("qemu-img")
    fake.answer("qemu-img", "create", with_=whole)
    overlay(tmp_path / "base", tmp_path / "own", 1, fake)
    assert {entry.name for entry in tmp_path.iterdir()} == {"base", "own", "own.aside", "owner.1.new"}
