"""The ends that keep the contract of `devbox.sync.endpoint`: the same suite over each of them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from devbox.sync.endpoint import Endpoint
from devbox.sync.host import HostEndpoint
from tests.support.ends import End


def open_host(tree: Path) -> Endpoint:
    return HostEndpoint(tree)


def open_files() -> int:
    found = Path("/proc/self/fd")
    return len(list(found.iterdir())) if found.exists() else 0


OPENERS = {"host": open_host}


@pytest.fixture(params=sorted(OPENERS))
def end(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[End]:
    tree = tmp_path / "tree"
    tree.mkdir()
    before = open_files()
    end = End(tree, OPENERS[request.param])
    yield end
    assert not end.leftovers()
    end.endpoint.close()
    assert open_files() == before


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A directory that nothing of the tree may reach."""
    found = tmp_path / "outside"
    found.mkdir()
    (found / "secret").write_bytes(b"secret")
    return found
