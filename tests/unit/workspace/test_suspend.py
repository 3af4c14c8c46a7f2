"""`suspend` and `resume` where nothing can be saved, and where something is."""

from dataclasses import replace
from pathlib import Path

import pytest

from devbox.errors import NotRunningError, UsageError
from devbox.runtimes.base import InstanceState
from devbox.workspace import halt as halting
from devbox.workspace import resume as resuming
from devbox.workspace.halt import halt
from devbox.workspace.plan import Action, reconcile, seen
from devbox.workspace.resume import resume
from devbox.workspace.up import up
from tests.fakes.runtime import FakeInstance, FakeRuntime
from tests.support.desk import Desk
from tests.unit.runtimes.test_vm import SPEC


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(directory=tmp_path / "shop").write()


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> FakeInstance:
    """Return a machine that runs, as all that the Workspace has."""
    made = FakeRuntime().create(replace(SPEC, shares=()))
    made.saved = False
    made.start()
    monkeypatch.setattr(halting, "instances", lambda host, workspace: [made])
    monkeypatch.setattr(resuming, "current", lambda host, workspace: made)
    return made


def test_a_container_is_not_saved_and_runs_on(desk: Desk) -> None:
    up(desk.host, desk.workspace)
    for verb in (lambda: halt(desk.host, desk.workspace, save=True), lambda: resume(desk.host, desk.workspace)):
        with pytest.raises(UsageError, match="shop is a container: what runs in it cannot be saved") as caught:
            verb()
        assert caught.value.exit_status == 2
    assert not up(desk.host, desk.workspace).changed


def test_a_machine_that_shares_its_files_is_not_saved_and_is_told_why(
    desk: Desk, machine: FakeInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.saved = None
    monkeypatch.setattr(halting, "is_machine", lambda host, instance: True)
    for verb in (lambda: halt(desk.host, desk.workspace, save=True), lambda: resume(desk.host, desk.workspace)):
        with pytest.raises(UsageError, match="shop shares the project's files live") as caught:
            verb()
        assert "two-way" in (caught.value.hint or "")
    assert machine.state is InstanceState.RUNNING


def test_where_nothing_is_there_is_nothing_to_suspend_and_nothing_to_resume(desk: Desk) -> None:
    assert not halt(desk.host, desk.workspace, save=True)
    with pytest.raises(NotRunningError, match="nothing of shop is saved: there is no environment"):
        resume(desk.host, desk.workspace)


def test_a_machine_is_saved_once(desk: Desk, machine: FakeInstance) -> None:
    assert halt(desk.host, desk.workspace, save=True)
    assert (machine.saved, machine.state) == (True, InstanceState.STOPPED)
    assert not halt(desk.host, desk.workspace, save=True)
    assert not halt(desk.host, desk.workspace)
    assert machine.saved


def test_one_that_was_halted_has_nothing_to_go_on_with(desk: Desk, machine: FakeInstance) -> None:
    assert halt(desk.host, desk.workspace)
    with pytest.raises(NotRunningError, match="nothing of shop is saved: it is stopped"):
        resume(desk.host, desk.workspace)


def test_one_that_is_saved_is_started_and_nothing_else(machine: FakeInstance) -> None:
    machine.save()
    plan = reconcile(machine.spec, [seen(machine)])
    assert (plan.action, plan.why, plan.keep) == (Action.START, "it was saved", machine.id)


def test_a_machine_that_ended_by_itself_can_be_halted_so_that_it_need_not_run(
    desk: Desk, machine: FakeInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopped: list[str] = []
    monkeypatch.setattr(FakeInstance, "stop", lambda one, *, timeout=10: stopped.append(one.name))
    machine.state = InstanceState.STOPPED
    machine.problem = "the machine ended by itself"
    for is_machine, ends in ((False, []), (True, [machine.name])):
        monkeypatch.setattr(halting, "is_machine", lambda host, instance, found=is_machine: found)
        assert halt(desk.host, desk.workspace) is bool(ends)
        assert stopped == ends
    assert not halt(desk.host, desk.workspace, save=True)
