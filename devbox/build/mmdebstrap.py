"""The command lines of mmdebstrap, and what its output says. Pure.

Reproducible: the same state of the archive gives the same tar, made on the host or in a container, because
SOURCE_DATE_EPOCH is the newest `Date` of the archive's own index files (SAFETY 4) and nothing of the host gets in.
"""

import hashlib
import re
from collections.abc import Iterable
from email.utils import parsedate_to_datetime

KEYRINGS = ("/usr/share/keyrings/debian-archive-keyring.gpg", "/usr/share/keyrings/debian-archive-keyring.pgp")
MARK = "devbox-archive-date: "
MIRROR_VARIABLE = "DEVBOX_DEBIAN_MIRROR"
_MIRROR = re.compile(r"(https?|file|copy)://[A-Za-z0-9._~:/@%+-]+\Z")

# Hooks are run by `sh -c` with the root directory as $1; stdout may be the tar.
_DATES = f"""sed -n 's/^Date: /{MARK}/p' "$1"/var/lib/apt/lists/*Release >&2"""
# dpkg need not sync each file to a disk that nobody boots from; services are not started (as in the official images).
_SETTINGS = """mkdir -p "$1/etc/dpkg/dpkg.cfg.d" && echo force-unsafe-io > "$1/etc/dpkg/dpkg.cfg.d/devbox" """
_TIDY = """
set -e
printf '#!/bin/sh\\nexit 101\\n' > "$1/usr/sbin/policy-rc.d"
chmod 0755 "$1/usr/sbin/policy-rc.d"
find "$1/run" -mindepth 1 -maxdepth 1 ! -name lock -exec rm -rf {} +
mkdir -m 0700 "$1/run/devbox"
for name in hostname resolv.conf; do : > "$1/etc/$name"; chmod 0644 "$1/etc/$name"; done
rm -rf "$1"/var/cache/debconf/*-old "$1"/var/lib/dpkg/*-old
"""


def dates_argv(suite: str, *, keyring: str, mode: str, architecture: str, mirror: str | None) -> list[str]:
    """Return the command that prints the dates of the archive's index files and makes nothing."""
    return [
        "mmdebstrap",
        f"--mode={mode}",
        f"--keyring={keyring}",
        f"--architectures={architecture}",
        "--variant=custom",
        "--skip=chroot/mount",
        "--format=null",
        f"--customize-hook={_DATES}",
        suite,
        "/dev/null",
        *([mirror] if mirror else []),
    ]


def make_argv(suite: str, *, keyring: str, mode: str, architecture: str, mirror: str | None, output: str) -> list[str]:
    """Return the command that makes the root file system as the tar `output` ("-": stdout)."""
    return [
        "mmdebstrap",
        f"--mode={mode}",
        f"--keyring={keyring}",
        f"--architectures={architecture}",
        "--variant=minbase",
        "--include=ca-certificates",
        "--aptopt=Acquire::Retries 3",
        # Mounts and devices need more rights than a container has; what is installed here needs neither.
        "--skip=chroot/mount,output/dev,output/mknod,cleanup/run",
        # mmdebstrap would take our own policy away with its.
        "--skip=chroot/policy-rc.d",
        "--format=tar",
        f"--setup-hook={_SETTINGS}",
        f"--customize-hook={_DATES}",
        f"--customize-hook={_TIDY}",
        suite,
        output,
        *([mirror] if mirror else []),
    ]


def maker_digest() -> str:
    """Return the digest (12 hex) of how a base is made, whatever the suite and the machine."""
    argv = make_argv("", keyring="", mode="", architecture="", mirror=None, output="")
    return hashlib.sha256("\0".join(argv).encode()).hexdigest()[:12]


def newest_date(lines: Iterable[str]) -> int | None:
    """Return the newest date that a run printed, in seconds since 1970; None if it printed none."""
    found = [_seconds(line.split(MARK, 1)[1]) for line in lines if MARK in line]
    return max((seconds for seconds in found if seconds), default=None)


def _seconds(text: str) -> int:
    try:
        return int(parsedate_to_datetime(text.strip()).timestamp())
    except ValueError:
        return 0


def check_mirror(value: str) -> str | None:
    """Return the mirror that the user's variable names, None for an empty one; `ValueError` if it is no address."""
    if not value:
        return None
    if not _MIRROR.match(value):
        raise ValueError(f"{MIRROR_VARIABLE} is not the address of a mirror; write it as http://mirror.example/debian")
    return value
