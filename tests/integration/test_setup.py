"""scripts/setup.sh on a machine of stubs: what it installs, where it must not, and that it does nothing twice."""

import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from devbox.vm.qemu import architecture
from tests.support.skips import NOT_HERE
from tests.support.tree import ROOT

REAL = (
    *("cat", "chmod", "cksum", "dirname", "grep", "ls", "mkdir"),
    *("printf", "rm", "sh", "sleep", "tail", "touch", "uname"),
)


@dataclass(frozen=True, kw_only=True)
class Machine:
    """A clone with a finished .venv, and a PATH on which every program that changes something is a stub."""

    clone: Path
    bin: Path
    calls: Path
    engine: Path  # there while the engine answers

    def stub(self, name: str, body: str = "") -> None:
        self.script(self.bin / name, f'echo "{name} $*" >> "{self.calls}"\n{body}')

    def quiet_stub(self, name: str, body: str) -> None:
        self.script(self.bin / name, body)

    def script(self, path: Path, body: str) -> None:
        path.write_text(f"#!/bin/sh\n{body}\n")
        path.chmod(0o755)

    def called(self) -> list[str]:
        return self.calls.read_text().splitlines() if self.calls.exists() else []

    def setup(self, goal: str = "demo", **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["/bin/sh", "scripts/setup.sh", goal],
            cwd=self.clone,
            env={"PATH": str(self.bin), **variables},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
        )


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    if not Path("/etc/debian_version").exists():
        pytest.skip(f"{NOT_HERE}this is not Debian or its kin")
    made = Machine(
        clone=tmp_path / "a clone", bin=tmp_path / "bin", calls=tmp_path / "calls", engine=tmp_path / "engine"
    )
    made.bin.mkdir()
    (made.clone / ".venv" / "bin").mkdir(parents=True)
    shutil.copytree(ROOT / "scripts", made.clone / "scripts", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", made.clone)
    for name in REAL:
        (made.bin / name).symlink_to(shutil.which(name) or name)
    up = f'touch "{made.engine}"'
    made.stub("systemctl", up)
    made.stub("setsid", up)  # of `setsid -f dockerd`
    made.stub("apt-get")
    made.quiet_stub("id", "echo 0")
    made.quiet_stub("mmdebstrap", "")
    made.quiet_stub("newuidmap", "")
    for name in ("passt", "qemu-img", f"qemu-system-{architecture()}"):
        made.quiet_stub(name, "")
    # .venv's Python is asked three things: whether it runs, for pip, and whether an engine answers
    answers = f'case "$1" in -) [ -e "{made.engine}" ] || {{ echo no engine >&2; exit 1; }} ;; esac'
    for name in ("python", "devbox"):
        made.script(made.clone / ".venv" / "bin" / name, answers)
    stamp = """printf '%s %s %s\\n' $0 "$(cksum <pyproject.toml)" "$PWD" > .venv/stamp-$0"""
    for extra in ("run", "dev"):
        subprocess.run(["sh", "-c", stamp, extra], cwd=made.clone, check=True)
    return made


def installed(machine: Machine) -> list[str]:
    return [call for call in machine.called() if call.startswith("apt-get install")]


def engine_packages(machine: Machine) -> list[str]:
    return [call for call in installed(machine) if "docker.io" in call]


def test_root_gets_an_engine_installed_and_started_once(machine: Machine) -> None:
    first = machine.setup()
    assert first.returncode == 0, first.stderr
    assert len(engine_packages(machine)) == 1
    assert "--no-install-recommends" in engine_packages(machine)[0]
    assert "setup: starting the engine" in first.stderr

    calls = len(machine.called())
    second = machine.setup()
    assert second.returncode == 0
    assert not [call for call in machine.called()[calls:] if "docker" in call]


def test_root_gets_qemu_for_machines_of_this_hosts_kind(machine: Machine) -> None:
    machine.engine.touch()
    (machine.bin / "qemu-img").unlink()
    assert machine.setup().returncode == 0
    (line,) = installed(machine)
    package = "qemu-system-arm" if architecture() == "aarch64" else "qemu-system-x86"
    assert line.endswith(f"--no-install-recommends {package} qemu-utils")


def test_the_demo_of_an_ordinary_user_does_without_qemu(machine: Machine) -> None:
    machine.engine.touch()
    (machine.bin / "qemu-img").unlink()
    machine.quiet_stub("id", "echo 1000")
    assert machine.setup().returncode == 0


def test_an_engine_that_answers_is_left_alone(machine: Machine) -> None:
    machine.engine.touch()
    assert machine.setup().returncode == 0
    assert not [call for call in machine.called() if "docker" in call]


def test_an_ordinary_user_gets_nothing_installed_and_is_told_what_is_missing(machine: Machine) -> None:
    machine.quiet_stub("id", "echo 1000")
    done = machine.setup()
    assert done.returncode == 3
    assert "a container engine that answers" in done.stderr
    assert "nothing was installed" in done.stderr
    assert machine.called() == []


def test_an_ordinary_user_is_told_how_to_get_the_ids_that_the_tests_take(machine: Machine) -> None:
    machine.engine.touch()
    machine.quiet_stub("id", 'case "$*" in -un) echo nobody-of-here ;; *) echo 1000 ;; esac')
    done = machine.setup("test")
    assert done.returncode == 3
    ids = "usermod --add-subuids 100000-165535 --add-subgids 100000-165535 nobody-of-here"
    assert f"further ids for nobody-of-here (as root: {ids})" in done.stderr
    machine.quiet_stub("id", "echo 0")
    assert "further ids" not in machine.setup("test").stderr


def test_an_engine_that_was_asked_for_and_does_not_answer_is_not_replaced(machine: Machine) -> None:
    done = machine.setup(DOCKER_HOST="unix:///somewhere")
    assert done.returncode == 3
    assert "DOCKER_HOST=unix:///somewhere does not answer" in done.stderr
    assert engine_packages(machine) == []


def test_a_user_whom_the_engine_refuses_is_told_about_the_group(machine: Machine) -> None:
    machine.script(machine.clone / ".venv/bin/python", '[ "$1" != - ] || { echo Permission denied >&2; exit 1; }')
    machine.quiet_stub("id", "echo 1000")
    done = machine.setup()
    assert done.returncode == 3
    assert "usermod -aG docker" in done.stderr


def test_a_moved_clone_is_set_up_anew(machine: Machine, tmp_path: Path) -> None:
    machine.engine.touch()
    moved = machine.clone.rename(tmp_path / "elsewhere")
    done = subprocess.run(
        ["/bin/sh", "scripts/setup.sh", "demo"],
        cwd=moved,
        env={"PATH": str(machine.bin), "PYTHON": sys.executable},
        capture_output=True,
        text=True,
    )
    assert "installing devbox into .venv" in done.stderr
