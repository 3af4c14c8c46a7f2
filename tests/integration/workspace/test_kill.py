"""kill -9 at each side effect of `up` and `destroy` on the real engine; the same command again repairs (fault 1)."""

import hashlib
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from devbox.engine.base import Engine
from devbox.values import LABEL_ROLE, LABEL_WORKSPACE, ROLE_ENVIRONMENT
from tests.integration.workspace.conftest import remove_images, write
from tests.support.command import Devbox

SAMPLE_SECONDS = 25  # how long one scenario may take in an ordinary run; nightly takes every point
KILLED = -9

pytestmark = pytest.mark.docker


@pytest.fixture(
    params=[
        pytest.param(False, marks=pytest.mark.timeout(600)),
        pytest.param(True, marks=[pytest.mark.nightly, pytest.mark.timeout(3600)]),
    ],
    ids=["some", "every"],
)
def every(request: pytest.FixtureRequest) -> bool:
    """Whether each point is tried, or as many as there is time for."""
    return bool(request.param)


def _run(devbox: Devbox, *words: str, fault: str) -> int:
    done = subprocess.run(
        [devbox.account.python, "-m", "devbox", *words],
        cwd=devbox.directory,
        env={**devbox.environment, "DEVBOX_FAULT": fault},
        stdin=subprocess.DEVNULL,
        capture_output=True,
    )
    return done.returncode


def _points(devbox: Devbox, *words: str) -> int:
    """Return how many side effects the command has."""
    log = devbox.home / "faults"
    log.unlink(missing_ok=True)
    assert _run(devbox, *words, fault=f"count:{log}") == 0
    return len(log.read_text().splitlines())


def _tree(directory: Path) -> dict[str, str]:
    """Return every file of the user with its content's hash and owner."""
    return {
        str(path.relative_to(directory)): f"{hashlib.sha256(path.read_bytes()).hexdigest()} {path.stat().st_uid}"
        for path in sorted(directory.rglob("*"))
        if path.is_file()
    }


def _order(count: int) -> list[int]:
    """Return 1..count so that any beginning of it is spread over the whole."""
    return sorted(range(1, count + 1), key=lambda number: int(f"{number:016b}"[::-1], 2))


def _each_point(
    devbox: Devbox,
    every: bool,
    *words: str,
    prepare: Callable[[], object],
    check: Callable[[], None],
) -> None:
    """Kill the command at each point, repeat it, `check`; `prepare` goes before each."""
    prepare()
    count = _points(devbox, *words)
    assert count > 4, "the command passes fault points"
    files = _tree(devbox.directory)
    kills = 0
    end = time.monotonic() + SAMPLE_SECONDS
    for done, number in enumerate(_order(count)):
        if not every and done >= 3 and time.monotonic() > end:
            break
        prepare()
        status = _run(devbox, *words, fault=f"{number}:kill")
        assert status in (KILLED, 0), f"point {number} of {count}: {status}"  # 0: it had fewer points this time
        kills += status == KILLED
        devbox(*words)
        check()
        assert _tree(devbox.directory) == files, f"point {number} of {count}"
    assert kills, "it was never killed"


def _mine(engine: Engine, devbox: Devbox) -> dict[str, str]:
    return {LABEL_WORKSPACE: devbox.hash}


def _clean(engine: Engine, devbox: Devbox) -> None:
    devbox("destroy", "-f")
    remove_images(engine, devbox)


def test_up_that_was_killed_anywhere_is_repaired_by_up(docker_engine: Engine, devbox: Devbox, every: bool) -> None:
    (devbox.directory / "src").mkdir()
    (devbox.directory / "src" / "main.py").write_text("print('mine')\n")

    def check() -> None:
        found = docker_engine.containers(_mine(docker_engine, devbox))
        assert [one.labels[LABEL_ROLE] for one in found] == [ROLE_ENVIRONMENT]
        assert devbox.json("up")["changed"] is False
        said = devbox("exec", "--", "cat", "/built", "/tmp/created").stdout.splitlines()
        assert said[:2] == ["built", "created"]

    _each_point(devbox, every, "up", prepare=lambda: _clean(docker_engine, devbox), check=check)


def test_the_quick_up_that_was_killed_anywhere_is_repaired_by_up(
    docker_engine: Engine, devbox: Devbox, every: bool
) -> None:
    write(devbox)  # no step runs when the environment is made, so the next up goes by the plan of this one
    plan = devbox.home / ".cache" / "devbox" / "prepared" / f"{devbox.hash}.json"

    def prepare() -> None:
        while not plan.exists():
            devbox("up")
        devbox("destroy", "-f")

    def check() -> None:
        found = docker_engine.containers(_mine(docker_engine, devbox))
        assert [one.labels[LABEL_ROLE] for one in found] == [ROLE_ENVIRONMENT]
        assert devbox.json("up")["changed"] is False

    _each_point(devbox, every, "up", prepare=prepare, check=check)


def test_destroy_that_was_killed_anywhere_is_finished_by_destroy(
    docker_engine: Engine, devbox: Devbox, every: bool
) -> None:
    def check() -> None:
        labels = _mine(docker_engine, devbox)
        left = (docker_engine.containers(labels), docker_engine.volumes(labels), docker_engine.networks(labels))
        assert left == ([], [], [])

    _each_point(devbox, every, "destroy", "-f", prepare=lambda: devbox("up"), check=check)
