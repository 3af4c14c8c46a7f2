"""A project whose environment runs, in front of an agent that is Python."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from devbox import paths, record
from devbox.agent.wire import ExecMessage
from devbox.hot import answer, inputs
from tests.fakes.agent import FakeAgent
from tests.fakes.engine_streams import Outcome

IDENTITY = "5" * 64


@dataclass
class Stand:
    """A project whose environment runs, as its Record has it."""

    directory: Path
    agent: FakeAgent
    entry: dict[str, str]
    seen: list[ExecMessage]
    capture: pytest.CaptureFixture[bytes]
    outcome: Outcome = field(default_factory=Outcome)

    def __call__(self, *words: str) -> int | None:
        """Answer a command line by the hot path."""
        self.write()
        return answer.answer(words, os.environ)

    def why_not(self, *words: str) -> str:
        """Return why the hot path would not answer."""
        self.write()
        return answer.why_not(answer.Case(words, os.environ))

    def write(self) -> None:
        """Put the Record where it belongs."""
        path = paths.record_file(inputs.short_hash(str(self.directory)))
        paths.private_directory(str(Path(path).parent))
        record.write(path, self.entry)

    def known(self, *files: Path) -> str:
        """Return files as the Record has them."""
        return record.pack(inputs.states(map(str, files)))

    @property
    def stdout(self) -> str:
        return self.capture.readouterr().out.decode()


@contextmanager
def standing(tmp_path: Path, capture: pytest.CaptureFixture[bytes]) -> Iterator[Stand]:
    """Have one below `tmp_path`; the environment of this process says where its Record is."""
    directory = tmp_path / "a project"
    directory.mkdir()
    profile = directory / "devbox.toml"
    profile.write_text("")
    seen: list[ExecMessage] = []
    agent = FakeAgent(tmp_path / "agent.sock", IDENTITY)
    stand = Stand(directory=directory, agent=agent, entry={}, seen=seen, capture=capture)

    def on_exec(message: ExecMessage, stdin: bytes) -> Outcome:
        seen.append(message)
        return stand.outcome

    agent.on_exec = on_exec
    stand.entry = {
        "project": str(directory),
        "engine": "unix:///var/run/docker.sock",
        "instance": "0123456789abcdef",
        "image": "sha256:fedcba9876543210",
        "spec": IDENTITY,
        "profile": "9" * 64,
        "boot": agent.boot.hex(),
        "socket": agent.path,
        "around": inputs.around(os.environ, uid=os.getuid(), gid=os.getgid()),
        "files": stand.known(profile, directory / "devbox.local.toml"),
        "inputs": stand.known(directory / "requirements.txt"),
        "plan": "1",
        "name": "devbox-a-project-00000000",
        "title": "shop",
        "user": "1000:1000",
        "env": record.pack(["HOME=/home/dev", "USER=dev", "LOGNAME=dev", "TZ=Europe/Paris"]),
        "from_host": record.pack(["AWS_PROFILE", "NOT_SET"]),
        "login": record.pack(["/bin/sh", "-c", "line 1\nline 2", "devbox", "bash"]),
        "command": record.pack(["/bin/sh", "-c", "do", "devbox", "bash"]),
        "guest": "/workspaces/a project",
    }
    agent.start()
    try:
        yield stand
    finally:
        agent.stop()
