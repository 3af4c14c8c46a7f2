"""What `init` would write: for what it finds, and that it can be used as it is."""

import shutil
from pathlib import Path

import pytest

from devbox.errors import ContradictionError, UndetectableError, UsageError
from devbox.profile import catalogue
from devbox.profile.asks import requests
from devbox.profile.detect import Evidence, detect, render, render_for, require_clear
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
    assert profile.packages.node.install is None  # the build sees the lock file
    assert profile.ports["web"].guest == 3000
    assert Evidence(file="package.json", line=3, what="Express") in detect(project).evidence


def test_a_python_package(project: Path) -> None:
    (project / "pyproject.toml").write_text(
        '[build-system]\nrequires = []\n\n[project]\nname = "x"\nrequires-python = ">=3.12"\n'
        'dependencies = ["fastapi>=0.1"]\n[project.optional-dependencies]\ntest = ["pytest"]\n'
    )
    profile = written(project).profile
    python = profile.packages.python
    assert python is not None
    assert (python.version, python.extras, python.editable) == (">=3.12", ("test",), True)
    assert profile.tasks["test"].run == "pytest"
    assert profile.ports["web"].guest == 8000
    assert Evidence(file="pyproject.toml", line=4, what="a Python package") in detect(project).evidence


def test_requirements_go_before_a_pyproject_that_only_configures_tools(project: Path) -> None:
    (project / "pyproject.toml").write_text("[tool.ruff]\nline-length = 100\n")
    (project / "requirements.txt").write_text("")
    (project / "requirements-dev.txt").write_text("pytest\n")
    profile = written(project).profile
    assert profile.packages.python is not None
    assert set(profile.packages.python.requirements) == {"requirements.txt", "requirements-dev.txt"}
    assert profile.packages.python.editable is False
    assert profile.provision == ()


def test_an_old_python_package_is_never_run(project: Path) -> None:
    (project / "setup.py").write_text("raise SystemExit('never run on the host')\n")
    python = written(project).profile.packages.python
    assert python is not None
    assert python.editable


def test_both_at_once(project: Path) -> None:
    (project / "requirements.txt").write_text("django\nflask-login\n")
    (project / "package.json").write_text('{"dependencies": {\n"vite": "5"}}')
    profile = written(project).profile
    assert profile.extends == ("python", "node")
    assert {name: port.guest for name, port in profile.ports.items()} == {"django": 8000, "vite": 5173}


def test_nothing_found(project: Path) -> None:
    assert detect(project).stacks == ()
    with pytest.raises(UndetectableError, match="nothing in it tells a language") as caught:
        require_clear(detect(project))
    assert caught.value.problems == ()
    assert written(project, render_for("debian:12", detect(project))).profile.extends == ("base",)


def test_a_variable_goes_before_what_files_say_and_settles_what_they_exclude(project: Path) -> None:
    (project / ".nvmrc").write_text("18\n")
    (project / "package.json").write_text('{"engines": {"node": ">=20"}}')
    with pytest.raises(ContradictionError) as caught:
        require_clear(detect(project))
    assert [(problem.file, problem.line) for problem in caught.value.problems] == [(".nvmrc", 1), ("package.json", 1)]
    assert all("DEVBOX_NODE_VERSION" in (problem.hint or "") for problem in caught.value.problems)
    settled = detect(project, wanted={"node": "22"})
    require_clear(settled)
    assert settled.stacks[0].version == "22"
    assert settled.stacks[0].claims[0].at.file == "DEVBOX_NODE_VERSION"


def test_a_named_base_profile_is_written_though_files_exclude_each_other(project: Path) -> None:
    (project / ".python-version").write_text("3.9\n")
    (project / "pyproject.toml").write_text('[project]\nname = "x"\nversion = "1"\nrequires-python = ">=3.11"\n')
    text = render_for("python", detect(project))
    assert "# not used: .python-version:1: asks for Python 3.9" in text
    python = written(project, text).profile.packages.python
    assert python is not None
    assert python.version is None


def test_a_link_out_of_the_project_is_not_followed(project: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere.json").write_text('{"dependencies": {"express": "1"}}')
    (project / "package.json").symlink_to(tmp_path / "elsewhere.json")
    (project / "requirements.txt").symlink_to(project / "nowhere")
    (project / "Cargo.toml").symlink_to("Cargo.toml")
    found = detect(project)
    assert found.stacks == ()
    said = {problem.file: problem.message for problem in found.problems}
    assert said["package.json"] == "is a link that leads out of the project"
    assert set(said) == {"package.json", "requirements.txt", "Cargo.toml"}


def test_what_is_below_a_link_is_not_looked_at(project: Path, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "go.mod").write_text("module x\n")
    (project / "other").symlink_to(tmp_path / "other")
    (project / "tests").symlink_to(tmp_path / "other")
    assert detect(project).evidence == ()


def test_a_file_that_is_too_large_is_a_problem(project: Path) -> None:
    (project / "package.json").write_text("{}" + " " * 1_100_000)
    (problem,) = detect(project).problems
    assert problem.file == "package.json"
    assert problem.message == "is larger than 1 MB, which no manifest is"


def test_a_lock_file_may_be_large(project: Path) -> None:
    (project / "Cargo.toml").write_text('[package]\nname = "x"\n')
    (project / "Cargo.lock").write_text('[[package]]\nname = "openssl-sys"\n' + "# \n" * 400_000)
    found = detect(project)
    assert found.problems == ()
    assert "libssl-dev" in {one.name for one in found.stacks[0].system}


def test_looking_writes_nothing_and_opens_nothing_for_writing(project: Path) -> None:
    (project / "setup.py").write_text("open('made', 'w')\n")
    (project / "package.json").write_text("{}")
    for path in project.iterdir():
        path.chmod(0o444)
    before = sorted((path.name, path.stat().st_mtime_ns) for path in project.iterdir())
    detect(project)
    assert sorted((path.name, path.stat().st_mtime_ns) for path in project.iterdir()) == before


def test_a_fifo_is_no_manifest(project: Path) -> None:
    import os

    os.mkfifo(project / "requirements.txt")
    assert detect(project).stacks == ()


@pytest.mark.parametrize("directory", ["a b", "Größe", "x'\"\n", "-x"])
def test_any_name_of_a_directory_will_do(directory: str, project: Path) -> None:
    odd = project / directory
    odd.mkdir()
    (odd / "requirements.txt").touch()
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
    ("base", "hint"),
    [
        ("pyton", "devbox init python"),
        ("-x", "base profiles: base, c, data-science, go, java, node, php, postgres, python, redis, ruby, rust, web"),
    ],
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
