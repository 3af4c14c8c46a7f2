"""Archives that a kernel unpacks: read back by code that knows nothing of how they are written."""

import stat

import pytest

from devbox.vm.initramfs import Entry, Identity, agent_archive, archive, machine_archive, modules_archive

Found = dict[str, tuple[int, bytes]]


def read(data: bytes) -> Found:
    """Return mode and content by path, reading as the kernel does."""
    found: Found = {}
    at = 0
    while True:
        assert data[at : at + 6] == b"070701"
        fields = [int(data[at + 6 + 8 * index : at + 14 + 8 * index], 16) for index in range(13)]
        size, name_size = fields[6], fields[11]
        name = data[at + 110 : at + 110 + name_size]
        assert name.endswith(b"\0")
        start = at + 110 + name_size
        start += -start % 4
        if name == b"TRAILER!!!\0":
            assert not data[start:].strip(b"\0")
            return found
        assert fields[2:4] == [0, 0], "root owns all"
        assert fields[5] == 0, "no date"
        found[name[:-1].decode()] = (fields[1], data[start : start + size])
        at = start + size + -size % 4


def test_files_come_back_with_modes_and_parents() -> None:
    made = archive([Entry(path="b/c/file", content=b"12345", mode=0o600), Entry(path="a", content=b"", mode=0o755)])
    assert read(made) == {
        "a": (stat.S_IFREG | 0o755, b""),
        "b": (stat.S_IFDIR | 0o755, b""),
        "b/c": (stat.S_IFDIR | 0o755, b""),
        "b/c/file": (stat.S_IFREG | 0o600, b"12345"),
    }


def test_the_first_record_is_as_the_kernels_page_has_it() -> None:
    made = archive([Entry(path="init", content=b"x", mode=0o755)])
    inode, mode, owners, links, date, size = b"00000001", b"000081ED", b"0" * 16, b"00000001", b"0" * 8, b"00000001"
    devices, name_size, checksum = b"0" * 32, b"00000005", b"0" * 8
    head = b"070701" + inode + mode + owners + links + date + size + devices + name_size + checksum
    assert made.startswith(head + b"init\0" + b"\0" + b"x\0\0\0" + b"070701")


def test_order_and_number_do_not_depend_on_how_entries_come() -> None:
    entries = [Entry(path=name, content=name.encode()) for name in ("z", "a/b", "m")]
    assert archive(entries) == archive(reversed(entries))


def test_another_archive_can_follow() -> None:
    assert len(archive([Entry(path="x", content=b"y" * 700)])) % 512 == 0


@pytest.mark.parametrize("path", ["", "/init", "a//b", "../x", "a/./b", "a/", "a\0b", "x" * 5000, "TRAILER!!!"])
def test_a_path_that_leads_elsewhere_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match="no path for an initial RAM file system"):
        archive([Entry(path=path, content=b"")])


def test_a_path_is_there_once() -> None:
    with pytest.raises(ValueError, match="a is there twice"):
        archive([Entry(path="a", content=b""), Entry(path="a")])


def test_an_image_has_the_modules_in_their_order_and_any_agent_follows() -> None:
    modules = modules_archive([("virtio", b"1"), ("ext4", b"2")])
    assert len(modules) % 512 == 0
    found = {**read(modules), **read(agent_archive(b"ELF"))}
    assert found["init"] == (stat.S_IFREG | 0o755, b"ELF")
    assert [name for name in found if name.startswith("modules/")] == ["modules/000-virtio.ko", "modules/001-ext4.ko"]
    assert {name for name, (mode, _) in found.items() if stat.S_ISDIR(mode)} == {
        *("dev", "devbox", "modules", "proc", "root", "sys")
    }


def identity(network: str | None = "10.0.2.15/24 10.0.2.2 10.0.2.3") -> Identity:
    return Identity(
        agent="ab" * 32,
        hostname="shop",
        environment={"PATH": "/bin", "A": "läden"},
        network=network,
        init="/sbin/init",
        epoch=1_700_000_000,
    )


def test_a_machine_is_told_who_it_is_in_files_of_roots_alone() -> None:
    found = read(machine_archive(identity()))
    files = {name: content for name, (mode, content) in found.items() if stat.S_ISREG(mode)}
    assert files == {
        "devbox/identity": b"ab" * 32,
        "devbox/hostname": b"shop",
        "devbox/environment": "A=läden\0PATH=/bin\0".encode(),
        "devbox/network": b"10.0.2.15/24 10.0.2.2 10.0.2.3",
        "devbox/root": b"/dev/vda",
        "devbox/init": b"/sbin/init",
        "devbox/epoch": b"1700000000",
    }
    assert {stat.S_IMODE(mode) for mode, _ in found.values() if stat.S_ISREG(mode)} == {0o600}


def test_without_a_network_there_is_no_file_of_one() -> None:
    assert "devbox/network" not in read(machine_archive(identity(network=None)))
