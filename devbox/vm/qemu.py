"""Which QEMU there is on this host."""

import os
import re
from typing import Final

from devbox.errors import RuntimeUnavailableError
from devbox.process import Processes

_ARCHITECTURES: Final = {"amd64": "x86_64", "arm64": "aarch64"}
_PACKAGES: Final = {"x86_64": "qemu-system-x86", "aarch64": "qemu-system-arm"}  # as Debian calls them


def architecture() -> str:
    """Return the architecture of this host, and so of its machines, as QEMU calls it."""
    machine = os.uname().machine
    return _ARCHITECTURES.get(machine, machine)


def find(processes: Processes) -> str:
    """Return the full path of the QEMU for machines of this host's kind.

    `RuntimeUnavailableError` with the name of its package if it is not installed.
    """
    name = f"qemu-system-{architecture()}"
    found = processes.which(name)
    if found:
        return found
    package = _PACKAGES.get(architecture(), "qemu-system")
    how = (
        f"apt-get install --no-install-recommends {package} qemu-utils"
        if processes.which("apt-get")
        else "install QEMU"
    )
    raise RuntimeUnavailableError(
        f"cannot use runtime 'vm': {name} is not installed (Debian's package {package})",
        hint=f"{how}, or run: devbox doctor --fix",
    )


def version(program: str, processes: Processes) -> str:
    """Return the version of `program`, with what its distribution added to it."""
    said = processes.run([program, "--version"], timeout=20).stdout
    first = said.partition("\n")[0]
    match = re.search(r"version (.+)", first)
    return match[1].strip() if match else first.strip()
