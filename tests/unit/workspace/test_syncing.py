"""`up`, `exec`, `halt` and `destroy` of a project that is synced, on an engine and Supervisors in memory."""

from pathlib import Path

import pytest

from devbox.errors import ProfileError, SyncError, UnsyncedError
from devbox.values import LABEL_PROJECT, LABEL_ROLE, ROLE_WORKSPACE
from devbox.workspace import sync_verb
from devbox.workspace.destroy import destroy
from devbox.workspace.halt import halt
from devbox.workspace.shell import execute
from devbox.workspace.status import status
from devbox.workspace.sync_order import kept
from devbox.workspace.up import up
from tests.fakes.supervisor import LOST, FakeSupervisor
from tests.support.desk import Desk

TWO_WAY = '[sync]\nmode = "two-way"\n'
RULE = '[[sync.on_change]]\npaths = ["a"]\ndo = "restart"\n'
CONFLICT = {"path": "a", "why": "edited on both sides", "host": "file", "guest": "file"}


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path / "shop").write(TWO_WAY)


def _supervisor(desk: Desk) -> FakeSupervisor:
    found = desk.supervisors.find(desk.workspace.hash)
    assert found is not None
    return found


def _volumes(desk: Desk) -> list[str]:
    return [one.name for one in desk.engine.volumes({LABEL_ROLE: ROLE_WORKSPACE})]


def test_the_project_is_a_volume_that_the_supervisor_syncs_and_not_a_mount(desk: Desk) -> None:
    desk.write(
        TWO_WAY + 'ignore = ["/dist"]\nvolumes = ["./kept/"]\n[[sync.on_change]]\npaths = ["a"]\ndo = "restart"\n'
    )
    result = up(desk.host, desk.workspace)
    (box,) = desk.engine.container_store.values()
    assert str(desk.directory) not in [mount.source for mount in box.request.mounts]
    assert box.labels[LABEL_PROJECT] == str(desk.directory)
    assert _volumes(desk) == [f"{result.name}-workspace"]
    order = _supervisor(desk).order
    assert order is not None
    assert (order.mode, order.host, order.ignore, order.volumes) == (
        "two-way",
        str(desk.directory),
        ("/dist",),
        ("kept",),
    )
    assert order.protect == ("devbox.local.toml", "devbox.toml")
    assert [rule.do for rule in order.rules] == ["restart"]
    assert not up(desk.host, desk.workspace).changed


def test_a_volume_under_a_mount_is_one_of_its_own(desk: Desk) -> None:
    desk.write('[sync]\nvolumes = ["kept"]\n')
    up(desk.host, desk.workspace)
    assert [name.rpartition("-")[0].rpartition("-")[2] for name in _volumes(desk)] == ["kept"]
    assert desk.supervisors.find(desk.workspace.hash) is None
    assert sync_verb.status(desk.host, desk.workspace)["mode"] == "mount"


def test_a_command_has_both_sides_equal_before_and_after_and_says_once_what_is_in_the_way(desk: Desk) -> None:
    up(desk.host, desk.workspace)
    supervisor = _supervisor(desk)
    supervisor.asked.clear()
    desk.supervisors.syncing = {"conflicts": [CONFLICT]}
    execute(desk.host, desk.workspace, ["true"], detach=True)
    assert supervisor.asked.count("flush") == 2
    assert [said for said in desk.reporter.warnings if "conflict" in said] == [
        "sync has a conflict: a edited on both sides; devbox sync conflicts"
    ]


def test_a_lost_supervisor_comes_back_with_the_next_command(desk: Desk) -> None:
    up(desk.host, desk.workspace)
    order = _supervisor(desk).order
    desk.supervisors.kill(desk.workspace.hash)
    assert sync_verb.status(desk.host, desk.workspace)["state"] == "ended"
    assert [one.key for one in status(desk.host, desk.workspace).problems] == ["sync"]
    execute(desk.host, desk.workspace, ["true"], detach=True)
    assert _supervisor(desk).order == order
    assert status(desk.host, desk.workspace).problems == ()


def test_halt_brings_home_and_remembers_what_stays_inside(desk: Desk) -> None:
    up(desk.host, desk.workspace)
    desk.supervisors.differences = [
        {"path": "out", "guest": "file", "host": ""},
        {"path": "b", "guest": "", "host": "x"},
    ]
    halt(desk.host, desk.workspace)
    known = kept(desk.workspace.hash)
    assert known is not None
    assert known[1] == ["out"]
    assert sync_verb.status(desk.host, desk.workspace)["state"] == "stopped"


def test_what_stays_inside_is_known_though_the_supervisor_was_lost(desk: Desk) -> None:
    up(desk.host, desk.workspace)
    desk.supervisors.differences = [{"path": "out", "guest": "file", "host": ""}]
    desk.supervisors.kill(desk.workspace.hash)
    halt(desk.host, desk.workspace)
    known = kept(desk.workspace.hash)
    assert known is not None
    assert known[1] == ["out"]
    desk.supervisors.differences = []
    halt(desk.host, desk.workspace)
    assert kept(desk.workspace.hash) == known, "what was found while it ran, as nothing runs now"


def test_a_guest_that_is_lost_for_a_moment_is_asked_again_before_it_ends(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    up(desk.host, desk.workspace)
    desk.supervisors.differences = [{"path": "out", "guest": "file", "host": ""}]
    for patience, left in ((-1.0, None), (60.0, ["out"])):
        monkeypatch.setattr("devbox.workspace.syncing._LAST_PATIENCE", patience)
        desk.supervisors.lost = 1
        halt(desk.host, desk.workspace)
        known = kept(desk.workspace.hash)
        assert known is not None
        assert known[1] == left
        up(desk.host, desk.workspace)


def test_destroy_refuses_to_take_away_what_is_nowhere_else(desk: Desk) -> None:
    up(desk.host, desk.workspace)
    desk.supervisors.differences = [{"path": "out/a\x1b", "guest": "file", "host": ""}]
    with pytest.raises(UnsyncedError) as caught:
        destroy(desk.host, desk.workspace)
    assert caught.value.detail == "out/a\\x1b"
    assert _volumes(desk)
    desk.supervisors.differences = []
    destroy(desk.host, desk.workspace)
    assert not desk.engine.volume_store
    assert kept(desk.workspace.hash) is None


def test_what_a_lost_environment_held_alone_is_named_where_it_cannot_be_saved(desk: Desk) -> None:
    result = up(desk.host, desk.workspace)
    desk.supervisors.differences = [{"path": "out/a", "guest": "file", "host": ""}]
    halt(desk.host, desk.workspace)
    desk.engine.remove(result.instance)
    with pytest.raises(UnsyncedError, match="cannot be saved, since it cannot be looked into") as caught:
        destroy(desk.host, desk.workspace, force=True)
    assert caught.value.detail == "out/a"
    assert caught.value.hint == f"devbox up, then again; or give it up: docker volume rm {result.name}-workspace"
    assert _volumes(desk)


def test_back_to_a_mount_ends_the_sync_and_leaves_the_copy(desk: Desk) -> None:
    up(desk.host, desk.workspace)
    desk.write()
    up(desk.host, desk.workspace)
    assert desk.supervisors.find(desk.workspace.hash) is None
    assert _volumes(desk)
    assert kept(desk.workspace.hash) is None


def test_a_guest_that_cannot_be_reached_is_an_error_and_not_a_wait(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("devbox.workspace.syncing._GUEST_PATIENCE", -1.0)
    desk.supervisors.syncing = LOST
    with pytest.raises(SyncError, match="the guest does not answer"):
        up(desk.host, desk.workspace)


def test_rules_under_a_mount_are_refused_with_their_line(desk: Desk) -> None:
    desk.write(RULE)
    with pytest.raises(ProfileError) as caught:
        up(desk.host, desk.workspace)
    assert [(one.file, one.key) for one in caught.value.problems] == [("devbox.toml", "sync.on_change")]
    assert desk.engine.calls == []


def test_a_pattern_that_matches_nothing_is_refused_with_its_line(desk: Desk) -> None:
    desk.write('[sync]\nmode = "two-way"\nignore = ["ok", "[a"]\nallow = []\n')
    with pytest.raises(ProfileError) as caught:
        up(desk.host, desk.workspace)
    assert [(one.key, one.line is not None) for one in caught.value.problems] == [("sync.ignore[1]", True)]
    assert desk.engine.calls == []
