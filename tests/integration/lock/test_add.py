"""`add`, where packages come from an archive of the test's own: what runs is changed first, and the image follows."""

import os
import re
import signal
import time
from dataclasses import replace
from pathlib import Path

import pytest

from devbox.values import LABEL_ROLE, LABEL_WORKSPACE, ROLE_STEP
from tests.integration.lock.conftest import Shelf
from tests.support.command import containers_made

pytestmark = pytest.mark.docker

SAMPLE = 3  # points at which an ordinary run kills; nightly takes every one


RUNNING = "devbox.toml, devbox.lock, the running environment; the image follows\n"
IMAGE = "devbox.toml, devbox.lock, the image\n"


def added(shelf: Shelf, *names: str, said: str) -> int:
    """Add packages, and wait for the image; return how many containers that took."""
    begin = time.time()
    assert shelf.devbox("add", *names).stdout.endswith(said)
    shelf.devbox("build")  # it waits for what makes the image
    return len(containers_made(shelf.devbox.hash, begin, time.time()))


def holder(shelf: Shelf) -> int:
    """Return the process that holds the project for the image, which is being made."""
    said = Path(paths_of(shelf, "lock")).read_text()
    found = re.search(r"whose image is being made \(pid (\d+)\)", said)
    return int(found[1]) if found else 0


def paths_of(shelf: Shelf, name: str) -> Path:
    """Return a file of the project's state."""
    return shelf.devbox.home / ".local/state/devbox/s" / shelf.devbox.hash / name


def test_what_runs_has_it_when_the_command_ends_and_the_image_soon_after(shelf: Shelf) -> None:
    container = shelf.devbox.json("up")["instance"]
    shelf.devbox("add", "pear")
    assert shelf.holds("apple", "pear") == "1\n1\n"
    shelf.devbox("build")
    up = shelf.devbox.json("up")
    assert (up["changed"], up["instance"]) == (False, container)
    assert shelf.devbox("verify", "--rebuild").returncode == 0, "it is what the lock alone leads to"
    shelf.devbox("destroy", "-f")
    assert not any("built" in done for done in shelf.devbox.json("up")["done"]), "its image was there"
    assert shelf.holds("apple", "pear") == "1\n1\n"


def test_the_container_that_is_asked_is_started_early(shelf: Shelf) -> None:
    shelf.devbox("up")
    asking = shelf.devbox.home / ".cache/devbox/prepared" / f"{shelf.devbox.hash}.asking"
    assert asking.exists(), "so one is started, and a second is made if it does not fit"
    assert added(shelf, "pear", said=RUNNING) == 2, "the question's, and the step's"
    asking.unlink()
    shelf.devbox("remove", "pear")
    shelf.devbox("build")
    assert asking.exists()
    assert shelf.engine.containers({LABEL_WORKSPACE: shelf.devbox.hash, LABEL_ROLE: ROLE_STEP}) == []
    shelf.devbox("add", "no-such-package", status=1)
    assert shelf.engine.containers({LABEL_WORKSPACE: shelf.devbox.hash, LABEL_ROLE: ROLE_STEP}) == []


def test_an_image_whose_making_was_killed_is_made_by_up_and_what_runs_stays(shelf: Shelf) -> None:
    container = shelf.devbox.json("up")["instance"]
    shelf.devbox("add", "pear")
    until = time.monotonic() + 10
    while not (pid := holder(shelf)) and time.monotonic() < until:
        time.sleep(0.02)
    assert pid, "nobody makes the image"
    os.kill(pid, signal.SIGKILL)
    assert shelf.holds("pear") == "1\n"
    shelf.devbox("halt")
    up = shelf.devbox.json("up")
    assert (up["instance"], up["done"][0]) == (container, "built 1 step")
    assert shelf.devbox("up").stdout.strip() == "nothing to do"


def test_a_profile_that_is_edited_meanwhile_does_not_have_what_runs_made_anew(shelf: Shelf) -> None:
    container = shelf.devbox.json("up")["instance"]
    shelf.devbox("add", "pear")
    profile = shelf.devbox.directory / "devbox.toml"
    profile.write_text(profile.read_text() + '[env]\nWORD = "x"\n')
    shelf.devbox("build")
    assert shelf.devbox.json("status")["instance"] == container
    assert shelf.devbox.json("up")["instance"] != container


def test_the_step_goes_on_in_the_container_that_asked(shelf: Shelf) -> None:
    """If nothing runs, that could be changed first."""
    shelf.devbox("up")
    shelf.devbox("halt")
    assert added(shelf, "pear", said=IMAGE) == 1
    shelf.devbox("up")
    assert shelf.holds("apple", "pear") == "1\n1\n"
    assert shelf.devbox("verify", "--rebuild").returncode == 0, "it is what the lock alone leads to"
    assert shelf.devbox("up").stdout.strip() == "nothing to do"


def test_lists_that_had_to_be_fetched_leave_nothing_in_the_image(shelf: Shelf) -> None:
    shelf.devbox("up")
    shelf.devbox("halt")
    shelf.archive.add("plum", depends="stone")
    shelf.archive.add("stone")
    assert added(shelf, "plum", said=IMAGE) == 2, "one asked with new lists, and that may have touched anything"
    assert shelf.versions() == {"apple": "1", "plum": "1", "stone": "1"}
    assert shelf.devbox("verify", "--rebuild").returncode == 0
    assert shelf.engine.containers({LABEL_WORKSPACE: shelf.devbox.hash, LABEL_ROLE: ROLE_STEP}) == []


def test_a_question_without_a_step_leaves_no_container(shelf: Shelf) -> None:
    """The layer that the answer leads to is there already."""
    shelf.devbox("up")
    added(shelf, "pear", said=RUNNING)
    shelf.devbox("remove", "pear")
    shelf.devbox("build")
    assert added(shelf, "pear", said=RUNNING) == 1
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
    shelf.devbox("build")
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
        shelf.devbox("build")
        assert shelf.holds("apple", "pear") == "1\n1\n", points[number - 1]
        assert shelf.lock.read_text() == text, points[number - 1]
        assert shelf.devbox("up").stdout.strip() == "nothing to do"
    assert kills, "it was never killed"
