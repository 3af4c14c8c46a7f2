"""Disks that somebody else has made, taken over by the real qemu-img (S-21, S-22)."""

import fcntl
import hashlib
import http.server
import os
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

import pytest

from devbox import faults
from devbox.errors import BaseImageError
from devbox.process import HostProcesses
from devbox.reporter import SilentReporter
from devbox.vm.disk import backing_file, overlay, to_raw, virtual_size
from devbox.vm.fetch import fetch
from devbox.vm.foreign import ForeignDisks, Source
from tests.fakes.reporter import RecordedStep, RecordingReporter

MIB = 1 << 20
BOOTS = b"\xeb\x63".ljust(510, b"\0") + b"\x55\xaa"
PROCESSES = HostProcesses(SilentReporter())


@pytest.fixture
def disks(tmp_path: Path) -> ForeignDisks:
    return ForeignDisks(tmp_path / "vm", PROCESSES, SilentReporter())


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    """A disk of 2 MiB with boot code, and a qcow2 header further on, which a guest may write where it likes."""
    path = tmp_path / "x.raw"
    path.write_bytes(BOOTS.ljust(MIB, b"\0") + b"a system" + bytes(MIB - 8))
    return path


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def qcow2(raw: Path, *options: str) -> Path:
    path = raw.with_suffix(".qcow2")
    PROCESSES.run(["qemu-img", "convert", "-f", "raw", "-O", "qcow2", *options, str(raw), str(path)])
    return path


@pytest.mark.parametrize("options", [None, (), ("-c",), ("-o", "compat=0.10"), ("-o", "cluster_size=2M")])
def test_what_is_taken_over_is_the_same_disk_and_the_file_is_left_alone(
    disks: ForeignDisks, raw: Path, options: tuple[str, ...] | None
) -> None:
    file = raw if options is None else qcow2(raw, *options)
    before = (file.read_bytes(), file.stat().st_mtime_ns)
    found = disks.prepared(Source(place=str(file), sha256=None))
    assert found.firmware == "bios"
    assert found.image == f"sha256:{sha256(file)}"
    assert backing_file(found.disk) == ""
    assert virtual_size(found.disk) == 2 * MIB
    assert found.disk.stat().st_mode & 0o777 == 0o400
    to_raw(found.disk, raw.with_name("again"), PROCESSES)
    assert raw.with_name("again").read_bytes() == raw.read_bytes()
    assert (file.read_bytes(), file.stat().st_mtime_ns) == before
    assert not list(found.disk.parents[1].glob("taking-*"))


def test_a_disk_is_taken_over_once_and_again_when_its_file_has_changed(tmp_path: Path, raw: Path) -> None:
    reporter = RecordingReporter()
    disks = ForeignDisks(tmp_path / "vm", PROCESSES, reporter)
    source = Source(place=str(raw), sha256=None)
    first = disks.prepared(source)
    assert disks.prepared(source) == first
    assert len(reporter.steps) == 1
    raw.write_bytes(raw.read_bytes().replace(b"a system", b"another!"))
    assert disks.prepared(source).sha256 != first.sha256
    assert len(reporter.steps) == 2
    raw.unlink()
    assert disks.prepared(Source(place=str(raw), sha256=first.sha256)) == first, "it is known by its digest"


def test_another_disk_than_was_meant_is_refused_and_leaves_nothing(disks: ForeignDisks, raw: Path) -> None:
    with pytest.raises(BaseImageError) as caught:
        disks.prepared(Source(place=str(raw), sha256="ab" * 32))
    assert sha256(raw) in (caught.value.detail or "")
    assert not [path for path in (raw.parent / "vm").iterdir() if path.is_dir()]


def test_no_file_of_this_host_is_read_by_a_disk(disks: ForeignDisks, raw: Path) -> None:
    secret = raw.with_name("secret")
    secret.write_bytes(b"the host's own".ljust(2 * MIB, b"."))
    evil = raw.with_name("evil.qcow2")
    options = ["-b", str(secret), "-F", "raw"]
    PROCESSES.run(["qemu-img", "create", "-q", "-f", "qcow2", *options, str(evil), str(2 * MIB)])
    outside = raw.with_name("outside.qcow2")
    option = f"data_file={raw.with_name('data')},data_file_raw=on"
    PROCESSES.run(["qemu-img", "create", "-q", "-f", "qcow2", "-o", option, str(outside), str(2 * MIB)])
    for file, word in ((evil, "on top of another file"), (outside, "in another file")):
        with pytest.raises(BaseImageError, match=word):
            disks.prepared(Source(place=str(file), sha256=None))
    assert not [path for path in (raw.parent / "vm").iterdir() if path.is_dir()]


def test_what_a_disk_holds_is_never_taken_for_a_format(disks: ForeignDisks, raw: Path) -> None:
    """A qcow2 whose content begins as one with a backing file (S-22): what lies on it sees bytes."""
    inner = b"QFI\xfb" + struct.pack(">IQI", 3, 104, 11)
    head = (inner + bytes(510 - len(inner)) + b"\x55\xaa").ljust(MIB, b"\0")
    raw.write_bytes(head + bytes(MIB))
    found = disks.prepared(Source(place=str(qcow2(raw)), sha256=None))
    top = raw.with_name("top.qcow2")
    overlay(found.disk, top, 4 * MIB, PROCESSES)
    assert virtual_size(top) == 4 * MIB
    to_raw(top, raw.with_name("again"), PROCESSES)
    assert raw.with_name("again").read_bytes()[: 2 * MIB] == raw.read_bytes()


def test_a_disk_without_a_boot_loader_and_no_disk_at_all_are_told_apart(disks: ForeignDisks, raw: Path) -> None:
    raw.write_bytes(bytes(MIB))
    with pytest.raises(BaseImageError, match="nothing on the disk"):
        disks.prepared(Source(place=str(raw), sha256=None))
    raw.write_bytes(b"<!doctype html>")
    with pytest.raises(BaseImageError, match="no whole number of sectors"):
        disks.prepared(Source(place=str(raw), sha256=None))
    raw.unlink()
    with pytest.raises(BaseImageError, match="no such file"):
        disks.prepared(Source(place=str(raw), sha256=None))


@pytest.mark.parametrize("point", ["disk taken over", "ran prlimit"])
def test_a_kill_leaves_nothing_that_counts(disks: ForeignDisks, raw: Path, point: str) -> None:
    child = os.fork()
    if not child:
        faults._SPEC = f"kill:1:{point}"
        try:
            disks.prepared(Source(place=str(raw), sha256=None))
        finally:
            os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) != 0, "it was to be ended there"
    assert list((raw.parent / "vm").glob("taking-*"))
    assert disks.prepared(Source(place=str(raw), sha256=None)).firmware == "bios"
    assert not list((raw.parent / "vm").glob("taking-*"))


class _Handler(http.server.BaseHTTPRequestHandler):
    """Serves bytes, from where it is asked to, and cuts the connection after some if it is told to."""

    content: ClassVar[bytes] = b""
    cut: ClassVar[list[int]] = []
    ranges: ClassVar[bool] = True
    asked: ClassVar[list[str | None]] = []

    def do_GET(self) -> None:
        asked = self.headers.get("Range")
        self.asked.append(asked)
        start = int(asked.removeprefix("bytes=").partition("-")[0]) if asked and self.ranges else 0
        if self.path != "/x.qcow2":
            self.send_error(404)
            return
        if start and start >= len(self.content):
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(self.content)}")
            self.end_headers()
            return
        rest = self.content[start:]
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(self.content) - 1}/{len(self.content)}")
        self.send_header("Content-Length", str(len(rest)))
        self.end_headers()
        self.wfile.write(rest[: self.cut.pop(0)] if self.cut else rest)

    def log_message(self, *words: object) -> None:
        """Say nothing."""


@contextmanager
def served(content: bytes, *, cut: tuple[int, ...] = (), ranges: bool = True) -> Iterator[tuple[str, type[_Handler]]]:
    handler = type("Handler", (_Handler,), {"content": content, "cut": list(cut), "ranges": ranges, "asked": []})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}", handler
        finally:
            server.shutdown()


CONTENT = bytes(range(256)) * 4096


@pytest.mark.parametrize(("ranges", "asked"), [(True, [None, "bytes=1000-"]), (False, [None, "bytes=1000-"])])
def test_a_connection_that_is_cut_off_is_taken_up_again(tmp_path: Path, ranges: bool, asked: list[str | None]) -> None:
    with served(CONTENT, cut=(1000,), ranges=ranges) as (address, handler):
        fetch(f"{address}/x.qcow2", tmp_path / "x", RecordedStep(""))
    assert (tmp_path / "x").read_bytes() == CONTENT
    assert handler.asked == asked


def test_what_has_come_before_is_not_asked_for_again_and_what_is_none_of_it_is(tmp_path: Path) -> None:
    with served(CONTENT) as (address, handler):
        (tmp_path / "x").write_bytes(CONTENT[:5000])
        fetch(f"{address}/x.qcow2", tmp_path / "x", RecordedStep(""))
        (tmp_path / "y").write_bytes(CONTENT)
        fetch(f"{address}/x.qcow2", tmp_path / "y", RecordedStep(""))
        assert handler.asked == ["bytes=5000-", f"bytes={len(CONTENT)}-"]
        (tmp_path / "z").write_bytes(CONTENT + b"more")
        fetch(f"{address}/x.qcow2", tmp_path / "z", RecordedStep(""))
    assert [(tmp_path / name).read_bytes() == CONTENT for name in "xyz"] == [True] * 3


def test_what_cannot_be_fetched_is_said_and_what_came_stays(tmp_path: Path) -> None:
    with served(CONTENT, cut=(1000, 1000, 1000)) as (address, _):
        with pytest.raises(BaseImageError, match="404"):
            fetch(f"{address}/elsewhere", tmp_path / "x", RecordedStep(""))
        with pytest.raises(BaseImageError, match=f"of {len(CONTENT)} bytes came"):
            fetch(f"{address}/x.qcow2", tmp_path / "x", RecordedStep(""))
    assert (tmp_path / "x").read_bytes() == CONTENT[:3000]
    with pytest.raises(BaseImageError, match="refused"):
        fetch(f"{address}/x.qcow2", tmp_path / "x", RecordedStep(""))


def test_a_disk_from_an_address_is_kept_by_its_digest_and_a_wrong_one_is_fetched_anew(
    disks: ForeignDisks, raw: Path
) -> None:
    content = qcow2(raw).read_bytes()
    wanted = hashlib.sha256(content).hexdigest()
    with served(b"something else") as (address, _), pytest.raises(BaseImageError, match="another disk"):
        disks.prepared(Source(place=f"{address}/x.qcow2", sha256=wanted))
    with served(content) as (address, handler):
        found = disks.prepared(Source(place=f"{address}/x.qcow2", sha256=wanted))
        assert handler.asked == [None], "nothing of the wrong one was kept"
    assert found.sha256 == wanted
    assert disks.prepared(Source(place=f"{address}/x.qcow2", sha256=wanted)) == found, "nobody serves it any more"


def test_what_was_fetched_in_part_can_be_taken_away_unless_somebody_fetches(
    disks: ForeignDisks, raw: Path, tmp_path: Path
) -> None:
    assert disks.parts() == {}, "there is no directory yet"
    disks.prepared(Source(place=str(raw), sha256=None))
    part = tmp_path / "vm" / f"{'a' * 64}.part"
    part.write_bytes(b"some of it" * 1000)
    assert list(disks.parts()) == [part.name]
    assert disks.parts()[part.name] >= 10_000
    with (tmp_path / "vm" / "disks.lock").open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert (disks.parts(), disks.drop_parts([part.name])) == ({}, ())
    assert disks.drop_parts([]) == ()
    assert disks.drop_parts([part.name]) == (part.name,)
    assert not part.exists()
