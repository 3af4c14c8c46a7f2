"""The Lock of a Workspace on an engine in memory, whose containers have an archive of packages."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from devbox import paths
from devbox.engine.base import ContainerRequest
from devbox.errors import LockGoneError, LockInvalidError, LockStaleError, Problem, ProfileError, UsageError
from devbox.profile.lock import Answer
from devbox.profile.lock_file import parse, render
from devbox.values import LABEL_RECIPE
from devbox.workspace import lock_verb
from devbox.workspace.change import add
from devbox.workspace.destroy import destroy
from devbox.workspace.status import status
from devbox.workspace.up import up
from tests.fakes.engine_streams import Outcome
from tests.support.desk import Desk, command, script_of

HASH = "a" * 64
HERE = "amd64"


@dataclass
class Shelf:
    """An archive: versions by name. It answers questions, and refuses what it has not in that version."""

    versions: dict[str, str] = field(default_factory=lambda: {"apple": "1", "pear": "1"})
    system: str = "debian"
    asked: list[str] = field(default_factory=list)
    wrong: bool = False  # it has other files under the same names

    def __call__(self, request: ContainerRequest, stdin: bytes) -> Outcome | None:
        script = script_of(request, stdin)
        if "os-release" in script:
            return Outcome(stdout=f"ID={self.system}\nVERSION_ID=12\n\n/bin/tar\n".encode())
        if "--print-uris" in script:
            self.asked.append(script)
            return Outcome(stdout=self._answer(script).encode())
        rows = re.findall(r"^[0-9a-f]{64} pool/(?:(\w+)_(\w+)_all.deb) (\w+)$", script, re.MULTILINE)
        missing = [
            f"{archive}:{name}_{version}_all.deb" for name, version, archive in rows if not self._has(name, version)
        ]
        if missing:
            kind = "other" if self.wrong else "gone"
            return Outcome(exit_code=80, stderr=f"devbox: {kind} {' '.join(missing)}\n".encode())
        return command(request, stdin)

    def _has(self, name: str, version: str) -> bool:
        return self.versions.get(name) == version and not self.wrong

    def _answer(self, script: str) -> str:
        pins = dict(re.findall(r"Package: (\w+)\nPin: version (\w+)\n", script))
        names = re.search(r"-- (.*) > ", script)
        assert names is not None
        lines = ["1700000000"]
        for name in names[1].split():
            version = pins.get(name, self.versions[name])
            lines.append(f"'http://h/shelf/pool/{name}_{version}_all.deb' {name}_{version}_all.deb 9 SHA256:{HASH}")
        return "\n".join(lines) + "\n"


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


@pytest.fixture
def desk(tmp_path: Path, shelf: Shelf) -> Desk:
    made = Desk(tmp_path / "shop").write('[packages]\nsystem = ["apple"]\n')
    made.engine.on_command = shelf
    return made


def _path(desk: Desk) -> Path:
    return desk.directory / paths.LOCK


def _versions(desk: Desk) -> dict[str, str]:
    groups = parse(_path(desk).read_text()).platforms[HERE].groups
    return {one.name: one.version for group in groups for one in group.packages}


def _up(desk: Desk, *, strict: bool = False) -> bool:
    return up(desk.host, desk.workspace, strict=strict).changed


def test_the_first_up_asks_and_the_second_goes_by_what_was_written(desk: Desk, shelf: Shelf) -> None:
    assert _up(desk)
    text = _path(desk).read_text()
    assert _versions(desk) == {"apple": "1"}
    shelf.versions["apple"] = "2"
    assert not _up(desk)
    assert len(shelf.asked) == 1
    assert _path(desk).read_text() == text
    assert not _up(desk, strict=True)


def test_what_is_gone_is_looked_up_again_in_new_lists_and_the_rest_keeps_its_version(desk: Desk, shelf: Shelf) -> None:
    desk.write('[packages]\nsystem = ["apple", "pear"]\n')
    _up(desk)
    _forget_images(desk)
    shelf.versions["apple"] = "2"
    with pytest.raises(LockGoneError):
        _up(desk, strict=True)
    assert _versions(desk) == {"apple": "1", "pear": "1"}
    _up(desk)
    assert desk.reporter.warnings == ["apple 1 of the archive shelf is gone: looked up again, with what it needs"]
    assert _versions(desk) == {"apple": "2", "pear": "1"}
    assert "export DEVBOX_FRESH_LISTS=1" in shelf.asked[-1]
    assert "export DEVBOX_FRESH_LISTS" not in shelf.asked[0]


def test_what_stays_gone_is_an_error_and_not_tried_for_ever(desk: Desk, shelf: Shelf) -> None:
    shelf._has = lambda name, version: False  # type: ignore[method-assign]
    with pytest.raises(LockGoneError):
        _up(desk)
    assert len(shelf.asked) == 2


def test_another_file_under_the_same_name_is_never_taken_instead(desk: Desk, shelf: Shelf) -> None:
    _up(desk)
    _forget_images(desk)
    shelf.wrong = True
    with pytest.raises(LockGoneError, match="something else under that name"):
        _up(desk)
    assert len(shelf.asked) == 1


def test_update_reads_the_lists_anew_and_renews_a_damaged_file(desk: Desk, shelf: Shelf) -> None:
    _up(desk)
    shelf.versions |= {"apple": "2"}
    assert not lock_verb.lock(desk.host, desk.workspace).changed
    assert lock_verb.update(desk.host, desk.workspace).changed
    assert _versions(desk) == {"apple": "2"}
    assert "export DEVBOX_FRESH_LISTS=1" in shelf.asked[-1]
    _path(desk).write_text("schema = [")
    with pytest.raises(LockInvalidError):
        lock_verb.update(desk.host, desk.workspace, ["apple"])
    lock_verb.update(desk.host, desk.workspace)
    assert desk.reporter.warnings[-1].startswith("devbox.lock is written anew: the file is no TOML")
    assert _versions(desk) == {"apple": "2"}
    outside = desk.directory.parent / "outside"
    _path(desk).rename(outside)
    _path(desk).symlink_to(outside)
    lock_verb.update(desk.host, desk.workspace)
    assert not _path(desk).is_symlink()
    assert _path(desk).read_text() == outside.read_text()
    _path(desk).write_text("schema = 9\n")
    with pytest.raises(LockInvalidError) as caught:
        lock_verb.update(desk.host, desk.workspace)
    assert caught.value.hint == "upgrade devbox"
    assert _path(desk).read_text() == "schema = 9\n"


def test_an_answer_that_nobody_asks_for_any_more_is_not_kept(desk: Desk) -> None:
    _up(desk)
    text = _path(desk).read_text()
    lock = parse(text)
    platform = replace(lock.platforms[HERE], answers={"python.packages": Answer(asked="x", lines=("y",))})
    _path(desk).write_text(render(replace(lock, platforms={HERE: platform})))
    assert lock_verb.lock(desk.host, desk.workspace).changed
    assert _path(desk).read_text() == text


def test_another_machines_part_of_the_file_stays(desk: Desk) -> None:
    _up(desk)
    lock = parse(_path(desk).read_text())
    both = render(replace(lock, platforms={HERE: lock.platforms[HERE], "arm64": lock.platforms[HERE]}))
    _path(desk).write_text(both)
    desk.write('[packages]\nsystem = ["apple", "pear"]\n')
    _up(desk)
    assert parse(_path(desk).read_text()).platforms["arm64"] == lock.platforms[HERE]


def _none(desk: Desk) -> None:
    _path(desk).unlink()


def _machine(desk: Desk) -> None:
    _path(desk).write_text(_path(desk).read_text().replace("platform.amd64", "platform.riscv64"))


def _added(desk: Desk) -> None:
    desk.write('[packages]\nsystem = ["apple", "pear"]\n')


def _taken_away(desk: Desk) -> None:
    desk.write("[packages]\nsystem = []\n")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (_none, Problem(message="there is none", file="devbox.lock")),
        (
            _machine,
            Problem(message="has nothing for amd64", file="devbox.lock", hint="run devbox lock on such a machine"),
        ),
        (_added, Problem(message="pear is not locked", key="packages.system", file="devbox.toml", line=7)),
        (
            _taken_away,
            Problem(message="base or packages of the profile have changed", key="packages", file="devbox.toml", line=6),
        ),
    ],
)
def test_check_names_each_reason_and_asks_no_engine(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, change: Callable[[Desk], None], reason: Problem
) -> None:
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    _up(desk)
    lock_verb.check(replace(desk.host, connect=_no_engine), desk.workspace)
    change(desk)
    with pytest.raises(LockStaleError) as caught:
        lock_verb.check(replace(desk.host, connect=_no_engine), desk.workspace)
    assert caught.value.problems == (reason,)


def test_locked_is_refused_where_somebodys_own_settings_decide_as_well(desk: Desk) -> None:
    _up(desk)
    (desk.directory / "devbox.local.toml").write_text('[packages]\nsystem = ["pear"]\n')
    _up(desk)
    assert _versions(desk) == {"apple": "1"}
    with pytest.raises(UsageError) as caught:
        _up(desk, strict=True)
    assert [(one.file, one.line, one.message) for one in caught.value.problems] == [
        ("devbox.local.toml", 2, "is set for you alone, by devbox.local.toml")
    ]
    (desk.directory / "devbox.toml").unlink()
    (desk.directory / "devbox.local.toml").unlink()
    (desk.directory / "requirements.txt").write_text("")
    with pytest.raises(ProfileError, match=r"no devbox\.toml"):
        _up(desk, strict=True)


def test_status_is_stale_when_the_lock_says_something_else_than_what_runs(desk: Desk) -> None:
    _up(desk)
    assert not status(desk.host, desk.workspace).stale
    good = _path(desk).read_text()
    _path(desk).write_text(good + "# a comment\n")
    assert not status(desk.host, desk.workspace).stale
    _path(desk).write_text(good.replace("apple=1 all", "apple=2 all"))
    assert status(desk.host, desk.workspace).stale
    _path(desk).write_text(good.replace("apple=1 all", "apple=1 $(id)"))
    found = status(desk.host, desk.workspace)
    assert found.stale
    assert [(one.file, one.line) for one in found.problems] == [("devbox.lock", 18)]


def test_that_versions_are_not_locked_on_another_family_is_said_once(desk: Desk, shelf: Shelf) -> None:
    shelf.system = "alpine"
    _up(desk)
    words = "the versions of packages.system are not locked: devbox cannot do that on this base"
    assert desk.reporter.notes.count(words) == 1
    _up(desk)
    desk.write('[packages]\nsystem = ["apple", "pear"]\n')
    _up(desk)
    assert desk.reporter.notes.count(words) == 1
    lock_verb.check(desk.host, desk.workspace)


def _no_engine() -> None:
    raise AssertionError("nobody may ask the engine")


def _forget_images(desk: Desk) -> None:
    destroy(desk.host, desk.workspace)
    for image in [one for one in desk.engine.images({}) if "devbox-test/base:1" not in one.tags]:
        desk.engine.remove_image(image.id, force=True)


def test_what_is_gone_below_what_is_added_is_looked_up_again(desk: Desk, shelf: Shelf) -> None:
    _up(desk)
    _forget_layers(desk)
    shelf.versions["apple"] = "2"
    assert not add(desk.host, desk.workspace, ["pear"], group="system").live, "what runs holds the old one"
    assert desk.reporter.warnings == ["apple 1 of the archive shelf is gone: looked up again, with what it needs"]
    assert _versions(desk) == {"apple": "2", "pear": "1"}
    assert not _up(desk)


def _forget_layers(desk: Desk) -> None:
    """Remove the images, though a container stands on one of them."""
    for image in list(desk.engine.image_store.values()):
        if LABEL_RECIPE in image.labels:
            del desk.engine.image_store[image.id]
