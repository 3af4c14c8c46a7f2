"""Each base profile boots on the real engine and runs its own `verify` inside."""

import shutil
from pathlib import Path

import pytest

from tests.support.account import invoker
from tests.support.project import project
from tests.support.tree import ROOT

pytestmark = pytest.mark.docker

PROFILES = sorted(path for path in (ROOT / "profiles").iterdir() if path.is_dir())


def test_there_are_base_profiles() -> None:
    assert {"base", "python", "node"} <= {path.name for path in PROFILES}


@pytest.mark.parametrize("profile", PROFILES, ids=lambda path: path.name)
def test_a_base_profile_boots_and_keeps_what_it_promises(profile: Path) -> None:
    with project(invoker()) as devbox:
        (devbox.directory / "devbox.toml").write_text(f'extends = ["{profile.name}"]\n')
        shutil.copy(profile / "verify", devbox.directory / "verify")
        devbox("shell", "--", "./verify")
        assert devbox.json("status")["state"] == "running"
        assert "nothing to do" in devbox("up").stdout
