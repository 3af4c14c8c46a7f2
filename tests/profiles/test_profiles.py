"""Each base profile boots on the real engine and runs its own `verify` inside."""

import os
import shutil
from pathlib import Path

import pytest

from tests.support.account import ORDINARY_ID, invoker
from tests.support.project import project
from tests.support.skips import NOT_HERE
from tests.support.tree import ROOT

pytestmark = pytest.mark.docker

PROFILES = sorted(path for path in (ROOT / "profiles").iterdir() if path.is_dir())
HEAVY = {
    "c",
    "data-science",
    "go",
    "java",
    "node",
    "php",
    "python",
    "ruby",
    "rust",
    "web",
}  # hundreds of megabytes; by day projects in C, Go and Python are among tests/real, one in Node.js among the examples
SERVICES = {name: (name, name, f"{name}-stop") for name in ("postgres", "redis")}  # twice is once
NIGHTLY = dict.fromkeys(HEAVY, pytest.mark.nightly)


def test_the_heavy_ones_are_there() -> None:
    assert {path.name for path in PROFILES} >= HEAVY | {"base"}


@pytest.mark.parametrize(
    "profile", [pytest.param(path, id=path.name, marks=NIGHTLY.get(path.name, ())) for path in PROFILES]
)
def test_a_base_profile_boots_and_keeps_what_it_promises(profile: Path) -> None:
    keeps_what_it_promises(profile, owner=ORDINARY_ID if os.getuid() == 0 else None)


@pytest.mark.nightly
@pytest.mark.parametrize("name", ["postgres", "python", "redis"])
def test_so_it_does_for_who_is_root_inside(name: str) -> None:
    if os.getuid() != 0:
        pytest.skip(f"{NOT_HERE}who is not root is not root inside either")
    keeps_what_it_promises(ROOT / "profiles" / name, owner=0)


def keeps_what_it_promises(profile: Path, *, owner: int | None) -> None:
    """Boot `profile` in a project that belongs to `owner`, and run its `verify` inside."""
    with project(invoker(), owner=owner) as devbox:
        (devbox.directory / "devbox.toml").write_text(f'extends = ["{profile.name}"]\n')
        shutil.copy(profile / "verify", devbox.directory / "verify")
        devbox("shell", "--", "./verify")
        assert devbox.json("status")["state"] == "running"
        assert "nothing to do" in devbox("up").stdout
        for task in SERVICES.get(profile.name, ()):
            devbox("run", task)
