"""A small disk with a system of somebody else's: a kernel, busybox and boot loaders, all in one partition."""

import functools
import gzip
from pathlib import Path

from devbox.vm.initramfs import Entry, archive
from tests.support.foreign_disk import ESP_LOADER, Loaded, boot_partition, partitioned
from tests.support.guest_kernel import guest_kernel, kernel_tree
from tests.support.small_machine import needed_modules

_MODULES = ("virtio_pci", "virtio_net", "virtio_blk", "virtio_console", "ext4", "isofs")
_PLACES = ("bin", "dev", "etc", "mnt", "proc", "root", "run", "seed", "sys", "tmp", "home")
_FILES = {"etc/passwd": "root:x:0:0::/root:/bin/sh\n", "etc/group": "root:x:0:\n"}
# What cloud-init does with a seed: it finds the disk by its label and runs the command. That the file which is run here
# is the command in `user-data` is a test of its own.
_INIT = """#!/bin/busybox sh
/bin/busybox mkdir -p /dev /proc /sys
/bin/busybox --install -s /bin
export PATH=/bin
mount -t devtmpfs dev /dev
mkdir -p /dev/pts
mount -t devpts devpts /dev/pts
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t tmpfs -o noexec run /run
for module in /modules/*; do insmod "$module" || echo "no $module"; done
sleep 1
if grep -q seeded /proc/cmdline; then
  for disk in /dev/vd?; do
    if [ "$(dd if=$disk bs=1 skip=32808 count=6 2> /dev/null)" = cidata ]; then
      mount -t iso9660 -o ro $disk /seed && sh /seed/devbox/seed && umount /seed
    fi
  done
fi
echo "tiny login: "
while true; do setsid cttyhack sh < /dev/ttyS0 > /dev/ttyS0 2>&1; sleep 1; done
"""


@functools.cache
def _initrd() -> bytes:
    busybox = Path("/bin/busybox")
    (modules,) = (kernel_tree() / "lib/modules").iterdir()
    found = needed_modules(modules, _MODULES)
    entries = [Entry(path="init", content=_INIT.encode(), mode=0o755)]
    entries += [Entry(path="bin/busybox", content=busybox.read_bytes(), mode=0o755)]
    entries += [Entry(path=f"modules/{number:03}-{path.name}", content=path.read_bytes()) for number, path in found]
    entries += [Entry(path=place, mode=0o755) for place in _PLACES if place != "bin"]
    entries += [Entry(path=path, content=text.encode()) for path, text in _FILES.items()]
    return gzip.compress(archive(entries), compresslevel=1)


def tiny_disk(disk: Path, *, seeded: bool, uefi: bool = False) -> Path:
    """Make the raw disk `disk`.

    `seeded`: the system does with a seed what cloud-init does. `uefi`: no BIOS starts it.
    """
    words = "console=ttyS0 quiet mitigations=off panic=-1 no_timer_check" + (" seeded" if seeded else "")
    initrd = disk.with_name(f"{disk.name}.initrd")
    initrd.write_bytes(_initrd())
    try:
        loaded = Loaded(kernel=guest_kernel(), initrd=initrd, words=words, loader=ESP_LOADER if uefi else None)
        esp = boot_partition(loaded, disk.with_name(f"{disk.name}.esp"), size=48 << 20, bios=not uefi)
        return partitioned(disk, (esp,), bios=not uefi)
    finally:
        initrd.unlink()
