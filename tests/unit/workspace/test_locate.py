import os
from pathlib import Path

import pytest

from devbox.errors import ProjectRefusedError, UsageError
from devbox.workspace.context import Workspace
from devbox.workspace.locate import locate, require_usable
from tests.support.desk import Desk


def _in(directory: Path) -> Desk:
    return Desk(directory)


def test_the_nearest_profile_upward(tmp_path: Path) -> None:
    (tmp_path / "devbox.toml").touch()
    assert locate(_in(tmp_path / "src" / "deep").host).directory == tmp_path.resolve()


def test_without_one_the_current_directory(tmp_path: Path) -> None:
    desk = _in(tmp_path / "src")
    assert locate(desk.host).directory == (tmp_path / "src").resolve()


def test_a_profile_in_the_home_is_not_that_of_what_lies_below(home: Path) -> None:
    (home / "devbox.toml").touch()
    assert locate(_in(home / "project").host).directory == (home / "project").resolve()


def test_a_project_that_is_named_is_looked_for_from_there(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    desk = _in(tmp_path / "b")
    assert locate(desk.host, Path("../a")).name == "a"


def test_two_ways_to_one_directory_are_one_workspace(tmp_path: Path) -> None:
    _in(tmp_path / "real").write()
    (tmp_path / "link").symlink_to("real")
    here, there = (locate(_in(tmp_path / name).host) for name in ("real", "link"))
    assert here == there
    assert here.hash == there.hash


def test_the_same_name_elsewhere_is_another_workspace(tmp_path: Path) -> None:
    one, other = (locate(_in(tmp_path / name / "shop").host) for name in ("a", "b"))
    assert one.name == other.name
    assert one.container_name != other.container_name


@pytest.mark.parametrize("name", ["nowhere", "file"])
def test_what_is_no_directory_is_a_usage_error(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError):
        locate(_in(tmp_path).host, Path(name))


def _refuse(directory: Path, desk: Desk) -> str:
    with pytest.raises(ProjectRefusedError) as caught:
        require_usable(Workspace(directory=directory, name=directory.name), desk.host)
    return caught.value.message


@pytest.mark.parametrize(
    "path", ["/", "/etc", "/etc/ssl", "/tmp", "/usr", "/usr/bin", "/var/lib", "/home", "/proc/1", "/dev", "/run"]
)
def test_directories_of_the_system_are_never_a_project(tmp_path: Path, path: str) -> None:
    assert path in _refuse(Path(path), _in(tmp_path))


def test_the_home_and_what_holds_it_are_never_a_project(tmp_path: Path, home: Path) -> None:
    assert "your whole home" in _refuse(home.resolve(), _in(tmp_path))
    assert "contains" in _refuse(home.resolve().parent, _in(tmp_path))


def test_a_directory_below_the_home_is_fine(home: Path) -> None:
    desk = _in(home / "src" / "shop")
    require_usable(desk.workspace, desk.host)


def test_credentials_below_the_home_are_not(home: Path) -> None:
    assert ".ssh" in _refuse((home / ".ssh").resolve(), _in(home / "x"))


@pytest.mark.skipif(os.getuid() != 0, reason="not possible here: only root can give a directory away")
def test_another_users_directory_is_refused_unless_it_is_root_who_asks(tmp_path: Path) -> None:
    desk = _in(tmp_path / "theirs")
    os.chown(desk.directory, 4321, 4321)
    require_usable(desk.workspace, desk.host)
    workspace = desk.workspace
    stranger = type(desk.host)(**{**vars(desk.host), "uid": 1234, "gid": 1234})
    with pytest.raises(ProjectRefusedError, match="uid 4321"):
        require_usable(workspace, stranger)


def test_a_name_that_no_engine_can_be_told_is_refused(tmp_path: Path) -> None:
    directory = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9"))
    directory.mkdir()
    assert "UTF-8" in _refuse(directory, _in(tmp_path))
