"""How a machine that devbox has not made is come into: by its agent, else by ssh, else by its serial console.

ssh is only how the agent is brought: one command that does what cloud-init would have done. So whatever the way was,
everything after it goes by the agent. Where nobody brings it, the machine runs, and a person at its console may do so.
"""

import re
import socket
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from devbox.errors import CommandFailedError
from devbox.process import Processes
from devbox.vm.console import Console
from devbox.vm.keys import CLIENT
from devbox.vm.seed import BY_HAND, FIND

KNOWN_HOSTS: Final = "known_hosts"  # in the machine's directory
_HOST: Final = "127.0.0.1"
_GRACE: Final = 10.0  # seconds after sshd answers in which cloud-init, if it is there, may bring the agent
_AGAIN: Final = 15.0  # seconds between two tries
_TRIES: Final = 4
_PAUSE: Final = 2.0
_FIRST_WORD: Final = 45.0  # seconds for an sshd to greet, which may look for a name of ours first
# passt tells the machine of a connection only when somebody says something: whoever waits for the sshd to begin waits
# until that has given it up. Both sides of ssh may speak first.
_GREETING: Final = b"SSH-2.0-devbox\r\n"
_QUIET: Final = 20.0  # seconds of silence after a login prompt, when nothing more is going to happen
_QUIET_WITH_SSH: Final = 40.0  # the same where an sshd may still be starting
_RUNS: Final = 120.0  # seconds for that one command
_LOGIN: Final = re.compile(r"login: ")

CONSOLE_HINT: Final = f"log in at its serial console by devbox shell, and bring the agent there as root: {BY_HAND}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sshd:
    """The one inside. `port`: of this host's loopback; `users`: whom to be, root or one that may become it."""

    port: int
    users: tuple[str, ...]
    alias: str


class Reach:
    """One that waits for a way in. `tells`: whether the agent answers."""

    def __init__(self, directory: Path, processes: Processes, tells: Callable[[], bool], sshd: Sshd | None) -> None:
        self._directory = directory
        self._processes = processes
        self._tells = tells
        self._sshd = sshd if processes.which("ssh") else None
        self._console = Console(directory)
        self._quiet = _QUIET_WITH_SSH if self._sshd else _QUIET
        self._said = b""
        self._spoke = self._looked = time.monotonic()
        self._over = threading.Event()
        self._trying = threading.Event()
        self.attached = False

    def found(self) -> bool:
        """Tell whether the waiting is over: `attached` says by what."""
        if self._tells():
            self.attached = True
            self._over.set()
            return True
        now = time.monotonic()
        if now - self._looked < 1:
            return False
        self._looked = now
        if self._sshd is not None:  # an emulated sshd may take many seconds for a word, and nobody waits for that here
            threading.Thread(target=self.by_ssh, args=(self._sshd,), daemon=True).start()
            self._sshd = None
        said = self._console.said()
        if said != self._said or self._trying.is_set():
            self._said, self._spoke = said, now
        if now - self._spoke > self._quiet and _LOGIN.search(said.decode("utf-8", "replace")) is not None:
            self._over.set()
        return self._over.is_set()

    def by_ssh(self, sshd: Sshd) -> None:
        """Have the agent brought by `sshd` as soon as it says something, until the waiting is over."""
        tries = 0
        while tries < _TRIES and not self._over.wait(_PAUSE):
            if not _greets(sshd.port):
                continue
            self._trying.set()
            if not tries and self._over.wait(_GRACE):
                return
            tries += 1
            brought = any(self._brought(sshd, user) for user in sshd.users)
            self._over.wait(_RUNS if brought else _AGAIN)
        self._trying.clear()

    def _brought(self, sshd: Sshd, user: str) -> bool:
        try:
            self._processes.run(ssh_argv(self._directory, sshd, user), stdin=FIND, timeout=_RUNS)
        except CommandFailedError:
            return False
        return True


def ssh_argv(directory: Path, sshd: Sshd, user: str) -> Sequence[str]:
    """Return the command that runs a script of root's inside, read from its stdin. Pure.

    The first key that it meets is the machine's from then on: where cloud-init took ours it is that (H-02).
    """
    options = {
        "UserKnownHostsFile": f'"{directory / KNOWN_HOSTS}"',
        "GlobalKnownHostsFile": "/dev/null",
        "HostKeyAlias": sshd.alias,
        "StrictHostKeyChecking": "accept-new",
        "IdentityFile": f'"{directory / CLIENT}"',
        "IdentitiesOnly": "yes",
        "IdentityAgent": "none",
        "BatchMode": "yes",
        "ForwardAgent": "no",
        "ForwardX11": "no",
        "PermitLocalCommand": "no",
        "CanonicalizeHostname": "no",
        "ControlMaster": "no",
        "ConnectTimeout": "60",
        "LogLevel": "ERROR",
    }
    words = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
    script = "sh -s" if user == "root" else "sudo -n sh -s"
    return ("ssh", "-F", "none", *words, "-p", str(sshd.port), f"{user}@{_HOST}", script)


def _greets(port: int) -> bool:
    """Tell whether an sshd answers there, not only whoever forwards to it."""
    try:
        with socket.create_connection((_HOST, port), timeout=_FIRST_WORD) as made:
            made.sendall(_GREETING)
            return made.recv(4) == b"SSH-"
    except OSError:
        return False


def free_port() -> int:
    """Return a port of this host's loopback that nobody has at this moment."""
    with socket.socket() as made:
        made.bind((_HOST, 0))
        return int(made.getsockname()[1])
