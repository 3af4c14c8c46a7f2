"""FakeEngine: the contract of `engine.base.Engine` in memory. No command runs; hooks decide what each one does.

It passes the same contract suite as the real engines (tests/contract/engine), policy included.
"""

import json
from collections.abc import Callable, Iterator, Sequence

from devbox.agent.wire import FLAG_STDIN, FLAG_TERMINAL, ExecMessage
from devbox.engine import payload, policy
from devbox.engine.base import (
    ContainerInfo,
    ContainerRequest,
    EngineInfo,
    ExecRequest,
    ImageConfig,
    ImageInfo,
    Labels,
    MountKind,
    VolumeInfo,
)
from devbox.errors import EngineError
from devbox.paths import AGENT_SOCKET
from devbox.runtimes.container.request import SOCKETS
from tests.fakes.agent import FakeAgent
from tests.fakes.engine_calls import CREATED, carries
from tests.fakes.engine_container import FakeContainer
from tests.fakes.engine_images import FakeImages
from tests.fakes.engine_streams import FakeExecSession, FakeStream, Outcome
from tests.support.tars import directory, in_pieces, member, tar

INFO = EngineInfo(
    name="docker",
    version="20.10.24",
    api_version="1.41",
    url="unix:///var/run/docker.sock",
    source="default socket",
    os="linux",
    architecture="amd64",
    cpus=8,
    memory=16 * 1024**3,
    rootless=False,
    shares_host=True,
)

OnCommand = Callable[[ContainerRequest, bytes], Outcome | None]
OnExec = Callable[[ContainerInfo, ExecRequest, bytes], Outcome]
OnExport = Callable[[ImageInfo], bytes]


def _command(request: ContainerRequest, stdin: bytes) -> Outcome | None:
    """Let an agent, `sleep` and `cat` run on, and all else succeed in silence."""
    return None if request.entrypoint or request.command[:1] in (("sleep",), ("cat",)) else Outcome()


def _exec(container: ContainerInfo, request: ExecRequest, stdin: bytes) -> Outcome:
    return Outcome()


def _export(image: ImageInfo) -> bytes:
    """Let every image hold a shell, and nothing else."""
    return tar(directory("bin"), (member("bin/sh", mode=0o755), b"a shell"))


_AGENTS: list[FakeAgent] = []


def stop_agents() -> None:
    """Stop the agents of every FakeEngine, whatever a test has done with their containers."""
    while _AGENTS:
        _AGENTS.pop().stop()


class FakeEngine(FakeImages):
    """An engine in memory.

    `on_command` decides what a container's command does, given its request and all of its stdin: an `Outcome`, or
    None to let it run until it is stopped. `on_exec` does so for `exec`, and for what the agent of a container is told
    to start: where one is mounted, a FakeAgent answers while the container runs. What it remembers of the calls is
    FakeCalls's, what it can pull FakeImages's. `on_export` is the file system of an image, as a tar.
    """

    def __init__(self, *, on_command: OnCommand = _command, on_exec: OnExec = _exec, info: EngineInfo = INFO) -> None:
        super().__init__(info)
        self.on_command = on_command
        self.on_exec = on_exec
        self.on_export: OnExport = _export
        self.volume_store: dict[str, dict[str, str]] = {}
        self.network_store: dict[str, dict[str, str]] = {}
        self.network_members: dict[str, dict[str, tuple[str, ...]]] = {}
        self.requests: list[ContainerRequest] = []
        self.exec_requests: list[tuple[str, ExecRequest]] = []
        self.closed = False

    # for tests

    def add_network(self, name: str, *, labels: Labels) -> None:
        """Put a network there."""
        self.network_store[name] = dict(labels)

    # images

    def commit(self, container_id: str, *, config: ImageConfig, message: str, reference: str | None = None) -> str:
        self._changes("commit", message)
        box = self._box(container_id)
        own = {"Env": payload.pairs(box.env), "Labels": box.labels}
        complete = payload.complete_config(config, own)
        base = self.image_store[box.image]
        image = ImageInfo(
            id=self._id("image"),
            tags=(),
            digests=(),
            labels={**box.labels, **dict(complete.labels)},
            env=complete.env,
            workdir=complete.workdir,
            user=complete.user,
            architecture=base.architecture,
            size=base.size,
            created=CREATED,
            layers=(*base.layers, self._id("layer")),
            volumes=base.volumes,
            parent=base.id,
        )
        self.image_store[image.id] = image
        if reference:
            self.tag(image.id, reference)
        return image.id

    # containers

    def create(self, request: ContainerRequest) -> str:
        self._check(request)
        self._changes("create", request.name or "")
        image = self.image(request.image)
        if image is None:
            raise EngineError(f"the engine has no image {request.image}")
        name = request.name or f"fake-{self._count}"
        if any(box.name == name for box in self.container_store.values()):
            raise EngineError(f"the engine did not create the container {name}", detail="the name is already in use")
        for mount in request.mounts:
            if mount.kind is MountKind.VOLUME:
                self.volume_store.setdefault(mount.source, dict(mount.labels))
        box = FakeContainer(
            id=self._id("container").removeprefix("sha256:"),
            name=name,
            image=image.id,
            request=request,
            labels={**image.labels, **dict(request.labels)},
            env=tuple({**dict(image.env), **dict(request.env)}.items()),
        )
        self.container_store[box.id] = box
        self.requests.append(request)
        return box.id

    def start(self, container_id: str) -> None:
        self._changes("start", container_id)
        box = self._box(container_id)
        if box.status == "running":
            return
        box.status, box.output, box.stdin = "running", [], b"" if box.status != "created" else box.stdin
        self._start_agent(box)

    def stop(self, container_id: str, *, timeout: int = 10) -> None:
        self._changes("stop", container_id)
        box = self._find(container_id)
        if box is not None and box.status == "running":
            self._run(box)
            if box.status == "running":
                self._end(box, 143)

    def kill(self, container_id: str) -> None:
        self._changes("kill", container_id)
        box = self._find(container_id)
        if box is not None and box.status == "running":
            self._end(box, 137)

    def rename(self, container_id: str, name: str) -> None:
        self._changes("rename", container_id)
        box = self._find(container_id)
        if box is not None:
            box.name = name

    def wait(self, container_id: str) -> int:
        self._alive("wait")
        box = self._box(container_id)
        self._run(box)
        if box.status == "running":
            raise AssertionError(f"waiting for {box.request.command}, which on_command lets run for ever")
        return box.exit_code

    def remove(self, container_id: str) -> None:
        self._changes("remove", container_id)
        box = self._find(container_id)
        if box is not None:
            box.stop_agent()
            del self.container_store[box.id]

    def container(self, name_or_id: str) -> ContainerInfo | None:
        self._alive("container")
        box = self._find(name_or_id)
        return None if box is None else self._info(box)

    def containers(self, labels: Labels) -> list[ContainerInfo]:
        self._alive("containers")
        return [self._info(box) for box in self.container_store.values() if carries(box.labels, labels)]

    def logs(self, container_id: str, *, follow: bool = False, tail: int | None = None) -> Iterator[tuple[int, bytes]]:
        self._alive("logs")
        box = self._box(container_id)
        self._run(box)
        yield from box.output if tail is None else box.output[len(box.output) - tail :]

    def export(self, container_id: str) -> Iterator[bytes]:
        self._alive("export")
        data = self.on_export(self.image_store[self._box(container_id).image])
        for piece in in_pieces(data, 4096):
            self._alive("export")
            yield piece

    def attach(self, container_id: str) -> FakeStream:
        self._changes("attach", container_id)
        box = self._box(container_id)

        def run(stdin: bytes) -> list[tuple[int, bytes]]:
            self._alive("receive")
            box.stdin = stdin
            self._run(box)
            return box.output

        return FakeStream(run, lambda stdin: setattr(box, "stdin", stdin))

    def exec(self, container_id: str, request: ExecRequest) -> FakeExecSession:
        self._check_exec(container_id, request)
        self._changes("exec", container_id)
        box = self._find(container_id)
        if box is None or self._info(box).status != "running":
            raise EngineError("the engine did not start a process in the container", detail="it is not running")
        info = self._info(box)
        self.exec_requests.append((box.name, request))

        def run(stdin: bytes) -> Outcome:
            self._alive("receive")
            return self.on_exec(info, request, stdin)

        return FakeExecSession(run, terminal=request.terminal)

    # volumes and networks

    def volumes(self, labels: Labels) -> list[VolumeInfo]:
        self._alive("volumes")
        return [VolumeInfo(name=name, labels=own) for name, own in self.volume_store.items() if carries(own, labels)]

    def remove_volume(self, name: str) -> bool:
        self._changes("remove_volume", name)
        if any(mount.source == name for box in self.container_store.values() for mount in box.request.mounts):
            return False
        self.volume_store.pop(name, None)
        return True

    def networks(self, labels: Labels) -> list[str]:
        self._alive("networks")
        return [name for name, own in self.network_store.items() if carries(own, labels)]

    def make_network(self, name: str, labels: Labels) -> None:
        """Make a network."""
        self._changes("make_network", name)
        self.network_store[name] = dict(labels)

    def join_network(self, name: str, container_id: str, names: Sequence[str]) -> None:
        """Have a container on it."""
        self._changes("join_network", name)
        self.network_members.setdefault(name, {})[container_id] = tuple(names)

    def remove_network(self, name: str) -> None:
        self._changes("remove_network", name)
        self.network_store.pop(name, None)

    def close(self) -> None:
        self.closed = True
        for box in self.container_store.values():
            box.stop_agent()

    # inside

    def _check(self, request: ContainerRequest) -> None:
        body = json.dumps(payload.container_body(request))
        with policy.allowing(request.allowance):
            policy.check(policy.EngineRequest(method="POST", path="/v1.41/containers/create", body=body))

    def _check_exec(self, container_id: str, request: ExecRequest) -> None:
        body = json.dumps(payload.exec_body(request))
        policy.check(policy.EngineRequest(method="POST", path=f"/v1.41/containers/{container_id}/exec", body=body))

    def _run(self, box: FakeContainer) -> None:
        """Let the command of a running container end, if it does."""
        if box.status != "running":
            return
        outcome = self.on_command(box.request, box.stdin)
        if outcome is not None:
            box.output = outcome.frames()
            box.oom_killed = outcome.oom_killed
            self._end(box, outcome.exit_code)

    def _end(self, box: FakeContainer, exit_code: int) -> None:
        box.status, box.exit_code = "exited", exit_code
        box.stop_agent()

    def _start_agent(self, box: FakeContainer) -> None:
        """Be what the mounted agent is: process 1 with a socket in the directory of the host."""
        command, directory = box.request.command, box.source(SOCKETS)
        if directory is None or self.on_command(box.request, box.stdin) is not None:
            return

        def execute(message: ExecMessage, stdin: bytes) -> Outcome:
            request = _request_of(message)
            self.exec_requests.append((box.name, request))
            return self.on_exec(box.seen, request, stdin)

        identity = command[command.index("--identity") + 1]
        box.agent = FakeAgent(f"{directory}/{AGENT_SOCKET}", identity, execute)
        box.agent.start()
        _AGENTS.append(box.agent)

    def _info(self, box: FakeContainer) -> ContainerInfo:
        if not box.request.stdin:
            self._run(box)
        return box.seen

    def _find(self, name_or_id: str) -> FakeContainer | None:
        boxes = self.container_store.values()
        return next((box for box in boxes if name_or_id in (box.id, box.name)), None)

    def _box(self, container_id: str) -> FakeContainer:
        box = self._find(container_id)
        if box is None:
            raise EngineError("the engine refused", detail=f"No such container: {container_id}")
        return box


def _request_of(message: ExecMessage) -> ExecRequest:
    return ExecRequest(
        argv=message.argv,
        user=message.user,
        workdir=message.cwd,
        env=tuple((name, value) for name, _, value in (item.partition("=") for item in message.env)),
        terminal=bool(message.flags & FLAG_TERMINAL),
        stdin=bool(message.flags & FLAG_STDIN),
        rows=message.rows,
        columns=message.columns,
    )
