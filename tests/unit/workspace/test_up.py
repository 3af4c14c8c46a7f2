"""`up`, `halt`, `destroy` and `prune` on an engine in memory: reconcile, and repair what somebody else did."""

from dataclasses import replace
from pathlib import Path

import pytest

from devbox import paths
from devbox.engine.base import ContainerRequest
from devbox.errors import (
    DevboxError,
    EngineUnavailableError,
    NotRunningError,
    ProfileError,
    ProvisionFailedError,
    StateError,
    TrustRequiredError,
)
from devbox.values import LABEL_OWNER, LABEL_ROLE, LABEL_SCHEMA, LABEL_WORKSPACE, ROLE_CACHE, ROLE_STEP
from devbox.workspace.destroy import destroy, survey
from devbox.workspace.halt import halt
from devbox.workspace.prune import prune
from devbox.workspace.shell import execute
from devbox.workspace.spec import LABEL_TARGET
from devbox.workspace.status import status
from devbox.workspace.up import UpResult, up
from tests.fakes.engine_streams import Outcome
from tests.support.desk import BASE, Desk

pytestmark = pytest.mark.long

CREATE_STEP = '[[provision]]\nname = "schema"\nrun = "make schema"\n'


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path / "shop").write()


def _up(desk: Desk) -> UpResult:
    return up(desk.host, desk.workspace)


def _name(desk: Desk) -> str:
    return desk.workspace.container_name


def test_up_creates_starts_and_then_has_nothing_to_do(desk: Desk) -> None:
    first = _up(desk)
    assert (first.changed, first.name) == (True, _name(desk))
    calls = len(desk.engine.calls)
    second = _up(desk)
    assert (second.changed, second.done, second.instance) == (False, (), first.instance)
    assert desk.engine.calls[calls:] == []


def test_a_changed_profile_recreates_and_keeps_the_volumes(desk: Desk) -> None:
    _up(desk)
    volumes = set(desk.engine.volume_store)
    desk.write("[resources]\npids = 100\n")
    result = _up(desk)
    assert result.done == ("recreated (its settings changed)",)
    assert set(desk.engine.volume_store) == volumes
    assert desk.boxes == [_name(desk)]


def test_a_mount_of_what_is_not_there_is_refused_with_its_line_before_anything_is_made(desk: Desk) -> None:
    desk.write('[[mounts]]\nsource = "./data"\ntarget = "/data"\n')
    with pytest.raises(ProfileError) as caught:
        _up(desk)
    assert [(one.file, one.key, one.message) for one in caught.value.problems] == [
        ("devbox.toml", "mounts[0].source", '"./data" does not exist')
    ]
    assert caught.value.problems[0].line
    assert desk.engine.calls == []
    assert not (desk.workspace.directory / "data").exists()


def test_a_changed_build_runs_only_what_changed(desk: Desk) -> None:
    desk.write('[[provision]]\nrun = "one"\nwhen = "build"\n')
    _up(desk)
    built = len(desk.engine.calls_of("commit"))
    desk.write('[[provision]]\nrun = "one"\nwhen = "build"\n[[provision]]\nrun = "two"\nwhen = "build"\n')
    assert _up(desk).done == ("built 1 step", "recreated (its image changed)")
    assert len(desk.engine.calls_of("commit")) == built + 1


def test_what_was_halted_is_started(desk: Desk) -> None:
    _up(desk)
    assert halt(desk.host, desk.workspace)
    assert not halt(desk.host, desk.workspace)
    assert _up(desk).done == ("started",)


def test_what_was_removed_by_hand_is_created_again_with_its_volumes(desk: Desk) -> None:
    _up(desk)
    volumes = set(desk.engine.volume_store)
    desk.engine.container_store.clear()
    assert _up(desk).done == ("created",)
    assert set(desk.engine.volume_store) == volumes


def test_what_was_renamed_by_hand_is_recreated(desk: Desk) -> None:
    box = desk.engine.container_store[_up(desk).instance]
    box.name = "mine"
    assert _up(desk).done == ("recreated (it was renamed)",)
    assert desk.boxes == [_name(desk)]


def test_an_image_that_was_pruned_is_built_again(desk: Desk) -> None:
    _up(desk)
    halt(desk.host, desk.workspace)
    desk.engine.container_store.clear()
    for image in [image for image in desk.engine.image_store.values() if LABEL_OWNER in image.labels]:
        del desk.engine.image_store[image.id]
    done = _up(desk).done
    assert done[0].startswith("built")
    assert done[-1] == "created"


def test_a_second_container_of_the_workspace_is_a_leftover(desk: Desk) -> None:
    box = desk.engine.container_store[_up(desk).instance]
    desk.engine.container_store["copy"] = type(box)(**{**vars(box), "id": "copy", "name": "devbox-shop-copy"})
    assert _up(desk).done == ("removed leftovers",)
    assert desk.boxes == [_name(desk)]


def test_another_project_of_the_same_name_that_takes_the_images_name_changes_nothing(desk: Desk) -> None:
    made = _up(desk)
    engine = desk.engine
    mine = engine.image_store[made.image]
    twin = replace(mine, id="sha256:" + "7" * 64, tags=())  # built at the same time, by the same recipe
    engine.image_store[twin.id] = twin
    for tag in mine.tags:
        engine.tag(twin.id, tag)
    assert not _up(desk).changed
    assert _up(desk).image == made.image


def test_one_that_was_only_created_is_started(desk: Desk) -> None:
    box = desk.engine.container_store[_up(desk).instance]
    box.status = "created"
    assert _up(desk).done == ("started",)


def test_a_container_of_somebody_else_under_our_name_is_not_touched(desk: Desk) -> None:
    box = desk.engine.container_store[_up(desk).instance]
    box.labels[LABEL_OWNER] = "1000-else"
    with pytest.raises(StateError, match="belongs to 1000-else"):
        _up(desk)
    assert box.id in desk.engine.container_store


@pytest.mark.parametrize("content", ["", "rubbish", "schema=1\n"])
def test_a_broken_record_is_no_obstacle(desk: Desk, content: str) -> None:
    _up(desk)
    record = Path(paths.record_file(desk.workspace.hash))
    record.write_text(content)
    assert not _up(desk).changed
    assert "complete=1" in record.read_text()


def test_a_record_of_a_newer_devbox_stops_it_before_anything_is_made(desk: Desk) -> None:
    record = Path(paths.record_file(desk.workspace.hash))
    record.parent.mkdir(parents=True)
    record.write_text("schema=2\ncomplete=1\n")
    with pytest.raises(StateError, match="newer"):
        _up(desk)
    assert desk.engine.calls == []


def test_a_profile_without_consent_makes_nothing(desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    desk.write('[[mounts]]\nsource = "../data"\ntarget = "/data"\n')
    with pytest.raises(TrustRequiredError):
        _up(desk)
    assert desk.engine.calls == []


def test_changed_ports_are_given_without_another_container(desk: Desk) -> None:
    first = _up(desk)
    desk.write("[ports]\nweb = 8123\n")
    second = _up(desk)
    assert (second.done, second.instance) == (("ports changed",), first.instance)
    assert [(port.name, port.guest_port, port.host_port) for port in second.ports] == [("web", 8123, 8123)]
    assert not _up(desk).changed
    desk.write()
    assert (_up(desk).done, desk.supervisors.store) == (("ports changed",), {})


def test_halt_and_destroy_end_the_supervisor(desk: Desk) -> None:
    desk.write("[ports]\nweb = 8123\n")
    for verb in (halt, destroy):
        _up(desk)
        assert desk.supervisors.store
        verb(desk.host, desk.workspace)
        assert not desk.supervisors.store


def test_a_supervisor_that_was_killed_is_a_problem_that_up_repairs(desk: Desk) -> None:
    desk.write("[ports]\nweb = 8123\n")
    _up(desk)
    desk.supervisors.kill(desk.workspace.hash)
    found = status(desk.host, desk.workspace)
    assert [(problem.key, problem.hint) for problem in found.problems] == [("ports", "devbox up")]
    assert [port.host_port for port in found.ports] == [8123]
    assert _up(desk).done == ("ports answer again",)
    assert not status(desk.host, desk.workspace).problems


def test_a_taken_port_moves_and_is_said_once(desk: Desk) -> None:
    desk.write("[ports]\nweb = 8123\n")
    desk.supervisors.taken.add(8123)
    result = _up(desk)
    assert result.ports[0].host_port != 8123
    assert [note for note in desk.reporter.notes if "8123 is taken" in note]
    assert len(desk.boxes) == 1
    desk.reporter.notes.clear()
    assert not _up(desk).changed
    assert desk.reporter.notes == []


def test_create_steps_run_once_in_each_container(desk: Desk) -> None:
    desk.write(CREATE_STEP)
    assert _up(desk).done[-1] == "provisioned 1 step"
    assert desk.markers.ran == ["set -e\nmake schema\n"]
    assert not _up(desk).changed
    desk.engine.container_store.clear()
    _up(desk)
    assert len(desk.markers.ran) == 2


def test_a_create_step_that_fails_shows_its_last_lines_and_runs_again(desk: Desk) -> None:
    desk.write(CREATE_STEP)
    lines = "".join(f"line {number}\n" for number in range(50))
    desk.markers.inside = lambda box, request: Outcome(exit_code=3, stdout=lines.encode())
    with pytest.raises(ProvisionFailedError, match="exit code 3") as caught:
        _up(desk)
    assert str(caught.value.detail).splitlines() == [f"line {number}" for number in range(20, 50)]
    desk.markers.inside = lambda box, request: Outcome()
    assert _up(desk).done == ("provisioned 1 step",)


def test_a_project_without_a_profile_runs_on_what_init_would_write(desk: Desk) -> None:
    (desk.directory / "devbox.toml").unlink()
    (desk.directory / "index.html").touch()
    desk.engine.add_image("debian:12")
    _up(desk)
    assert [note for note in desk.reporter.notes if "there is no devbox.toml" in note]
    assert [path.name for path in desk.directory.iterdir()] == ["index.html"]


def test_exec_starts_nothing(desk: Desk) -> None:
    with pytest.raises(NotRunningError, match="there is none"):
        execute(desk.host, desk.workspace, ["true"])
    _up(desk)
    halt(desk.host, desk.workspace)
    with pytest.raises(NotRunningError, match="stopped"):
        execute(desk.host, desk.workspace, ["true"])


CALLS = ("create", "commit", "start", "remove", "tag", "attach", "wait", "exec", "container", "containers", "volumes")


@pytest.mark.parametrize("nth", [1, 2, 3])
@pytest.mark.parametrize("call", CALLS)
def test_an_engine_lost_anywhere_during_up_is_repaired_by_the_same_command(desk: Desk, call: str, nth: int) -> None:
    desk.write(CREATE_STEP + '[[provision]]\nrun = "one"\nwhen = "build"\n')
    desk.engine.drop_on(call, nth=nth)
    try:
        _up(desk)
    except DevboxError as error:
        assert isinstance(error, EngineUnavailableError)  # noqa: PT017 (fewer calls than nth are fine as well)
    desk.engine.come_back()
    _up(desk)
    assert not _up(desk).changed
    assert desk.boxes == [_name(desk)]
    assert desk.engine.containers({LABEL_ROLE: ROLE_STEP}) == []


@pytest.mark.parametrize("nth", [1, 2])
@pytest.mark.parametrize("call", ["remove", "remove_volume", "containers", "volumes", "networks"])
def test_a_destroy_that_was_cut_off_is_finished_by_the_next(desk: Desk, call: str, nth: int) -> None:
    _up(desk)
    desk.engine.drop_on(call, nth=nth)
    try:
        destroy(desk.host, desk.workspace)
    except DevboxError as error:
        assert isinstance(error, EngineUnavailableError)  # noqa: PT017
    desk.engine.come_back()
    destroy(desk.host, desk.workspace)
    assert desk.engine.container_store == {}
    assert desk.engine.volume_store == {}
    assert destroy(desk.host, desk.workspace).empty


def test_destroy_takes_this_workspace_and_leaves_the_other(desk: Desk, tmp_path: Path) -> None:
    other = desk.elsewhere(tmp_path / "other").write()
    _up(desk)
    _up(other)
    cache = {LABEL_OWNER: desk.host.owner, LABEL_ROLE: ROLE_CACHE, LABEL_SCHEMA: "1"}
    desk.engine.volume_store["devbox-cache-apt"] = cache
    found = survey(desk.host, desk.workspace)
    assert destroy(desk.host, desk.workspace) == found
    assert found.containers == (_name(desk),)
    assert desk.boxes == [_name(other)]
    assert "devbox-cache-apt" in desk.engine.volume_store
    assert "devbox-cache-apt" in destroy(other.host, other.workspace).volumes


def test_destroy_takes_an_empty_mount_point_along_and_no_file(desk: Desk) -> None:
    _up(desk)
    (desk.directory / "node_modules").mkdir()
    labels = {LABEL_OWNER: desk.host.owner, LABEL_WORKSPACE: desk.workspace.hash}
    desk.engine.volume_store["v"] = {**labels, LABEL_TARGET: f"{desk.workspace.guest_directory}/node_modules"}
    destroy(desk.host, desk.workspace)
    assert {path.name for path in desk.directory.iterdir()} == {"devbox.toml", "devbox.lock"}


def _running_step(desk: Desk, workspace_hash: str) -> str:
    labels = {LABEL_WORKSPACE: workspace_hash, LABEL_OWNER: desk.host.owner, LABEL_ROLE: ROLE_STEP, LABEL_SCHEMA: "1"}
    request = ContainerRequest(name=None, image=BASE, command=("sleep", "1"), labels=tuple(labels.items()))
    step = desk.engine.create(request)
    desk.engine.start(step)
    return step


def test_prune_leaves_a_build_alone_that_locks_elsewhere(desk: Desk) -> None:
    _up(desk)
    destroy(desk.host, desk.workspace)
    step = _running_step(desk, "0badcafe")  # the same user's with another HOME: its lock cannot be seen from here
    said = prune(desk.host)
    assert (said.containers, said.images) == ((), ())
    assert step in desk.engine.container_store


def test_prune_removes_the_step_of_a_build_that_was_killed(desk: Desk) -> None:
    _up(desk)
    step = _running_step(desk, desk.workspace.hash)  # its lock is known, and free
    assert len(prune(desk.host).containers) == 1
    assert step not in desk.engine.container_store


def test_prune_leaves_what_an_environment_stands_on(desk: Desk, tmp_path: Path) -> None:
    other = desk.elsewhere(tmp_path / "other").write('[[provision]]\nrun = "x"\nwhen = "build"\n')
    _up(desk)
    _up(other)
    destroy(other.host, other.workspace)
    said = prune(desk.host, dry_run=True)
    assert said.images
    assert prune(desk.host) == said
    assert not _up(desk).changed
    assert prune(desk.host).images == ()
    destroy(desk.host, desk.workspace)
    prune(desk.host)
    assert not [image for image in desk.engine.image_store.values() if LABEL_OWNER in image.labels]


def test_prune_takes_an_environment_whose_directory_is_gone_unless_it_runs(desk: Desk) -> None:
    _up(desk)
    halt(desk.host, desk.workspace)
    workspace = desk.workspace
    for name in ("devbox.toml", "devbox.lock"):
        (desk.directory / name).unlink()
    host = desk.host
    desk.directory.rmdir()
    box = next(iter(desk.engine.container_store.values()))
    box.status = "running"
    assert prune(host, dry_run=True).containers == ()
    box.status = "exited"
    assert prune(host).containers == (workspace.container_name,)
    assert desk.engine.volume_store == {}


def test_prune_touches_nothing_of_another_owner(desk: Desk) -> None:
    desk.engine.volume_store["theirs"] = {LABEL_OWNER: "1000-else", LABEL_WORKSPACE: "00000000"}
    assert prune(desk.host).volumes == ()
    assert "theirs" in desk.engine.volume_store
