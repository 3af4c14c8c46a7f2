"""`lock --check` and `--locked`: whether it fits, each reason by name, and nothing changed."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.integration.lock.conftest import Shelf
from tests.support.packages import MACHINE

pytestmark = pytest.mark.docker
NOWHERE = {"DOCKER_HOST": "unix:///nowhere/docker.sock"}


def _by_hand(shelf: Shelf) -> None:
    shelf.write("apple", "pear")


def _base(shelf: Shelf) -> None:
    profile = shelf.devbox.directory / "devbox.toml"
    profile.write_text(profile.read_text().replace(shelf.base, "debian:12"))


def _machine(shelf: Shelf) -> None:
    shelf.lock.write_text(shelf.lock.read_text().replace(f"platform.{MACHINE}", "platform.riscv64"))


CHANGES: dict[str, Callable[[Shelf], object]] = {
    "packages.system: pear is not locked": _by_hand,
    "the lock is for devbox-test/shelf": _base,
    "devbox.lock: there is none": lambda shelf: shelf.lock.unlink(),
    f"devbox.lock: has nothing for {MACHINE}": _machine,
}


def test_each_reason_is_named_and_nothing_is_changed(shelf: Shelf) -> None:
    profile = shelf.devbox.directory / "devbox.toml"
    shelf.devbox("up")
    good, text = profile.read_text(), shelf.lock.read_text()
    without = replace(shelf.devbox, variables=NOWHERE)
    assert without.json("lock", "--check") == {"schema": 1, "changed": False, "fits": True}
    shelf.archive.asked.clear()
    for reason, change in CHANGES.items():
        change(shelf)
        before = _tree(shelf.devbox.directory)
        refused = without("lock", "--check", status=1).stderr
        assert refused.startswith("error[lock-stale]: devbox.lock does not fit the profile\n"), refused
        assert reason in refused
        for words in (("up", "--locked"), ("build", "--locked")):
            document = json.loads(shelf.devbox("--json", *words, status=1).stdout)
            assert document["error"]["code"] == "lock-stale", document
        assert _tree(shelf.devbox.directory) == before
        profile.write_text(good)
        shelf.lock.write_text(text)
    assert shelf.archive.asked == []
    assert shelf.devbox.json("build", "--locked")["changed"] is False
    assert shelf.devbox.json("up", "--locked")["changed"] is False
    assert without("lock", "--check").stdout == "devbox.lock fits the profile\n"


def test_what_somebody_sets_for_himself_stays_out_of_it(shelf: Shelf) -> None:
    shelf.devbox("up")
    shared = shelf.lock.read_text()
    own = shelf.devbox.home / ".config" / "devbox" / "config.toml"
    own.parent.mkdir(parents=True)
    own.write_text('[packages]\nsystem = ["pear"]\n')
    shelf.devbox("up")
    assert shelf.holds("apple", "pear") == "1\n1\n"
    assert shelf.lock.read_text() == shared
    assert shelf.devbox.json("up")["changed"] is False
    shelf.devbox("lock", "--check")
    assert shelf.devbox.json("lock")["changed"] is False
    refused = shelf.devbox("up", "--locked", status=2).stderr
    assert "config.toml:2: packages.system[0]: is set for you alone, by your own layer" in refused
    assert "leave --locked out" in refused
    shelf.archive.add("apple", "2")
    shelf.devbox("lock", "--update")
    assert "pear" not in shelf.lock.read_text()
    shelf.devbox("up")
    assert shelf.holds("apple", "pear") == "2\n1\n", "the project's lock has changed, and one's own goes by it"


def test_something_else_in_its_place_is_refused(shelf: Shelf) -> None:
    shelf.lock.mkdir()
    refused = shelf.devbox("up", status=2).stderr
    assert "error[lock-invalid]" in refused
    assert "devbox.lock: is no regular file" in refused


def _tree(directory: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(directory.rglob("*")) if path.is_file()}
