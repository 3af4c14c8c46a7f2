"""The agent of an InstanceSpec in tests."""

import os
import tempfile
from pathlib import Path

from devbox import paths
from devbox.agent import program, wire
from devbox.runtimes.base import AgentSpec


def put_program(architecture: str = "x86_64") -> str:
    """Have something where the agent's program would be put; a FakeAgent stands for it."""
    path = Path(paths.agent_program(program.build_id(), architecture))
    if not path.exists():
        paths.private_directory(str(path.parent))
        path.write_bytes(b"")
    return str(path)


def fake_agent() -> AgentSpec:
    """Return an agent for a FakeEngine, with a directory of its own in the test's home."""
    return _spec(put_program())


def real_agent() -> AgentSpec:
    """Return an agent for an engine of this machine, whose program is delivered when it is wanted."""
    paths.private_directory(paths.state_root())
    return _spec(paths.agent_program(program.build_id(), os.uname().machine))


def _spec(place: str) -> AgentSpec:
    directory = tempfile.mkdtemp(prefix="agent-", dir=paths.state_root())
    return AgentSpec(build=program.build_id(), protocol=wire.VERSION, program=place, directory=directory)
