"""Tools of others that boot a machine, where they are installed, of the image that devbox's own has.

A program that is not on PATH can be named by a variable: VNG, VAGRANT. virtme-ng has the kernel of the machine and a
copy of its root as a directory, shared by virtiofs; Vagrant with libvirt has the disk of `vm_peer`, its kernel and its
initial RAM file system. Each is accelerated as devbox is. What is timed ends with the first command. That of Vagrant
was never run.
"""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks.common import Way, command
from benchmarks.vm_peer import Peer
from devbox.vm import disk

_DONE = b"the first command has run"
_VAGRANTFILE = """
Vagrant.configure("2") do |config|
  config.vm.box = "{box}"
  config.vm.synced_folder ".", "/vagrant", disabled: true
  config.ssh.username = "root"
  config.ssh.private_key_path = "{place}/key"
  config.ssh.insert_key = false
  config.vm.provider "libvirt" do |libvirt|
    libvirt.driver = "{driver}"
    libvirt.cpus = 2
    libvirt.memory = 1024
    libvirt.kernel = "{place}/vmlinuz"
    libvirt.initrd = "{place}/initrd.img"
    libvirt.cmd_line = "root=/dev/vda rw console=ttyS0"
  end
end
"""


@contextlib.contextmanager
def ready(untuned: Peer, docker: str, image: str) -> Iterator[tuple[list[Way], list[str]]]:
    """Make them ready, and say which are left out. `image`: of the machine; `untuned` is made of the same."""
    found: list[Way] = []
    left_out: list[str] = []
    with contextlib.ExitStack() as stack:
        for name, enter in OTHERS:
            program = os.environ.get(name.upper()) or shutil.which(name)
            if not program:
                left_out.append(f"{name}: not installed")
                continue
            try:
                place = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix=f"devbox-bench-{name}-")))
                way = stack.enter_context(enter(untuned, program, place, (docker, image)))
                way.run()  # so that what it boots from is in the page cache, as ours is
                way.clean_up()
                found.append(way)
            except (RuntimeError, SystemExit, OSError) as error:  # it is here, but does not work
                left_out.append(f"{name}: {str(error).strip().splitlines()[-1]}")
        yield found, left_out


@contextlib.contextmanager
def _vng(untuned: Peer, program: str, place: Path, origin: tuple[str, str]) -> Iterator[Way]:
    """A root that is a directory; its end is not waited for."""
    docker, image = origin
    root, home = place / "root", place / "home"
    root.mkdir()
    home.mkdir()
    container = command(docker, "create", image, "true").strip()
    try:
        with subprocess.Popen([docker, "export", container], stdout=subprocess.PIPE) as export:
            subprocess.run(["tar", "-x", "-C", str(root)], stdin=export.stdout, check=True)
    finally:
        command(docker, "rm", container)
    (kernel,) = (root / "boot").glob("vmlinuz-*")
    emulated = ("--disable-kvm", "--disable-microvm") if untuned.accelerator == "tcg" else ()
    size = ("--cpus", "2", "--memory", "1G", "--user", "root")
    argv = [program, "--run", str(kernel), "--root", str(root), *emulated, *size, "--exec", f"echo {_DONE.decode()}"]
    environment = {**os.environ, "HOME": str(home), "PATH": f"{Path(program).parent}:{os.environ['PATH']}"}
    running: list[subprocess.Popen[bytes]] = []

    def boot() -> None:
        said = place / "said"
        with said.open("wb") as words:
            options = {"stdin": subprocess.DEVNULL, "stderr": words, "start_new_session": True, "env": environment}
            running.append(subprocess.Popen(argv, stdout=subprocess.PIPE, cwd=place, **options))  # type: ignore[call-overload]
        assert running[-1].stdout
        if not any(_DONE in line for line in running[-1].stdout):
            raise RuntimeError(f"no command ran: {said.read_text(errors='replace')[-500:]}")

    def end() -> None:
        while running:
            with running.pop() as process, contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)

    try:
        yield Way(name="vng --exec", run=boot, clean_up=end)
    finally:
        end()


@contextlib.contextmanager
def _vagrant(untuned: Peer, program: str, place: Path, _: tuple[str, str]) -> Iterator[Way]:
    """A box of the disk of `untuned`, which stands still before it is timed."""
    box, name = place / "a.box", "devbox-bench-vm"
    source = untuned.directory / "disk.qcow2"
    size = -(-disk.virtual_size(source) // 1024**3)
    (place / "metadata.json").write_text(json.dumps({"provider": "libvirt", "format": "qcow2", "virtual_size": size}))
    with tarfile.open(box, "w") as packed:
        packed.add(source, "box.img")
        packed.add(place / "metadata.json", "metadata.json")
    driver = "qemu" if untuned.accelerator == "tcg" else "kvm"
    (place / "Vagrantfile").write_text(_VAGRANTFILE.format(box=name, place=untuned.directory, driver=driver))
    settings = {"VAGRANT_HOME": str(place / "home"), "VAGRANT_CHECKPOINT_DISABLE": "1", "VAGRANT_CWD": str(place)}

    def vagrant(*words: str) -> str:
        return command(program, *words, env=settings)

    if "vagrant-libvirt" not in vagrant("plugin", "list"):
        raise RuntimeError("its plugin vagrant-libvirt is not installed")

    def boot() -> None:
        vagrant("up", "--provider=libvirt", "--no-provision")
        vagrant("ssh", "-c", "true")

    try:
        vagrant("box", "add", "--name", name, str(box))
        yield Way(name="vagrant up, ssh -c", run=boot, clean_up=lambda: vagrant("halt", "--force"))
    finally:
        for words in (["destroy", "-f"], ["box", "remove", "--force", name]):
            subprocess.run([program, *words], check=False, capture_output=True, env={**os.environ, **settings})


Other = Callable[[Peer, str, Path, tuple[str, str]], "contextlib.AbstractContextManager[Way]"]
OTHERS: tuple[tuple[str, Other], ...] = (("vng", _vng), ("vagrant", _vagrant))
