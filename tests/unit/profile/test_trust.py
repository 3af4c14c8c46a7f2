"""The trust record: what it holds, and what can happen to its file."""

import json
import os
import stat
from pathlib import Path

import pytest

from devbox.errors import StateError, TrustRequiredError
from devbox.profile.trust import TrustItem, TrustStore
from tests.fakes.reporter import RecordingReporter

ONE = TrustItem(kind="variable", name="env.from_host A", value="A", key="env.from_host[0]", file="devbox.toml", line=3)
TWO = TrustItem(kind="device", name="resources.devices /dev/kvm", value="/dev/kvm", key="resources.devices[0]")


def file_of(home: Path) -> Path:
    (file,) = (home / ".local/state/devbox/trust").glob("*.json")
    return file


def test_nothing_asked_needs_no_trust(project: Path, home: Path) -> None:
    TrustStore(project).require(())
    assert not (home / ".local").exists()


def test_what_is_asked_needs_trust_until_it_is_granted(project: Path) -> None:
    store = TrustStore(project)
    with pytest.raises(TrustRequiredError) as caught:
        store.require((ONE, TWO))
    assert caught.value.hint is not None
    assert "devbox trust" in caught.value.hint
    assert [(problem.key, problem.file, problem.line) for problem in caught.value.problems] == [
        ("env.from_host[0]", "devbox.toml", 3),
        ("resources.devices[0]", None, None),
    ]
    store.grant((ONE, TWO))
    store.require((TWO, ONE))
    TrustStore(project).require((ONE, TWO))


@pytest.mark.parametrize("asked", [(ONE, TWO), (TWO,)])
def test_any_change_asks_again(asked: tuple[TrustItem, ...], project: Path) -> None:
    store = TrustStore(project)
    store.grant((ONE,))
    with pytest.raises(TrustRequiredError, match="has changed"):
        store.require(asked)


def test_a_revocation_wins(project: Path) -> None:
    store = TrustStore(project)
    assert store.revoke() is False
    store.grant((ONE,))
    assert store.revoke() is True
    assert store.revoke() is False
    with pytest.raises(TrustRequiredError):
        store.require((ONE,))
    store.grant((ONE,))
    store.require((ONE,))


def test_a_project_that_moves_is_not_trusted(project: Path) -> None:
    TrustStore(project).grant((ONE,))
    moved = project.rename(project.parent / "moved")
    with pytest.raises(TrustRequiredError):
        TrustStore(moved).require((ONE,))
    link = project.parent / "link"
    link.symlink_to(moved)
    TrustStore(link).grant((ONE,))
    TrustStore(moved).require((ONE,))


def test_a_copied_record_is_no_trust_for_another_project(project: Path, home: Path) -> None:
    TrustStore(project).grant((ONE,))
    mine = file_of(home)
    other = project.parent / "other"
    other.mkdir()
    TrustStore(other).grant((TWO,))
    (theirs,) = (file for file in mine.parent.glob("*.json") if file != mine)
    theirs.write_bytes(mine.read_bytes())
    with pytest.raises(TrustRequiredError):
        TrustStore(other).require((ONE,))


def test_the_difference_is_shown(project: Path) -> None:
    store = TrustStore(project)
    assert store.difference((ONE,)) == [f"+ {ONE.sentence}"]
    store.grant((ONE,))
    assert store.difference((TWO,)) == [f"- {ONE.sentence}", f"+ {TWO.sentence}"]
    assert store.difference((ONE,)) == [f"  {ONE.sentence}"]


@pytest.mark.parametrize("umask", [0o000, 0o077])
def test_the_file_is_the_users_alone(umask: int, project: Path, home: Path) -> None:
    before = os.umask(umask)
    try:
        TrustStore(project).grant((ONE,))
    finally:
        os.umask(before)
    file = file_of(home)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert [path.name for path in file.parent.iterdir()] == [file.name]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"[" * 100000,
        b'{"schema": 1}',
        b"\xff",
        b'{"schema":1,"decision":"trusted","digest":1,"items":{}}',
    ],
    ids=range(7),
)
def test_a_damaged_record_is_set_aside_and_trusts_nothing(content: bytes, project: Path, home: Path) -> None:
    reporter = RecordingReporter()
    store = TrustStore(project, reporter=reporter)
    store.grant((ONE,))
    file = file_of(home)
    for number in (1, 2):
        file.write_bytes(content)
        with pytest.raises(TrustRequiredError):
            store.require((ONE,))
        assert Path(f"{file}.corrupt-{number}").read_bytes() == content
    assert any("set aside" in warning for warning in reporter.warnings)
    store.grant((ONE,))
    store.require((ONE,))


def test_a_newer_record_is_neither_read_nor_overwritten(project: Path, home: Path) -> None:
    store = TrustStore(project)
    store.grant((ONE,))
    record = {**json.loads(file_of(home).read_text()), "schema": 2}
    file_of(home).write_text(json.dumps(record))
    for act in (lambda: store.require((ONE,)), lambda: store.grant((ONE,)), store.revoke):
        with pytest.raises(StateError, match="newer devbox"):
            act()
    assert json.loads(file_of(home).read_text()) == record


def test_what_a_killed_process_left_is_no_obstacle(project: Path, home: Path) -> None:
    store = TrustStore(project)
    store.grant((ONE,))
    file_of(home).with_suffix(".tmp").write_text("half")
    store.grant((TWO,))
    store.require((TWO,))
    assert len(list(file_of(home).parent.iterdir())) == 1


def test_a_link_in_its_place_is_not_followed(project: Path, home: Path) -> None:
    store = TrustStore(project)
    store.grant((ONE,))
    file = file_of(home)
    content = file.read_bytes()
    (home / "elsewhere").write_bytes(content)
    file.unlink()
    file.symlink_to(home / "elsewhere")
    with pytest.raises(StateError):
        store.require((ONE,))


def test_a_directory_that_cannot_be_written_is_said(project: Path, home: Path) -> None:
    (home / ".local").write_text("a file, no directory")
    with pytest.raises(StateError, match="cannot be"):
        TrustStore(project).grant((ONE,))
