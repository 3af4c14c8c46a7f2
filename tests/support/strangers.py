"""Somebody who comes to sockets of this host and either gets in or does not; and who listens for whom."""

import contextlib
import os
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path

from tests.support.account import Account

_KNOCK = """
import os, socket, sys
for path in sys.argv[1:]:
    place, name = os.path.split(path)
    try:
        os.chdir(place)  # a path may be longer than the name of a socket
        socket.socket(socket.AF_UNIX).connect(name)
        print("connected")
    except OSError as error:
        print(type(error).__name__)
"""
_LISTENS = "0A"  # as the kernel's tables have it


def knocked(account: Account, *paths: Path) -> list[str]:
    """Return for each of the sockets at `paths` what comes of connecting to it as `account`: "connected", or an error.

    Only root can be somebody else.
    """
    who = {"user": account.uid, "group": account.gid, "extra_groups": account.groups} if os.getuid() == 0 else {}
    argv = [account.python, "-I", "-S", "-c", _KNOCK, *map(str, paths)]
    return subprocess.run(argv, cwd="/", capture_output=True, text=True, check=True, **who).stdout.split()


def listening(processes: Iterable[int]) -> set[tuple[str, int]]:
    """Return where these processes listen for TCP: each an address, in hex as the kernel has it, and a port."""
    found = set()
    for pid in processes:
        place = Path(f"/proc/{pid}")
        held = set(_held(place))
        for table in ("tcp", "tcp6"):
            for row in (line.split() for line in (place / "net" / table).read_text().splitlines()[1:]):
                if row[3] == _LISTENS and f"socket:[{row[9]}]" in held:
                    address, _, port = row[1].partition(":")
                    found.add((address, int(port, 16)))
    return found


def _held(process: Path) -> Iterator[str]:
    for one in (process / "fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # it has been closed meanwhile
            yield str(one.readlink())
