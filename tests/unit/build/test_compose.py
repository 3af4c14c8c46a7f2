"""From profile to recipe: order, digests, versions, secrets."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from devbox.build.compose import secret_names
from devbox.build.recipe import Recipe
from devbox.errors import BaseImageError, ProfileError, ToolchainError
from tests.support.build import DEBIAN, DEV, PATH, ROOT, UNKNOWN, recipe

HASH = f"--hash=sha256:{'1' * 64}"
ELSEWHERE = replace(DEBIAN, architecture="riscv64")  # for which nobody but the distribution has toolchains
PYTHON = {"packages": {"python": {"requirements": ["requirements.txt"]}}}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    directory = tmp_path / "shop"
    directory.mkdir()
    (directory / "requirements.txt").write_text(f"flask==3.0 {HASH}\n")
    (directory / "package.json").write_text(json.dumps({"name": "shop", "dependencies": {"express": "4"}}))
    (directory / "package-lock.json").write_text("{}")
    (directory / "setup.sh").write_text("#!/bin/bash\necho hi\n")
    return directory


def names(made: Recipe) -> list[str]:
    return [step.name for step in made.steps]


def env_after(made: Recipe) -> dict[str, str]:
    return dict(made.env) | {name: value for step in made.steps for name, value in step.env}


def full(**more: Any) -> dict[str, Any]:
    return {
        "packages": {
            "system": ["less"],
            "python": {"version": "3.11", "requirements": ["requirements.txt"]},
            "node": {"version": "18"},
        },
        "env": {"A": "1"},
        "provision": [{"name": "setup", "script": "setup.sh", "when": "build"}, {"run": "later", "when": "create"}],
        **more,
    }


def test_layers_come_in_order_of_how_seldom_they_change(project: Path) -> None:
    made = recipe(project, base=replace(DEBIAN, prepared=False), **full())
    assert names(made) == [
        "prepare the base",
        "system packages",
        "user dev",
        "Python 3.11",
        "python",
        "python packages",
        "Node.js 18",
        "node packages",
        "variables",
        "setup",
    ]
    assert "python3-venv" in made.steps[1].script
    assert "npm" in made.steps[1].script
    assert made.base == DEBIAN.id


def test_the_same_input_gives_the_same_digests(project: Path) -> None:
    assert recipe(project, **full()) == recipe(project, **full())
    assert recipe(project, **full()).digests() == recipe(project, **full()).digests()


@pytest.mark.parametrize("name", ["shop", "other name", "Ada's shop", "läden", 'say "hi"'])
def test_the_lock_says_the_same_in_a_clone_of_any_name_and_for_anybody(
    project: Path, tmp_path: Path, name: str
) -> None:
    clone = tmp_path / "clones" / name
    shutil.copytree(project, clone)
    asked: dict[str, Any] = {"packages": {"python": PYTHON["packages"]["python"], "node": {"install": "npm ci"}}}
    asked["provision"] = [{"run": "make", "when": "build"}]
    mine, theirs = recipe(project, **asked), recipe(clone, user=replace(DEV, uid=501, gid=20), **asked)
    assert len(mine.lock.steps) == 4
    assert theirs.lock == mine.lock


def test_a_changed_variable_keeps_every_layer_before_it(project: Path) -> None:
    before, after = recipe(project, **full()), recipe(project, **full(env={"A": "2"}))
    changed = [
        name for name, old, new in zip(names(before), before.digests(), after.digests(), strict=True) if old != new
    ]
    assert changed == ["variables", "setup"]


def test_a_changed_manifest_changes_its_own_layer_and_those_after(project: Path) -> None:
    before = recipe(project, **full())
    (project / "requirements.txt").write_text(f"flask==3.1 {HASH}\n")
    after = recipe(project, **full())
    changed = [
        name for name, old, new in zip(names(before), before.digests(), after.digests(), strict=True) if old != new
    ]
    assert changed[0] == "python packages"


def test_a_script_of_package_json_does_not_reinstall_anything(project: Path) -> None:
    before = recipe(project, **full())
    manifest = json.loads((project / "package.json").read_text())
    (project / "package.json").write_text(json.dumps({**manifest, "scripts": {"prepare": "husky"}}, indent=4))
    assert recipe(project, **full()).digests() == before.digests()


def test_another_base_is_another_image(project: Path) -> None:
    other = replace(DEBIAN, id="sha256:" + "c" * 64)
    assert recipe(project, **full()).digest != recipe(project, base=other, **full()).digest


def test_the_path_has_the_tools_first_and_the_bases_own_after(project: Path) -> None:
    made = recipe(project, **full())
    assert env_after(made)["PATH"] == f"/opt/venv/bin:/workspaces/shop/node_modules/.bin:{PATH}"
    assert env_after(made)["VIRTUAL_ENV"] == "/opt/venv"


def test_root_inside_owns_the_environment(project: Path) -> None:
    made = recipe(project, user=ROOT, **PYTHON)
    environment, packages = made.steps[-2:]
    assert "chown -R 0:0 /opt/venv" in environment.script
    assert 'owner=0:0; find /opt/venv ! -user "${owner%:*}" -exec chown -h "$owner" {} +' in packages.script


@pytest.mark.parametrize(
    ("tool", "version", "has"),
    [("python", "3.9", "Python 3.11.2"), ("python", ">3.11", "Python 3.11.2"), ("node", "22", "Node.js 18.20.4")],
)
def test_a_version_that_the_base_does_not_hold_is_refused_at_once(
    project: Path, tool: str, version: str, has: str
) -> None:
    with pytest.raises(ToolchainError, match=f"debian:12 holds {has}, not {version}") as caught:
        recipe(project, base=ELSEWHERE, packages={tool: {"version": version}})
    assert caught.value.problems[0].key == f"packages.{tool}.version"
    assert caught.value.hint
    assert caught.value.exit_status == 2


def test_the_refusal_names_a_base_that_would_do(project: Path) -> None:
    with pytest.raises(ToolchainError) as caught:
        recipe(project, base=ELSEWHERE, packages={"python": {"version": "3.13"}})
    assert 'base.image = "debian:13"' in str(caught.value.hint)


def test_an_image_that_brings_python_gets_no_second_one(project: Path) -> None:
    own = replace(DEBIAN, reference="python:3.12", env=(("PATH", PATH), ("PYTHON_VERSION", "3.12.4")))
    made = recipe(project, base=own, packages={"python": {"version": "3.12"}})
    assert names(made) == ["user dev", "python"]
    assert "python=$(command -v python3 || command -v python)" in made.steps[1].script


def test_on_an_unknown_base_the_step_itself_looks(project: Path) -> None:
    made = recipe(project, base=UNKNOWN, packages={"python": {"version": "3.9"}})
    look = next(step.script for step in made.steps if step.name == "Python 3.9")
    assert "the profile asks for 3.9" in look
    assert "exit 78" in look


def test_secrets_go_where_they_are_named_and_to_provision_steps(project: Path) -> None:
    (project / ".npmrc").write_text("//registry.example/:_authToken=${REG_TOKEN}\n")
    secrets = {"REG_TOKEN": {"env": "X"}, "PIP_INDEX_URL": {"env": "Y"}, "OTHER": {"env": "Z"}}
    made = recipe(project, **full(secrets=secrets))
    given = {step.name: step.secrets for step in made.steps}
    assert given["python packages"] == ("PIP_INDEX_URL",)
    assert given["node packages"] == ("REG_TOKEN",)
    assert given["setup"] == ("OTHER", "PIP_INDEX_URL", "REG_TOKEN")
    assert given["system packages"] == ()
    assert secret_names(made) == ("OTHER", "PIP_INDEX_URL", "REG_TOKEN")


def test_a_changed_lock_wants_a_fresh_volume(project: Path) -> None:
    first = dict(recipe(project, packages={"node": {}}).volumes)["node_modules"]
    (project / "package-lock.json").write_text('{"lockfileVersion": 3}')
    second = dict(recipe(project, packages={"node": {}}).volumes)["node_modules"]
    assert first
    assert second
    assert first != second


def test_node_without_packages_needs_no_volume(tmp_path: Path) -> None:
    assert recipe(tmp_path, packages={"node": {}}).volumes == ()


def test_a_shell_that_the_base_lacks_is_installed(project: Path) -> None:
    user = replace(ROOT, shell="zsh")
    assert "zsh" in recipe(project, user=user).steps[0].script
    assert names(recipe(project)) == ["user dev"]


def test_a_command_longer_than_a_kernel_takes_is_refused(project: Path) -> None:
    with pytest.raises(ProfileError) as caught:
        recipe(project, provision=[{"run": "x" * 100_000, "when": "build"}])
    assert caught.value.problems[0].key == "provision[0].run"


def test_copies_belong_to_the_user_in_the_home_and_to_root_elsewhere(project: Path) -> None:
    made = recipe(
        project,
        provision=[
            {"copy": {"from": "setup.sh", "to": "/home/dev/bin/setup.sh"}, "when": "build"},
            {"copy": {"from": "setup.sh", "to": "/etc/setup.sh"}, "when": "build"},
        ],
    )
    home, etc = made.steps[-2].script, made.steps[-1].script
    assert "chown -R -h 1000:1000 /run/devbox/context/setup.sh" in home
    assert "mkdir /home/dev/bin; chown 1000:1000 /home/dev/bin" in home
    assert "chown -R -h 0:0 /run/devbox/context/setup.sh" in etc
    assert "cp -a /run/devbox/context/setup.sh /etc/setup.sh" in etc


def test_on_a_base_without_a_shell_nothing_runs(project: Path) -> None:
    bare = replace(UNKNOWN, shell=False, prepared=False)
    assert names(recipe(project, base=bare)) == []
    made = recipe(project, base=bare, env={"B": "2", "A": "1"})
    assert (names(made), made.variables) == ([], (("A", "1"), ("B", "2")))


def test_variables_are_no_part_of_an_image_that_no_provision_step_is_run_for(project: Path) -> None:
    without, other = recipe(project, **full(provision=[])), recipe(project, **full(provision=[], env={"A": "2"}))
    assert "variables" not in names(without)
    assert without.digests() == other.digests()
    assert (without.variables, other.variables) == ((("A", "1"),), (("A", "2"),))


def test_what_needs_a_shell_that_the_base_lacks_is_named_key_by_key(project: Path) -> None:
    with pytest.raises(BaseImageError) as caught:
        recipe(project, base=replace(UNKNOWN, shell=False), **full())
    keys = [problem.key for problem in caught.value.problems]
    assert keys == ["packages.system", "packages.python", "packages.node", "provision"]
