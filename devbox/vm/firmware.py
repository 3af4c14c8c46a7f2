"""By what a disk with a boot loader of its own is started: the BIOS that QEMU brings, or UEFI where the disk needs it.

A disk that both can start is started by the BIOS, which is there on every host and, emulated, some seconds faster.
"""

import struct
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from devbox.errors import RuntimeUnavailableError

BIOS: Final = "bios"
UEFI: Final = "uefi"
LOOKED_AT: Final = 64 * 1024  # bytes of a disk's beginning, by which `kind` tells

_SECTOR: Final = 512
_CODE: Final = 440  # bytes that a boot loader has in the first sector
_SIGNATURE: Final = b"\x55\xaa"
_TABLE: Final = 446
_SYSTEM_KIND: Final = 0xEF  # an EFI system partition in a table of the old kind
_SYSTEM: Final = uuid.UUID("c12a7328-f81f-11d2-ba4b-00a0c93ec93b").bytes_le
_LEAST_ENTRY: Final = 128

# As the distributions lay it out, and QEMU itself; the variables that belong to the code before them.
_PLACES: Final = {
    "x86_64": (
        ("/usr/share/OVMF/OVMF_CODE_4M.fd", "/usr/share/OVMF/OVMF_VARS_4M.fd"),
        ("/usr/share/OVMF/OVMF_CODE.fd", "/usr/share/OVMF/OVMF_VARS.fd"),
        ("/usr/share/edk2/ovmf/OVMF_CODE.fd", "/usr/share/edk2/ovmf/OVMF_VARS.fd"),
        ("/usr/share/edk2/x64/OVMF_CODE.4m.fd", "/usr/share/edk2/x64/OVMF_VARS.4m.fd"),
        ("/usr/share/edk2-ovmf/x64/OVMF_CODE.fd", "/usr/share/edk2-ovmf/x64/OVMF_VARS.fd"),
        ("/usr/share/qemu/ovmf-x86_64-4m-code.bin", "/usr/share/qemu/ovmf-x86_64-4m-vars.bin"),
        ("/usr/share/qemu/edk2-x86_64-code.fd", "/usr/share/qemu/edk2-i386-vars.fd"),
        ("/usr/local/share/qemu/edk2-x86_64-code.fd", "/usr/local/share/qemu/edk2-i386-vars.fd"),
        ("/opt/homebrew/share/qemu/edk2-x86_64-code.fd", "/opt/homebrew/share/qemu/edk2-i386-vars.fd"),
    ),
    "aarch64": (
        ("/usr/share/AAVMF/AAVMF_CODE.fd", "/usr/share/AAVMF/AAVMF_VARS.fd"),
        ("/usr/share/edk2/aarch64/QEMU_EFI-pflash.raw", "/usr/share/edk2/aarch64/vars-template-pflash.raw"),
        ("/usr/share/qemu/edk2-aarch64-code.fd", "/usr/share/qemu/edk2-arm-vars.fd"),
        ("/usr/local/share/qemu/edk2-aarch64-code.fd", "/usr/local/share/qemu/edk2-arm-vars.fd"),
        ("/opt/homebrew/share/qemu/edk2-aarch64-code.fd", "/opt/homebrew/share/qemu/edk2-arm-vars.fd"),
    ),
}
_PACKAGES: Final = {"x86_64": "ovmf", "aarch64": "qemu-efi-aarch64"}  # as Debian calls them


@dataclass(frozen=True, slots=True, kw_only=True)
class Firmware:
    """UEFI: its code, which nobody changes, and what each machine has a copy of to keep its settings in."""

    code: Path
    variables: Path


def kind(head: bytes, architecture: str) -> str | None:
    """Return by what the disk that begins with `head` is to be started, `BIOS` or `UEFI`; None if nothing on it can.

    Pure. `architecture`: as QEMU calls it; but for x86 all of them have UEFI.
    """
    if len(head) < 2 * _SECTOR or head[_SECTOR - 2 : _SECTOR] != _SIGNATURE:
        return None
    if architecture == "x86_64" and any(head[:_CODE]):
        return BIOS
    return UEFI if _has_system_partition(head) else None


def _has_system_partition(head: bytes) -> bool:
    kinds = [head[at + 4] for at in range(_TABLE, _TABLE + 64, 16)]
    return _SYSTEM_KIND in kinds or _SYSTEM in _gpt_kinds(head)


def _gpt_kinds(head: bytes) -> Iterable[bytes]:
    """Yield the kind of each partition that a GUID partition table has, as far as `head` goes."""
    if head[_SECTOR : _SECTOR + 8] != b"EFI PART":
        return
    sector, count, size = struct.unpack_from("<QII", head, _SECTOR + 72)
    at = sector * _SECTOR
    if size < _LEAST_ENTRY:
        return
    for _ in range(min(count, len(head) // size)):
        if at + size > len(head):
            return
        yield head[at : at + 16]
        at += size


def uefi(architecture: str) -> Firmware:
    """Return the UEFI of this host for machines of `architecture`; `RuntimeUnavailableError` with its package."""
    for code, variables in _PLACES.get(architecture, ()):
        found = Firmware(code=Path(code), variables=Path(variables))
        if found.code.is_file() and found.variables.is_file():
            return found
    package = _PACKAGES.get(architecture, "ovmf")
    raise RuntimeUnavailableError(
        f"the disk is started by UEFI, and this host has none for QEMU (Debian's package {package})",
        hint=f"install it: apt-get install {package}",
    )
