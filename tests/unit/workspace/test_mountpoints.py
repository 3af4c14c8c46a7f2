import os
from pathlib import Path

import pytest

from devbox.errors import ProfileError
from devbox.workspace import mountpoints
from tests.support.desk import Desk

INSIDE = ["/workspaces/shop/node_modules", "/home/dev/.cache", "/workspaces/shop", "/workspaces/shopping/x"]


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path / "shop")


def test_only_what_lies_below_the_project_is_made(desk: Desk) -> None:
    mountpoints.prepare(desk.workspace, INSIDE)
    assert [path.name for path in desk.directory.iterdir()] == ["node_modules"]


@pytest.mark.skipif(os.getuid() != 0, reason="not possible here: only root can give a directory away")
def test_it_belongs_to_the_projects_owner(desk: Desk) -> None:
    os.chown(desk.directory, 4321, 4322)
    mountpoints.prepare(desk.workspace, ["/workspaces/shop/a/b"])
    for path in (desk.directory / "a", desk.directory / "a" / "b"):
        assert (path.stat().st_uid, path.stat().st_gid) == (4321, 4322)


@pytest.mark.parametrize("kind", ["link", "file"])
def test_something_else_in_its_place_is_refused(desk: Desk, kind: str, tmp_path: Path) -> None:
    place = desk.directory / "node_modules"
    place.symlink_to(tmp_path) if kind == "link" else place.touch()
    with pytest.raises(ProfileError, match="node_modules"):
        mountpoints.prepare(desk.workspace, INSIDE)


def test_an_empty_one_is_taken_away_and_a_full_one_is_the_users(desk: Desk) -> None:
    mountpoints.prepare(desk.workspace, [*INSIDE, "/workspaces/shop/full"])
    (desk.directory / "full" / "file").touch()
    mountpoints.clear(desk.workspace, [*INSIDE, "/workspaces/shop/full"])
    mountpoints.clear(desk.workspace, INSIDE)
    assert [path.name for path in desk.directory.iterdir()] == ["full"]
