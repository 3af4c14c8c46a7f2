"""The way to the agent's socket, in a directory that root inside can write to."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from devbox.agent.client import NoAgent, open_socket


@pytest.fixture
def listener(tmp_path: Path) -> Iterator[socket.socket]:
    (tmp_path / "a").mkdir()
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(tmp_path / "a" / "s"))
    listening.listen()
    listening.settimeout(5)
    yield listening
    listening.close()


def _reaches(listener: socket.socket, path: Path) -> bool:
    connected = open_socket(str(path))
    accepted, _ = listener.accept()
    with accepted:
        connected.sendall(b"x")
        connected.close()
        return accepted.recv(1) == b"x"


def test_a_socket_is_connected_to(listener: socket.socket, tmp_path: Path) -> None:
    assert _reaches(listener, tmp_path / "a" / "s")


def test_links_on_the_way_are_the_users_own(listener: socket.socket, tmp_path: Path) -> None:
    (tmp_path / "b").symlink_to(tmp_path / "a")
    assert _reaches(listener, tmp_path / "b" / "s")


def test_a_link_in_its_place_leads_nowhere(listener: socket.socket, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "a" / "s")
    with pytest.raises(NoAgent, match="no agent answers"):
        open_socket(str(tmp_path / "link"))
    listener.settimeout(0)
    with pytest.raises(BlockingIOError):
        listener.accept()


@pytest.mark.parametrize("kind", ["file", "directory", "nothing"])
def test_what_is_no_socket_is_no_agent(tmp_path: Path, kind: str) -> None:
    place = tmp_path / "place"
    if kind == "file":
        place.touch()
    elif kind == "directory":
        place.mkdir()
    with pytest.raises(NoAgent):
        open_socket(str(place))


def test_a_long_path_is_no_hindrance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    directory = tmp_path / ("d" * 120)
    directory.mkdir()
    monkeypatch.chdir(directory)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("s")
        listening.listen()
        assert _reaches(listening, directory / "s")
