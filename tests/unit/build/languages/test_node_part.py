"""Node.js's share in a Recipe, as a value."""

from pathlib import Path

from devbox.build.languages.node import node
from devbox.build.recipe import Step
from tests.support.build import setting


def test_a_profile_without_node_has_no_share(tmp_path: Path) -> None:
    assert node(setting(tmp_path)) is None


def test_packages_lie_in_a_volume_of_the_project(tmp_path: Path) -> None:
    (tmp_path / "package.json").write_text('{"name": "shop"}')
    (tmp_path / "package-lock.json").write_text("{}")
    part = node(setting(tmp_path, packages={"node": {}}))
    assert part is not None
    assert part.system == ("nodejs", "npm")
    assert part.path == (f"/workspaces/{tmp_path.name}/node_modules/.bin",)
    assert part.volumes == ("node_modules",)
    step = part.chain[-1]
    assert isinstance(step, Step)
    assert "npm ci" in step.script


def test_node_alone_fills_no_volume(tmp_path: Path) -> None:
    part = node(setting(tmp_path, packages={"node": {}}))
    assert part is not None
    assert part.volumes == ()
