"""Faults of SAFETY's list, on the real engine with the real command."""

import os
import signal
import subprocess
from pathlib import Path

import pytest

from devbox import paths
from devbox.engine.base import Engine
from devbox.values import LABEL_OWNER, LABEL_ROLE, LABEL_WORKSPACE, ROLE_STEP
from tests.integration.workspace.conftest import remove_images, write
from tests.support.command import Devbox
from tests.support.waiting import until

pytestmark = pytest.mark.docker


def _mine(engine: Engine, devbox: Devbox) -> list[str]:
    return [one.name for one in engine.containers({LABEL_WORKSPACE: devbox.hash})]


def test_two_at_once_make_one_environment_and_the_second_says_for_whom_it_waits(
    docker_engine: Engine, devbox: Devbox
) -> None:
    write(devbox, '[[provision]]\nrun = "while [ ! -e go ]; do sleep 0.1; done"\n')
    first = devbox.start("up")
    until(lambda: _mine(docker_engine, devbox))
    second = devbox.start("up")
    assert second.stderr is not None
    until(lambda: "waiting for devbox up" in second.stderr.readline())
    (devbox.directory / "go").touch()
    assert first.wait(60) == 0
    stdout, _ = second.communicate(timeout=60)
    assert (second.returncode, stdout.strip()) == (0, "nothing to do")
    first.communicate()
    assert len(_mine(docker_engine, devbox)) == 1


@pytest.mark.parametrize("how", ["image", "rename", "remove"])
def test_what_was_done_by_hand_is_the_state_that_up_starts_from(
    docker_engine: Engine, devbox: Devbox, how: str
) -> None:
    devbox("up")
    devbox("exec", "--", "sh", "-c", "echo kept >/root/.cache/mine")
    devbox("halt")
    name = _mine(docker_engine, devbox)[0]
    if how == "rename":
        subprocess.run(["docker", "rename", name, f"{name}-mine"], check=True)
    else:
        docker_engine.remove(name)
    if how == "image":
        remove_images(docker_engine, devbox)
    devbox("up")
    assert _mine(docker_engine, devbox) == [name]
    if os.getuid() == 0:
        assert devbox("exec", "--", "cat", "/root/.cache/mine").stdout == "kept\n"


def test_state_that_cannot_be_written_costs_one_notice(devbox: Devbox) -> None:
    environ = {**devbox.environment, "XDG_STATE_HOME": "/proc/nowhere"}
    done = subprocess.run(
        [devbox.account.python, "-m", "devbox", "up"], cwd=devbox.directory, env=environ, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("without remembering") == 1


def test_a_broken_record_is_set_aside_and_a_newer_one_is_left_alone(devbox: Devbox) -> None:
    devbox("up")
    record = (
        devbox.home / ".local/state" / Path(paths.record_file(devbox.hash)).relative_to(Path(paths.state_root()).parent)
    )
    record.write_text("rubbish")
    assert devbox.json("up")["changed"] is False
    record.write_text("schema=99\ncomplete=1\n")
    failed = devbox("up", status=1)
    assert "error[state-unusable]" in failed.stderr
    assert record.read_text() == "schema=99\ncomplete=1\n"
    record.unlink()


BUILD = '[[provision]]\nrun = "echo running; sleep 600"\nwhen = "build"\n'
CREATE = '[[provision]]\nrun = "echo running; sleep 600"\n'


@pytest.mark.parametrize(
    ("phase", "number", "status"),
    [
        (BUILD, signal.SIGINT, 130),
        (BUILD, signal.SIGTERM, 143),
        (CREATE, signal.SIGTERM, 143),
        (CREATE, signal.SIGHUP, 129),
    ],
)
def test_a_signal_in_each_phase_cleans_up_and_has_its_status(
    docker_engine: Engine, devbox: Devbox, phase: str, number: signal.Signals, status: int
) -> None:
    write(devbox, phase)
    child = devbox.start("up")
    assert child.stderr is not None
    until(lambda: "running" in child.stderr.readline())
    child.send_signal(number)
    _, stderr = child.communicate(timeout=60)
    assert child.returncode == status
    assert "Traceback" not in stderr
    assert docker_engine.containers({LABEL_WORKSPACE: devbox.hash, LABEL_ROLE: ROLE_STEP}) == []
    if phase == CREATE:
        assert "sleep 600" not in devbox("exec", "--", "ps").stdout
    write(devbox, "")
    devbox("up")


def test_a_signal_to_exec_ends_what_runs_inside(devbox: Devbox) -> None:
    devbox("up")
    for number, status in ((signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)):
        child = devbox.start("exec", "--", "sh", "-c", "echo ready; sleep 600; true")
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        child.send_signal(number)
        child.communicate(timeout=60)
        assert child.returncode == status
    assert "sleep 600" not in devbox("exec", "--", "ps").stdout


def test_output_that_nobody_reads_any_more_ends_the_command_quietly(devbox: Devbox) -> None:
    devbox("up")
    child = devbox.start("exec", "--", "cat", "/dev/zero")
    assert child.stdout is not None
    child.stdout.close()
    assert child.wait(60) == 141
    assert child.stderr is not None
    assert child.stderr.read() == ""
    child.stderr.close()
    until(lambda: "cat /dev/zero" not in devbox("exec", "--", "ps").stdout)


def test_a_detached_command_goes_on_by_itself(devbox: Devbox) -> None:
    devbox("up")
    devbox("exec", "-d", "--", "sh", "-c", "sleep 1; echo done >detached")
    until((devbox.directory / "detached").exists)
    assert "no-such" in devbox("exec", "-d", "--", "no-such", status=127).stderr


def test_killed_for_memory_is_said_in_words(devbox: Devbox) -> None:
    write(devbox, '[resources]\nmemory = "32 MiB"\n')
    devbox("up")
    done = devbox("exec", "--", "sh", "-c", "exec tail /dev/zero", status=137)
    assert "killed for memory, limit 32.0 MiB" in done.stderr


def test_a_failed_build_can_be_looked_into_and_leaves_no_container(docker_engine: Engine, devbox: Devbox) -> None:
    write(devbox, '[[provision]]\nrun = "echo evidence >/evidence; exit 5"\nwhen = "build"\n')
    assert "shell --failed" in devbox("up", status=1).stderr
    assert devbox("shell", "--failed", "--", "cat", "/evidence").stdout == "evidence\n"
    assert _mine(docker_engine, devbox) == []


def test_destroy_touches_nothing_but_its_own(docker_engine: Engine, devbox: Devbox) -> None:
    devbox("up")
    # Another test's container may carry the owner's label alone.
    others = {
        one.id for one in docker_engine.containers({LABEL_OWNER: ""}) if one.labels.get(LABEL_WORKSPACE) != devbox.hash
    }
    devbox("destroy", "-f")
    left = {one.id for one in docker_engine.containers({LABEL_OWNER: ""})}
    assert {one for one in others if docker_engine.container(one)} <= left
    assert _mine(docker_engine, devbox) == []
