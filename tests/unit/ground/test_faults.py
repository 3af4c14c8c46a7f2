import os
import signal
import subprocess
import sys
from pathlib import Path

CODE = "from devbox.faults import fault\nfor name in ('a', 'b', 'c'): fault(name)\nprint('end')"


def run(spec: str | None) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, **({"DEVBOX_FAULT": spec} if spec else {})}
    return subprocess.run([sys.executable, "-c", CODE], env=env, capture_output=True, text=True, check=False)


def test_without_the_variable_nothing_happens() -> None:
    assert run(None).stdout == "end\n"


def test_the_nth_point_kills() -> None:
    assert run("2:kill").returncode == -signal.SIGKILL
    assert run("4:kill").stdout == "end\n"


def test_the_nth_point_of_a_name_kills() -> None:
    assert run("kill:1:b").returncode == -signal.SIGKILL
    assert run("kill:2:b").stdout == "end\n"
    assert run("kill:1:d").stdout == "end\n"


def test_points_can_be_counted(tmp_path: Path) -> None:
    run(f"count:{tmp_path / 'points'}")
    assert (tmp_path / "points").read_text() == "1 a\n2 b\n3 c\n"
