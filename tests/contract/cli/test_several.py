"""Several machines of one project: `-m NAME` is one of them, and up, halt, destroy and status without it go to all."""

import json
from pathlib import Path
from typing import Any

import pytest

from devbox.engine.base import ContainerRequest
from devbox.values import LABEL_MACHINE
from tests.contract.cli.conftest import PROFILE, FakeWorld, World, command
from tests.fakes.engine_streams import Outcome

HEAD = PROFILE.replace('user.shell = "sh"\n', 'user.shell = "sh"\nenv = { ROLE = "web" }\n')
WORKER = '[machines.worker.env]\nROLE = "worker"\n'
DB = '[machines.db.env]\nROLE = "db"\n'


def machines(world: World, *words: str) -> dict[str, Any]:
    """Return what a verb says of the machines beside the profile's own, by name."""
    found = world(*words, "--json").document["machines"]
    return {one["machine"]: one for one in found}


def test_all_come_up_and_each_is_entered_by_its_name(world: World) -> None:
    world.write(HEAD + WORKER + DB)
    up = world("up", "--json")
    assert up.status == 0, up.stderr
    assert [one["machine"] for one in up.document["machines"]] == ["worker", "db"]
    ids = {up.document["instance"], *(one["instance"] for one in up.document["machines"])}
    assert len(ids) == 3
    for option, role in (
        ((), "web"),
        (("-m", "default"), "web"),
        (("-m", "worker"), "worker"),
        (("--machine=db",), "db"),
    ):
        assert world("exec", *option, "--", "sh", "-c", "echo $ROLE").stdout == f"{role}\n"
        assert world("shell", *option, "--", "sh", "-c", "echo $ROLE").stdout == f"{role}\n"
    again = world("up")
    assert (again.status, again.stdout) == (0, "nothing to do\n")
    status = world("status", "--json").document
    assert (status["state"], status["instance"], status["stale"]) == ("running", up.document["instance"], False)
    assert {one["machine"]: (one["state"], one["orphan"], one["stale"]) for one in status["machines"]} == {
        "worker": ("running", False, False),
        "db": ("running", False, False),
    }
    assert world("status", "-m", "db", "--json").document["instance"] == machines(world, "status")["db"]["instance"]


def test_one_is_stopped_and_taken_away_by_itself(world: World) -> None:
    world.write(HEAD + WORKER)
    assert world("up").status == 0
    assert world("halt", "-m", "worker", "--json").document == {"schema": 1, "changed": True}
    assert (machines(world, "status")["worker"]["state"], world("exec", "--", "true").status) == ("stopped", 0)
    refused = world("exec", "-m", "worker", "--", "true")
    assert (refused.status, refused.error) == (125, "not-running")
    assert "devbox up -m worker" in refused.stderr
    assert world("up", "-m", "worker", "--json").document["changed"] is True
    gone = world("destroy", "-f", "-m", "worker", "--json").document
    assert (len(gone["removed"]["containers"]), "machines" in gone) == (1, False)
    assert (machines(world, "status")["worker"]["state"], world("exec", "--", "true").status) == ("absent", 0)


def test_halt_and_destroy_go_to_all_the_profiles_own_last(world: World) -> None:
    world.write(HEAD + WORKER)
    assert world("up").status == 0
    halted = world("halt", "--json").document
    assert halted == {"schema": 1, "changed": True, "machines": [{"machine": "worker", "changed": True}]}
    gone = world("destroy", "-f", "--json").document
    assert [name.split("-")[-2] == "worker" for name in gone["removed"]["containers"]] == [True, False]
    assert len(gone["removed"]["networks"]) == 1
    assert [(one["machine"], one["changed"]) for one in gone["machines"]] == [("worker", True)]
    assert world("destroy", "-f").stdout == "nothing to do\n"
    assert world("status", "--json").document["state"] == "absent"


def test_list_shows_each_and_any_is_stopped_from_anywhere(fake: FakeWorld) -> None:
    fake.write(HEAD + WORKER)
    assert fake("up").status == 0
    found = fake("list", "--json").document["environments"]
    assert [(one["name"], one["machine"], one["workspace"]) for one in found] == [
        ("shop", None, str(fake.directory)),
        ("shop/worker", "worker", str(fake.directory)),
    ]
    assert len({one["hash"] for one in found}) == 2
    assert fake("halt", "shop/worker", "--json").document["changed"] is True
    assert [one["state"] for one in fake("list", "--json").document["environments"]] == ["running", "stopped"]
    refused = fake("halt", "shop", "-m", "worker")
    assert (refused.status, refused.error) == (2, "usage")
    assert fake("destroy", "-f", "shop/worker", "--json").document["changed"] is True
    assert fake("prune", "--dry-run").status == 0
    assert [one["name"] for one in fake("list", "--json").document["environments"]] == ["shop"]


def test_config_is_that_of_the_machine(fake: FakeWorld) -> None:
    fake.write(HEAD + WORKER)
    assert fake("config", "-m", "worker", "--json").document["env"]["ROLE"] == "worker"
    assert fake("config", "--json").document["env"]["ROLE"] == "web"
    explained = fake("config", "-m", "worker", "--explain", "--json").document["explain"]["env.ROLE"]
    assert (explained["file"], explained["line"]) == ("devbox.toml", (HEAD + WORKER).count("\n"))


def test_lock_is_of_all_and_asks_no_engine_to_look(fake: FakeWorld) -> None:
    fake.engine.add_image("other:1", env={"PATH": "/bin"})
    fake.write(HEAD + '[machines.db.base]\nimage = "other:1"\n')
    assert fake("lock", "--json").document["changed"] is True
    fake.down = True
    assert fake("lock", "--check").status == 0
    fake.write(HEAD + '[machines.db.base]\nimage = "another:1"\n')
    stale = fake("lock", "--check")
    assert (stale.status, stale.error) == (1, "lock-stale")
    assert "machine db: " in stale.stderr


@pytest.mark.parametrize(
    "verb", [("up",), ("halt",), ("destroy", "-f"), ("status",), ("logs",), ("port",), ("resume",)]
)
def test_a_name_that_is_not_there(fake: FakeWorld, verb: tuple[str, ...]) -> None:
    fake.write(HEAD + WORKER)
    done = fake(*verb, "-m", "wroker")
    assert (done.status, done.error) == (2, "usage")
    assert "did you mean: -m worker" in done.stderr
    assert not fake.engine.container_store


def test_a_machine_that_the_profile_has_no_more_is_said_and_taken_away_by_its_name(world: World) -> None:
    world.write(HEAD + WORKER)
    assert world("up").status == 0
    world.write(HEAD)
    orphan = machines(world, "status")["worker"]
    assert (orphan["state"], orphan["orphan"]) == ("running", True)
    assert [one["hint"] for one in orphan["problems"]] == ["devbox destroy -m worker"]
    for _ in range(2):  # and is not forgotten once it has been said
        assert "devbox destroy -m worker" in world("up").stderr
    assert world("shell", "-m", "worker", "--", "true").status == 125
    assert world("halt", "-m", "worker", "--json").document["changed"] is True
    assert world("destroy", "-f", "-m", "worker", "--json").document["changed"] is True
    assert machines(world, "status") == {}
    assert "worker" not in world("up").stderr


def test_all_of_them_go_though_the_profile_cannot_be_read(world: World) -> None:
    world.write(HEAD + WORKER)
    assert world("up").status == 0
    world.write("no profile")
    gone = world("destroy", "-f", "--json")
    assert gone.status == 0, gone.stderr
    assert len(gone.document["removed"]["containers"]) == 2


def test_one_that_fails_is_named_and_keeps_none_of_the_others(fake: FakeWorld) -> None:
    def failing(request: ContainerRequest, stdin: bytes) -> Outcome | None:
        return Outcome(exit_code=1) if "fail-here" in str(request) else command(request, stdin)

    fake.engine.on_command = failing
    step = '[[machines.worker.provision]]\nrun = "fail-here"\nwhen = "build"\n'
    fake.write(HEAD + step + DB)
    done = fake("up", "--json")
    assert done.status == 1
    assert done.document["error"]["message"].startswith("machine worker: ")
    running = {one.labels.get(LABEL_MACHINE, "") for one in fake.engine.containers({}) if one.running}
    assert running == {"", "db"}


def test_the_lock_has_a_part_for_what_differs(fake: FakeWorld) -> None:
    fake.engine.add_image("other:1", env={"PATH": "/bin"})
    lock = Path(fake.directory, "devbox.lock")
    fake.write(HEAD)
    assert fake("up").status == 0
    before = lock.read_text()
    fake.write(HEAD + WORKER + '[machines.db.base]\nimage = "other:1"\n')
    assert fake("up").status == 0
    text = lock.read_text()
    assert text.startswith(before)  # what was locked stays as it was
    assert "[machine.db" in text
    assert "[machine.worker" not in text  # it is made of the same
    assert json.loads(fake("lock", "--json").stdout)["changed"] is False
    fake.write(HEAD + WORKER)
    assert fake("up").status == 0
    assert "[machine.db" not in lock.read_text()
