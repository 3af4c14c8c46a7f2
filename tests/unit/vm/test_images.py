"""What machines of one image share: when it is made, kept, and taken away."""

import fcntl
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from devbox.errors import MachineError
from devbox.reporter import SilentReporter
from devbox.vm import images as module
from devbox.vm.images import MachineImages, key
from devbox.vm.kernel import WITHOUT_PROFILES
from devbox.vm.rootfs import RootFiles
from tests.fakes.processes import Call, FakeProcesses, completed


@pytest.fixture
def images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MachineImages:
    """Images whose disk is four bytes: what is in it is not what is looked at here."""
    fake = FakeProcesses("qemu-img")

    def convert(call: Call) -> object:
        Path(call.argv[-1]).write_bytes(b"disk")
        return completed()

    fake.answer("qemu-img", "convert", with_=convert)  # type: ignore[arg-type]
    monkeypatch.setattr(module, "draw", lambda root, path, processes, *, identity, left: path.write_bytes(b"raw"))
    monkeypatch.setattr(module, "write_root", written)
    monkeypatch.setattr(module.MachineImages, "_boot_files", boot_files)
    return MachineImages(tmp_path / "vm", fake, SilentReporter())


def written(chunks: Iterator[bytes], tar: Path) -> RootFiles:
    tar.write_bytes(b"".join(chunks))
    return RootFiles(tar=tar, size=1, members=1, places={})


def boot_files(images: MachineImages, root: RootFiles, making: Path) -> str:
    for name in ("kernel", "modules"):
        (making / name).write_bytes(name.encode())
    return "6.1"


def export() -> Iterator[bytes]:
    yield b"tar"


def never() -> Iterator[bytes]:
    raise AssertionError("it is there already")


def test_it_is_made_once_whatever_the_agent(images: MachineImages) -> None:
    made = images.prepared("sha256:1", export)
    assert images.prepared("sha256:1", never) == made
    assert made.disk.parent.name == key("sha256:1")
    assert made.modules.read_bytes() == b"modules"
    assert images.prepared("sha256:2", export).disk != made.disk


def test_it_knows_what_its_kernel_is_to_be_told(images: MachineImages) -> None:
    made = images.prepared("sha256:1", export)
    assert made.parameters == WITHOUT_PROFILES
    assert images.prepared("sha256:1", never).parameters == WITHOUT_PROFILES


def test_all_of_it_is_on_the_disk_before_it_has_its_name(
    images: MachineImages, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []
    real = os.fsync

    def fsync(descriptor: int) -> None:
        synced.append(str(Path(f"/proc/self/fd/{descriptor}").readlink()))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    place = images.prepared("sha256:1", export).disk.parent
    *files, making, root = synced
    assert {Path(path).name for path in files} == {entry.name for entry in place.iterdir()}
    assert {str(Path(path).parent) for path in files} == {making}
    assert Path(making).name.startswith("making-")
    assert root == str(tmp_path / "vm")


def test_a_directory_that_cannot_be_used_is_an_error_in_words(images: MachineImages, tmp_path: Path) -> None:
    (tmp_path / "vm").write_text("a file")
    with pytest.raises(MachineError, match="cannot be used: "):
        images.prepared("sha256:1", export)


def test_one_that_may_not_be_read_is_too(images: MachineImages, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(place: Path) -> None:
        raise PermissionError(13, "Permission denied", str(place))

    monkeypatch.setattr(module, "_known", denied)
    with pytest.raises(MachineError, match="permission denied"):
        images.prepared("sha256:1", export)


def test_what_nobody_needs_goes_and_nothing_else(images: MachineImages, tmp_path: Path) -> None:
    one, two, three = (images.prepared(f"sha256:{number}", export).disk.parent.name for number in (1, 2, 3))
    (tmp_path / "vm/acceleration-0123456789abcdef.json").touch()
    assert images.unneeded(lambda: {one}) == tuple(sorted((two, three)))
    before = images.size(two)
    below = tmp_path / "vm" / two / "ready-0123456789abcdef"
    below.mkdir()
    (below / "memory").write_bytes(bytes(1 << 16))
    assert images.size(two) >= before + (1 << 16) > 1 << 16, "what lies below it counts as well"
    assert images.sweep(lambda: {one}, among=(one, two)) == (two,)
    assert {entry.name for entry in (tmp_path / "vm").iterdir()} == {
        *("lock", "acceleration-0123456789abcdef.json", one, three)
    }
    assert images.sweep(lambda: {one, three}, among=(three,)) == (), "somebody has come to need it since"


def test_where_no_machine_ever_was_nothing_is_made(images: MachineImages, tmp_path: Path) -> None:
    assert images.unneeded(set) == ()
    assert not list(tmp_path.iterdir())


def test_who_looks_for_one_waits_for_whoever_takes_it_away(images: MachineImages, tmp_path: Path) -> None:
    name = images.prepared("sha256:1", export).disk.parent.name
    asked = threading.Event()
    again: list[bool] = []

    def export_again() -> Iterator[bytes]:
        again.append(True)
        yield b"tar"

    other = threading.Thread(target=lambda: images.prepared("sha256:1", export_again))

    def needed() -> set[str]:
        if not asked.is_set():
            asked.set()
            other.start()
            other.join(0.2)
            assert other.is_alive(), "it found what is about to go"
        return set()

    assert images.sweep(needed, among=(name,)) == (name,)
    other.join()
    assert again == [True]
    assert (tmp_path / "vm" / name / "disk.qcow2").exists()


def test_whoever_makes_one_holds_up_nobody_who_has_one(images: MachineImages, tmp_path: Path) -> None:
    made = images.prepared("sha256:1", export)
    with (tmp_path / "vm/lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert images.prepared("sha256:1", never) == made
