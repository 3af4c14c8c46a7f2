"""The script of an export that runs a step, as a shell runs it."""

import os
import subprocess
from pathlib import Path

import pytest

from devbox.build.containerfile import RUNNER, containerfile
from devbox.build.recipe import RUN_DIRECTORY, Recipe, Step

RECIPE = Recipe(base="sha256:" + "b" * 64, steps=(Step(name="x", key="user", script="true"),), env=())


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A place that stands for /run/devbox, with the runner in it."""
    made = containerfile(RECIPE, base=None, certificates=False)
    (tmp_path / "run-step").write_text(made.files[RUNNER].replace(RUN_DIRECTORY, str(tmp_path)))
    return tmp_path


def run(place: Path, script: str, *words: str) -> subprocess.CompletedProcess[str]:
    (place / "01-x.sh").write_text(script)
    argv = ["sh", str(place / "run-step"), "01-x", *words]
    return subprocess.run(argv, capture_output=True, text=True, env={"PATH": os.environ["PATH"]})


def test_a_step_finds_what_it_expects_and_nothing_is_left(place: Path) -> None:
    (place / "context.txt").write_text("content")
    subprocess.run(["tar", "-cf", "01-x.tar", "--transform=s,^,context/,", "context.txt"], cwd=place, check=True)
    (place / "ca.pem").write_text("-----BEGIN")
    script = f'cat {place}/context/context.txt; ls -d {place}/cache/pip; echo "$PIP_CERT"; umask; pwd; exit 0'
    done = run(place, script, "cache=pip")
    assert done.stdout.split() == ["content" + f"{place}/cache/pip", f"{place}/ca.pem", "0022", "/"]
    assert list(place.iterdir()) == []


def test_a_secret_is_a_variable_to_the_last_character(place: Path) -> None:
    (place / "secrets").mkdir()
    for value in ("plain", "dots..", "line\n", "two\nlines\n\n", ""):
        (place / "secrets/TOKEN").write_text(value)
        keep = (place / "run-step").read_text()
        assert run(place, 'printf %s "$TOKEN"', "secret=TOKEN").stdout == value
        assert [path.name for path in place.iterdir()] == ["secrets"]
        (place / "run-step").write_text(keep)


def test_a_secret_that_was_not_given_is_named_with_what_to_type(place: Path) -> None:
    done = run(place, "echo ran", "secret=TOKEN")
    assert done.returncode == 78
    assert done.stdout == ""
    assert "the step 01-x needs the secret TOKEN; build with: --secret id=TOKEN,src=FILE" in done.stderr


def test_a_step_that_fails_fails_the_build(place: Path) -> None:
    assert run(place, "exit 7").returncode == 7
