"""The peers of the benchmark of sync: rsync and Unison over ssh to this machine, a tar stream, Mutagen."""

import contextlib
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.common import command
from benchmarks.sync_bed import Bed

_PATIENCE = 15.0
_SERVER = """\
Port {port}
ListenAddress 127.0.0.1
HostKey {directory}/host-key
AuthorizedKeysFile {directory}/client.pub
PidFile none
StrictModes no
UsePAM no
PermitRootLogin yes
"""
_CLIENT = """\
Host peer
  HostName 127.0.0.1
  Port {port}
  User {user}
  IdentityFile {directory}/client
  UserKnownHostsFile /dev/null
  StrictHostKeyChecking no
  LogLevel ERROR
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Far:
    """This machine over ssh; `config`: a client's. What is sent goes into `target`."""

    config: Path
    target: Path
    directory: Path

    def empty(self) -> None:
        """Have nothing in the target, and let nobody remember anything."""
        shutil.rmtree(self.target, ignore_errors=True)
        shutil.rmtree(self.directory / "unison", ignore_errors=True)
        self.target.mkdir()

    def rsync(self, source: Path) -> None:
        """Copy a tree."""
        command(
            "rsync",
            "-a",
            "--delete",
            "--exclude=/.devbox",
            "-e",
            f"ssh -F {self.config}",
            f"{source}/",
            f"peer:{self.target}/",
        )

    def unison(self, source: Path) -> None:
        """Sync a tree, both ways."""
        options = ("-batch", "-auto", "-ui", "text", "-times", "-ignore", "Path .devbox")
        memory = self.directory / "unison"
        words = ("-sshargs", f"-F {self.config}", "-servercmd", f"env UNISON={memory} unison")
        command(
            "unison",
            source,
            f"ssh://peer/{self.target}",
            *options,
            *words,
            env={"UNISON": str(memory)},
        )


@contextlib.contextmanager
def far(directory: Path) -> Iterator[Far | None]:
    """Have an sshd of our own; None where there is none to be had."""
    server = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if server is None or shutil.which("ssh") is None:
        yield None
        return
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    for name in ("host-key", "client"):
        command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", directory / name)
    values = {"port": port, "directory": directory, "user": os.environ.get("USER") or "root"}
    (directory / "server").write_text(_SERVER.format(**values), encoding="utf-8")
    (directory / "config").write_text(_CLIENT.format(**values), encoding="utf-8")
    Path("/run/sshd").mkdir(exist_ok=True)
    process = subprocess.Popen([server, "-D", "-e", "-f", directory / "server"], stderr=subprocess.DEVNULL)
    try:
        _until_it_listens(port)
        made = Far(config=directory / "config", target=directory / "target", directory=directory)
        made.empty()
        yield made
    finally:
        process.terminate()  # by its id
        process.wait()


def _until_it_listens(port: int) -> None:
    end = time.monotonic() + _PATIENCE
    while time.monotonic() < end:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            return
        time.sleep(0.02)
    raise SystemExit("sshd does not listen")


def tar(bed: Bed) -> None:
    """Stream a tree into the container."""
    pack = subprocess.Popen(
        ["tar", "-C", bed.host.path, "-cf", "-", "--exclude=./.devbox", "."], stdout=subprocess.PIPE
    )
    into = ["docker", "exec", "-i", bed.instance.id, "tar", "-C", bed.target, "-xf", "-"]
    done = subprocess.run(into, stdin=pack.stdout, capture_output=True, check=False)
    if done.returncode or pack.wait():
        raise SystemExit(f"tar: {done.stderr.decode()}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutagen:
    """A daemon of our own, between two directories of this machine: no ssh, and no agent to be installed."""

    program: str
    environment: dict[str, str]
    target: Path

    def create(self, source: Path) -> None:
        """Begin a session and wait for its first end."""
        roots = (source, self.target)
        command(self.program, "sync", "create", *roots, "--name=bench", "--ignore=/.devbox", env=self.environment)
        self.flush()

    def flush(self) -> None:
        """Look at both sides."""
        command(self.program, "sync", "flush", "bench", env=self.environment)

    def end(self) -> None:
        """End the session, and empty its target."""
        command(self.program, "sync", "terminate", "bench", env=self.environment)
        shutil.rmtree(self.target)
        self.target.mkdir()


@contextlib.contextmanager
def mutagen(directory: Path) -> Iterator[Mutagen | None]:
    """Have Mutagen where MUTAGEN names it or it is on PATH, else None."""
    program = shutil.which(os.environ.get("MUTAGEN") or "mutagen")
    if program is None:
        yield None
        return
    environment = {"MUTAGEN_DATA_DIRECTORY": str(directory / "mutagen")}
    target = directory / "mutagen-target"
    target.mkdir()
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen([program, "daemon", "run"], env={**os.environ, **environment}, **quiet)
    try:
        while not (directory / "mutagen" / "daemon" / "daemon.sock").exists():
            if process.poll() is not None:
                raise SystemExit(f"{program} daemon run: exit code {process.returncode}")
            time.sleep(0.02)
        yield Mutagen(program=program, environment=environment, target=target)
    finally:
        process.terminate()  # by its id
        process.wait()
