"""`add` and `remove` on an engine in memory: files, Lock, Image and what runs change together or not at all."""

from pathlib import Path

import pytest

from devbox import paths
from devbox.build.stepping import LISTENING
from devbox.engine.base import ContainerInfo, ContainerRequest, ExecRequest
from devbox.errors import BuildFailedError, ProfileError, UsageError
from devbox.profile.lock_file import parse
from devbox.record import read
from devbox.workspace.behind import settle
from devbox.workspace.change import add, remove
from devbox.workspace.halt import halt
from devbox.workspace.up import up
from tests.fakes.engine_streams import Outcome
from tests.support.desk import Desk, command, script_of

HASH = "a" * 64


def row(name: str) -> str:
    return f"'http://m.example/debian/pool/main/{name}_1_amd64.deb' {name}_1_amd64.deb 1 SHA256:{HASH}"


def apt(request: ContainerRequest, stdin: bytes) -> Outcome | None:
    """Be apt: answer what a name comes to; there is no package called "nosuch"."""
    script = script_of(request, stdin)
    if "--print-uris" not in script:
        return command(request, stdin)
    names = script.partition("--print-uris -- ")[2].partition(" >")[0].split()
    if "nosuch" in names:
        return Outcome(exit_code=100, stderr=b"E: Unable to locate package nosuch\n")
    return Outcome(stdout="\n".join(["1700000000", *map(row, names)]).encode() + b"\n")


def broken(request: ContainerRequest, stdin: bytes) -> Outcome | None:
    """Be a container in which jq cannot be installed."""
    bad = "jq" in script_of(request, stdin) and not request.entrypoint
    return Outcome(exit_code=1, stderr=b"dpkg: no room\n") if bad else command(request, stdin)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    made = Desk(tmp_path / "shop").write('[packages]\nsystem = ["git"]  # always\n')
    made.engine.on_command = apt
    return made


def asked(desk: Desk) -> list[tuple[str, ...]]:
    return [group.asked for group in parse((desk.directory / "devbox.lock").read_text()).platforms["amd64"].groups]


def test_what_runs_gets_it_in_place_and_up_has_nothing_to_do(desk: Desk) -> None:
    first = up(desk.host, desk.workspace)
    changed = add(desk.host, desk.workspace, ["jq"], group="system")
    assert (changed.names, changed.files, changed.live) == (("jq",), ("devbox.toml",), True)
    assert any("./jq_1_amd64.deb" in script for script in desk.markers.ran)
    assert 'system = ["git", "jq"]  # always' in (desk.directory / "devbox.toml").read_text()
    assert asked(desk) == [("git",), ("jq",)]
    settle(desk.host, desk.workspace, -1)
    again = up(desk.host, desk.workspace)
    assert (again.changed, again.instance) == (False, first.instance)


def test_the_image_is_made_behind_and_nothing_else_is_built_again(desk: Desk) -> None:
    host = desk.host
    up(host, desk.workspace)
    before = len(desk.engine.requests)
    add(host, desk.workspace, ["jq"], group="system")
    assert [request.command[-1] for request in desk.engine.requests[before:]] == [LISTENING], "the question"
    [started] = host.processes.calls
    assert started.argv[-3:-1] == ("settle", "--lock")
    settle(host, desk.workspace, -1)
    _, step = desk.engine.requests[before:]
    assert "./jq_1_amd64.deb" in step.command[-1]


def test_whoever_comes_before_the_image_is_made_makes_it_and_keeps_what_runs(desk: Desk) -> None:
    first = up(desk.host, desk.workspace)
    add(desk.host, desk.workspace, ["jq"], group="system")
    add(desk.host, desk.workspace, ["less"], group="system")
    again = up(desk.host, desk.workspace)
    assert (again.done, again.instance) == (("built 1 step",), first.instance)
    assert up(desk.host, desk.workspace).done == ()


def test_what_was_changed_behind_its_back_is_left_to_up(desk: Desk) -> None:
    first = up(desk.host, desk.workspace)
    add(desk.host, desk.workspace, ["jq"], group="system")
    desk.write('[packages]\nsystem = ["git", "jq"]\n[env]\nWORD = "x"\n')
    settle(desk.host, desk.workspace, -1)
    assert [box.id for box in desk.engine.container_store.values()] == [first.instance]
    again = up(desk.host, desk.workspace)
    assert (again.changed, again.instance != first.instance) == (True, True)


def test_an_image_that_cannot_be_made_is_said_by_the_next_up(desk: Desk) -> None:
    first = up(desk.host, desk.workspace)
    add(desk.host, desk.workspace, ["jq"], group="system")
    fine, desk.engine.on_command = desk.engine.on_command, broken
    with pytest.raises(BuildFailedError):
        settle(desk.host, desk.workspace, -1)
    known = read(paths.record_file(desk.workspace.hash))
    assert known is not None
    assert (known["plan"], bool(known["behind"])) == ("", True)
    with pytest.raises(BuildFailedError):
        up(desk.host, desk.workspace)
    desk.engine.on_command = fine
    again = up(desk.host, desk.workspace)
    assert (again.done, again.instance) == (("built 1 step",), first.instance)


def test_nothing_is_made_behind_what_does_not_run(desk: Desk) -> None:
    settle(desk.host, desk.workspace, -1)
    up(desk.host, desk.workspace)
    add(desk.host, desk.workspace, ["jq"], group="system")
    halt(desk.host, desk.workspace)
    before = len(desk.engine.requests)
    settle(desk.host, desk.workspace, -1)
    assert len(desk.engine.requests) == before


def test_a_name_that_does_not_exist_changes_nothing(desk: Desk) -> None:
    up(desk.host, desk.workspace)
    before = {path.name: path.read_bytes() for path in desk.directory.iterdir()}
    with pytest.raises(BuildFailedError, match="nosuch"):
        add(desk.host, desk.workspace, ["nosuch"], group="system")
    assert {path.name: path.read_bytes() for path in desk.directory.iterdir()} == before
    assert not up(desk.host, desk.workspace).changed


def test_what_cannot_be_changed_in_place_is_made_anew(desk: Desk) -> None:
    def broken(box: ContainerInfo, request: ExecRequest) -> Outcome:
        return Outcome(exit_code=1, stderr=b"dpkg: no room\n")

    first = up(desk.host, desk.workspace)
    desk.markers.inside = broken
    changed = add(desk.host, desk.workspace, ["jq"], group="system")
    assert not changed.live
    assert any("dpkg: no room" in text for text in desk.reporter.warnings)
    desk.markers.inside = lambda box, request: Outcome()
    again = up(desk.host, desk.workspace)
    assert (again.changed, again.instance != first.instance) == (False, True)


def test_a_change_that_was_cut_short_is_carried_to_its_end_by_the_same_command(desk: Desk) -> None:
    up(desk.host, desk.workspace)
    desk.write('[packages]\nsystem = ["git", "jq"]\n')  # that far it had come
    assert add(desk.host, desk.workspace, ["jq"], group="system").names == ("jq",)
    assert asked(desk) == [("git",), ("jq",)]
    assert not up(desk.host, desk.workspace).changed


def test_what_does_not_run_is_not_started(desk: Desk) -> None:
    up(desk.host, desk.workspace)
    halt(desk.host, desk.workspace)
    assert not add(desk.host, desk.workspace, ["jq"], group="system").live
    assert [box.status for box in desk.engine.container_store.values()] == ["exited"]


def test_the_newest_goes_with_its_layer_and_what_is_there_twice_is_said_once(desk: Desk) -> None:
    up(desk.host, desk.workspace)
    add(desk.host, desk.workspace, ["jq"], group="system")
    assert add(desk.host, desk.workspace, ["jq"], group="system").names == ()
    assert remove(desk.host, desk.workspace, ["jq"], group="system").live
    assert any("auto jq" in script for script in desk.markers.ran)
    assert asked(desk) == [("git",)]
    assert not up(desk.host, desk.workspace).changed


@pytest.mark.parametrize(
    ("names", "group", "words"),
    [
        (["a b"], "system", "not the name of a package"),
        (["jq"], "sytem", "did you mean system"),
        (["left-pad"], "node", "npm install left-pad"),
        (["-r x"], "python", "no requirement"),
    ],
)
def test_what_cannot_be_added_is_refused_before_anything_happens(
    desk: Desk, names: list[str], group: str, words: str
) -> None:
    before = (desk.directory / "devbox.toml").read_bytes()
    with pytest.raises(UsageError) as caught:
        add(desk.host, desk.workspace, names, group=group)
    assert words in f"{caught.value.message} {caught.value.hint}"
    assert (desk.directory / "devbox.toml").read_bytes() == before
    assert desk.engine.requests == []


def test_what_another_layer_asks_for_is_not_removed_here(desk: Desk) -> None:
    (desk.directory / "devbox.local.toml").write_text('[packages]\nsystem = ["htop"]\n')
    with pytest.raises(UsageError, match=r"but from devbox\.local\.toml:2"):
        remove(desk.host, desk.workspace, ["htop"], group="system")
    with pytest.raises(UsageError) as caught:
        remove(desk.host, desk.workspace, ["gti"], group="system")
    assert caught.value.hint == "did you mean git?"


def test_without_a_profile_there_is_nothing_to_change(tmp_path: Path) -> None:
    with pytest.raises(ProfileError, match=r"no devbox\.toml"):
        add(Desk(tmp_path / "shop").host, Desk(tmp_path / "shop").workspace, ["jq"], group="system")


def test_a_requirement_goes_into_the_file_that_the_profile_names(desk: Desk) -> None:
    desk.write('[packages.python]\nrequirements = ["dev.txt"]\n')
    (desk.directory / "dev.txt").write_text("flask==3.0  # web\n")
    assert add(desk.host, desk.workspace, ["httpx>=0.27", "Flask"], group="python").names == ("httpx>=0.27",)
    assert (desk.directory / "dev.txt").read_text() == "flask==3.0  # web\nhttpx>=0.27\n"
    remove(desk.host, desk.workspace, ["HTTPX"], group="python")
    assert (desk.directory / "dev.txt").read_text() == "flask==3.0  # web\n"


def test_the_projects_own_lock_file_is_left_to_its_own_tool(desk: Desk) -> None:
    (desk.directory / "uv.lock").write_text("version = 1\n")
    with pytest.raises(UsageError) as caught:
        add(desk.host, desk.workspace, ["httpx"], group="python")
    assert caught.value.hint == "devbox exec -- uv add httpx, then devbox up"


def test_a_base_without_a_package_manager_expects_no_question(tmp_path: Path) -> None:
    desk = Desk(tmp_path / "shop").write("")
    desk.engine.on_command = lambda request, stdin: (
        Outcome(stdout=b"ID=tiny\nVERSION_ID=1\n\n/bin/tar\n")
        if "os-release" in script_of(request, stdin)
        else command(request, stdin)
    )
    assert up(desk.host, desk.workspace).changed
