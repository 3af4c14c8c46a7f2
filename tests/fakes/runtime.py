"""FakeRuntime: the contract of `runtimes.base.Runtime` in memory. Nothing runs; `programs` says what a command does."""

import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from devbox.agent.protocol import GuestSession
from devbox.agent.transport import Transport
from devbox.errors import CannotStartError, EngineError, RuntimeUnavailableError
from devbox.runtimes.base import (
    AgentState,
    ExecSpec,
    Features,
    InstanceSpec,
    InstanceState,
    Session,
    Share,
)
from devbox.values import GuestUser
from tests.fakes.programs import Waits, cat, sh, sleep
from tests.fakes.snapshots import FakeSnapshots

Program = Callable[["FakeSession"], int]


class FakeSession(Waits):
    """A process that is a Python function in a thread. What it says can be waited for."""

    def __init__(self, spec: ExecSpec, program: Program) -> None:
        self.spec = spec
        self.sizes: list[tuple[int, int]] = [(spec.rows, spec.columns)] if spec.terminal else []
        self.signals: list[int] = []
        self.closed = False
        self._ready, self._said = os.pipe()
        self._frames: list[tuple[int, bytes] | None] = []
        self._input: list[bytes | None] = []
        self._changed = threading.Condition()
        self._status: int | None = None
        self._thread = threading.Thread(target=self._run, args=(program,), daemon=True)
        self._thread.start()

    # the process's side

    def say(self, data: bytes, stream: int = 1) -> None:
        self._push((1 if self.spec.terminal else stream, data))

    def read(self) -> bytes:
        """Return the next piece of input, empty at its end or when a signal came."""
        with self._changed:
            self._changed.wait_for(lambda: self._input or self.signals or self.closed)
            if not self._input:
                return b""
            return self._input.pop(0) or b""

    def _run(self, program: Program) -> None:
        status = program(self)
        with self._changed:
            self._status = status
            self._changed.notify_all()
        self._push(None)

    def _push(self, frame: tuple[int, bytes] | None) -> None:
        with self._changed:
            if self.closed:
                return
            self._frames.append(frame)
            os.write(self._said, b".")

    # the host's side

    def fileno(self) -> int:
        return self._ready

    def receive(self) -> tuple[int, bytes] | None:
        if self.spec.detach:
            return None
        os.read(self._ready, 1)
        return self._frames.pop(0)

    def send(self, data: bytes) -> None:
        with self._changed:
            self._input.append(data)
            self._changed.notify_all()

    def close_stdin(self) -> None:
        with self._changed:
            self._input.append(None)
            self._changed.notify_all()

    def resize(self, rows: int, columns: int) -> None:
        if self.spec.terminal:
            self.sizes.append((rows, columns))

    def signal(self, number: int) -> None:
        with self._changed:
            self.signals.append(number)
            self._changed.notify_all()

    def exit_code(self) -> int:
        if self.spec.detach:
            return 0
        with self._changed:
            self._changed.wait_for(lambda: self._status is not None)
            assert self._status is not None
            return self._status

    @property
    def running(self) -> bool:
        return self._status is None

    def close(self) -> None:
        if not self.spec.detach:
            self.end()

    def end(self) -> None:
        with self._changed:
            if self.closed:
                return
            self.closed = True
            self._changed.notify_all()
        self._thread.join()
        os.close(self._ready)
        os.close(self._said)


PROGRAMS: Mapping[str, Program] = {
    "true": lambda process: 0,
    "cat": cat,
    "sleep": sleep,
    "/bin/sh": lambda process: sh(process, process.spec.argv[2], dict(process.spec.env)),
    "pwd": lambda process: (process.say(process.spec.workdir.encode() + b"\n"), 0)[1],
}


@dataclass
class FakeInstance:
    """An Instance in memory."""

    runtime: "FakeRuntime"
    spec: InstanceSpec
    id: str
    state: InstanceState = InstanceState.CREATED
    problem: str | None = None
    owned: list[tuple[str, str]] = field(default_factory=list)
    saved: bool | None = None
    snapshots: FakeSnapshots | None = None
    _sessions: list[FakeSession] = field(default_factory=list)

    @property
    def name(self) -> str:
        return self.spec.name

    @property
    def image(self) -> str:
        return self.spec.image

    @property
    def spec_digest(self) -> str:
        return self.spec.digest

    @property
    def labels(self) -> Mapping[str, str]:
        return dict(self.spec.labels)

    @property
    def shares(self) -> tuple[Share, ...]:
        return self.spec.shares

    def start(self) -> None:
        self.state = InstanceState.RUNNING
        self.saved = None if self.saved is None else False

    def save(self) -> None:
        assert self.saved is not None, "it cannot be saved"
        if self.state is InstanceState.RUNNING:
            self.stop()
            self.saved = True

    def stop(self, *, timeout: int = 10) -> None:
        self._end_sessions()
        if self.state is InstanceState.RUNNING:
            self.state = InstanceState.STOPPED

    def _end_sessions(self) -> None:
        for session in self._sessions:
            session.end()

    def grow(self, size: int | None) -> bool:
        return False

    def release_name(self) -> None:
        self.runtime.store[f"{self.name}-{self.id}"] = self.runtime.store.pop(self.name)

    def watch(self) -> int | None:
        return None

    def kill(self) -> None:
        self.stop()

    def remove(self) -> None:
        self._end_sessions()
        for name in [name for name, one in self.runtime.store.items() if one is self]:
            del self.runtime.store[name]

    def agent_state(self) -> AgentState:
        return AgentState.ANSWERS if self.state is InstanceState.RUNNING else AgentState.SILENT

    def connect(self) -> Transport:
        raise NotImplementedError("a process of this fake is a Python function: use exec")

    def exec(self, spec: ExecSpec) -> Session:
        if self.state is not InstanceState.RUNNING:
            raise EngineError(f"{self.name} is not running")
        program = self.runtime.programs.get(spec.argv[0])
        if program is None:
            raise CannotStartError(f"{spec.argv[0]}: not found", status=127)
        session = FakeSession(spec, program)
        self._sessions.append(session)
        return session

    def own(self, directories: Sequence[str], user: GuestUser) -> None:
        if self.state is not InstanceState.RUNNING:
            raise EngineError(f"{self.name} is not running")
        self.owned += [(one, f"{user.uid}:{user.gid}") for one in directories]

    def sessions(self) -> tuple[GuestSession, ...]:
        return tuple(
            GuestSession(
                pid=number,
                uid=0,
                started=0,
                terminal=session.spec.terminal,
                detached=session.spec.detach,
                argv=session.spec.argv,
            )
            for number, session in enumerate(self._sessions, 2)
            if session.running
        )

    def logs(self, *, follow: bool = False, tail: int | None = None) -> Iterator[tuple[int, bytes]]:
        return iter(())


class FakeRuntime:
    """A runtime in memory."""

    def __init__(self, *, features: Features = Features(), programs: Mapping[str, Program] = PROGRAMS) -> None:  # noqa: B008
        self.name = "container"
        self.features = features
        self.programs = dict(programs)
        self.store: dict[str, FakeInstance] = {}
        self._count = 0

    def check(self) -> None:
        return

    def create(self, spec: InstanceSpec) -> FakeInstance:
        existing = self.store.get(spec.name)
        if existing is not None:
            if existing.spec_digest != spec.digest:
                raise ValueError(f"{spec.name} exists and was made from another spec")
            return existing
        if spec.shares and not self.features.bind_mounts:
            raise RuntimeUnavailableError(f"{spec.shares[0].source} cannot be mounted there")
        self._count += 1
        instance = FakeInstance(self, spec, id=f"fake-{self._count}")
        self.store[spec.name] = instance
        return instance

    def find(self, name: str) -> FakeInstance | None:
        return self.store.get(name)

    def instances(self, labels: Mapping[str, str]) -> list[FakeInstance]:
        return [
            one
            for one in self.store.values()
            if all(key in one.labels and value in ("", one.labels[key]) for key, value in labels.items())
        ]
