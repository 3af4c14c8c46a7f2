"""The real agent's sync program on this host, as the guest's end of a SyncSession."""

import os
import select
import time
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path

from devbox.agent import program
from devbox.agent.client import dial
from devbox.sync.endpoint import Answer, Barrier, Endpoint, Event, Put, Request, Stamp, Stat
from devbox.sync.guest import GuestEndpoint, open_guest
from tests.support.agent import IDENTITY, HostAgent, host_agent

PATIENCE = 30.0  # seconds; only ever spent by what fails
USER = f"{os.geteuid()}:{os.getegid()}"


def agent_program() -> str:
    """Return the agent's program; another one, as with sanitizers in it, may be given by DEVBOX_TEST_AGENT."""
    return os.environ.get("DEVBOX_TEST_AGENT") or str(program.binary(os.uname().machine))


def guest_of(agent: HostAgent, root: Path) -> GuestEndpoint:
    """Open a guest's end at `root`, by an agent that runs already."""
    return open_guest(dial(agent.path), agent.identity, user=USER, root=str(root))


@contextmanager
def guest_at(root: Path) -> Iterator[GuestEndpoint]:
    """Run an agent, and open a guest's end at `root`."""
    with host_agent(identity=IDENTITY, argv=[agent_program()]) as agent:
        endpoint = guest_of(agent, root)
        try:
            yield endpoint
        finally:
            endpoint.close()


def answers(endpoint: Endpoint, *requests: Request) -> list[Answer]:
    """Ask all of them at once and wait for the answers."""
    found: list[Answer] = []
    for request in requests:
        endpoint.ask(request, found.append)
    until(endpoint, lambda: len(found) == len(requests))
    return found


def until(endpoint: Endpoint, condition: object) -> None:
    """Process what comes until something is so."""
    assert callable(condition)
    waiting = select.poll()
    waiting.register(endpoint.fileno(), select.POLLIN)
    end = time.monotonic() + PATIENCE
    while not condition():
        left = end - time.monotonic()
        assert left > 0, "nothing came"
        waiting.poll(left * 1000)
        endpoint.process()


def ask(endpoint: Endpoint, request: Request) -> Answer:
    """Ask, and wait for the answer."""
    return answers(endpoint, request)[0]


def stamp(endpoint: Endpoint, path: bytes) -> Stamp | None:
    """Return the stamp of what is there."""
    found = ask(endpoint, Stat(path)).found
    return found[0].stamp if found else None


def happened(endpoint: Endpoint) -> list[Event]:
    """Return all that has been told by now."""
    ask(endpoint, Barrier())
    return list(endpoint.events())


def digest(data: bytes) -> bytes:
    """Return the digest of content."""
    return blake2b(data, digest_size=32).digest()


def put(path: bytes, data: bytes, expected: Stamp | None = None, *, keep: bytes = b"", executable: bool = False) -> Put:
    """Return a request for a file."""
    return Put(path, expected, data, digest(data), executable, 1_700_000_000_123_456_789, keep)
