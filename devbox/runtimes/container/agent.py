"""The way to a container's agent."""

import contextlib
import os
import time
from typing import Final

from devbox.agent import client, wire
from devbox.agent.transport import EngineTransport, Transport
from devbox.engine.base import ContainerInfo, Engine
from devbox.errors import AgentError, EngineError
from devbox.paths import AGENT_SOCKET
from devbox.runtimes.agent import AGAIN, explained, heard
from devbox.runtimes.base import AgentSpec, AgentState
from devbox.runtimes.container.request import AGENT, SOCKETS, stream_request
from devbox.values import LABEL_AGENT, LABEL_SPEC

PATIENCE: Final = 10.0  # seconds that an agent is given to come up
_FIRST_PAUSE: Final = 0.002  # seconds between two looks; doubled each time
_LONGEST_PAUSE: Final = 0.1


def agent_of(info: ContainerInfo) -> AgentSpec:
    """Return the agent of a container as its labels and mounts have it; no build if it has none."""
    sources = {mount.target: mount.source for mount in info.mounts}
    return AgentSpec(
        build=info.labels.get(LABEL_AGENT, ""),
        protocol=wire.VERSION,
        program=sources.get(AGENT, ""),
        directory=sources.get(SOCKETS, ""),
    )


def identity_of(info: ContainerInfo) -> str:
    """Return what the container's agent is expected to call itself."""
    return info.labels.get(LABEL_SPEC, "")


def connect(engine: Engine, info: ContainerInfo) -> Transport:
    """Open a connection to the container's agent; `EngineError` if it does not run, else `AgentError`."""
    if not info.running:
        raise EngineError(f"{info.name} does not run: it is {info.status}", hint=AGAIN)
    agent = agent_of(info)
    if not agent.build:
        raise AgentError(f"{info.name} was made by an older devbox and has no agent", hint=AGAIN)
    if not agent.directory:
        return EngineTransport(engine.exec(info.id, stream_request()))
    with explained(info.name):
        return client.dial(os.path.join(agent.directory, AGENT_SOCKET))  # noqa: PTH118 (paths are text)


def state(engine: Engine, info: ContainerInfo) -> AgentState:
    """Return how the agent of a running container answers, now."""
    if not agent_of(info).build:
        return AgentState.OTHER
    return heard(lambda: connect(engine, info), identity_of(info))[0]


def clear_socket(info: ContainerInfo) -> None:
    """Take away the socket of the container that had its place, before this one is started.

    Whoever listens there still is not its agent, and would be asked in place of it until that has come up.
    """
    directory = agent_of(info).directory
    if directory:
        with contextlib.suppress(OSError):  # what cannot be removed the agent names
            os.unlink(os.path.join(directory, AGENT_SOCKET))  # noqa: PTH108, PTH118 (paths are text)


def await_agent(engine: Engine, info: ContainerInfo) -> None:
    """Wait until the agent of a container that was just started answers; `AgentError` says why it does not."""
    end, pause = time.monotonic() + PATIENCE, _FIRST_PAUSE
    now: ContainerInfo | None = info
    while (found := state(engine, info)) is not AgentState.ANSWERS:
        if found is AgentState.OTHER:
            raise AgentError(f"the agent of {info.name} is of another version of devbox", hint=AGAIN)
        if pause >= _LONGEST_PAUSE:
            now = engine.container(info.id)
        if now is None or not now.running or time.monotonic() > end:
            raise _silent(engine, info, now)
        time.sleep(pause)
        pause = min(pause * 2, _LONGEST_PAUSE)


def _silent(engine: Engine, info: ContainerInfo, now: ContainerInfo | None) -> AgentError:
    said = b""
    if now is not None:
        with contextlib.suppress(EngineError):
            said = b"".join(data for _, data in engine.logs(info.id, tail=5))
    detail = said.decode("utf-8", "replace").strip() or None
    if now is None:
        what = "was removed as soon as it was started"
    elif not now.running:
        what = f"ended as soon as it was started, with exit code {now.exit_code}"
    else:
        what = f"runs, but its agent has not answered for {PATIENCE:.0f} s"
    return AgentError(f"{info.name} {what}", detail=detail, hint="look at the engine: devbox doctor; then: devbox up")
