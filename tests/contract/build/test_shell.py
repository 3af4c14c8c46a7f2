"""Every script that the steps render is one that a POSIX shell can read."""

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from devbox.build.recipe import BaseImage
from tests.support.build import ALPINE, DEBIAN, DEV, FEDORA, ROOT, UNKNOWN, recipe


@pytest.mark.parametrize("base", [DEBIAN, ALPINE, FEDORA, UNKNOWN], ids=lambda base: base.family)
@pytest.mark.parametrize("user", [DEV, ROOT, replace(DEV, shell="/usr/bin/zsh")], ids=["dev", "root", "zsh"])
def test_every_script_can_be_read(tmp_path: Path, base: BaseImage, user: object) -> None:
    project = tmp_path / "it's a shop"
    project.mkdir()
    (project / "requirements.txt").write_text("flask\n")
    (project / "package.json").write_text("{}")
    made = recipe(
        project,
        base=replace(base, prepared=False),
        user=user,  # type: ignore[arg-type]
        packages={
            "system": [] if base is UNKNOWN else ["less"],
            "python": {"requirements": ["requirements.txt"]},
            "node": {},
        },
        provision=[
            {"copy": {"from": "requirements.txt", "to": "/home/dev/it's/here"}, "when": "build"},
            {"run": "echo 'done'", "when": "build"},
        ],
    )
    shell = shutil.which("dash") or "/bin/sh"
    for step in made.steps:
        read = subprocess.run([shell, "-n"], input=step.script, text=True, capture_output=True)
        assert (read.returncode, read.stderr) == (0, ""), step.script
