"""The steps of the create stage."""

from pathlib import Path
from typing import Any

from devbox.build.manifests import read_inputs
from devbox.build.provision import ProvisionStep, create_steps
from tests.support.build import DEV, profile


def steps(directory: Path, **values: Any) -> tuple[ProvisionStep, ...]:
    asked = profile(**values)
    return create_steps(asked, inputs=read_inputs(asked, directory), user=DEV, project_name="a shop")


def test_commands_run_as_the_user_in_the_project(tmp_path: Path) -> None:
    (step,) = steps(tmp_path, provision=[{"name": "db", "run": "flask init"}, {"run": "x", "when": "build"}])
    assert (step.name, step.user, step.workdir, step.repeat) == ("db", "dev", "/workspaces/a shop", "once")
    assert step.script == "set -e\nflask init\n"


def test_a_script_runs_by_its_first_line_from_the_project(tmp_path: Path) -> None:
    (tmp_path / "go.py").write_text("#!/usr/bin/env python3\n")
    (step,) = steps(tmp_path, provision=[{"script": "go.py"}])
    assert step.script == "exec /usr/bin/env python3 '/workspaces/a shop/go.py'\n"


def test_a_copy_runs_as_root_and_leaves_the_project_alone(tmp_path: Path) -> None:
    (tmp_path / "app.ini").write_text("x")
    (step,) = steps(tmp_path, provision=[{"copy": {"from": "app.ini", "to": "/etc/app.ini"}}])
    assert step.user == "root"
    assert "cp -R -P '/workspaces/a shop/app.ini' \"$staged\"/app.ini" in step.script
    assert 'cp -a "$staged"/app.ini /etc/app.ini' in step.script


def test_once_runs_once_whatever_becomes_of_it(tmp_path: Path) -> None:
    (step,) = steps(tmp_path, provision=[{"name": "db", "run": "a"}])
    (changed,) = steps(tmp_path, provision=[{"name": "db", "run": "b"}])
    assert step.marker == changed.marker
    assert step.wanted(None)
    assert not changed.wanted(step.digest)


def test_on_change_runs_when_the_file_changed(tmp_path: Path) -> None:
    (tmp_path / "seed.sh").write_text("a")
    asked = [{"script": "seed.sh", "repeat": "on-change"}]
    (before,) = steps(tmp_path, provision=asked)
    (tmp_path / "seed.sh").write_text("b")
    (after,) = steps(tmp_path, provision=asked)
    assert before.marker == after.marker
    assert not before.wanted(before.digest + "\n")
    assert after.wanted(before.digest)


def test_always_runs_always(tmp_path: Path) -> None:
    (step,) = steps(tmp_path, provision=[{"run": "a", "repeat": "always"}])
    assert step.wanted(step.digest)


def test_an_editable_project_is_installed_first_and_again_when_its_manifest_changes(tmp_path: Path) -> None:
    asked: dict[str, Any] = {"packages": {"python": {"editable": True}}, "provision": [{"run": "a"}]}
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "x"\ndependencies = []\n')
    editable, _ = steps(tmp_path, **asked)
    assert editable.script.endswith("exec /opt/venv/bin/python -m pip install -q --no-deps -e .\n")
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "x"\nversion = "2"\ndependencies = []\n')
    changed, _ = steps(tmp_path, **asked)
    assert changed.wanted(editable.digest)


def test_dependencies_that_nobody_can_read_beforehand_are_installed_with_the_project(tmp_path: Path) -> None:
    (tmp_path / "setup.py").write_text("from setuptools import setup; setup()")
    (editable,) = steps(tmp_path, packages={"python": {"editable": True}})
    assert "--no-deps" not in editable.script
