"""`doctor`: look at this machine, say what is wrong and what to do. Installs and changes nothing."""

import grp
import os
import re
import shlex
import shutil
import stat
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path
from typing import Final

from devbox import paths
from devbox.engine.base import Engine
from devbox.errors import CommandFailedError, DevboxError, RuntimeUnavailableError
from devbox.values import format_size
from devbox.vm import account, disk, firmware, network, qemu, share
from devbox.workspace import remedies
from devbox.workspace.context import Host
from devbox.workspace.known_bad import known_bad
from devbox.workspace.remedies import Command

_GIB: Final = 1024**3
_DISK_FAIL: Final = 1 * _GIB  # a bootstrapped base and one layer do not fit
_DISK_WARN: Final = 5 * _GIB
_SKEW_WARN: Final = 300.0  # seconds
_KEYRING: Final = "/usr/share/keyrings/debian-archive-keyring.gpg"


class Status(Enum):
    """How a check came out; the values are the contract's."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One line of `doctor`. `remedy`: what to type; `fix`: what `--fix` would run, if it can."""

    id: str
    status: Status
    message: str
    remedy: str | None = None
    fix: tuple[Command, ...] = ()


def diagnose(host: Host) -> list[Check]:
    """Return every check in a fixed order; each one runs, whatever the others found."""
    engine_check, engine = _engine(host)
    checks: list[Check] = [engine_check]
    if engine is not None and engine.info.runs_environments:
        checks += [_engine_version(host, engine), _clock(host, engine)]
    local: tuple[Callable[[Host], Check], ...] = (
        _access,
        _podman,
        _bootstrap,
        _qemu,
        _machine_disks,
        _live_share,
        _uefi,
        _acceleration,
        _disk,
        _permissions,
        _other_devbox,
    )
    return [*checks, *(check(host) for check in local)]


def fixes(checks: list[Check]) -> tuple[Command, ...]:
    """Return the commands that would mend what is not well, each once."""
    return tuple(dict.fromkeys(command for check in checks if check.status is not Status.OK for command in check.fix))


def _engine(host: Host) -> tuple[Check, Engine | None]:
    try:
        engine = host.connect()
    except DevboxError as error:
        installed = host.processes.which("docker") or host.processes.which("podman")
        fix = () if installed else remedies.install(host, "engine")
        if not host.environ.get("DOCKER_HOST"):  # a named engine is not for us to start
            fix += remedies.start_engine(host, systemd=_systemd(), darwin=sys.platform == "darwin")
        return _failed("engine", error.message, error.hint or _pasted(fix), fix), None
    info = engine.info
    if not info.runs_environments:
        fix = remedies.install(host, "engine")
        message = (
            "none is running: virtual machines can be had, their images made by mmdebstrap here; containers cannot"
        )
        return _warned("engine", message, _pasted(fix) or "install one, if you want containers", fix), engine
    where = f"{info.name} {info.version} at {info.url} ({info.source})"
    return Check(id="engine", status=Status.OK, message=where), engine


def _engine_version(host: Host, engine: Engine) -> Check:
    found = [(engine.info.name, engine.info.version)]
    if engine.info.shares_host and host.processes.which("runc"):
        try:
            said = host.processes.run(["runc", "--version"], timeout=10).stdout
        except CommandFailedError:
            said = ""
        match = re.search(r"version ([0-9][^\s]*)", said)
        found += [("runc", match[1])] if match else []
    bad = [(f"{name} {version}", entry) for name, version in found for entry in known_bad(name, version)]
    if not bad:
        versions = ", ".join(f"{name} {version}" for name, version in found)
        return Check(id="engine-version", status=Status.OK, message=f"no known hole in {versions}")
    holes = "; ".join(f"{which}: {entry.what}, fixed in {entry.fixed}" for which, entry in bad)
    return _warned(
        "engine-version", holes, "upgrade the engine, or read in your distribution's changelog that it is mended there"
    )


def _clock(host: Host, engine: Engine) -> Check:
    """Compare clocks with an engine elsewhere: behind by minutes, apt and TLS inside refuse what is not valid yet."""
    if engine.info.shares_host:
        return Check(id="clock", status=Status.OK, message="the engine has this machine's clock")
    try:
        argv = ["docker", "--host", engine.info.url, "info", "--format", "{{.SystemTime}}"]
        said = host.processes.run(argv, timeout=10).stdout.strip()
        there = datetime.fromisoformat(re.sub(r"\.[0-9]+", "", said))
    except (CommandFailedError, ValueError):
        return Check(id="clock", status=Status.OK, message="the engine's clock cannot be read; not compared")
    skew = abs((datetime.now(tz=UTC) - there).total_seconds())
    if skew < _SKEW_WARN:
        return Check(id="clock", status=Status.OK, message="the engine's clock agrees with this machine's")
    return _warned(
        "clock", f"the engine's clock is {skew:.0f} s off", "set both by NTP; on a laptop restart the engine's VM"
    )


def _access(host: Host) -> Check:
    if host.uid == 0 or "docker" not in _group_names():
        return Check(id="access", status=Status.OK, message="no membership that makes root of an ordinary user")
    return _warned(
        "access",
        "you are in the group docker, which is as good as being root",
        "use rootless Docker or Podman where you can: https://docs.docker.com/go/rootless/",
    )


def _podman(host: Host) -> Check:
    found = host.processes.which("podman")
    message = f"{found}; its service is used where no Docker answers" if found else "not installed, and not needed"
    return Check(id="podman", status=Status.OK, message=message)


def _bootstrap(host: Host) -> Check:
    missing = [] if host.processes.which("mmdebstrap") else ["mmdebstrap"]
    missing += [] if Path(_KEYRING).exists() else ["debian-archive-keyring"]
    missing += ["uidmap"] if host.uid != 0 and not host.processes.which("newuidmap") else []
    if not missing:
        message = "mmdebstrap and the archive's keyring are here: bases can be made without a registry"
        return Check(id="bootstrap", status=Status.OK, message=message)
    fix = remedies.install(host, "bootstrap")
    message = f"no {' and no '.join(missing)}: debian bases come from a registry, or from an image the engine has"
    return _warned("bootstrap", message, _pasted(fix) or "install mmdebstrap", fix)


def _qemu(host: Host) -> Check:
    name = f"qemu-system-{qemu.architecture()}"
    found, lacking = host.processes.which(name), network.lacking(host.processes)
    fix = remedies.install(host, *([] if found else ["qemu"]), *(["passt"] if lacking else []))
    if not found:
        message = f"{name} is not installed, and the runtime vm needs it"
        return _warned("qemu", message, _pasted(fix) or "install QEMU", fix)
    if lacking:
        return _warned("qemu", lacking, _pasted(fix) or "install passt", fix)
    if why := account.why_root(found):
        return _warned("qemu", why, "let devbox be run by an ordinary user")
    return _fine("qemu", found)


def _machine_disks(host: Host) -> Check:
    missing, said = {}, ""
    for program, package in (("mke2fs", "e2fsprogs"), ("qemu-img", "qemu-img")):
        try:
            found = disk.tool(host.processes, program, package)
        except RuntimeUnavailableError:
            missing[program] = package
        else:
            said += _version(host, found) if program == "mke2fs" else ""
    has_fakeroot = host.processes.which("fakeroot") is not None
    if not disk.ways(said, is_root=host.uid == 0, has_fakeroot=has_fakeroot):
        missing["fakeroot"] = "fakeroot"
    if not missing:
        return _fine("machine-disks", "mke2fs and qemu-img are here: the disks of virtual machines can be made")
    message = f"no {' and no '.join(missing)}: the disk of a virtual machine cannot be made"
    fix = remedies.install(host, *missing.values())
    return _warned("machine-disks", message, _pasted(fix) or f"install {' and '.join(missing.values())}", fix)


def _live_share(host: Host) -> Check:
    """Say whether a machine can see the project's files themselves, and what that costs. Nobody needs it."""
    name = "live-share"
    if not host.processes.which(f"qemu-system-{qemu.architecture()}"):
        return _fine(name, "not looked for, since there is no QEMU; the files of virtual machines are synced")
    lack = share.lacking(host.processes)
    if lack is not None:
        mended = f" (Debian's package {lack.package})" if lack.package else ""
        return _fine(name, f"not here, and not needed, since machines' files are synced: {lack.why}{mended}")
    return _fine(name, f'[sync] mode = "mount" works for virtual machines too: {share.TRADE_OFF}')


def _uefi(host: Host) -> Check:
    """Say whether a disk that only UEFI starts (`base.disk`) could be; no other machine needs it."""
    name = "uefi"
    if not host.processes.which(f"qemu-system-{qemu.architecture()}"):
        return _fine(name, "not looked for, since there is no QEMU; only some disks of base.disk need it")
    try:
        found = firmware.uefi(qemu.architecture())
    except RuntimeUnavailableError as error:
        return _fine(name, f"not here, and needed for disks of base.disk alone that only UEFI starts: {error.hint}")
    return _fine(name, f"{found.code}: disks of base.disk that only UEFI starts can be")


def _version(host: Host, mke2fs: str) -> str:
    """Return what `mke2fs` says of itself, which matters to an ordinary user alone."""
    if host.uid == 0:
        return ""
    try:
        done = host.processes.run([mke2fs, "-V"], timeout=10, check=False)
    except CommandFailedError:
        return ""
    return done.stderr + done.stdout


def _acceleration(host: Host) -> Check:  # noqa: ARG001 (all checks look alike)
    if sys.platform == "darwin":
        return Check(id="acceleration", status=Status.OK, message="the hypervisor framework of macOS")
    device = Path("/dev/kvm")
    if not device.exists():
        return _warned("acceleration", "no /dev/kvm: virtual machines will be slow", "switch on VT-x or AMD-V")
    if not os.access(device, os.R_OK | os.W_OK):
        return _warned("acceleration", "/dev/kvm may not be opened", "sudo usermod -aG kvm $USER, then log in again")
    return _warned(
        "acceleration",
        "/dev/kvm opens, which proves nothing yet: only a running guest does",
        "nothing to do: the first machine tries it, and is emulated if its kernel does not start",
    )


def _disk(host: Host) -> Check:  # noqa: ARG001
    places = {_existing(paths.state_root()), _existing(paths.cache_root())}
    places |= {place for place in (Path("/var/lib/docker"), Path("/var/lib/containers")) if place.exists()}
    room = {place: shutil.disk_usage(place).free for place in places if os.access(place, os.X_OK)}
    if not room:
        return _failed("disk", "no directory for devbox can be looked at", "see the check permissions")
    tightest = min(room, key=lambda place: room[place])
    free = room[tightest]
    message = f"{format_size(free)} free at {tightest}"
    if free >= _DISK_WARN:
        return Check(id="disk", status=Status.OK, message=message)
    remedy = "devbox prune, docker system df, or a bigger disk"
    return _failed("disk", message, remedy) if free < _DISK_FAIL else _warned("disk", message, remedy)


def _permissions(host: Host) -> Check:
    for root in (paths.state_root(), paths.cache_root()):
        place = _existing(root)
        if not os.access(place, os.W_OK | os.X_OK):
            return _failed(
                "permissions", f"{place} cannot be written", f"sudo chown {host.uid} {shlex.quote(str(place))}"
            )
    state = Path(paths.state_root())
    if state.is_dir():
        facts = state.stat()
        if facts.st_uid != host.uid:
            remedy = f"sudo chown -R {host.uid} {shlex.quote(str(state))}"
            return _failed("permissions", f"{state} belongs to uid {facts.st_uid}", remedy)
        if stat.S_IMODE(facts.st_mode) & 0o077:
            remedy = f"chmod 700 {shlex.quote(str(state))}"
            return _warned(
                "permissions", f"{state} is open to other users", remedy, (Command(argv=("chmod", "700", str(state))),)
            )
    return Check(
        id="permissions",
        status=Status.OK,
        message=f"{state} is yours alone" if state.is_dir() else f"{state} can be made",
    )


def _other_devbox(host: Host) -> Check:
    found = [Path(folder) / "devbox" for folder in host.environ.get("PATH", "").split(os.pathsep) if folder]
    commands = list(dict.fromkeys(path for path in found if path.is_file() and os.access(path, os.X_OK)))
    others = [path for path in commands if not _is_ours(path)]
    if not others:
        return Check(id="command", status=Status.OK, message="no other command named devbox on PATH")
    first = commands[0]
    runs = "this one" if first not in others else f"the other one, {first}"
    message = f"another devbox (Jetify's has this name) at {others[0]}; typing devbox runs {runs}"
    return _warned("command", message, "put the directory of the one you want first in PATH")


def _is_ours(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return b"devbox.launcher" in file.read(4096)
    except OSError:
        return False


def _existing(path: str) -> Path:
    place = Path(path)
    while not place.exists():
        place = place.parent
    return place


def _group_names() -> set[str]:
    names = set()
    for number in os.getgroups():
        try:
            names.add(grp.getgrgid(number).gr_name)
        except KeyError:
            continue
    return names


def _systemd() -> bool:
    return Path("/run/systemd/system").is_dir()


def _pasted(commands: tuple[Command, ...]) -> str | None:
    return " && ".join(shlex.join(command.argv) for command in commands) or None


def _fine(name: str, message: str) -> Check:
    return Check(id=name, status=Status.OK, message=message)


def _failed(name: str, message: str, remedy: str | None, fix: tuple[Command, ...] = ()) -> Check:
    return Check(id=name, status=Status.FAIL, message=message, remedy=remedy, fix=fix)


def _warned(name: str, message: str, remedy: str, fix: tuple[Command, ...] = ()) -> Check:
    return Check(id=name, status=Status.WARN, message=message, remedy=remedy, fix=fix)
