"""Images for tests on a real engine: a tiny one, made without network from the host's static busybox, and one with
the programs that people use at a terminal, built by devbox itself."""

import contextlib
import fcntl
import functools
import hashlib
import io
import os
import shutil
import struct
import subprocess
import tarfile
import tempfile
from pathlib import Path

import pytest

from devbox.engine.base import ContainerRequest, Engine, ImageConfig, ImageInfo
from devbox.engine.discovery import connect
from devbox.process import HostProcesses
from devbox.reporter import SilentReporter
from devbox.values import LABEL_ROLE, LABEL_WORKSPACE, ROLE_ENVIRONMENT
from tests.support.account import invoker
from tests.support.archive import TIME, add, archive, loaded
from tests.support.engine import LABEL_TEST, labels
from tests.support.project import project

TINY = "devbox-test/tiny:1"
TINY_ENV = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}

# The prompt counts, so that a test can tell the next one from the last; bash alone reads PROMPT_COMMAND.
_PROGRAMS = '''
[base]
image = "debian:12"
[packages]
system = ["less", "procps", "python3", "vim"]
[[provision]]
run = """echo 'PROMPT_COMMAND='"'"'PS1="in \\\\#> "'"'" >/etc/profile.d/prompt.sh"""
when = "build"
'''


def programs_image() -> str:
    """Return the name of a Debian with vim, top, less and Python, made if it is not there. It stays: it is a cache."""
    reference = f"devbox-test/programs:{hashlib.sha256(_PROGRAMS.encode()).hexdigest()[:12]}"
    lock = Path(tempfile.gettempdir(), f"devbox-test-programs-{os.getuid()}.lock")
    reporter = SilentReporter()
    with (
        lock.open("w") as held,
        contextlib.closing(connect(os.environ, HostProcesses(reporter), reporter)) as engine,
    ):
        fcntl.flock(held, fcntl.LOCK_EX)
        if engine.image(reference) is None:
            _build_programs(engine, reference)
    return reference


def _build_programs(engine: Engine, reference: str) -> None:
    """Build it in a project, and commit it under labels of its own, so that it does not go with the project."""
    with project(invoker()) as devbox:
        (devbox.directory / "devbox.toml").write_text(_PROGRAMS)
        devbox("up")
        wanted = {LABEL_WORKSPACE: devbox.hash, LABEL_ROLE: ROLE_ENVIRONMENT}
        built = engine.image(engine.containers(wanted)[0].image)
        assert built is not None
        request = ContainerRequest(name=None, image=built.id, command=("true",), labels=labels(), env=built.env)
        container = engine.create(request)
        try:
            kept = tuple(label for label in labels() if label[0] != LABEL_TEST)  # the sweep after the run leaves it
            config = ImageConfig(env=built.env, command=("bash",), labels=kept)
            engine.commit(container, config=config, message="test", reference=reference)
        finally:
            engine.remove(container)


def tiny_image(engine: Engine) -> ImageInfo:
    """Return the tiny image, loading it if this engine has another or none. The image stays: it is a cache."""
    return loaded(engine, TINY, *_archive())


@functools.cache
def _archive() -> tuple[bytes, str]:
    settings = {"Env": [f"{name}={value}" for name, value in TINY_ENV.items()], "Cmd": ["sh"]}
    return archive(TINY, _layer(_busybox()), settings)


def _busybox() -> Path:
    for place in ("/bin/busybox", "/usr/bin/busybox", shutil.which("busybox") or ""):
        if place and Path(place).is_file() and _is_static(Path(place)):
            return Path(place)
    pytest.skip("needs a static busybox: apt-get install busybox-static")


def _is_static(path: Path) -> bool:
    """Tell whether a 64-bit ELF file has no program header PT_INTERP (3)."""
    data = path.read_bytes()
    offset, size, count = struct.unpack_from("<Q", data, 32)[0], *struct.unpack_from("<HH", data, 54)
    return all(struct.unpack_from("<I", data, offset + index * size)[0] != 3 for index in range(count))


def _layer(busybox: Path) -> bytes:
    applets = subprocess.run([str(busybox), "--list"], capture_output=True, check=True, text=True).stdout.split()
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for name, mode in (("bin", 0o755), ("etc", 0o755), ("root", 0o700), ("tmp", 0o1777), ("home", 0o755)):
            _add_directory(tar, name, mode)
        for name in ("proc", "sys", "dev", "run", "usr", "usr/bin", "var", "workspaces"):
            _add_directory(tar, name, 0o755)
        add(tar, "bin/busybox", busybox.read_bytes(), mode=0o755)
        for applet in [*(f"bin/{name}" for name in sorted(set(applets) - {"busybox"})), "usr/bin/env"]:
            link = tarfile.TarInfo(applet)
            link.type, link.linkname, link.mtime = tarfile.SYMTYPE, "/bin/busybox", TIME
            tar.addfile(link)
        add(tar, "etc/passwd", b"root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/sh\n")
        add(tar, "etc/group", b"root:x:0:\nnogroup:x:65534:\n")
        add(tar, "etc/shadow", b"root:*:19000:0:99999:7:::\n", mode=0o640)
        add(tar, "etc/os-release", b'ID=devbox-test\nVERSION_ID="1"\n')
    return buffer.getvalue()


def _add_directory(tar: tarfile.TarFile, name: str, mode: int) -> None:
    entry = tarfile.TarInfo(name)
    entry.type, entry.mode, entry.mtime = tarfile.DIRTYPE, mode, TIME
    tar.addfile(entry)
