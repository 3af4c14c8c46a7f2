"""From the export of a container to the root file system of a machine."""

import io
import tarfile
from pathlib import Path

import pytest

from devbox.tarstream import TarStreamError
from devbox.vm.kernel import PARSERS
from devbox.vm.rootfs import DAWN, write_root
from tests.support.tars import directory, in_pieces, link, member, tar

NOW, BEFORE = 1_790_000_000, 1_700_000_000


def export(now: int = NOW, more: tuple[tuple[tarfile.TarInfo, bytes], ...] = ()) -> bytes:
    return tar(
        member(".dockerenv", mtime=now),
        directory("dev", mtime=now),
        member("dev/console", mtime=now),
        directory("etc", mtime=now, mode=0o755),
        (member("etc/hostname", mtime=now), b"abc\n"),
        link("etc/mtab", "/proc/mounts"),
        (member("etc/passwd", mtime=BEFORE, mode=0o640, gid=42), b"root\n"),
        directory("usr/bin", mtime=BEFORE),
        (member("usr/bin/su", mode=0o4755, mtime=BEFORE), b"su"),
        (member("boot/vmlinuz-6", mtime=BEFORE), b"kernel" * 200),
        (member("usr/lib/modules/6/modules.dep", mtime=BEFORE), b"a.ko:\n"),
        *more,
    )


def read(path: Path) -> dict[str, tarfile.TarInfo]:
    with tarfile.open(path) as found:
        return {info.name: info for info in found}


def test_what_the_engine_put_there_is_gone_and_what_a_machine_needs_is_there(tmp_path: Path) -> None:
    write_root(in_pieces(export(), 1000), tmp_path / "root")
    found = read(tmp_path / "root")
    assert ".dockerenv" not in found
    assert "dev/console" not in found
    assert [found[f"etc/{name}"].size for name in ("hostname", "hosts", "resolv.conf")] == [0, 0, 0]
    assert found["etc/mtab"].linkname == "../proc/self/mounts"
    assert {name: found[name].mode for name in ("dev", "proc", "root", "run", "sys", "tmp")} == {
        **{"dev": 0o755, "proc": 0o555, "root": 0o700, "run": 0o755, "sys": 0o555, "tmp": 0o1777}
    }
    assert (found["usr/bin/su"].mode, found["etc/passwd"].gid, found["etc/passwd"].mode) == (0o4755, 42, 0o640)
    with tarfile.open(tmp_path / "root") as tree:
        content = tree.extractfile("boot/vmlinuz-6")
        assert content is not None
        assert content.read() == b"kernel" * 200


def test_the_index_has_the_kernels_and_no_more(tmp_path: Path) -> None:
    root = write_root(in_pieces(export(), 700), tmp_path / "root")
    assert set(root.places) == {"boot/vmlinuz-6", "usr/lib/modules/6/modules.dep"}
    assert root.read("boot/vmlinuz-6") == b"kernel" * 200
    assert root.read("usr/lib/modules/6/modules.dep") == b"a.ko:\n"
    assert root.members == len(read(tmp_path / "root"))


@pytest.mark.parametrize("path", PARSERS)
def test_the_index_has_what_loads_profiles(tmp_path: Path, path: str) -> None:
    root = write_root([export(more=((member(path, mtime=BEFORE), b"parser"),))], tmp_path / "root")
    assert path in root.places


def test_the_day_of_the_export_leaves_no_trace(tmp_path: Path) -> None:
    for name, now in (("a", NOW), ("b", NOW + 5)):
        write_root([export(now)], tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert read(tmp_path / "a")["etc"].mtime == DAWN


def test_a_files_own_date_stays(tmp_path: Path) -> None:
    write_root([export(more=((member("late", mtime=NOW), b""),))], tmp_path / "root")
    assert read(tmp_path / "root")["late"].mtime == NOW


def test_capabilities_and_long_names_pass(tmp_path: Path) -> None:
    long = "usr/" + "n" * 200
    info = member(long, pax_headers={"SCHILY.xattr.security.capability": "\x01\x00\x00\x02"})
    write_root([export(more=((info, b"x"),))], tmp_path / "root")
    assert read(tmp_path / "root")[long].pax_headers["SCHILY.xattr.security.capability"] == "\x01\x00\x00\x02"


def test_another_name_of_a_file_says_nothing_of_a_kind(tmp_path: Path) -> None:
    """Docker writes the kind into the mode, and mke2fs would make an empty file of it."""
    other = link("usr/bin/other", "usr/bin/su", hard=True)
    other.mode = 0o104755
    write_root([export(more=((other, b""),))], tmp_path / "root")
    found = read(tmp_path / "root")["usr/bin/other"]
    assert (found.islnk(), found.mode, found.linkname) == (True, 0o4755, "usr/bin/su")


def test_what_is_no_tar_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TarStreamError):
        write_root([io.BytesIO(export()).getvalue()[:-2000]], tmp_path / "root")
