"""One lock, several people: another user in another directory, a project that cannot be written, a hostile file."""

import signal
from dataclasses import replace
from pathlib import Path

import pytest

from devbox.engine.base import Engine
from devbox.values import LABEL_ROLE, LABEL_WORKSPACE, ROLE_STEP
from tests.integration.lock.conftest import Shelf, write
from tests.support.account import ordinary
from tests.support.packages import Archive
from tests.support.project import project
from tests.support.waiting import until

pytestmark = pytest.mark.docker


def test_another_user_in_another_directory_makes_the_same_and_is_asked_nothing(shelf: Shelf) -> None:
    shelf.write("apple", "pear")
    shelf.devbox("up")
    text = shelf.lock.read_text()
    shelf.archive.add("apple", "2")
    with project(ordinary(), name="elsewhere") as other:
        write(other, shelf.base, "apple", "pear")
        (other.directory / "devbox.lock").write_text(text)
        shelf.archive.asked.clear()
        first = other("up")
        assert "look up" not in first.stderr
        assert sorted(shelf.archive.packages_asked()) == ["apple_1_all.deb", "pear_1_all.deb"]
        assert other("exec", "--", "cat", "/usr/share/apple").stdout == "1\n"
        assert (other.directory / "devbox.lock").read_text() == text
        assert other.json("build", "--locked")["changed"] is False


def test_where_the_project_cannot_be_written_it_is_said_and_works(archive: Archive, base: str) -> None:
    with project(ordinary()) as devbox:
        write(devbox, base, "apple")
        devbox.directory.chmod(0o555)
        first = devbox("up")
        assert "devbox.lock cannot be written: permission denied; the environment is not locked" in first.stderr
        assert devbox("exec", "--", "cat", "/usr/share/apple").stdout == "1\n"
        assert devbox.json("up")["changed"] is False
        assert not (devbox.directory / "devbox.lock").exists()


def test_a_hostile_file_is_refused_by_line_and_nothing_is_made(shelf: Shelf, tmp_path: Path) -> None:
    shelf.devbox("up")
    good = shelf.lock.read_text()
    before = {image.id for image in shelf.engine.images({LABEL_WORKSPACE: shelf.devbox.hash})}
    row = next(number for number, line in enumerate(good.splitlines(), 1) if "apple=1" in line)
    for bad, place in (
        (good.replace("apple=1 all", "apple=1;touch$IFS/owned all"), f"devbox.lock:{row}: "),
        (good.replace("shelf pool/", "shelf ../../pool/"), f"devbox.lock:{row}: "),
        (good + "[", f"devbox.lock:{len(good.splitlines()) + 1}: "),
        ("\0" * 100, "devbox.lock:1: "),
        ("x" * 30_000_000, "devbox.lock: is larger than 20 MB, which no lock is"),
    ):
        shelf.lock.write_text(bad)
        for words in (("up",), ("up", "--locked"), ("lock", "--check"), ("lock",)):
            refused = shelf.devbox(*words, status=2).stderr
            assert refused.startswith("error[lock-invalid]: devbox.lock cannot be"), refused
            assert place in refused
            assert "Traceback" not in refused
    outside = tmp_path / "outside"
    outside.write_text(good)
    shelf.lock.unlink()
    shelf.lock.symlink_to(outside)
    assert "is a link that leads out of the project" in shelf.devbox("up", status=2).stderr
    assert {image.id for image in shelf.engine.images({LABEL_WORKSPACE: shelf.devbox.hash})} == before
    shelf.devbox("lock", "--update")
    assert not shelf.lock.is_symlink()
    assert outside.read_text() == good
    shelf.devbox("lock", "--check")


def test_a_kill_while_it_is_asked_or_written_is_repaired_by_the_next(shelf: Shelf, docker_engine: Engine) -> None:
    def steps() -> list[str]:
        wanted = {LABEL_WORKSPACE: shelf.devbox.hash, LABEL_ROLE: ROLE_STEP}
        return [container.name for container in docker_engine.containers(wanted)]

    child = shelf.devbox.start("lock")
    assert child.stderr is not None
    until(lambda: "look up system packages" in child.stderr.readline())
    until(steps)
    child.kill()
    child.communicate()
    assert not shelf.lock.exists()
    shelf.devbox("lock")
    text = shelf.lock.read_text()
    assert steps() == []
    for point in _points(shelf, "write lock", "lock written"):
        shelf.lock.unlink()
        killed = replace(shelf.devbox, variables={"DEVBOX_FAULT": f"{point}:kill"})
        killed("lock", status=-signal.SIGKILL)
        shelf.devbox("lock")
        assert shelf.lock.read_text() == text
        assert steps() == []
    left = {path.name for path in shelf.devbox.directory.iterdir()}
    assert left == {"devbox.lock", "devbox.toml"}


def _points(shelf: Shelf, *names: str) -> list[int]:
    """Return the numbers of the fault points `names` when the lock is written."""
    shelf.lock.unlink()
    log = shelf.devbox.home / "faults"
    replace(shelf.devbox, variables={"DEVBOX_FAULT": f"count:{log}"})("lock")
    found = [line.split(" ", 1) for line in log.read_text().splitlines()]
    return [int(number) for number, name in found if name in names]
