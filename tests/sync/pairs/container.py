"""devbox into a container that shares no directory with this machine: the real agent at the guest's end.

`ContainerPair` reaches the agent by its socket, as with an engine of this machine; `RemotePair` by `agent stream` in
the engine's exec, as with one of another machine. All that either of them knows of the way is `Instance.connect`, so
a virtual machine is a further one.
"""

import contextlib
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

import pytest

from devbox.agent import program, wire
from devbox.agent.session import start
from devbox.agent.wire import FLAG_STDIN, FLAG_SYNC, ExecMessage
from devbox.engine.sdk import SdkEngine
from devbox.errors import DevboxError
from devbox.reporter import SilentReporter
from devbox.runtimes.base import AgentSpec, DataVolume, ExecSpec, Instance, InstanceSpec
from devbox.runtimes.container.runtime import ContainerRuntime
from devbox.sync.endpoint import Endpoint
from devbox.sync.guest import GuestEndpoint
from devbox.values import GuestUser
from tests.support.agent_spec import real_agent
from tests.support.elsewhere import Elsewhere
from tests.support.engine import docker_endpoint, labels, sweep, unique
from tests.support.images import tiny_image
from tests.sync.pairs.session import COMMON, SessionPair
from tests.sync.stage import Can, Scenario
from tests.sync.trees import GuestTree

ROOT = "/workspaces/project"
_KILL = 9


class ContainerPair(SessionPair):
    """The guest's end is an ordinary user's directory in a container."""

    name: ClassVar[str] = "container"
    can: ClassVar[frozenset[Can]] = COMMON | {Can.PAUSE, Can.SMALL, Can.STOP, Can.USERS}
    marks = (pytest.mark.docker,)
    uid: ClassVar[int] = 1000
    room: ClassVar[str] = "8m"  # of a small disk

    def __init__(self, scenario: Scenario, directory: Path) -> None:
        super().__init__(scenario, directory)
        endpoint = docker_endpoint()
        if endpoint is None:
            pytest.skip("needs a running Docker")
        self._engine = SdkEngine(endpoint, SilentReporter())
        self._name = unique()
        self._volume = unique("devbox-test-small") if Can.SMALL in scenario.needs else ""
        self.guest = GuestTree(ROOT, lambda script: self.shell(script, f"{self.uid}:{self.uid}"))
        try:
            self.instance = self._started()
        except BaseException:
            self.close()
            raise

    @property
    def runtime(self) -> ContainerRuntime:
        """How the container is made."""
        return ContainerRuntime(self._engine)

    def agent(self) -> AgentSpec:
        """How its agent gets into it."""
        return real_agent()

    def reach(self) -> Instance:
        """Return the container as the session reaches it."""
        return self.instance

    def open_guest(self) -> tuple[Endpoint, Callable[[], object]]:
        message = ExecMessage((ROOT,), user=f"{self.uid}:{self.uid}", flags=FLAG_SYNC | FLAG_STDIN)
        try:
            stream = start(self.reach().connect(), self.instance.spec_digest, message)
        except DevboxError as error:
            raise ConnectionError(str(error)) from error
        return GuestEndpoint(stream), lambda: stream.signal(_KILL)

    def shell(self, script: str, user: str = "0:0") -> tuple[int, bytes, bytes]:
        """Run a script inside; return its exit code and what it said."""
        session = self.instance.exec(ExecSpec(argv=("/bin/sh", "-c", script), user=user, workdir="/"))
        try:
            session.close_stdin()
            found = {1: [], 2: []}
            while (frame := session.receive()) is not None:
                found[frame[0]].append(frame[1])
            return session.exit_code(), b"".join(found[1]), b"".join(found[2])
        finally:
            session.close()

    def as_root(self, script: str) -> None:
        """Run a script in the guest's directory as root."""
        code, _, said = self.shell(f"cd {ROOT} && {script}")
        assert code == 0, said

    def recreate(self, script: str) -> None:
        self.gate.clear()
        self.instance.remove()
        self.instance = self._started()
        self.guest.sh(script)
        self.gate.set()

    def freeze(self) -> None:
        self._docker("pause", self.instance.id)

    def thaw(self) -> None:
        self._docker("unpause", self.instance.id)

    def restart(self) -> None:
        self.instance.stop(timeout=2)
        self.instance.start()

    def alone(self) -> dict[str, str]:
        user = f"{self.uid}:{self.uid}"
        return {
            "socket": f"{self._agent.directory}/agent.sock",
            "identity": self.instance.spec_digest,
            "root": ROOT,
        } | {"user": user}

    def close(self) -> None:
        super().close()
        with contextlib.closing(self._engine):
            sweep(self._engine, {"devbox.name": self._name})
            if self._volume:
                self._engine.remove_volume(self._volume)

    def _started(self) -> Instance:
        self._agent = self.agent()
        if self._volume:
            self._make_volume()
        volumes = (DataVolume(name=self._volume, target=ROOT, labels=labels()),) if self._volume else ()
        spec = InstanceSpec(
            name=self._name,
            image=tiny_image(self._engine).id,
            hostname="guest",
            user=GuestUser(name="root", uid=0, gid=0, home="/root"),
            workdir="/",
            agent=self._agent,
            labels=(*labels(), ("devbox.name", self._name)),
            volumes=volumes,
        )
        made = self.instance = self.runtime.create(spec)
        made.start()
        code, _, said = self.shell(f"mkdir -p {ROOT} && chown {self.uid}:{self.uid} {ROOT}")
        assert code == 0, said
        return made

    def _make_volume(self) -> None:
        options = {"type": "tmpfs", "device": "tmpfs", "o": f"size={self.room},uid={self.uid},gid={self.uid}"}
        words = [word for name, value in options.items() for word in ("--opt", f"{name}={value}")]
        words += [word for name, value in labels() for word in ("--label", f"{name}={value}")]
        self._docker("volume", "create", "--driver=local", *words, self._volume)

    def _docker(self, *words: str) -> None:
        done = subprocess.run(["docker", *words], capture_output=True, check=False)
        assert done.returncode == 0, done.stderr.decode()


class RemotePair(ContainerPair):
    """The same, with an engine that shares no files with this machine; the guest's user is root."""

    name: ClassVar[str] = "remote"
    can: ClassVar[frozenset[Can]] = COMMON | {Can.PAUSE, Can.SMALL}
    uid: ClassVar[int] = 0

    @property
    def runtime(self) -> ContainerRuntime:
        return ContainerRuntime(Elsewhere(self._engine))

    def agent(self) -> AgentSpec:
        return AgentSpec(build=program.build_id(), protocol=wire.VERSION)
