"""What else gets into something that runs; each is made ready where it is installed, and gone at the end.

`devcontainer exec` and `distrobox enter` go into devbox's own environment, the others need something of their own.
A program that is not on PATH can be named by a variable: DEVCONTAINER, DISTROBOX, PODMAN, VAGRANT.
"""

import contextlib
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks.common import Way, base_image, command
from benchmarks.inside import BASE, Bench
from benchmarks.running import run
from tests.support.command import engine

Peer = Callable[[Bench, str, Path], "contextlib.AbstractContextManager[Way]"]

NOBODY = 65534
SOCKET = Path("/var/run/docker.sock")
IMAGE = "devbox-bench-attach-sshd"
DOCKERFILE = f"""
FROM {IMAGE}-base
RUN apt-get update && apt-get install -y --no-install-recommends openssh-server sudo
RUN mkdir -p /run/sshd && touch /etc/fstab
COPY key.pub /root/.ssh/authorized_keys
CMD ["/usr/sbin/sshd", "-D"]
"""
VAGRANTFILE = f"""
Vagrant.configure("2") do |config|
  config.vm.synced_folder ".", "/vagrant", disabled: true
  config.ssh.username = "root"
  config.ssh.private_key_path = "key"
  config.vm.provider "docker" do |docker|
    docker.image = "{IMAGE}"
    docker.has_ssh = true
  end
end
"""


@contextlib.contextmanager
def ready(made: Bench, *, quick: bool) -> Iterator[tuple[list[Way], list[str]]]:
    """Make the peers ready, and say which are left out; `quick`: those too whose making takes long."""
    found: list[Way] = []
    left_out: list[str] = []
    with contextlib.ExitStack() as stack:
        for words, enter, takes_long in PEERS:
            name = words.partition(" ")[0]
            program = os.environ.get(name.upper()) or shutil.which(name)
            if not program:
                left_out.append(f"{words}: not installed")
            elif quick and takes_long:
                left_out.append(f"{words}: takes long to make ready")
            else:
                directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix=f"devbox-{name}-")))
                try:
                    found.append(stack.enter_context(enter(made, program, directory)))
                except (RuntimeError, SystemExit) as error:  # it is here, but does not work
                    left_out.append(f"{words}: {str(error).strip().splitlines()[-1]}")
        yield found, left_out


def _way(name: str, argv: list[str], environment: dict[str, str]) -> Way:
    """Return the way that runs `argv`; it is tried once. `RuntimeError` if it fails."""
    run(argv, environment)
    return Way(name=name, run=lambda: run(argv, environment))


@contextlib.contextmanager
def _devcontainer(made: Bench, program: str, directory: Path) -> Iterator[Way]:
    configuration = directory / ".devcontainer" / "devcontainer.json"
    configuration.parent.mkdir()
    settings = {"image": BASE, "workspaceFolder": made.directory}
    configuration.write_text(json.dumps(settings), encoding="utf-8")
    where = ["--workspace-folder", str(directory), "--container-id", made.container, "--docker-path", made.docker]
    yield _way("devcontainer exec", [program, "exec", *where, "true"], dict(made.environment))


@contextlib.contextmanager
def _distrobox(made: Bench, program: str, _: Path) -> Iterator[Way]:
    who = {"HOME": "/tmp", "USER": made.user.partition(":")[0]}  # a home that is there on either side
    environment = {**made.environment, **who, "DBX_CONTAINER_MANAGER": "docker"}
    argv = [*_not_root(), program, "enter", "--no-tty", "--no-workdir", "--name", made.container, "--", "true"]
    yield _way("distrobox enter", argv, environment)


def _not_root() -> list[str]:
    """Return what makes of root somebody who may use the engine: distrobox does nothing for root."""
    if os.getuid() != 0:
        return []
    setpriv = shutil.which("setpriv")
    if not setpriv or not SOCKET.exists():
        raise RuntimeError("is not for root")
    return [setpriv, f"--reuid={NOBODY}", f"--regid={SOCKET.stat().st_gid}", "--clear-groups"]


@contextlib.contextmanager
def _podman(made: Bench, program: str, directory: Path) -> Iterator[Way]:
    """A container of Podman's, with a storage of its own, of nothing but a static busybox."""
    busybox = shutil.which("busybox")
    if not busybox:
        raise RuntimeError("needs a static busybox")
    for name in ("bin", "proc", "sys", "dev", "etc", "run", "tmp"):
        (directory / "root" / name).mkdir(parents=True)
    for name in ("true", "sleep"):
        shutil.copy(busybox, directory / "root" / "bin" / name)
    places = [f"--root={directory}/store", f"--runroot={directory}/run", f"--tmpdir={directory}/tmp"]
    podman = [program, *places, "--cgroup-manager=cgroupfs", "--events-backend=file"]
    if os.getuid() == 0 and shutil.which("runc"):  # crun fails where there are two hierarchies of control groups
        podman.append("--runtime=runc")
    limits = ["--ulimit=nofile=1024:1024", "--ulimit=nproc=1024:1024"]
    try:
        start = ["run", "-d", "--name=peer", "--network=none", *limits, "--rootfs", str(directory / "root")]
        command(*podman, *start, "/bin/sleep", "1000000")
        yield _way("podman exec", [*podman, "exec", "peer", "true"], dict(made.environment))
    finally:
        subprocess.run([*podman, "rm", "-f", "-t", "0", "peer"], check=False, capture_output=True)
        subprocess.run(["umount", "-q", str(directory / "store" / "overlay")], check=False)


@contextlib.contextmanager
def _vagrant(made: Bench, program: str, directory: Path) -> Iterator[Way]:
    """A container of Vagrant's docker provider, with the ssh server that it gets in by."""
    command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", directory / "key")
    (directory / "Vagrantfile").write_text(VAGRANTFILE, encoding="utf-8")
    (directory / "Dockerfile").write_text(DOCKERFILE, encoding="utf-8")
    with engine() as client:
        command(made.docker, "tag", base_image(client, BASE), f"{IMAGE}-base")
    settings = {"VAGRANT_HOME": str(directory / "home"), "VAGRANT_CHECKPOINT_DISABLE": "1"}
    environment = {**made.environment, **settings, "VAGRANT_CWD": str(directory)}
    try:
        command(made.docker, "build", "-q", "-t", IMAGE, directory, env={"DOCKER_BUILDKIT": "0"})
        command(program, "up", "--provider=docker", env=environment)
        yield _way("vagrant ssh -c", [program, "ssh", "-c", "true"], environment)
    finally:
        subprocess.run([program, "destroy", "-f"], check=False, capture_output=True, env=environment)
        for image in (IMAGE, f"{IMAGE}-base"):
            subprocess.run([made.docker, "rmi", "-f", image], check=False, capture_output=True)


PEERS: tuple[tuple[str, Peer, bool], ...] = (
    ("devcontainer exec", _devcontainer, False),
    ("distrobox enter", _distrobox, False),
    ("podman exec", _podman, False),
    ("vagrant ssh -c", _vagrant, True),
)
