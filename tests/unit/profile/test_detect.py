"""What `init` would write: for what it finds, and that it can be used as it is."""

import json
import shutil
from pathlib import Path

import pytest

from devbox.errors import UsageError
from devbox.profile import catalogue
from devbox.profile.asks import requests
from devbox.profile.detect import Evidence, detect, render, render_for
from devbox.profile.gate import require_supported
from devbox.profile.load import Loaded, load
from devbox.profile.schema import SCHEMA_LINE

REPO = Path(__file__).parents[3]


def written(project: Path, text: str | None = None) -> Loaded:
    """Load what would be written, as `shell` without a profile does; it must ask nothing and need nothing later."""
    text = render(detect(project)) if text is None else text
    assert text.splitlines()[0] == SCHEMA_LINE
    found = load(project, environ={}, fallback=text)
    require_supported(found)
    assert requests(found, project, environ={}) == ()
    return found


def test_a_flask_project(project: Path) -> None:
    (project / "app.py").write_text("import flask\n")
    (project / "requirements.txt").write_text("# web\nFlask==3.0\ngunicorn\n")
    profile = written(project).profile
    assert profile.extends == ("python",)
    assert profile.packages.python is not None
    assert profile.packages.python.requirements == ("requirements.txt",)
    assert profile.ports["web"].guest == 5000
    assert (
        "FLASK_RUN_HOST" not in profile.env.values
    )  # it listens on 127.0.0.1 by itself, and that is where a port leads
    assert Evidence(file="requirements.txt", line=2, what="Flask") in detect(project).evidence


def test_an_express_project(project: Path) -> None:
    (project / "package.json").write_text('{\n "dependencies": {\n  "express": "^5"\n }\n}\n')
    (project / "package-lock.json").write_text("{}")
    profile = written(project).profile
    assert profile.packages.node is not None
    assert profile.packages.node.install == "npm ci"
    assert profile.ports["web"].guest == 3000
    assert Evidence(file="package.json", line=3, what="Express") in detect(project).evidence


def test_a_node_project_without_a_lock_file_installs_when_it_is_made(project: Path) -> None:
    (project / "package.json").write_text(json.dumps({"devDependencies": {"x": "1"}}))
    profile = written(project).profile
    assert profile.packages.node is not None
    assert profile.packages.node.install is None
    assert [step.run for step in profile.provision] == ["npm install"]


def test_a_python_package(project: Path) -> None:
    (project / "pyproject.toml").write_text(
        '[build-system]\nrequires = []\n\n[project]\nname = "x"\nrequires-python = ">=3.12"\n'
        'dependencies = ["fastapi>=0.1"]\n[project.optional-dependencies]\ntest = ["pytest"]\n'
    )
    profile = written(project).profile
    assert profile.packages.python is not None
    assert (profile.packages.python.requirements, profile.packages.python.editable) == (("pyproject.toml",), True)
    assert profile.base.image == "debian:13"
    assert [step.run for step in profile.provision] == ["pip install -e '.[test]'"]
    assert profile.ports["web"].guest == 8000
    assert Evidence(file="pyproject.toml", line=4, what="a Python package") in detect(project).evidence


def test_requirements_go_before_a_pyproject_that_only_configures_tools(project: Path) -> None:
    (project / "pyproject.toml").write_text("[tool.ruff]\nline-length = 100\n")
    (project / "requirements.txt").write_text("")
    (project / "requirements-dev.txt").write_text("pytest\n")
    profile = written(project).profile
    assert profile.packages.python is not None
    assert profile.packages.python.requirements == ("requirements.txt", "requirements-dev.txt")
    assert profile.packages.python.editable is False
    assert profile.provision == ()


def test_an_old_python_package(project: Path) -> None:
    (project / "setup.py").write_text("raise SystemExit('never run on the host')\n")
    assert [step.run for step in written(project).profile.provision] == ["pip install -e ."]


def test_both_at_once(project: Path) -> None:
    (project / "requirements.txt").write_text("django\nflask-login\n")
    (project / "package.json").write_text('{"dependencies": {\n"vite": "5"}}')
    profile = written(project).profile
    assert profile.extends == ("python", "node")
    assert {name: port.guest for name, port in profile.ports.items()} == {"django": 8000, "vite": 5173}


def test_nothing_found(project: Path) -> None:
    assert detect(project).stacks == ()
    assert written(project).profile.extends == ("base",)


@pytest.mark.parametrize("name", ["requirements.txt", "pyproject.toml", "package.json", "setup.py"])
@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00", b"{" * 5000, b"[[[", b"null", b"[1]"], ids=range(6))
def test_broken_files_are_no_error(name: str, content: bytes, project: Path) -> None:
    (project / name).write_bytes(content)
    written(project)


def test_a_fifo_is_no_manifest(project: Path) -> None:
    import os

    os.mkfifo(project / "requirements.txt")
    assert detect(project).stacks == ()


@pytest.mark.parametrize("directory", ["a b", "Größe", "x'\"\n", "-x"])
def test_any_name_of_a_directory_will_do(directory: str, project: Path) -> None:
    odd = project / directory
    odd.mkdir()
    written(odd)


@pytest.mark.parametrize("example", ["python-flask", "node-express"])
def test_the_examples_without_their_profiles(example: str, project: Path) -> None:
    copy = project / example
    shutil.copytree(REPO / "examples" / example, copy, ignore=shutil.ignore_patterns("devbox.toml", "node_modules"))
    packages = written(copy).profile.packages
    assert (packages.python is not None, packages.node is not None) == (
        example.startswith("p"),
        example.startswith("n"),
    )


def test_init_with_a_base_profile(project: Path) -> None:
    (project / "requirements.txt").write_text("flask\n")
    (project / "package.json").write_text("{}")
    text = render_for("node", detect(project))
    profile = written(project, text).profile
    assert profile.extends == ("node",)
    assert profile.packages.python is None


def test_init_with_an_image(project: Path) -> None:
    (project / "requirements.txt").write_text("flask\n")
    profile = written(project, render_for("ghcr.io/acme/python:3.12", detect(project))).profile
    assert profile.base.image == "ghcr.io/acme/python:3.12"
    assert profile.extends == ("python",)
    assert written(project, render_for("alpine", detect(project))).profile.base.image == "alpine"


@pytest.mark.parametrize(
    ("base", "hint"), [("pyton", "devbox init python"), ("-x", "base profiles: base, node, python")]
)
def test_init_with_neither(base: str, hint: str, project: Path) -> None:
    with pytest.raises(UsageError) as caught:
        render_for(base, detect(project))
    assert (caught.value.hint or "").startswith(hint)


def test_the_catalogue() -> None:
    assert set(catalogue.names()) >= {"base", "node", "python"}
    assert "[packages]" in catalogue.read("python")
    assert catalogue.path("../base") is None
    assert catalogue.path("nothing") is None
    with pytest.raises(KeyError):
        catalogue.read("nothing")


@pytest.mark.parametrize("name", catalogue.names())
def test_each_base_profile_stands_by_itself(name: str, project: Path) -> None:
    found = load(project, environ={}, fallback=f'extends = ["{name}"]')
    require_supported(found)
    assert requests(found, project, environ={}) == ()
    directory = catalogue.directory() / name
    assert catalogue.summary(name)
    assert (directory / "README.md").is_file()
    verify = directory / "verify"
    assert verify.read_text(encoding="utf-8").startswith("#!/bin/sh\n")
    assert verify.stat().st_mode & 0o111 == 0o111
