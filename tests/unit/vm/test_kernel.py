"""Kernels: which one, how QEMU is to be given it, and the modules that have to be loaded."""

import gzip
import lzma
import struct

import pytest

from devbox.vm import kernel
from devbox.vm.kernel import Kernel, KernelError, bootable, module_order, newest, parameters, unpacked

DEP = """\
kernel/drivers/virtio/virtio_pci.ko: kernel/drivers/virtio/virtio_pci_modern_dev.ko kernel/drivers/virtio/virtio.ko \
kernel/drivers/virtio/virtio_ring.ko
kernel/drivers/virtio/virtio_pci_modern_dev.ko:
kernel/drivers/virtio/virtio.ko: kernel/drivers/virtio/virtio_ring.ko
kernel/drivers/virtio/virtio_ring.ko:
kernel/drivers/block/virtio_blk.ko: kernel/drivers/virtio/virtio.ko kernel/drivers/virtio/virtio_ring.ko
kernel/drivers/char/virtio_console.ko.xz: kernel/drivers/virtio/virtio.ko
kernel/drivers/char/hw_random/virtio-rng.ko: kernel/drivers/char/hw_random/rng-core.ko
kernel/drivers/char/hw_random/rng-core.ko:
kernel/sound/soundcore.ko:
"""
BUILTIN = "kernel/fs/ext4/ext4.ko\nkernel/fs/jbd2/jbd2.ko\n"


def elf(*notes: tuple[bytes, int], kind: int = 4) -> bytes:
    data = b"".join(struct.pack("<III", len(owner), 4, number) + owner + bytes(4) for owner, number in notes)
    head = b"\x7fELF\x02\x01" + bytes(26) + struct.pack("<Q", 64) + bytes(14) + struct.pack("<HH", 56, 1) + bytes(6)
    program = struct.pack("<IIQQQQQQ", kind, 0, 120, 0, 0, len(data), len(data), 4)
    return head + program + data


def bzimage(payload: bytes, *, version: int = 0x20F, length: int | None = None) -> bytes:
    image = bytearray(2 * 512 + 64)
    image[0x1F1] = 1
    image[0x202:0x206] = b"HdrS"
    struct.pack_into("<H", image, 0x206, version)
    struct.pack_into("<II", image, 0x248, 64, len(payload) if length is None else length)
    return bytes(image) + payload


PVH = elf((b"GNU\0", 3), (b"Xen\0", 18))


def test_the_newest_kernel_with_modules_is_taken() -> None:
    releases = ["6.1.0-9-cloud-amd64", "6.1.0-56-cloud-amd64", "6.1.0-7-amd64", "6.12.9-amd64"]
    paths = [f"boot/vmlinuz-{release}" for release in releases]
    paths += [f"usr/lib/modules/{release}/modules.dep" for release in releases[:3]]
    assert newest(paths) == Kernel(
        release="6.1.0-56-cloud-amd64",
        path="boot/vmlinuz-6.1.0-56-cloud-amd64",
        modules="usr/lib/modules/6.1.0-56-cloud-amd64/",
    )


@pytest.mark.parametrize("path", kernel.PARSERS)
def test_what_loads_no_profiles_has_nothing_to_load_them_into(path: str) -> None:
    told = dict(word.split("=") for word in parameters({"boot/vmlinuz-6"}).split())
    assert told["apparmor"] == "0"
    assert not {"apparmor", "selinux", "smack", "tomoyo"} & set(told["lsm"].split(","))
    assert parameters({"boot/vmlinuz-6", path}) == ""


def test_an_old_tree_has_its_modules_elsewhere() -> None:
    assert newest(["boot/vmlinuz-5", "lib/modules/5/modules.dep"]).modules == "lib/modules/5/"


@pytest.mark.parametrize("paths", [[], ["boot/vmlinuz-6"], ["lib/modules/6/modules.dep"], ["boot/vmlinuz-"]])
def test_without_a_kernel_that_is_said(paths: list[str]) -> None:
    with pytest.raises(KernelError, match="holds no kernel with its modules"):
        newest(paths)


@pytest.mark.parametrize("pack", [gzip.compress, lzma.compress], ids=["gzip", "xz"])
def test_a_kernel_is_unpacked_if_it_can_be_entered_so(pack: object) -> None:
    assert callable(pack)
    assert bootable(bzimage(pack(PVH) + struct.pack("<I", len(PVH))), {}) == PVH


def test_lz4_is_read_as_well() -> None:
    block = bytes([0xF0, len(PVH) - 15]) + PVH
    image = bzimage(b"\x02\x21\x4c\x18" + struct.pack("<I", len(block)) + block + struct.pack("<I", len(PVH)))
    assert bootable(image, {}) == PVH


def test_zstd_is_left_to_who_can() -> None:
    image = bzimage(b"\x28\xb5\x2f\xfd" + b"packed" + struct.pack("<I", len(PVH)))
    asked = []

    def unpack(data: bytes) -> bytes:
        asked.append(data)
        return PVH

    assert bootable(image, {"zstd": unpack}) == PVH
    assert asked == [b"\x28\xb5\x2f\xfdpacked"], "without the length that the kernel puts behind it"
    assert bootable(image, {}) == image


@pytest.mark.parametrize(
    "image",
    [
        bzimage(gzip.compress(elf((b"GNU\0", 18)))),
        bzimage(gzip.compress(elf((b"Xen\0", 17)))),
        bzimage(gzip.compress(elf((b"Xen\0", 18), kind=1))),
        bzimage(gzip.compress(b"no elf")),
        bzimage(gzip.compress(PVH)[:-20]),
        bzimage(gzip.compress(PVH), version=0x207),
        bzimage(gzip.compress(PVH), length=10_000),
        bzimage(b"\x1f\x8bnot gzip at all"),
        bzimage(b"\xfd7zXZ\0nor xz"),
        bzimage(b"BZh9"),
        b"MZ" + bytes(1000),
        b"",
    ],
)
def test_any_other_kernel_stays_as_it_is(image: bytes) -> None:
    assert bootable(image, {}) == image


@pytest.mark.parametrize("pack", [gzip.compress, lzma.compress], ids=["gzip", "xz"])
def test_what_unpacks_to_more_than_a_kernel_is_refused(pack: object, monkeypatch: pytest.MonkeyPatch) -> None:
    assert callable(pack)
    monkeypatch.setattr(kernel, "_UNPACKED_MAX", 1000)
    assert unpacked(pack(bytes(1000)), {}) == bytes(1000)
    with pytest.raises(ValueError, match="more than 1000 bytes"):
        unpacked(pack(bytes(1001)), {})


def test_each_module_comes_after_what_it_needs_and_once() -> None:
    order = module_order(DEP, BUILTIN)
    names = [path.rpartition("/")[2] for path in order]
    assert names == [
        "virtio_ring.ko",
        "virtio.ko",
        "virtio_pci_modern_dev.ko",
        "virtio_pci.ko",
        "virtio_blk.ko",
        "virtio_console.ko.xz",
        "rng-core.ko",
        "virtio-rng.ko",
    ]


def test_a_module_that_is_nowhere_is_refused_if_nothing_comes_up_without() -> None:
    with pytest.raises(KernelError, match="without the module virtio_blk"):
        module_order(DEP.replace("virtio_blk", "virtio_blind"), BUILTIN)
    with pytest.raises(KernelError, match="without the module ext4"):
        module_order(DEP, "")


def test_modules_that_need_each_other_end() -> None:
    assert module_order("a.ko: b.ko\nb.ko: a.ko\n", "", ["a"]) == ("b.ko", "a.ko")
