"""The ends that keep the contract of `devbox.sync.endpoint`: the same suite over each of them.

The guest's is the agent's real program, run on this host; once more where the calls are missing that it prefers.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from devbox.sync import readers
from devbox.sync.endpoint import Endpoint
from devbox.sync.host import HostEndpoint
from tests.support.agent import HostAgent, host_agent
from tests.support.ends import End, left_open, open_files
from tests.support.filtered import filtered
from tests.support.sync_bed import Bed
from tests.support.sync_guest import agent_program, guest_of

Opener = Callable[[Path], Endpoint]


@pytest.fixture(scope="module")
def shared_agent() -> Iterator[HostAgent]:
    with host_agent(argv=[agent_program()]) as found:
        yield found


@pytest.fixture(scope="module")
def filtered_agent() -> Iterator[HostAgent]:
    with host_agent(argv=filtered(agent_program())) as found:
        yield found


def opener(request: pytest.FixtureRequest) -> Opener:
    if request.param == "host":
        return HostEndpoint
    if request.param == "host by a reader":
        request.getfixturevalue("monkeypatch").setattr(readers, "MANY", 0)
        return HostEndpoint
    agent: HostAgent = request.getfixturevalue("shared_agent" if request.param == "guest" else "filtered_agent")
    return lambda tree: guest_of(agent, tree)


@pytest.fixture(params=["host", pytest.param("host by a reader", marks=pytest.mark.long), "guest", "by steps"])
def end(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[End]:
    """An end of an empty tree. It must leave nothing behind, neither temporary names nor open files."""
    tree = tmp_path / "tree"
    tree.mkdir()
    open_end = opener(request)
    before = open_files()
    end = End(tree, open_end)
    yield end
    assert not end.leftovers()
    end.endpoint.close()
    assert not left_open(before)


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A directory that nothing of the tree may reach."""
    found = tmp_path / "outside"
    found.mkdir()
    (found / "secret").write_bytes(b"secret")
    return found


@pytest.fixture(params=["host", "agent"])
def bed(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bed]:
    """Two directories for a session: the guest's end once of this host, once by the real agent."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    if request.param == "host":
        yield Bed(tmp_path / "bed", guest_end=HostEndpoint)
        return
    with host_agent(argv=[agent_program()]) as agent:
        yield Bed(tmp_path / "bed", guest_end=lambda root: guest_of(agent, root))
