"""Two ways to run mmdebstrap: on this host, and in a container of an image that the engine has."""

import os
import shlex
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

from devbox.build.mmdebstrap import KEYRINGS, dates_argv, make_argv, newest_date
from devbox.build.output import Lines
from devbox.engine.base import ContainerRequest, Engine, Labels
from devbox.engine.policy_container import STEP_CAPABILITIES
from devbox.errors import BaseImageError, CommandFailedError
from devbox.interrupts import uninterrupted
from devbox.process import Processes
from devbox.reporter import Progress
from devbox.values import LABEL_ROLE, ROLE_STEP

_EPOCH = "SOURCE_DATE_EPOCH"


class Maker(Protocol):
    """Something that can run mmdebstrap."""

    def date(self, suite: str) -> int:
        """Return the newest date of the archive's index files, in seconds since 1970."""

    def make(self, suite: str, layer: Path, *, epoch: int) -> int:
        """Write the root file system of `suite` to `layer` with all dates at most `epoch`; return the date seen."""


@dataclass(frozen=True, kw_only=True)
class HostMaker:
    """mmdebstrap on this host: as root, or in a user namespace."""

    processes: Processes
    progress: Progress
    architecture: str
    mirror: str | None

    @property
    def usable(self) -> bool:
        """Whether mmdebstrap is installed; whether it works here shows the first run."""
        return self.processes.which("mmdebstrap") is not None

    def date(self, suite: str) -> int:
        """Return the newest date of the archive's index files."""
        argv = dates_argv(suite, keyring=_keyring(), mode=_mode(), architecture=self.architecture, mirror=self.mirror)
        return _required(suite, self._run(argv, epoch=None))

    def make(self, suite: str, layer: Path, *, epoch: int) -> int:
        """Write the root file system of `suite` to `layer`."""
        argv = make_argv(
            suite,
            keyring=_keyring(),
            mode=_mode(),
            architecture=self.architecture,
            mirror=self.mirror,
            output=str(layer),
        )
        return _required(suite, self._run(argv, epoch=epoch))

    def _run(self, argv: list[str], *, epoch: int | None) -> int | None:
        env = {"LC_ALL": "C.UTF-8", "TZ": "UTC"} | ({} if epoch is None else {_EPOCH: str(epoch)})
        return newest_date(_shown(self.processes.lines(argv, env=env), self.progress))


@dataclass(frozen=True, kw_only=True)
class ContainerMaker:
    """mmdebstrap in a container, with no more rights than a build step has."""

    engine: Engine
    image: str
    progress: Progress
    labels: Labels
    architecture: str
    mirror: str | None

    def date(self, suite: str) -> int:
        """Return the newest date of the archive's index files."""
        argv = dates_argv(suite, keyring="$keyring", mode="root", architecture=self.architecture, mirror=self.mirror)
        return _required(suite, self._run(suite, argv, None, epoch=None))

    def make(self, suite: str, layer: Path, *, epoch: int) -> int:
        """Write the root file system of `suite` to `layer`."""
        argv = make_argv(
            suite, keyring="$keyring", mode="root", architecture=self.architecture, mirror=self.mirror, output="-"
        )
        with layer.open("wb") as file:
            return _required(suite, self._run(suite, argv, file, epoch=epoch))

    def _run(self, suite: str, argv: list[str], output: BinaryIO | None, *, epoch: int | None) -> int | None:
        request = ContainerRequest(
            name=None,
            image=self.image,
            command=("/bin/sh", "-c", _container_script(argv, epoch)),
            labels=tuple(sorted({**self.labels, LABEL_ROLE: ROLE_STEP}.items())),
            capabilities=STEP_CAPABILITIES,
        )
        container = None
        try:
            with uninterrupted():
                container = self.engine.create(request)
            tail: deque[str] = deque(maxlen=30)
            seen = newest_date(_shown(self._lines(container, output, tail), self.progress))
            status = self.engine.wait(container)
        finally:
            if container is not None:
                self.engine.remove(container)
        if status != 0:
            raise BaseImageError(
                f"mmdebstrap in a container could not make {suite} (exit code {status})", detail="\n".join(tail)
            )
        return seen

    def _lines(self, container: str, output: BinaryIO | None, tail: deque[str]) -> Iterator[str]:
        """Start the container; yield its lines of stderr, write its stdout to `output`."""
        lines = Lines()
        stream = self.engine.attach(container)
        try:
            self.engine.start(container)
            while (frame := stream.receive()) is not None:
                kind, data = frame
                if kind == 1 and output is not None:
                    output.write(data)
                    continue
                for line in lines.feed(kind, data):
                    tail.append(line)
                    yield line
        finally:
            stream.close()


def _container_script(argv: list[str], epoch: int | None) -> str:
    """The keyring's name depends on the image's version, so the script looks for it."""
    words = " ".join('--keyring="$keyring"' if word == "--keyring=$keyring" else shlex.quote(word) for word in argv)
    needs = "mmdebstrap debian-archive-keyring gpg gpgv"
    install = f"apt-get install -y -q --no-install-recommends -o Dpkg::Options::=--force-unsafe-io {needs}"
    return "\n".join(
        [
            "set -eu",
            "export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 TZ=UTC",
            f"{{ apt-get update -q -o Acquire::Retries=3 && {install}; }} >&2",
            f"keyring={KEYRINGS[0]}",
            f'[ -e "$keyring" ] || keyring={KEYRINGS[1]}',
            *([] if epoch is None else [f"export {_EPOCH}={epoch}"]),
            f"exec {words}",
        ]
    )


def _shown(lines: Iterator[str], progress: Progress) -> Iterator[str]:
    for line in lines:
        progress.output(line)
        yield line


def _required(suite: str, seen: int | None) -> int:
    if seen is None:
        raise CommandFailedError(f"the archive of {suite} does not say of which day it is")
    return seen


def _mode() -> str:
    return "root" if os.geteuid() == 0 else "unshare"


def _keyring() -> str:
    for path in KEYRINGS:
        if Path(path).exists():
            return path
    raise BaseImageError(
        "the keys that the Debian archive is signed with are missing on this host",
        detail=f"looked for {' and '.join(KEYRINGS)}",
        hint="install them: apt-get install debian-archive-keyring",
    )
