"""`add`, where packages come from an archive of the test's own: one container asks and goes on, and nothing else."""

import re
import signal
import time
from dataclasses import replace

import pytest

from devbox.values import LABEL_ROLE, LABEL_WORKSPACE, ROLE_STEP
from tests.integration.lock.conftest import Shelf
from tests.support.command import containers_made

pytestmark = pytest.mark.docker

SAMPLE = 3  # points at which an ordinary run kills; nightly takes every one


def added(shelf: Shelf, *names: str) -> int:
    """Add packages; return how many containers that took."""
    begin = time.time()
    done = shelf.devbox("add", *names)
    assert done.stdout.endswith("devbox.toml, devbox.lock, the image and the running environment\n")
    return len(containers_made(shelf.devbox.hash, begin, time.time()))


def test_the_step_goes_on_in_the_container_that_asked(shelf: Shelf) -> None:
    shelf.devbox("up")
    assert added(shelf, "pear") == 1
    assert shelf.holds("apple", "pear") == "1\n1\n"
    assert shelf.devbox("verify", "--rebuild").returncode == 0, "it is what the lock alone leads to"
    assert shelf.devbox("up").stdout.strip() == "nothing to do"


def test_lists_that_had_to_be_fetched_leave_nothing_in_the_image(shelf: Shelf) -> None:
    shelf.devbox("up")
    shelf.archive.add("plum", depends="stone")
    shelf.archive.add("stone")
    assert added(shelf, "plum") == 2, "one asked with new lists, and that may have touched anything"
    assert shelf.versions() == {"apple": "1", "plum": "1", "stone": "1"}
    assert shelf.devbox("verify", "--rebuild").returncode == 0
    assert shelf.engine.containers({LABEL_WORKSPACE: shelf.devbox.hash, LABEL_ROLE: ROLE_STEP}) == []


def test_a_question_without_a_step_leaves_no_container(shelf: Shelf) -> None:
    """The layer that the answer leads to is there already."""
    shelf.devbox("up")
    added(shelf, "pear")
    shelf.devbox("remove", "pear")
    assert added(shelf, "pear") == 1
    assert shelf.engine.containers({LABEL_WORKSPACE: shelf.devbox.hash, LABEL_ROLE: ROLE_STEP}) == []


@pytest.mark.parametrize("every", [False, pytest.param(True, marks=pytest.mark.nightly)], ids=["some", "every"])
def test_add_that_was_killed_anywhere_is_repaired_by_add(shelf: Shelf, every: bool) -> None:
    def prepare() -> None:
        shelf.forget_images()
        shelf.write("apple")
        shelf.lock.unlink(missing_ok=True)
        shelf.devbox("up")

    prepare()
    log = shelf.devbox.home / "faults"
    replace(shelf.devbox, variables={"DEVBOX_FAULT": f"count:{log}"})("add", "pear")
    text, points = shelf.lock.read_text(), [line.split(" ", 1)[1] for line in log.read_text().splitlines()]
    assert any(re.match("engine post containers attach|engine post containers start", point) for point in points)
    kills = 0
    for number in range(1, len(points) + 1, 1 if every else max(1, len(points) // SAMPLE)):
        prepare()
        killed = replace(shelf.devbox, variables={"DEVBOX_FAULT": f"{number}:kill"})
        status = killed("add", "pear", status=None).returncode
        assert status in (-signal.SIGKILL, 0), points[number - 1]
        kills += status != 0
        shelf.devbox("add", "pear")
        assert shelf.holds("apple", "pear") == "1\n1\n", points[number - 1]
        assert shelf.lock.read_text() == text, points[number - 1]
        assert shelf.devbox("up").stdout.strip() == "nothing to do"
    assert kills, "it was never killed"
