"""A disk that devbox has not made: Debian with its own boot loaders, as a cloud image has it, for BIOS and for UEFI."""

import os
import re
import shutil
import subprocess
from pathlib import Path

_MIB = 1 << 20
_ESP = (1 * _MIB, 160 * _MIB)  # where the partition lies that firmware reads: offset, size
_ROOT = (161 * _MIB, 2400 * _MIB)
_WHOLE = 2562 * _MIB
_PACKAGES = (
    "cloud-init",
    "dbus",
    "e2fsprogs",
    "initramfs-tools",
    "iproute2",
    "kmod",
    "linux-image-cloud-amd64",
    "netplan.io",
    "openssh-server",
    "sudo",
    "systemd-boot-efi",
    "systemd-sysv",
    "udev",
)
_EXCLUDED = ("/usr/share/man/*", "/usr/share/doc/*", "/usr/share/locale/*")
_LABEL = "foreign-root"
_KERNEL = f"root=LABEL={_LABEL} rw console=ttyS0 quiet mitigations=off"
_SYSLINUX = f"PROMPT 0\nDEFAULT linux\nLABEL linux\n  LINUX /vmlinuz\n  INITRD /initrd.img\n  APPEND {_KERNEL}\n"
_ENTRY = f"title foreign\nlinux /vmlinuz\ninitrd /initrd.img\noptions {_KERNEL}\n"
_BOOT_CODE = ("/usr/lib/SYSLINUX/gptmbr.bin", "/usr/lib/syslinux/mbr/gptmbr.bin")


def foreign_root(cache: Path, packages: tuple[str, ...] = _PACKAGES) -> Path:
    """Return a tar of such a system, made below `cache` if it is not there."""
    tar = cache / "foreign.tar"
    if not tar.exists():
        cache.mkdir(parents=True, exist_ok=True)
        part = cache / "foreign.part.tar"
        excluded = [f"--dpkgopt=path-exclude={pattern}" for pattern in _EXCLUDED]
        keys = '--customize-hook=rm -f "$1"/etc/ssh/ssh_host_*'
        included = f"--include={','.join(packages)}"
        _run("mmdebstrap", "--variant=minbase", included, *excluded, keys, "bookworm", str(part))
        part.rename(tar)
    return tar


def foreign_disk(tar: Path, disk: Path, *, bios: bool = True, uefi: bool = True) -> Path:
    """Make of `tar` the raw disk `disk`, with the boot loaders that are asked for, without root or loop device."""
    place = disk.with_name(f"{disk.name}.d")
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    try:
        root, esp, files = place / "root", place / "esp", place / "files"
        _fill(tar, files, root)
        _boot_partition(files, esp, bios=bios, uefi=uefi)
        with disk.open("wb") as made:
            made.truncate(_WHOLE)
        _partition(disk, bios=bios)
        for (offset, _), part in ((_ESP, esp), (_ROOT, root)):
            _run(*("dd", f"if={part}", f"of={disk}", "bs=1M", "conv=sparse,notrunc", f"seek={offset // _MIB}"))
        if bios:
            _run("syslinux", "--offset", str(_ESP[0]), "--install", str(disk))
            code = next(path for name in _BOOT_CODE if (path := Path(name)).exists()).read_bytes()
            with disk.open("r+b") as made:
                made.write(code[:440])
    finally:
        shutil.rmtree(place)
    return disk


def _fill(tar: Path, files: Path, root: Path) -> None:
    """Lay the files out and write the root file system of them, by one fakeroot where this is no root."""
    files.mkdir()
    with root.open("wb") as made:
        made.truncate(_ROOT[1])
    script = 'tar -C "$1" -xf "$2" --numeric-owner && mke2fs -q -F -t ext4 -L "$4" -d "$1" "$3"'
    faked = () if os.getuid() == 0 else ("fakeroot", "--")
    _run(*faked, "sh", "-ec", f"PATH=$PATH:/usr/sbin:/sbin; {script}", "sh", str(files), str(tar), str(root), _LABEL)


def _boot_partition(files: Path, esp: Path, *, bios: bool, uefi: bool) -> None:
    with esp.open("wb") as made:
        made.truncate(_ESP[1])
    _run("mkfs.vfat", "-F", "32", "-s", "1", "-h", str(_ESP[0] // 512), "-n", "ESP", str(esp))
    for name, target in (("vmlinuz-*", "vmlinuz"), ("initrd.img-*", "initrd.img")):
        (found,) = (files / "boot").glob(name)
        _run("mcopy", "-i", str(esp), str(found), f"::{target}")
    if bios:
        _put(esp, "syslinux.cfg", _SYSLINUX)
    if uefi:
        for directory in ("EFI", "EFI/BOOT", "loader", "loader/entries"):
            _run("mmd", "-i", str(esp), f"::{directory}")
        loader = files / "usr/lib/systemd/boot/efi/systemd-bootx64.efi"
        _run("mcopy", "-i", str(esp), str(loader), "::EFI/BOOT/BOOTX64.EFI")
        _put(esp, "loader/loader.conf", "timeout 0\ndefault foreign\n")
        _put(esp, "loader/entries/foreign.conf", _ENTRY)


def _put(esp: Path, name: str, text: str) -> None:
    _run("mcopy", "-i", str(esp), "-", f"::{name}", given=text)


def _partition(disk: Path, *, bios: bool) -> None:
    flag = ", attrs=LegacyBIOSBootable" if bios else ""
    (offset, size), (root, root_size) = _ESP, _ROOT
    table = (
        "label: gpt\n"
        f"start={offset // 512}, size={size // 512}, type=U{flag}\n"
        f"start={root // 512}, size={root_size // 512}, type=L\n"
    )
    _run("sfdisk", "-q", str(disk), given=table)


def _run(*argv: str, given: str = "") -> str:
    """Run a program that must succeed; return what it wrote."""
    search = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    done = subprocess.run(
        argv, input=given, capture_output=True, text=True, check=False, timeout=600, env={**os.environ, "PATH": search}
    )
    assert done.returncode == 0, f"{re.sub(chr(10), ' ', ' '.join(argv))[:200]}: {done.stderr[-2000:]}"
    return done.stdout
