"""What `doctor --fix` can do: plans of commands for this machine's package manager, and carrying one out."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from devbox import paths
from devbox.errors import CommandFailedError, EngineUnavailableError
from devbox.process import Processes
from devbox.vm import qemu
from devbox.workspace.context import Host

_ENGINE_TIMEOUT: Final = 60.0  # seconds until a started engine must answer

# What each package manager calls things; a manager without an entry has nothing that devbox can vouch for.
_PACKAGES: Final[dict[str, dict[str, tuple[str, ...]]]] = {
    "engine": {
        "apt-get": ("docker.io", "iptables"),
        "dnf": ("moby-engine",),
        "apk": ("docker",),
        "brew": ("colima", "docker"),
    },
    "bootstrap": {"apt-get": ("mmdebstrap", "debian-archive-keyring", "uidmap")},
    "qemu": {
        "apt-get": ("qemu-system", "qemu-utils"),
        "dnf": ("qemu-kvm", "qemu-img"),
        "apk": (f"qemu-system-{qemu.architecture()}", "qemu-img"),
        "brew": ("qemu",),
    },
    "qemu-img": {"apt-get": ("qemu-utils",), "dnf": ("qemu-img",), "apk": ("qemu-img",), "brew": ("qemu",)},
    # What is Linux's alone, or is installed by brew where nobody finds it, brew is not asked for.
    **{name: {"apt-get": (name,), "dnf": (name,), "apk": (name,)} for name in ("passt", "e2fsprogs", "fakeroot")},
}
_MANAGERS: Final = ("apt-get", "dnf", "apk", "brew")


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One command of a remedy. `background`: it goes on running (an engine); what follows waits until it answers."""

    argv: tuple[str, ...]
    background: bool = False


def install(host: Host, *what: str) -> tuple[Command, ...]:
    """Return the commands that install each of `what` (engine, qemu, passt ...) that this manager has; may be none."""
    manager = next((name for name in _MANAGERS if host.processes.which(name)), None)
    packages = tuple(package for each in what for package in _PACKAGES[each].get(manager or "", ()))
    if not manager or not packages:
        return ()
    lines: list[tuple[str, ...]] = {
        "apt-get": [("apt-get", "update"), ("apt-get", "install", "-y", "--no-install-recommends", *packages)],
        "dnf": [("dnf", "install", "-y", *packages)],
        "apk": [("apk", "add", *packages)],
        "brew": [("brew", "install", *packages)],
    }[manager]
    if manager == "brew":  # refuses to run as root
        return tuple(Command(argv=line) for line in lines)
    return tuple(Command(argv=as_root(host, line)) for line in lines)


def start_engine(host: Host, *, systemd: bool, darwin: bool) -> tuple[Command, ...]:
    """Return the commands that start an installed Docker."""
    if darwin:
        return (Command(argv=("colima", "start")),)
    if systemd:
        return (Command(argv=as_root(host, ("systemctl", "start", "docker"))),)
    if host.processes.which("rc-service"):
        return (Command(argv=as_root(host, ("rc-service", "docker", "start"))),)
    return (Command(argv=as_root(host, ("dockerd",)), background=True),)


def as_root(host: Host, argv: tuple[str, ...]) -> tuple[str, ...]:
    """Return `argv` with what makes it run as root."""
    return argv if host.uid == 0 else ("sudo", *argv)


def carry_out(host: Host, commands: tuple[Command, ...], *, log: Path | None = None) -> None:
    """Run `commands` in order; the first that fails is a `CommandFailedError` and ends it."""
    for command in commands:
        if command.background:
            with host.reporter.step("starting the engine"):
                place = log or Path(paths.private_directory(paths.state_root())) / "dockerd.log"
                host.processes.start(command.argv, log=place)
                _wait_for(lambda: _answers(host), limit=_ENGINE_TIMEOUT, log=place)
            continue
        with host.reporter.step(" ".join(command.argv)) as progress:
            _run(host.processes, command, progress.output)


def _run(processes: Processes, command: Command, say: Callable[[str], None]) -> None:
    env = {"DEBIAN_FRONTEND": "noninteractive"} if "apt-get" in command.argv else None
    for line in processes.lines(command.argv, env=env):
        say(line)


def _answers(host: Host) -> bool:
    try:
        host.connect().close()
    except EngineUnavailableError:
        return False
    return True


def _wait_for(condition: Callable[[], bool], *, limit: float, log: Path) -> None:
    end = time.monotonic() + limit
    while not condition():
        if time.monotonic() > end:
            raise CommandFailedError(
                f"the engine does not answer within {limit:g} s", hint=f"read its own words: {log}"
            )
        time.sleep(0.2)
