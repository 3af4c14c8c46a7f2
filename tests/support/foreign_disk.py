"""A disk that devbox has not made: Debian with its own boot loaders, as a cloud image has it, for BIOS and for UEFI."""

import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_MIB = 1 << 20
_FIRST = 1 * _MIB  # where the first partition lies
_BOOT_SIZE = 160 * _MIB
_ROOT_SIZE = 2400 * _MIB
_TAKES_A_SEED = ("cloud-init", "netplan.io")
_PACKAGES = (
    "dbus",
    "e2fsprogs",
    "initramfs-tools",
    "iproute2",
    "kmod",
    "linux-image-cloud-amd64",
    "openssh-server",
    "sudo",
    "systemd-boot-efi",
    "systemd-sysv",
    "udev",
)
_EXCLUDED = ("/usr/share/man/*", "/usr/share/doc/*")
_LABEL = "foreign-root"
_WORDS = f"root=LABEL={_LABEL} rw console=ttyS0 quiet mitigations=off no_timer_check"
_BOOT_CODE = ("/usr/lib/SYSLINUX/gptmbr.bin", "/usr/lib/syslinux/mbr/gptmbr.bin")
ESP_LOADER = Path("/usr/lib/systemd/boot/efi/systemd-bootx64.efi")


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """What a boot loader starts, with which words. `loader`: that of UEFI; None: it has none."""

    kernel: Path
    initrd: Path
    words: str
    loader: Path | None


# As a cloud image is published: what is one machine's own is made when it first boots. It has one locale.
_PUBLISHED = """rm -f "$1"/etc/ssh/ssh_host_*; echo 'locale: false' > "$1"/etc/cloud/cloud.cfg.d/99_locale.cfg"""


# One that somebody has set up by hand: it asks for its address, and its sshd has keys of its own.
_BY_HAND = """printf '[Match]\nName=e*\n[Network]\nDHCP=ipv4\n' > "$1"/etc/systemd/network/10-any.network
chroot "$1" systemctl enable systemd-networkd ssh
echo by-hand > "$1"/etc/hostname"""


def foreign_root(cache: Path, *, seeded: bool = True) -> Path:
    """Return a tar of such a system, made below `cache` if it is not there.

    `seeded`: it has cloud-init; else it has an sshd alone.
    """
    tar = cache / ("foreign.tar" if seeded else "foreign by hand.tar")
    if not tar.exists():
        cache.mkdir(parents=True, exist_ok=True)
        part = cache / f"part-{tar.name}"
        excluded = [f"--dpkgopt=path-exclude={pattern}" for pattern in _EXCLUDED]
        hook = f"--customize-hook={_PUBLISHED if seeded else _BY_HAND}"
        included = f"--include={','.join((*_PACKAGES, *(_TAKES_A_SEED if seeded else ())))}"
        _run("mmdebstrap", "--variant=minbase", included, *excluded, hook, "bookworm", str(part))
        part.rename(tar)
    return tar


def foreign_disk(tar: Path, disk: Path, *, bios: bool = True, uefi: bool = True) -> Path:
    """Make of `tar` the raw disk `disk`, with the boot loaders that are asked for, without root or loop device."""
    place = disk.with_name(f"{disk.name}.d")
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    try:
        root, files = place / "root", place / "files"
        _fill(tar, files, root)
        (kernel,), (initrd,) = ((files / "boot").glob(pattern) for pattern in ("vmlinuz-*", "initrd.img-*"))
        loader = files / ESP_LOADER.relative_to("/") if uefi else None
        loaded = Loaded(kernel=kernel, initrd=initrd, words=_WORDS, loader=loader)
        return partitioned(disk, (boot_partition(loaded, place / "esp", size=_BOOT_SIZE, bios=bios), root), bios=bios)
    finally:
        shutil.rmtree(place)


def boot_partition(loaded: Loaded, esp: Path, *, size: int, bios: bool) -> Path:
    """Write the partition that firmware reads into the new file `esp`."""
    _sparse(esp, size)
    _run("mkfs.vfat", "-F", "32", "-s", "1", "-h", str(_FIRST // 512), "-n", "ESP", str(esp))
    for path, target in ((loaded.kernel, "vmlinuz"), (loaded.initrd, "initrd.img")):
        _run("mcopy", "-i", str(esp), str(path), f"::{target}")
    starts = "LINUX /vmlinuz\n  INITRD /initrd.img\n  APPEND"
    if bios:
        _put(esp, "syslinux.cfg", f"PROMPT 0\nDEFAULT linux\nLABEL linux\n  {starts} {loaded.words}\n")
    if loaded.loader:
        for directory in ("EFI", "EFI/BOOT", "loader", "loader/entries"):
            _run("mmd", "-i", str(esp), f"::{directory}")
        _run("mcopy", "-i", str(esp), str(loaded.loader), "::EFI/BOOT/BOOTX64.EFI")
        _put(esp, "loader/loader.conf", "timeout 0\ndefault foreign\n")
        entry = f"title foreign\nlinux /vmlinuz\ninitrd /initrd.img\noptions {loaded.words}\n"
        _put(esp, "loader/entries/foreign.conf", entry)
    return esp


def partitioned(disk: Path, parts: Sequence[Path], *, bios: bool) -> Path:
    """Write the raw disk `disk` of `parts`, the first of which is what firmware reads; those go."""
    flag = ", attrs=LegacyBIOSBootable" if bios else ""
    table, at, kinds = "label: gpt\n", _FIRST, (f"type=U{flag}", "type=L")
    places = []
    for part, kind in zip(parts, kinds, strict=False):
        places.append(at)
        table += f"start={at // 512}, size={part.stat().st_size // 512}, {kind}\n"
        at += part.stat().st_size
    _sparse(disk, at + _MIB)
    _run("sfdisk", "-q", str(disk), given=table)
    for part, place in zip(parts, places, strict=True):
        _run("dd", f"if={part}", f"of={disk}", "bs=1M", "conv=sparse,notrunc", f"seek={place // _MIB}")
        part.unlink()
    if bios:
        _run("syslinux", "--offset", str(_FIRST), "--install", str(disk))
        code = next(path for name in _BOOT_CODE if (path := Path(name)).exists()).read_bytes()
        with disk.open("r+b") as made:
            made.write(code[:440])
    return disk


def _fill(tar: Path, files: Path, root: Path) -> None:
    """Lay the files out and write the root file system of them, by one fakeroot where this is no root."""
    files.mkdir()
    _sparse(root, _ROOT_SIZE)
    script = 'tar -C "$1" -xf "$2" --numeric-owner && mke2fs -q -F -t ext4 -L "$4" -d "$1" "$3"'
    faked = () if os.getuid() == 0 else ("fakeroot", "--")
    _run(*faked, "sh", "-ec", script, "sh", str(files), str(tar), str(root), _LABEL)


def _sparse(path: Path, size: int) -> None:
    with path.open("wb") as made:
        made.truncate(size)


def _put(esp: Path, name: str, text: str) -> None:
    _run("mcopy", "-i", str(esp), "-", f"::{name}", given=text)


def _run(*argv: str, given: str = "") -> str:
    """Run a program that must succeed; return what it wrote."""
    search = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    done = subprocess.run(
        argv, input=given, capture_output=True, text=True, check=False, timeout=600, env={**os.environ, "PATH": search}
    )
    assert done.returncode == 0, f"{argv[0]}: {done.stderr[-2000:]}"
    return done.stdout
