"""The kernel of an image: which of several, how QEMU is to be given it, and which modules it needs to find its root.

Pure: what files hold comes in as bytes, all of it untrusted. Sources: Documentation/arch/x86/boot.rst of the kernel for
the header; depmod(5) for lists of modules; xen/include/public/elfnote.h for the way into an uncompressed kernel (PVH).
"""

import lzma
import re
import struct
import zlib
from collections.abc import Callable, Collection, Container, Iterable, Iterator, Mapping
from dataclasses import dataclass
from posixpath import basename

from devbox.vm import lz4

WANTED = (
    "virtio_pci",
    "virtio_blk",
    "virtio_console",
    "crc32c_generic",  # ext4 asks for it by what it does, which no list of dependencies has
    "ext4",
    "virtio_net",
    "virtio_rng",
    "overlay",
)
NEEDED = frozenset({"virtio_pci", "virtio_blk", "virtio_console", "ext4"})  # without which no machine comes up
# The first word is for kernels before 5.1; of the others, those that they do not have are passed over.
WITHOUT_PROFILES = "apparmor=0 lsm=landlock,lockdown,yama,integrity,bpf"
PARSERS = ("sbin/apparmor_parser", "usr/sbin/apparmor_parser")
_PLACES = ("boot/vmlinuz-", "boot/vmlinux-")
_MODULES = ("usr/lib/modules/", "lib/modules/")
_UNPACKED_MAX = 256 * 1024**2  # bytes; more is no kernel
_SETUP_SECTORS, _MAGIC, _PAYLOAD = 0x1F1, 0x202, 0x248
_SECTOR = 512
_ZSTD = b"\x28\xb5\x2f\xfd"
_NOTES = 4
_PVH = (b"Xen\0", 18)  # owner and type of the note that says where such a kernel is entered
_NUMBERS = re.compile(r"\d+|\D+")

Unpack = Callable[[bytes], bytes]
"""Returns what a compressed stream holds; `ValueError` if it cannot."""


class KernelError(ValueError):
    """The image has no kernel that a machine could boot; the text is for people."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kernel:
    """A kernel of a root file system. Paths are relative to its root; `modules` ends with "/"."""

    release: str  # "6.1.0-56-cloud-amd64"
    path: str
    modules: str


def newest(paths: Iterable[str]) -> Kernel:
    """Return the kernel of the highest version that has modules too; `KernelError` for none."""
    known = set(paths)
    found = {}
    for path in known:
        for place in _PLACES:
            release = path.removeprefix(place)
            modules = next((f"{root}{release}/" for root in _MODULES if f"{root}{release}/modules.dep" in known), None)
            if path.startswith(place) and release and "/" not in release and modules is not None:
                found[release] = Kernel(release=release, path=path, modules=modules)
    if not found:
        raise KernelError("holds no kernel with its modules below /boot and /lib/modules")
    return found[max(found, key=_order)]


def _order(release: str) -> list[tuple[int, int, str]]:
    parts = _NUMBERS.findall(release)
    return [(1, int(part), "") if part.isdigit() else (0, 0, part) for part in parts]


def parameters(paths: Container[str]) -> str:
    """Return what the kernel is to be told beyond what any is, of a root file system with these paths. Pure.

    Debian's has AppArmor, whose profiles this program loads. Without it nobody is confined, but a container engine
    starts nothing: where the kernel says that it has AppArmor, it wants to load one. What would take its place then
    (SELinux, TOMOYO) has no rules either, and is asked at each file that is opened: it stays out, too.
    """
    return "" if any(path in paths for path in PARSERS) else WITHOUT_PROFILES


def bootable(image: bytes, unpackers: Mapping[str, Unpack]) -> bytes:
    """Return the kernel for QEMU: uncompressed, if it can be entered that way, else `image` as it is.

    `unpackers`: by the name of the format, for those that Python cannot read ("zstd").
    """
    payload = _payload(image)
    if payload is None:
        return image
    try:
        whole = unpacked(payload, unpackers)
    except ValueError:
        return image
    return whole if _has_pvh(whole) else image


def _payload(image: bytes) -> bytes | None:
    """Return the compressed part of a bzImage; None for anything else."""
    if len(image) < _PAYLOAD + 8 or image[_MAGIC : _MAGIC + 4] != b"HdrS":
        return None
    version = struct.unpack_from("<H", image, _MAGIC + 4)[0]
    start, length = struct.unpack_from("<II", image, _PAYLOAD)
    start += ((image[_SETUP_SECTORS] or 4) + 1) * _SECTOR
    if version < 0x208 or not length or start + length > len(image):
        return None
    found = image[start : start + length]
    return found[:-4] if found.startswith((_ZSTD, lz4.MAGIC)) else found  # the length behind is no part of the stream


def unpacked(data: bytes, unpackers: Mapping[str, Unpack]) -> bytes:
    """Return what a gzip, xz, LZ4 or zstd stream at the start of `data` holds; `ValueError` if that cannot be said."""
    try:
        if data.startswith(b"\x1f\x8b"):
            return _bounded(zlib.decompressobj(31).decompress(data, _UNPACKED_MAX + 1))
        if data.startswith(b"\xfd7zXZ\0"):
            return _bounded(lzma.LZMADecompressor(lzma.FORMAT_XZ).decompress(data, _UNPACKED_MAX + 1))
    except (zlib.error, lzma.LZMAError) as error:
        raise ValueError(f"a damaged stream: {error}") from error
    if data.startswith(lz4.MAGIC):
        return lz4.unpacked(data, _UNPACKED_MAX)
    if data.startswith(_ZSTD) and (unpack := unpackers.get("zstd")):
        return _bounded(unpack(data))
    raise ValueError("compressed in a way that is not understood")


def _bounded(data: bytes) -> bytes:
    if len(data) > _UNPACKED_MAX:
        raise ValueError(f"more than {_UNPACKED_MAX} bytes")
    return data


def _has_pvh(elf: bytes) -> bool:
    """Whether the ELF file has a note that says where it is entered without its 16-bit part."""
    if len(elf) < 64 or elf[:6] != b"\x7fELF\x02\x01":
        return False
    offset, size, count = struct.unpack_from("<Q", elf, 32)[0], *struct.unpack_from("<HH", elf, 54)
    if size < 56 or offset + size * count > len(elf):
        return False
    for index in range(count):
        kind, _, start, _, _, length = struct.unpack_from("<IIQQQQ", elf, offset + index * size)
        if kind == _NOTES and _PVH in _notes(elf[start : start + length]):
            return True
    return False


def _notes(data: bytes) -> Iterator[tuple[bytes, int]]:
    at = 0
    while at + 12 <= len(data):
        name, content, kind = struct.unpack_from("<III", data, at)
        at += 12
        yield data[at : at + name], kind
        at += name + -name % 4 + content + -content % 4


def module_order(dependencies: str, builtin: str, wanted: Iterable[str] = WANTED) -> tuple[str, ...]:
    """Return the files of the modules `wanted` and of all that they need, each after what it needs.

    `dependencies`: modules.dep; `builtin`: modules.builtin, whose modules are left out. Raises `KernelError` if one is
    neither and `NEEDED`; others are left out.
    """
    needs = dict(_rows(dependencies))
    files = {module_name(path): path for path in needs}
    there = {module_name(line) for line in builtin.split()}
    order: dict[str, None] = {}
    for name in wanted:
        if name in files:
            _add(files[name], needs, order, below=())
        elif name not in there and name in NEEDED:
            raise KernelError(f"holds a kernel without the module {name}")
    return tuple(order)


def _rows(text: str) -> Iterator[tuple[str, list[str]]]:
    for line in text.splitlines():
        path, colon, needs = line.partition(":")
        if colon:
            yield path.strip(), needs.split()


def _add(path: str, needs: Mapping[str, Collection[str]], order: dict[str, None], *, below: tuple[str, ...]) -> None:
    if path in order or path in below:
        return
    for other in reversed(list(needs.get(path, ()))):
        _add(other, needs, order, below=(*below, path))
    order[path] = None


def module_name(path: str) -> str:
    """Return the name that the kernel has for a module's file: "virtio_rng" of ".../virtio-rng.ko.xz"."""
    return basename(path).partition(".")[0].replace("-", "_")
