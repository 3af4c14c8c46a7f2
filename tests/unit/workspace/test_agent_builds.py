"""Old builds of the agent: `prune` takes those that nothing can need, and in doubt none."""

import fcntl
from dataclasses import replace
from pathlib import Path

import pytest

from devbox import paths, record
from devbox.agent import program
from devbox.engine.base import Allowance, ContainerRequest, Mount, MountKind
from devbox.values import LABEL_AGENT, LABEL_OWNER, LABEL_ROLE, LABEL_WORKSPACE, ROLE_ENVIRONMENT
from devbox.workspace.prune import prune
from tests.fakes.engine import INFO, FakeEngine
from tests.support.desk import BASE, Desk

OLD, OLDER = "0" * 15 + "1", "f" * 16


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """A project on a host with this devbox's build of the agent and two others."""
    for build in (OLD, OLDER):
        program_of(build).parent.mkdir(parents=True)
        program_of(build).write_bytes(b"\x7fELF")
    return Desk(tmp_path / "shop").write()


def program_of(build: str) -> Path:
    return Path(paths.agent_program(build, "x86_64"))


def builds() -> set[str]:
    return {path.name for path in Path(paths.agents_root()).iterdir()}


def environment(desk: Desk, engine: FakeEngine, build: str, *, owner: str = "", project: Path | None = None) -> None:
    """Make a container that mounts this build of the agent and never runs."""
    project = project or desk.directory
    labels = {
        LABEL_OWNER: owner or desk.host.owner,
        LABEL_WORKSPACE: desk.workspace.hash,
        LABEL_ROLE: ROLE_ENVIRONMENT,
        LABEL_AGENT: build,
    }
    mounts = (
        Mount(kind=MountKind.BIND, source=str(program_of(build)), target="/run/devbox/agent", read_only=True),
        Mount(kind=MountKind.BIND, source=str(project), target="/workspaces/shop"),
    )
    allowance = Allowance(bind_sources=frozenset(mount.source for mount in mounts))
    engine.create(
        ContainerRequest(
            name=None, image=BASE, command=(), labels=tuple(labels.items()), mounts=mounts, allowance=allowance
        )
    )


def test_what_no_container_mounts_goes_and_this_devboxs_own_stays(desk: Desk) -> None:
    assert prune(desk.host, dry_run=True).agents == (OLD, OLDER)
    assert builds() == {OLD, OLDER, program.build_id()}
    assert prune(desk.host).agents == (OLD, OLDER)
    assert builds() == {program.build_id()}
    assert prune(desk.host).agents == ()


def test_a_container_keeps_the_build_that_it_mounts_though_it_does_not_run(desk: Desk) -> None:
    environment(desk, desk.engine, OLD)
    assert prune(desk.host).agents == (OLDER,)
    assert program_of(OLD).is_file()


def test_so_does_one_of_another_owner_and_one_on_another_engine(desk: Desk) -> None:
    environment(desk, desk.engine, OLD, owner="4711-elsewhere")
    other = FakeEngine(info=replace(INFO, url="unix:///run/podman/podman.sock"))
    other.add_image(BASE)
    environment(desk, other, OLDER)
    assert prune(replace(desk.host, reachable=lambda: [desk.engine, other])).agents == ()
    assert prune(desk.host, dry_run=True).agents == (OLDER,)


def test_a_container_that_goes_itself_keeps_nothing(desk: Desk, tmp_path: Path) -> None:
    project = tmp_path / "gone"
    project.mkdir()
    environment(desk, desk.engine, OLD, project=project)
    project.rmdir()
    said = prune(desk.host, dry_run=True)
    assert (len(said.containers), said.agents) == (1, (OLD, OLDER))
    assert prune(desk.host) == said


@pytest.mark.parametrize(
    ("url", "gone"),
    [
        ("unix:///no/such.sock", ()),
        ("ssh://away", ()),
        (INFO.url, (OLD, OLDER)),
        (INFO.url.replace("///", "///./"), (OLD, OLDER)),
    ],
)
def test_an_engine_that_a_record_names_and_that_does_not_answer_keeps_all(
    desk: Desk, url: str, gone: tuple[str, ...]
) -> None:
    path = Path(paths.record_file("0badcafe"))
    paths.private_directory(str(path.parent))
    record.write(str(path), {"project": "/elsewhere", "engine": url})
    assert prune(desk.host).agents == gone
    assert bool(gone) is not any("does not answer" in note for note in desk.reporter.notes)


def test_a_record_of_a_newer_devbox_keeps_all(desk: Desk) -> None:
    path = Path(paths.record_file("0badcafe"))
    paths.private_directory(str(path.parent))
    path.write_text("schema=99\ncomplete=1\n")
    assert prune(desk.host).agents == ()


def test_a_command_that_goes_on_elsewhere_may_be_about_to_mount_one(desk: Desk) -> None:
    path = Path(paths.lock_file("0badcafe"))
    paths.private_directory(str(path.parent))
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert prune(desk.host).agents == ()
    assert prune(desk.host).agents == (OLD, OLDER)


def test_what_is_no_build_is_left_alone(desk: Desk, tmp_path: Path) -> None:
    root, outside = Path(paths.agents_root()), tmp_path / "outside"
    outside.mkdir()
    (outside / "file").touch()
    (root / ("a" * 16)).symlink_to(outside)
    (root / ("b" * 16)).write_text("no directory")
    (root / "notes").mkdir()
    assert prune(desk.host).agents == (OLD, OLDER)
    assert {"a" * 16, "b" * 16, "notes"} <= builds()
    assert (outside / "file").exists()
