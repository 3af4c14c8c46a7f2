"""`add`, where packages come from an archive of the test's own: one container asks and goes on, and nothing else."""

import re
import signal
import time
from dataclasses import replace

import pytest

from devbox.values import LABEL_ROLE, LABEL_WORKSPACE, ROLE_STEP
from tests.integration.lock.conftest import Shelf
from tests.support.command import containers_made, engine

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


CHANGED = "/var/lib/dpkg/status /var/lib/dpkg/info/pear.list /usr/share/pear /etc/pear.d /etc/pear.d/once"
SETS_UP = (
    "mkdir -m 750 /etc/pear.d; touch /etc/pear.d/one; chown 7:8 /etc/pear.d/one; ln -s one /etc/pear.d/link;"
    " cp /proc/sys/kernel/random/uuid /etc/pear.d/once"
)


def inside(shelf: Shelf, script: str) -> str:
    """Run a script as root in what runs, by the engine itself."""
    with engine() as client:
        container = client.containers.get(shelf.devbox.json("status")["instance"])
        status, output = container.exec_run(["sh", "-ec", script], user="0:0")
    assert status == 0, output
    return str(output.decode())


def both(shelf: Shelf) -> tuple[str, str]:
    """Return what is known of the changed files in what runs and in its new image. It tells one set-up from another."""
    script = f"cat /etc/pear.d/once && readlink /etc/pear.d/link && stat -c '%n %a %u:%g %Y %s' {CHANGED}"
    with engine() as client:
        image = shelf.devbox.json("build")["image"]
        there = client.containers.run(image, ["sh", "-ec", script], entrypoint="", user="0:0", remove=True)
    return inside(shelf, script), str(there.decode())


def test_what_runs_gets_the_very_files_of_the_image(shelf: Shelf) -> None:
    shelf.archive.add("pear", "2", does=SETS_UP)
    shelf.devbox("up")
    instance = shelf.devbox.json("status")["instance"]
    added(shelf, "pear")
    live, image = both(shelf)
    assert live == image
    assert shelf.devbox.json("status")["instance"] == instance
    assert inside(shelf, "dpkg --audit; dpkg -s pear | grep Status; ls /run/devbox/notes 2>&1 || true").startswith(
        "Status: install ok installed"
    )


@pytest.mark.parametrize(
    "change",
    [
        "printf '\\n' >> /var/lib/dpkg/status",
        pytest.param("mkdir /etc/pear.d && echo mine > /etc/pear.d/one", marks=pytest.mark.nightly),
        pytest.param("mkdir /opt/pear.d && ln -s /opt/pear.d /etc/pear.d", marks=pytest.mark.nightly),
    ],
    ids=["what is replaced", "what is new", "a directory"],
)
def test_what_somebody_changed_meanwhile_is_not_replaced(shelf: Shelf, change: str) -> None:
    """The package's own tools do it then, as they see fit."""
    shelf.archive.add("pear", "2", does=SETS_UP.replace("mkdir -m 750", "mkdir -p -m 750"))
    shelf.devbox("up")
    inside(shelf, change)
    added(shelf, "pear")
    live, image = both(shelf)
    assert live != image
    assert shelf.holds("apple", "pear") == "1\n2\n"
    if "mine" in change:
        assert inside(shelf, "cat /etc/pear.d/one") == "mine\n"


@pytest.mark.parametrize(
    "does", ["rm /usr/share/apple", "cp -p /bin/true /tmp/t; mv /tmp/t /bin/false"], ids=["gone", "in use"]
)
def test_what_an_archive_cannot_say_is_done_by_the_package_itself(shelf: Shelf, does: str) -> None:
    shelf.archive.add("pear", "2", does=f"{SETS_UP}; {does}")
    shelf.devbox("up")
    added(shelf, "pear")
    live, image = both(shelf)
    assert live != image
    assert inside(shelf, "ls /usr/share/apple 2>&1 || true; /bin/false || echo false") == inside(
        shelf, "ls /usr/share/apple 2>&1 || true; /bin/false || echo false"
    )


LOCK = (
    'open(my $lock, ">>", "/var/lib/dpkg/lock-frontend"); my $whole = pack("s s x4 q q i x4", 1, 0, 0, 0, 0);'
    ' fcntl($lock, 6, $whole) or die; open(my $told, ">", "/run/locked"); sleep 600'
)


@pytest.mark.nightly
def test_while_somebody_else_changes_packages_none_are_brought_in(shelf: Shelf) -> None:
    shelf.devbox("up")
    with engine() as client:
        container = client.containers.get(shelf.devbox.json("status")["instance"])
        container.exec_run(["perl", "-e", LOCK], user="0:0", detach=True)
    inside(shelf, "until [ -e /run/locked ]; do sleep 0.05; done")
    done = shelf.devbox("add", "pear")
    assert "so the environment is made anew" in done.stderr
    assert shelf.holds("apple", "pear") == "1\n1\n"


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
