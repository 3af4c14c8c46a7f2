"""Where the agent of an Environment lies: on this host, or nowhere that an engine elsewhere could find."""

from dataclasses import replace
from pathlib import Path

import pytest

from devbox.engine.endpoint import Endpoint
from devbox.engine.identity import describe
from devbox.workspace.agent import agent_spec, mounted_alike
from tests.support.desk import Desk


@pytest.mark.parametrize(
    ("mount", "expected"),
    [
        ("21 1 254:0 / / rw - ext4 /dev/vda rw", False),  # the root alone, which is a container's own
        ("21 1 254:0 /home/ann /home/ann rw - ext4 /dev/vda rw", True),
        ("21 1 8:1 /ann /home/ann rw - ext4 /dev/sda1 rw", True),  # /home is a file system of its own out there
        ("21 1 254:0 /var/lib/docker/volumes/home/_data /home/ann rw - ext4 /dev/vda rw", False),
        ("21 1 254:0 /home/an /home/an rw - ext4 /dev/vda rw", False),
    ],
)
def test_what_is_mounted_at_the_same_place_is_seen_by_the_engine(tmp_path: Path, mount: str, expected: bool) -> None:
    table = tmp_path / "mountinfo"
    table.write_text(f"20 1 0:30 / / rw - overlay overlay rw\n{mount}\n")
    assert mounted_alike("/home/ann/.local/state/devbox", table=str(table)) is expected


def test_without_a_table_nothing_is_taken_for_shared(tmp_path: Path) -> None:
    assert not mounted_alike("/home", table=str(tmp_path / "nowhere"))


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path / "shop")


def test_an_engine_that_has_another_root_is_given_what_is_mounted_alike_and_nothing_else(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert agent_spec(desk.host, desk.workspace).directory
    desk.engine.info = replace(desk.engine.info, shares_root=False)
    monkeypatch.setattr("devbox.workspace.agent.mounted_alike", lambda path: True)
    assert agent_spec(desk.host, desk.workspace).directory
    monkeypatch.setattr("devbox.workspace.agent.mounted_alike", lambda path: False)
    found = agent_spec(desk.host, desk.workspace)
    assert (found.program, found.directory) == ("", "")


@pytest.mark.parametrize(("root", "expected"), [("/", True), ("", True), ("/no/such/directory", False), ("\0", False)])
def test_an_engine_whose_own_directory_is_not_here_has_another_root(root: str, expected: bool) -> None:
    endpoint = Endpoint(url="unix:///run/docker.sock", source="default socket", address="/run/docker.sock")
    assert describe(endpoint, {}, {"DockerRootDir": root}).shares_root is expected
