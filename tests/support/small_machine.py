"""A machine that is little more than the distribution's kernel, the agent, and a few of this host's programs."""

import io
import os
import re
import shutil
import subprocess
import tarfile
import threading
import time
import uuid
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from devbox import paths
from devbox.agent import program
from devbox.agent.client import dial
from devbox.agent.session import start
from devbox.agent.wire import ExecMessage
from devbox.process import HostProcesses
from devbox.reporter import SilentReporter
from devbox.vm import lines
from devbox.vm.disk import overlay
from devbox.vm.images import MachineImage, MachineImages
from devbox.vm.initramfs import Identity, agent_archive, machine_archive
from devbox.vm.kernel import module_name, module_order
from devbox.vm.machine import Machine
from devbox.vm.qemu_args import Drive, MachineSpec
from tests.support.guest_kernel import guest_kernel, kernel_tree
from tests.support.waiting import until

PROCESSES = HostProcesses(SilentReporter())
IDENTITY = "ab" * 32
COMMAND_LINE = "console=ttyS0 quiet loglevel=3 panic=-1 net.ifnames=0 mitigations=off cryptomgr.notests no_timer_check"
NETWORK = "10.0.2.15/24 10.0.2.2 10.0.2.3"
BOOTS = 60  # seconds for the agent to answer
_PROGRAMS = ("sh", "id", "cat", "uname", "mount", "head", "sleep", "env", "dd", "sync")
_PLACES = ("bin", "etc", "dev", "proc", "sys", "tmp", "run", "root", "home/dev")
_FILES = {
    "etc/passwd": "root:x:0:0::/root:/bin/sh\ndev:x:1000:1000::/home/dev:/bin/sh\n",
    "etc/group": "root:x:0:\ndev:x:1000:\n",
    **dict.fromkeys(("etc/resolv.conf", "etc/hosts", "etc/hostname"), ""),  # as an engine leaves them in an export
}


@dataclass(frozen=True)
class SmallMachine:
    """One that runs, and where its agent is reached."""

    machine: Machine
    directory: Path
    spec: MachineSpec

    @property
    def agent_socket(self) -> Path:
        return self.directory / "agent.sock"

    def start(self) -> None:
        """Start it, and wait until its agent is reached."""
        self.machine.start(self.spec)
        lines.ensure(self.directory / paths.MACHINE_LINE, self.agent_socket, PROCESSES)
        self.machine.await_agent(lambda: lines.listens(self.agent_socket), timeout=BOOTS)

    def end(self) -> None:
        """End it at once, and wait until nobody is reached."""
        self.machine.kill()
        until(lambda: not self.agent_socket.exists(), within=10)

    def run(self, *argv: str, user: str = "", stdin: bytes = b"") -> tuple[int, str]:
        """Run a command inside; return its exit code and what it wrote."""
        session = start(dial(str(self.agent_socket)), IDENTITY, ExecMessage(argv, user=user))
        feeder = threading.Thread(target=lambda: (session.send(stdin), session.close_stdin()), daemon=True)
        feeder.start()
        try:
            said = bytearray()
            while frame := session.receive():
                said += frame[1]
            feeder.join()
            return session.exit_code(), said.decode()
        finally:
            session.close()

    def sh(self, script: str, user: str = "") -> str:
        """Run a script that must succeed; return what it wrote."""
        code, said = self.run("sh", "-c", script, user=user)
        assert code == 0, said
        return said


def small_image(cache: Path, programs: Collection[str] = ()) -> MachineImage:
    """Return the image, made below `cache` if it is not there. `programs`: of this host, beside the few."""
    tar = cache / "root.tar"
    if not tar.exists():
        cache.mkdir(parents=True, exist_ok=True)
        with tarfile.open(tar, "w", format=tarfile.PAX_FORMAT) as made:
            _write_root(made, (*_PROGRAMS, *programs))

    def export() -> Iterator[bytes]:
        with tar.open("rb") as held:
            while piece := held.read(1 << 20):
                yield piece

    return MachineImages(cache, PROCESSES, SilentReporter()).prepared("small", export)


def _module_files(modules: Path) -> dict[str, bytes]:
    """Return the modules that a machine needs, and the two lists of them, by their path below `modules`.

    What a package brings has no list of what needs what: that is made where it is installed, out of the modules.
    """
    paths = {module_name(path.name): path for path in sorted(modules.rglob("*.ko"))}
    needs = {name: _needs(path.read_bytes()) for name, path in paths.items()}
    rows = [
        f"{paths[name].relative_to(modules)}: {' '.join(str(paths[other].relative_to(modules)) for other in others)}"
        for name, others in needs.items()
    ]
    listed = "\n".join(rows)
    builtin = (modules / "modules.builtin").read_text()
    files = {path: (modules / path).read_bytes() for path in module_order(listed, builtin)}
    return {**files, "modules.dep": listed.encode(), "modules.builtin": builtin.encode()}


def needed_modules(modules: Path, wanted: Collection[str]) -> list[tuple[int, Path]]:
    """Return what `wanted` are made of, as far as it is not built in, in the order of loading."""
    there = {module_name(path.name): path for path in modules.rglob("*.ko")}
    found: list[Path] = []

    def add(name: str) -> None:
        if name in there and there[name] not in found:
            for other in _needs(there[name].read_bytes()):
                add(other)
            found.append(there[name])

    for name in wanted:
        add(name)
    return list(enumerate(found))


def _needs(module: bytes) -> list[str]:
    found = re.search(rb"\0depends=([^\0]*)\0", module)
    return [name.replace("-", "_") for name in found[1].decode().split(",") if name] if found else []


def _write_root(tar: tarfile.TarFile, programs: Collection[str]) -> None:
    for place in _PLACES:
        _add_directory(tar, place, 0o1777 if place == "tmp" else 0o755)
    for path, text in _FILES.items():
        _add_bytes(tar, path, text.encode(), 0o644)
    for path in _with_libraries(programs):
        _add_bytes(tar, path.lstrip("/"), Path(path).resolve().read_bytes(), 0o755)
    identity = Path(shutil.which("id") or "").resolve()
    _add_bytes(tar, "bin/rootid", identity.read_bytes(), 0o4755)
    kernel = guest_kernel()
    modules = f"lib/modules/{kernel.name.removeprefix('vmlinuz-')}"
    _add_bytes(tar, f"boot/{kernel.name}", kernel.read_bytes(), 0o644)
    for path, content in _module_files(kernel_tree() / modules).items():
        _add_bytes(tar, f"{modules}/{path}", content, 0o644)


def _with_libraries(programs: Collection[str]) -> Iterator[str]:
    """Yield each program below /bin, and every library that they load by its path."""
    seen = set()
    for name in programs:
        path = shutil.which(name)
        assert path, f"this host has no {name}"
        said = subprocess.run(["ldd", path], capture_output=True, text=True, check=True).stdout
        seen |= {path, *re.findall(r"(/\S+) \(0x", said)}
    yield from sorted(seen)


def _add_directory(tar: tarfile.TarFile, path: str, mode: int) -> None:
    entry = tarfile.TarInfo(path)
    entry.type, entry.mode = tarfile.DIRTYPE, mode
    tar.addfile(entry)


def _add_bytes(tar: tarfile.TarFile, path: str, content: bytes, mode: int) -> None:
    entry = tarfile.TarInfo(path)
    entry.size, entry.mode = len(content), mode
    held: IO[bytes] = io.BytesIO(content)
    tar.addfile(entry, held)


@contextmanager
def small_machine(directory: Path, image: MachineImage, **facts: object) -> Iterator[SmallMachine]:
    """Start one in `directory`, wait for its agent, and end it. `facts`: what `Identity` is to say otherwise."""
    directory.mkdir(mode=0o700, exist_ok=True)
    disk = directory / "disk.qcow2"
    overlay(image.disk, disk, 0, PROCESSES)
    environment: Mapping[str, str] = {"PATH": "/usr/bin:/bin", "GREETING": "hello there"}
    values = {
        "hostname": "small",
        "environment": environment,
        "network": NETWORK,
        "init": "agent",
        "epoch": int(time.time()),
        **facts,
    }
    identity = Identity(agent=IDENTITY, **values)  # type: ignore[arg-type]
    initrd = directory / "initrd"
    agent = agent_archive(program.binary(os.uname().machine).read_bytes())
    initrd.write_bytes(image.modules.read_bytes() + agent + machine_archive(identity))
    spec = MachineSpec(
        name="small",
        uuid=str(uuid.uuid4()),
        cpus=1,
        memory=256 * 1024**2,
        kernel=str(image.kernel),
        initrd=str(initrd),
        command_line=COMMAND_LINE,
        drives=(Drive(path=str(disk), format="qcow2", serial="root"),),
        directory=str(directory),
        accelerator="tcg",
    )
    found = SmallMachine(Machine(directory, PROCESSES), directory, spec)
    try:
        found.start()
        yield found
    finally:
        found.end()
