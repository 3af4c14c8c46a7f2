"""A project with a Host around it, on an engine in memory."""

import os
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from devbox.build.stepping import LISTENING
from devbox.engine.base import ContainerInfo, ContainerRequest, Engine, ExecRequest
from devbox.values import LABEL_ROLE, ROLE_ENVIRONMENT
from devbox.workspace.context import Host, Workspace
from devbox.workspace.locate import locate
from tests.fakes.engine import FakeEngine
from tests.fakes.engine_streams import Outcome
from tests.fakes.processes import FakeProcesses
from tests.fakes.reporter import RecordingReporter
from tests.fakes.supervisor import FakeSupervisors
from tests.support.agent_spec import put_program

BASE = "devbox-test/base:1"
PROFILE = f'name = "shop"\nuser.shell = "sh"\nnetwork.ca_bundle = "none"\n[base]\nimage = "{BASE}"\n'
Inside = Callable[[ContainerInfo, ExecRequest], Outcome]


def script_of(request: ContainerRequest, stdin: bytes) -> str:
    """Return the script that a build's container runs: its command's, or what it was told over stdin."""
    script = request.command[-1] if request.command else ""
    if script != LISTENING:
        return script
    size, _, rest = stdin.partition(b"\n")
    return rest[: int(size or b"0")].decode()


def command(request: ContainerRequest, stdin: bytes) -> Outcome | None:
    """Be a container: one that waits, one that looks at what the image is, or a build step that succeeds."""
    if request.entrypoint or request.command[:1] == ("sleep",):  # the agent, or somebody's own
        return None
    looks = "os-release" in request.command[-1]
    return Outcome(stdout=b"ID=debian\nVERSION_ID=12\n\n/bin/tar\n") if looks else Outcome()


@dataclass
class Markers:
    """The provision markers of each container, kept as the real scripts would keep them."""

    inside: Inside = lambda box, request: Outcome()
    ran: list[str] = field(default_factory=list)
    files: dict[tuple[str, str], str] = field(default_factory=dict)

    def __call__(self, box: ContainerInfo, request: ExecRequest, stdin: bytes) -> Outcome:
        argv = request.argv
        script = argv[2] if len(argv) > 2 else ""
        if "for f in *" in script:
            lines = [f"{Path(name).name} {digest}\n" for (own, name), digest in self.files.items() if own == box.id]
            return Outcome(stdout="".join(lines).encode())
        if script.startswith("umask 022; mkdir"):
            self.files[box.id, argv[4]] = argv[5]
            return Outcome()
        self.ran.append(script)
        return self.inside(box, request)


@dataclass
class Desk:
    """A project and what is around it; `again` is a second command by the same user."""

    directory: Path
    engine: FakeEngine = field(default_factory=lambda: FakeEngine(on_command=command))
    reporter: RecordingReporter = field(default_factory=RecordingReporter)
    markers: Markers = field(default_factory=Markers)
    environ: dict[str, str] = field(default_factory=dict)
    supervisors: FakeSupervisors = field(default_factory=FakeSupervisors)

    def __post_init__(self) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        self.engine.on_exec = self.markers
        put_program()
        if not self.engine.image_store:
            self.engine.add_image(BASE, env={"PATH": "/usr/bin:/bin"})

    def write(self, text: str = "", *, name: str = "devbox.toml") -> "Desk":
        (self.directory / name).write_text(PROFILE + text)
        return self

    @property
    def host(self) -> Host:
        return Host(
            reporter=self.reporter,
            processes=FakeProcesses(),
            environ=self.environ,
            cwd=self.directory,
            connect=self._connect,
            interactive=False,
            uid=os.getuid(),
            gid=os.getgid(),
            supervisors=self.supervisors,
        )

    def _connect(self) -> Engine:
        return self.engine

    @property
    def workspace(self) -> Workspace:
        return locate(self.host)

    def elsewhere(self, directory: Path) -> "Desk":
        """Return another project of the same user on the same engine."""
        return replace(self, directory=directory, reporter=RecordingReporter())

    @property
    def boxes(self) -> list[str]:
        """The names of all environments' containers."""
        return sorted(one.name for one in self.engine.containers({LABEL_ROLE: ROLE_ENVIRONMENT}))
