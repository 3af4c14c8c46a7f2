"""`snapshot`: what is refused before anything is touched, the names of what is pushed, and what a sync may believe."""

from dataclasses import replace
from pathlib import Path

import pytest

from devbox import paths, record
from devbox.errors import NotRunningError, SnapshotError, UnsyncedError, UsageError
from devbox.profile.explain import digest
from devbox.runtimes.vm.shelf import About, shelf_of
from devbox.supervisor.order import SyncOrder
from devbox.values import LABEL_PROJECT
from devbox.workspace import snapshot_verb, sync_order, unsynced
from devbox.workspace.destroy import destroy
from devbox.workspace.effective import load_profile
from devbox.workspace.locks import lock_digest
from devbox.workspace.outcome import UpResult
from devbox.workspace.snapshot_verb import Choice, delete, listed, pop, restore, save
from devbox.workspace.up import up
from tests.fakes.runtime import FakeInstance, FakeRuntime
from tests.fakes.snapshots import FakeSnapshots
from tests.support.desk import Desk
from tests.unit.runtimes.test_vm import SPEC

ORDER = SyncOrder(host="/h", guest="/workspaces/shop", user="1000:1000", mode="two-way", git="read-only")


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(directory=tmp_path / "shop").write()


@pytest.fixture
def ups(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return what `up` was asked for."""
    asked: list[str] = []

    def upped(host: object, workspace: object) -> UpResult:
        asked.append("up")
        return UpResult(changed=True, done=("started",), name="shop", instance="i", image="m", ports=())

    monkeypatch.setattr(snapshot_verb, "up", upped)
    return asked


@pytest.fixture
def machine(desk: Desk, ups: list[str], monkeypatch: pytest.MonkeyPatch) -> FakeInstance:
    """Return a machine that runs, as all that the Workspace has."""
    made = FakeRuntime().create(replace(SPEC, shares=(), labels=((LABEL_PROJECT, str(desk.directory)),)))
    made.saved = False
    made.snapshots = FakeSnapshots(made, content="now")
    made.start()
    for module in (snapshot_verb, unsynced):
        monkeypatch.setattr(module, "current", lambda host, workspace: made)
    monkeypatch.setattr(snapshot_verb.on_this_host, "kept_of", lambda path_hash: _of(made).all())
    monkeypatch.setattr(snapshot_verb.on_this_host, "delete", lambda path_hash, name: _of(made).delete(name))
    return made


def _of(machine: FakeInstance) -> FakeSnapshots:
    assert machine.snapshots is not None
    return machine.snapshots


def _remember(desk: Desk, machine: FakeInstance, **fields: str) -> None:
    known = {
        "instance": machine.id,
        "profile": digest(load_profile(desk.host, desk.workspace).profile),
        "lock": lock_digest(desk.host, desk.workspace),
    }
    paths.private_directory(desk.workspace.state_directory)
    record.write(paths.record_file(desk.workspace.hash), {**known, **fields})


def test_a_container_has_none_and_runs_on(desk: Desk) -> None:
    up(desk.host, desk.workspace)
    verbs = (
        lambda: save(desk.host, desk.workspace, "a"),
        lambda: restore(desk.host, desk.workspace, "a", Choice()),
        lambda: listed(desk.host, desk.workspace),
        lambda: delete(desk.host, desk.workspace, "a"),
        lambda: pop(desk.host, desk.workspace, Choice(), delete_it=True),
    )
    for verb in verbs:
        with pytest.raises(UsageError, match="shop is a container: there are snapshots of machines alone") as caught:
            verb()
        assert "devbox destroy, devbox up" in (caught.value.hint or "")
    assert not up(desk.host, desk.workspace).changed


def test_destroy_takes_them_away_also_where_nothing_else_is_left(desk: Desk) -> None:
    shelf = shelf_of(desk.workspace.hash)
    with shelf.draft() as making:
        (making / "memory").write_bytes(b"keys")
        shelf.put(making, About(name="old", saved=0, pushed=False, mark="", image="", content="", spec=""))
    with shelf.draft() as making:
        (making / "memory").write_bytes(b"keys")
        making.rename(making.with_name("gone-00000007"))  # of one that was killed
    gone = destroy(desk.host, desk.workspace)
    assert (gone.snapshots, gone.empty) == (("old",), False)
    assert not shelf.root.exists()
    assert destroy(desk.host, desk.workspace).empty


def test_where_there_is_no_environment_there_is_nothing_to_keep_and_an_empty_list(desk: Desk) -> None:
    assert listed(desk.host, desk.workspace) == ()
    for verb in (
        lambda: save(desk.host, desk.workspace, "a"),
        lambda: restore(desk.host, desk.workspace, "a", Choice()),
    ):
        with pytest.raises(NotRunningError, match="there is no machine of shop"):
            verb()


@pytest.mark.parametrize("name", ["", "../x", "a b", "-a", ".a", "a/b", "a" * 65, "ä"])
def test_a_name_is_one_that_every_shell_takes(desk: Desk, machine: FakeInstance, name: str) -> None:
    with pytest.raises(UsageError, match="a snapshot cannot be called"):
        save(desk.host, desk.workspace, name)


def test_it_is_as_it_was_and_comes_up_unless_it_is_to_stay_stopped(
    desk: Desk, machine: FakeInstance, ups: list[str]
) -> None:
    save(desk.host, desk.workspace, "a")
    for choice, expected in ((Choice(), ["up"]), (Choice(start=False), ["up"])):
        _of(machine).content = "later"
        done = restore(desk.host, desk.workspace, "a", choice)
        assert (done.snapshot.name, done.up is not None, ups) == ("a", choice.start, expected)
        assert _of(machine).content == "now"


@pytest.mark.parametrize(("boot", "goes_on"), [(False, True), (True, False)])
def test_what_ran_goes_on_unless_it_is_to_boot(desk: Desk, machine: FakeInstance, boot: bool, goes_on: bool) -> None:
    save(desk.host, desk.workspace, "a")
    restore(desk.host, desk.workspace, "a", Choice(boot=boot))
    assert machine.saved is goes_on


def test_one_that_is_not_there_is_said_before_anything_else(desk: Desk, machine: FakeInstance, ups: list[str]) -> None:
    sync_order.keep(desk.workspace.hash, ORDER, left=["work"])
    with pytest.raises(UsageError, match="there is no snapshot a"):
        restore(desk.host, desk.workspace, "a", Choice())
    with pytest.raises(UsageError, match="there is no snapshot a"):
        delete(desk.host, desk.workspace, "a")
    assert not ups


def test_what_was_pushed_is_popped_the_last_first_and_taken_away_then(desk: Desk, machine: FakeInstance) -> None:
    names = []
    for text in ("1", "2"):
        _of(machine).content = text
        names.append(save(desk.host, desk.workspace, None).name)
    assert names == ["push_1", "push_2"]
    save(desk.host, desk.workspace, "by-name")
    for keep, text in ((True, "2"), (False, "2"), (False, "1")):
        pop(desk.host, desk.workspace, Choice(), delete_it=not keep)
        assert _of(machine).content == text
    assert [one.name for one in listed(desk.host, desk.workspace)] == ["by-name"]
    with pytest.raises(UsageError, match="no snapshot was pushed"):
        pop(desk.host, desk.workspace, Choice(), delete_it=True)


def test_a_name_that_was_given_by_hand_is_not_pushed_again(desk: Desk, machine: FakeInstance) -> None:
    save(desk.host, desk.workspace, "push_1")
    assert save(desk.host, desk.workspace, None).name == "push_2"


@pytest.mark.parametrize("known", ["adopted", "behind"], ids=["its image is made", "its image is still to be made"])
def test_one_from_before_it_was_changed_as_it_ran_is_refused(
    desk: Desk, machine: FakeInstance, ups: list[str], known: str
) -> None:
    _remember(desk, machine)
    save(desk.host, desk.workspace, "before")
    _remember(desk, machine, **{known: "what it was brought to"})
    save(desk.host, desk.workspace, "after")
    with pytest.raises(SnapshotError, match="the snapshot before is of another environment"):
        restore(desk.host, desk.workspace, "before", Choice())
    assert not ups
    restore(desk.host, desk.workspace, "after", Choice())


def test_where_up_would_throw_it_away_again_it_is_not_restored(
    desk: Desk, machine: FakeInstance, ups: list[str]
) -> None:
    _remember(desk, machine)
    save(desk.host, desk.workspace, "a")
    desk.write('[env]\nWORD = "another"\n')
    with pytest.raises(SnapshotError, match=r"devbox\.toml or devbox\.lock has changed since devbox up"):
        restore(desk.host, desk.workspace, "a", Choice())
    assert not ups
    restore(desk.host, desk.workspace, "a", Choice(start=False))


def test_work_that_is_inside_alone_is_named_and_nothing_is_touched(
    desk: Desk, machine: FakeInstance, ups: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unsynced, "_has_copy", lambda host, workspace: True)
    save(desk.host, desk.workspace, "a")
    machine.stop()
    _of(machine).content = "later"
    paths.private_directory(desk.workspace.state_directory)
    sync_order.keep(desk.workspace.hash, ORDER, left=["src/work.py"])
    with pytest.raises(UnsyncedError) as caught:
        restore(desk.host, desk.workspace, "a", Choice())
    assert caught.value.detail == "src/work.py"
    assert "devbox snapshot restore a --force" in (caught.value.hint or "")
    assert (_of(machine).content, ups) == ("later", [])
    sync_order.keep(desk.workspace.hash, ORDER, left=[])
    restore(desk.host, desk.workspace, "a", Choice())  # a halt has found nothing, which is enough
    assert _of(machine).content == "now"


def test_what_cannot_be_looked_into_is_given_up_only_by_force(
    desk: Desk, machine: FakeInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unsynced, "_has_copy", lambda host, workspace: True)
    monkeypatch.setattr(unsynced, "_running", lambda host, workspace: None)
    save(desk.host, desk.workspace, "a")
    machine.stop()
    paths.private_directory(desk.workspace.state_directory)
    sync_order.keep(desk.workspace.hash, ORDER)
    with pytest.raises(UnsyncedError):
        restore(desk.host, desk.workspace, "a", Choice())
    restore(desk.host, desk.workspace, "a", Choice(force=True))
    assert any("what is inside alone is given up" in line for line in desk.reporter.warnings)


def test_nothing_believes_in_what_both_sides_had_after_it_but_what_was_kept_with_it(
    desk: Desk, machine: FakeInstance
) -> None:
    paths.private_directory(desk.workspace.state_directory)
    save(desk.host, desk.workspace, "a")
    state = Path(paths.sync_state(desk.workspace.hash))
    sync_order.keep(desk.workspace.hash, ORDER, left=[])
    for end in ("", "-wal", "-shm"):
        state.with_name(state.name + end).write_bytes(b"of now")
    restore(desk.host, desk.workspace, "a", Choice(force=True))
    assert not list(state.parent.glob("sync.db*"))
    assert sync_order.kept(desk.workspace.hash) == (ORDER, None)
