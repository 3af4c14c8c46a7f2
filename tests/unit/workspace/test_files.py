"""Files in somebody's project: whole or not at all, and nothing left beside them."""

import os
import subprocess
import sys
from pathlib import Path

from devbox.workspace.files import write_in_project


def test_what_a_killed_process_left_goes_and_what_a_living_one_writes_stays(tmp_path: Path) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    target = tmp_path / "devbox.lock"
    for name in (f".devbox.lock.{ended.pid}", f".devbox.lock.{os.getpid()}", f".devbox.lock.{'9' * 30}"):
        (tmp_path / name).touch()
    for name in (f".devbox.lock.{os.getppid()}", ".devbox.lock.mine"):
        (tmp_path / name).touch()
    write_in_project(target, "text")
    assert target.read_text() == "text"
    assert {path.name for path in tmp_path.iterdir()} == {
        "devbox.lock",
        f".devbox.lock.{os.getppid()}",
        ".devbox.lock.mine",
    }
