"""The header of a disk that somebody else has made (S-21, S-22)."""

import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devbox.vm.header import LARGEST, READ, Examined, HeaderError, examine

CLUSTER = 65536
GIB = 1 << 30
LENGTH = 8 * CLUSTER


def qcow2(*, extensions: bytes = b"", **changes: Any) -> bytes:
    """Return the beginning of a qcow2 of 1 GiB as qemu-img makes it, with `changes`."""
    fields: dict[str, int] = {
        "version": 3, "backing": 0, "backing_size": 0, "bits": 16, "size": GIB, "encryption": 0,
        "l1_size": 2, "l1": 3 * CLUSTER, "refcounts": CLUSTER, "refcount_clusters": 1, "snapshots": 0, "snapshot_at": 0,
        "incompatible": 0, "compatible": 0, "autoclear": 0, "order": 4, "length": 104,
    }  # fmt: skip
    assert not set(changes) - set(fields)
    fields |= changes
    head = struct.pack(">4sIQIIQIIQQIIQQQQII", b"QFI\xfb", *fields.values())
    return (head + extensions).ljust(READ, b"\0")


def extension(kind: int, data: bytes = b"") -> bytes:
    return struct.pack(">II", kind, len(data)) + data + bytes(-len(data) % 8)


def why(head: bytes, *, length: int = LENGTH, tail: bytes = b"") -> str:
    """Return why it is refused."""
    with pytest.raises(HeaderError) as caught:
        examine(head, tail, length)
    return str(caught.value)


@pytest.mark.parametrize(
    "head",
    [
        qcow2(),
        qcow2(version=2),
        qcow2(incompatible=1 << 3),
        qcow2(incompatible=1 << 4, l1_size=4),
        qcow2(snapshots=1, snapshot_at=4 * CLUSTER),
        qcow2(extensions=extension(0x6803F857, b"names") + extension(0)),
    ],
)
def test_a_disk_that_stands_by_itself_is_taken(head: bytes) -> None:
    assert examine(head, b"", LENGTH) == Examined(format="qcow2", size=GIB)


@pytest.mark.parametrize(
    ("head", "word"),
    [
        (qcow2(backing=512, backing_size=11), "on top of another file"),
        (qcow2(backing=512), "on top of another file"),
        (qcow2(version=2, backing=512, backing_size=11), "on top of another file"),
        (qcow2(incompatible=1 << 2), "in another file"),
        (qcow2(encryption=1), "encrypted"),
        (qcow2(encryption=2), "encrypted"),
        (qcow2(incompatible=1), "not closed, or is damaged"),
        (qcow2(incompatible=2), "not closed, or is damaged"),
        (qcow2(incompatible=1 << 5), "does not know (0x20)"),
        (qcow2(incompatible=1 << 63), "does not know"),
        (qcow2(version=1), "version 1"),
        (qcow2(version=4), "version 4"),
        (qcow2(extensions=extension(0xE2792ACA, b"raw")), "on top of another file"),
        (qcow2(extensions=extension(0x44415441, b"/etc/shadow")), "in another file"),
        (qcow2(extensions=extension(0x0537BE77, bytes(16))), "encrypted"),
        (qcow2(extensions=extension(0x11111111, bytes(40)) + extension(0x44415441, b"x")), "in another file"),
        (qcow2(version=2)[:72] + extension(0x44415441, b"x").ljust(READ, b"\0"), "in another file"),
        (qcow2(extensions=extension(0x11111111, bytes(READ))), "header does not end"),
        (qcow2(bits=8), "2^8 bytes"),
        (qcow2(bits=22), "2^22 bytes"),
        (qcow2(size=0), "no whole number of sectors"),
        (qcow2(size=GIB + 1), "no whole number of sectors"),
        (qcow2(size=LARGEST + 512), "larger than"),
        (qcow2(l1_size=1), "first table has 1 entries"),
        (qcow2(l1_size=2**32 - 1), "first table has"),
        (qcow2(l1=0), "outside of itself"),
        (qcow2(l1=3 * CLUSTER + 8), "outside of itself"),
        (qcow2(l1=LENGTH), "outside of itself"),
        (qcow2(refcounts=0), "outside of itself"),
        (qcow2(refcounts=1 << 60), "outside of itself"),
        (qcow2(refcount_clusters=0), "0 clusters"),
        (qcow2(refcount_clusters=2**32 - 1), "clusters"),
        (qcow2(snapshots=2**32 - 1), "snapshots"),
        (qcow2(snapshots=1), "outside of itself"),
        (qcow2(order=7), "2^7 bits"),
        (qcow2(length=72), "header has 72 bytes"),
        (qcow2(length=2**32 - 8), "bytes"),
        (qcow2(length=105), "header has 105 bytes"),
        (qcow2()[:100], "cut off"),
    ],
)
def test_a_qcow2_that_leads_elsewhere_or_says_what_cannot_be_is_refused(head: bytes, word: str) -> None:
    assert word in why(head)


def test_what_a_large_header_says_behind_what_was_read_is_not_believed_to_be_nothing() -> None:
    filling = extension(0x11111111, bytes(READ - 104 - 8 - 4))[: READ - 104]
    head = qcow2(bits=20, l1_size=1, l1=3 << 20, refcounts=1 << 20, extensions=filling)
    assert len(head) == READ
    assert "header does not end" in why(head, length=8 << 20)
    assert examine(qcow2(bits=20, l1_size=1, l1=3 << 20, refcounts=1 << 20), b"", 8 << 20).size == GIB


def test_a_raw_disk_is_as_large_as_its_file() -> None:
    assert examine(b"\xeb\x63".ljust(READ, b"\0"), bytes(512), GIB) == Examined(format="raw", size=GIB)


@pytest.mark.parametrize(
    ("head", "word"),
    [
        (b"QFI\xfb", "cut off"),
        (b"KDMV", "VMDK"),
        (b"# Disk DescriptorFile", "VMDK"),
        (bytes(0x40) + b"\x7f\x10\xda\xbe", "VDI"),
        (b"vhdxfile", "VHDX"),
        (b"conectix", "VHD"),
        (b"QED\0", "QED"),
        (b"LUKS\xba\xbe", "encrypted"),
        (b"\xfd7zXZ\0", "xz"),
        (b"\x1f\x8b\x08", "gzip"),
        (b"PK\x03\x04", "ZIP"),
        (bytes(257) + b"ustar", "tar"),
    ],
)
def test_what_begins_as_another_format_is_no_raw_disk(head: bytes, word: str) -> None:
    assert word in why(head.ljust(READ, b"\0") if head != b"QFI\xfb" else head)


def test_a_raw_disk_that_ends_as_another_format_is_none() -> None:
    assert "VHD" in why(bytes(READ), tail=b"conectix".ljust(512, b"\0"))


@pytest.mark.parametrize("length", [0, 511, GIB + 1, LARGEST + 512])
def test_what_has_not_the_size_of_a_disk_is_none(length: int) -> None:
    why(b"<!doctype html>", length=length)


@given(st.binary(max_size=4096), st.binary(max_size=512), st.integers(0, 2**63))
def test_whatever_the_bytes_they_are_a_disk_or_refused(head: bytes, tail: bytes, length: int) -> None:
    for begins in (head, b"QFI\xfb" + head, b"QFI\xfb\0\0\0\x03" + head):
        try:
            found = examine(begins, tail, length)
        except HeaderError:
            continue
        else:
            assert found.format == ("qcow2" if begins.startswith(b"QFI\xfb") else "raw")
            assert 0 < found.size <= LARGEST


@given(st.integers(0, 103), st.binary(min_size=1, max_size=16))
def test_a_header_that_was_changed_is_still_judged(at: int, data: bytes) -> None:
    head = qcow2()
    changed = head[:at] + data + head[at + len(data) :]
    try:
        found = examine(changed, b"", LENGTH)
    except HeaderError:
        return
    if found.format == "qcow2":
        assert changed[8:20] == bytes(12), "it lies on something"
        assert not changed[79] & 0b100 or changed[4:8] == b"\0\0\0\x02", "its data lie elsewhere"
        assert changed[32:36] == bytes(4), "it is encrypted"
