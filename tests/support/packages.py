"""A small archive of Debian packages, served to containers over the engine's bridge, and a base that knows no other."""

import contextlib
import gzip
import hashlib
import io
import os
import shutil
import tarfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from devbox.build.base import Resolver
from devbox.engine.base import ContainerRequest, Engine, ImageConfig
from devbox.process import HostProcesses
from devbox.profile.model import Base
from devbox.reporter import SilentReporter
from devbox.values import LABEL_BASE
from tests.support.archive import TIME, add
from tests.support.command import engine as engine_client
from tests.support.command import remove_quietly
from tests.support.engine import labels, unique
from tests.support.skips import NOT_HERE

ARCHIVE = "shelf"  # what the lock calls it
STAMP = "20231114T221320Z"  # of TIME, as an archive of snapshots has it
_MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}
MACHINE = _MACHINES.get(os.uname().machine, os.uname().machine)


@dataclass
class Archive:
    """The archive. `asked`: the paths that somebody fetched."""

    directory: Path
    address: str
    asked: list[str] = field(default_factory=list)
    _entries: dict[str, str] = field(default_factory=dict)

    def add(self, name: str, version: str = "1", *, says: str = "", depends: str = "") -> Path:
        """Publish a package that holds /usr/share/`name`, and return its file."""
        control = f"Package: {name}\nVersion: {version}\nArchitecture: all\nMaintainer: a test <a@test.invalid>\n"
        control += f"Depends: {depends}\n" * bool(depends) + "Description: a test\n"
        data = _deb(control, {f"usr/share/{name}": f"{says or version}\n"})
        file = self.directory / ARCHIVE / "pool" / "main" / f"{name}_{version}_all.deb"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
        place = file.relative_to(self.directory / ARCHIVE)
        digest = hashlib.sha256(data).hexdigest()
        self._entries[file.name] = f"{control}Filename: {place}\nSize: {len(data)}\nSHA256: {digest}\n"
        self._publish()
        return file

    def withdraw(self, name: str, version: str = "1") -> None:
        """Take a package away, as an archive does that has a newer one."""
        file = f"{name}_{version}_all.deb"
        (self.directory / ARCHIVE / "pool" / "main" / file).unlink()
        del self._entries[file]
        self._publish()

    def snapshot(self) -> str:
        """Keep all that is there as an archive of snapshots has it; return the address of that."""
        place = self.directory / "snapshot" / ARCHIVE / STAMP
        shutil.copytree(self.directory / ARCHIVE / "pool", place / "pool")
        return f"{self.address}/snapshot"

    def packages_asked(self) -> list[str]:
        """Return the names of the package files that were fetched since the last call."""
        found = [path.rpartition("/")[2] for path in self.asked if path.endswith(".deb")]
        self.asked.clear()
        return found

    def _publish(self) -> None:
        index = "\n".join(self._entries.values()).encode()
        place = f"main/binary-{MACHINE}/Packages"
        top = self.directory / ARCHIVE / "dists" / "stable"
        (top / place).parent.mkdir(parents=True, exist_ok=True)
        files = {place: index, f"{place}.gz": gzip.compress(index, mtime=0)}
        for name, data in files.items():
            (top / name).write_bytes(data)
        sums = "".join(f" {hashlib.sha256(data).hexdigest()} {len(data)} {name}\n" for name, data in files.items())
        head = f"Suite: stable\nArchitectures: {MACHINE}\nComponents: main\nDate: Tue, 14 Nov 2023 22:13:20 UTC\n"
        (top / "Release").write_text(f"{head}SHA256:\n{sums}")


def _deb(control: str, files: dict[str, str]) -> bytes:
    parts = {"debian-binary": b"2.0\n", "control.tar": _tar({"control": control}), "data.tar": _tar(files)}
    whole = b"!<arch>\n"
    for name, data in parts.items():
        whole += f"{name:<16}{TIME:<12}{0:<6}{0:<6}{100644:<8}{len(data):<10}`\n".encode() + data
        whole += b"\n" * (len(data) % 2)
    return whole


def _tar(files: dict[str, str]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for name, text in files.items():
            for parent in reversed(Path(name).parents):
                entry = tarfile.TarInfo(f"./{parent}")
                entry.type, entry.mode, entry.mtime = tarfile.DIRTYPE, 0o755, TIME
                tar.addfile(entry)
            add(tar, f"./{name}", text.encode())
    return buffer.getvalue()


@contextlib.contextmanager
def served(directory: Path) -> Iterator[Archive]:
    """Serve an empty archive below `directory` to containers."""
    with engine_client() as client:
        bridge = client.networks.get("bridge").attrs["IPAM"]["Config"][0]
    gateway = bridge.get("Gateway") or str(ip_network(bridge["Subnet"])[1])
    asked: list[str] = []

    class Handler(SimpleHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            pass

        def do_GET(self) -> None:
            asked.append(self.path)
            super().do_GET()

    try:
        server = ThreadingHTTPServer((gateway, 0), partial(Handler, directory=str(directory)))
    except OSError:
        pytest.skip(f"{NOT_HERE}the engine's bridge has no address of this host's")
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield Archive(directory=directory, address=f"http://{gateway}:{server.server_port}", asked=asked)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextlib.contextmanager
def base_of(engine: Engine, archive: Archive) -> Iterator[str]:
    """Have a Debian that knows this archive alone, and a package cache that nobody else uses; yield its reference."""
    mark = unique("x").rpartition("-")[2]
    reference = f"devbox-test/shelf:{mark}"
    reporter = SilentReporter()
    resolver = Resolver(
        engine=engine, processes=HostProcesses(reporter), reporter=reporter, environ=os.environ, labels=dict(labels())
    )
    debian = resolver.resolve(Base(image="debian:12"), directory=archive.directory, repository="devbox-test/shelf")
    line = f"deb [trusted=yes] {archive.address}/{ARCHIVE} stable main"
    script = f"echo '{line}' >/etc/apt/sources.list; sed -i 's/^VERSION_ID=.*/VERSION_ID=12.{mark}/' /etc/os-release"
    container = engine.create(
        ContainerRequest(name=None, image=debian.id, command=("sh", "-c", script), labels=labels(), env=debian.env)
    )
    try:
        engine.start(container)
        assert engine.wait(container) == 0
        config = ImageConfig(env=debian.env, command=("sh",), labels=(*labels(), (LABEL_BASE, "")))
        engine.commit(container, config=config, message="test", reference=reference)
    finally:
        engine.remove(container)
    try:
        yield reference
    finally:
        engine.remove_image(reference, force=True)
        forget_cache(mark)


def forget_cache(reference: str) -> None:
    """Remove the package caches of the base `reference`."""
    mark = reference.rpartition(":")[2]
    with engine_client() as client:
        for volume in client.volumes.list(filters={"name": mark}):
            remove_quietly(volume.remove, force=True)
