"""An ext4 file system as devbox makes it, read back from its blocks: all that went in comes out, and damage is said."""

import os
import tarfile
from pathlib import Path

import pytest

from devbox.parity.capture import View, capture
from devbox.parity.compare import compare
from devbox.parity.manifest import Manifest
from devbox.process import HostProcesses
from devbox.reporter import SilentReporter
from devbox.vm.disk import draw, to_qcow2, to_raw
from devbox.vm.ext4 import Ext4Error
from devbox.vm.ext4_tree import as_tar
from devbox.vm.rootfs import write_root

pytestmark = pytest.mark.vm
VIEW = View(directory="/workspaces/a project", user="dev", uid=1000, gid=1000)
CAPABILITY = bytes.fromhex("0100000200200000000000000000000000000000")
MARK = b"a word that is nowhere else on this disk"


def _members() -> list[tuple[tarfile.TarInfo, bytes]]:
    """Return one of everything: names, kinds, owners, sizes, and what takes more than one block of each."""
    files = {
        "etc/empty": b"",
        "etc/one": MARK,
        "etc/block": b"b" * 4096,
        "etc/more": b"c" * 4097,
        "etc/large": os.urandom(9_000_000),
        "etc/holes": bytes(5_000_000) + b"end" + bytes(3_000_000),
        "etc/\udcff\u00fc": b"odd",
        "usr/ping": b"ping",
        **{f"usr/many/file-{number}": b"%d" % number for number in range(3000)},
    }
    found = [(_info(name, tarfile.DIRTYPE, mode=0o755), b"") for name in ("etc", "usr", "usr/many", "usr/many/deep")]
    found += [(_info(name, tarfile.REGTYPE, size=len(data)), data) for name, data in files.items()]
    found += [(_info(f"etc/link-{size}", tarfile.SYMTYPE, linkname="t" * size), b"") for size in (1, 59, 60, 61, 1000)]
    found.append((_info("etc/one-more", tarfile.LNKTYPE, linkname="etc/one"), b""))
    found.append((_info("etc/pipe", tarfile.FIFOTYPE), b""))
    for info, _ in found:
        if info.name == "usr/ping":
            info.pax_headers = {"SCHILY.xattr.security.capability": CAPABILITY.decode("utf-8", "surrogateescape")}
        if info.name == "usr/many":
            info.mode, info.uid, info.gid = 0o3770, 70_000, 80_000
    return found


def _info(name: str, kind: bytes, **values: object) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.mtime = kind, 1_000_000_000
    for key, value in values.items():
        setattr(info, key, value)
    return info


def _stream() -> bytes:
    parts = []
    for info, data in _members():
        parts += [info.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape"), data, bytes(-len(data) % 512)]
    return b"".join(parts) + bytes(1024)


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Manifest]:
    """A disk as a machine has it, as a raw file, and the manifest of what was put there."""
    place = tmp_path_factory.mktemp("disk")
    processes = HostProcesses(SilentReporter())
    stream = _stream()
    root = write_root([stream], place / "root.tar")
    draw(root, place / "drawn", processes, identity="a test")
    to_qcow2(place / "drawn", place / "disk.qcow2", processes)
    to_raw(place / "disk.qcow2", place / "raw", processes)
    return place / "raw", capture([stream], VIEW)


def _place(raw: Path, wanted: bytes) -> int:
    """Return where `wanted` lies in a sparse file; nearly all of that is a hole."""
    with raw.open("rb") as disk:
        at = 0
        while True:
            at = os.lseek(disk.fileno(), at, os.SEEK_DATA)
            end = os.lseek(disk.fileno(), at, os.SEEK_HOLE)
            found = os.pread(disk.fileno(), end - at, at).find(wanted)
            if found >= 0:
                return at + found
            at = end


def test_all_that_went_in_comes_out(drawn: tuple[Path, Manifest]) -> None:
    raw, expected = drawn
    found = compare(capture(as_tar(raw), VIEW), expected)
    made = {"/lost+found", "/dev", "/proc", "/root", "/run", "/sys", "/tmp"}  # by mke2fs, and for what is mounted there
    assert {(one.path, one.field) for one in found} == {(path, "presence") for path in made}


def test_one_byte_of_one_file_is_seen(drawn: tuple[Path, Manifest]) -> None:
    raw, expected = drawn
    place = _place(raw, MARK)
    with raw.open("r+b") as disk:
        disk.seek(place)
        disk.write(b"A")
        disk.flush()
        try:
            found = compare(capture(as_tar(raw), VIEW), expected)
        finally:
            disk.seek(place)
            disk.write(MARK[:1])
    assert {(one.path, one.field) for one in found if one.field != "presence"} == {
        ("/etc/one", "content"),
        ("/etc/one-more", "content"),
    }


def test_a_file_that_is_larger_than_the_disk_is_damage(drawn: tuple[Path, Manifest]) -> None:
    """Its end would be years away."""
    raw, _ = drawn
    with raw.open("r+b") as disk:
        disk.seek(4096 + 8)
        table = int.from_bytes(disk.read(4), "little") * 4096
        place = table + 11 * 256 + 108  # the upper half of the size of the first inode that is anybody's
        disk.seek(place)
        before = disk.read(4)
        disk.seek(place)
        disk.write(b"\xff\xff\xff\x7f")
        disk.flush()
        try:
            with pytest.raises(Ext4Error, match="larger than the disk"):
                list(as_tar(raw))
        finally:
            disk.seek(place)
            disk.write(before)


@pytest.mark.parametrize("data", [b"", bytes(8192), b"x" * 2048], ids=["empty", "zeros", "no superblock"])
def test_what_is_no_file_system_is_said(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "raw"
    path.write_bytes(data)
    with pytest.raises(Ext4Error):
        list(as_tar(path))
