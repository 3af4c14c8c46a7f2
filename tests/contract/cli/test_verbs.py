"""The contract of every verb that needs an engine, over the fake and the real one: for a person and for a machine."""

import json
import re
from pathlib import Path

import pytest

from devbox import paths
from tests.contract.cli.conftest import PROFILE, FakeWorld, World
from tests.support.disks import qcow2

STATUS_KEYS = {
    "schema",
    "name",
    "workspace",
    "runtime",
    "engine",
    "state",
    "saved",
    "stale",
    "instance",
    "image",
    "profile_digest",
    "ports",
    "sessions",
    "problems",
    "machines",
}
PORT_KEYS = {"name", "host", "host_port", "guest_port", "protocol"}
WITH_PORT = PROFILE + "[ports]\nweb = { guest = 8000, host = 0 }\n"


def state(world: World) -> str:
    return str(world("status", "--json").document["state"])


def test_an_environment_from_up_to_destroy(world: World) -> None:
    world.write(WITH_PORT)
    absent = world("status", "--json")
    assert absent.status == 0
    assert set(absent.document) == STATUS_KEYS
    assert absent.document["schema"] == 1
    assert absent.document["name"] == "shop"
    assert absent.document["workspace"] == str(world.directory.resolve())
    assert (absent.document["state"], absent.document["instance"], absent.document["stale"]) == ("absent", None, False)

    up = world("up", "--json")
    assert up.status == 0, up.stderr
    assert up.document["changed"] is True
    assert up.document["instance"]
    assert [set(port) for port in up.document["ports"]] == [PORT_KEYS]
    (port,) = up.document["ports"]
    assert (port["name"], port["host"], port["guest_port"], port["protocol"]) == ("web", "127.0.0.1", 8000, "tcp")
    assert port["host_port"] > 0

    again = world("up")
    assert (again.status, again.stdout) == (0, "nothing to do\n")
    assert world("up", "--json").document["changed"] is False

    running = world("status", "--json").document
    assert (running["state"], running["stale"], running["problems"]) == ("running", False, [])
    assert running["instance"] == up.document["instance"]
    assert running["ports"] == up.document["ports"]
    assert re.fullmatch(r"[0-9a-f]{64}", running["profile_digest"])
    shown = world("status").stdout
    assert f"http://127.0.0.1:{port['host_port']}" in shown
    assert "running" in shown

    halted = world("halt", "--json")
    assert halted.document == {"schema": 1, "changed": True}
    assert state(world) == "stopped"
    assert world("stop").stdout == "nothing to do\n"

    assert world("up", "--json").document["changed"] is True
    gone = world("destroy", "-f", "--json")
    assert gone.status == 0
    assert gone.document["changed"] is True
    assert len(gone.document["removed"]["containers"]) == 1
    assert state(world) == "absent"


def test_halt_and_destroy_of_what_is_absent(world: World) -> None:
    world.write()
    assert (world("halt").status, world("halt").stdout) == (0, "nothing to do\n")
    assert world("halt", "--json").document == {"schema": 1, "changed": False}
    assert (world("destroy", "-f").status, world("destroy", "-f").stdout) == (0, "nothing to do\n")
    assert world("destroy", "-f", "--json").document["changed"] is False
    assert world("logs").stdout == ""
    assert world("logs", "--json").document == {"schema": 1, "logs": []}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--console",), "is a container, and has no console"),
        (("--console", "-f"), "is a container, and has no console"),
        (("--build", "--console"), "--build and --console are two logs"),
        (("--build", "--supervisor"), "--build and --supervisor are two logs"),
        (("--build", "-f"), "--build has an end and --follow has none"),
    ],
)
def test_a_log_that_there_is_not(world: World, words: tuple[str, ...], said: str) -> None:
    world.write()
    assert world("up").status == 0
    refused = world("logs", *words)
    assert (refused.status, refused.stdout) == (2, "")
    assert said in refused.stderr


def test_a_changed_profile_is_stale_until_up(world: World) -> None:
    world.write()
    assert world("up").status == 0
    world.write(PROFILE + '[env]\nCOLOUR = "blue"\n')
    assert world("status", "--json").document["stale"] is True
    assert "stale" in world("status").stdout
    assert world("up", "--json").document["changed"] is True
    assert world("status", "--json").document["stale"] is False
    assert world("exec", "--", "sh", "-c", "echo $COLOUR").stdout == "blue\n"


def test_exec_passes_on_streams_and_exit_codes(world: World) -> None:
    world.write()
    missing = world("exec", "--", "true")
    assert (missing.status, missing.error) == (125, "not-running")
    assert world("exec", "--json", "--", "true").document["error"]["hint"]
    assert world("up").status == 0
    done = world("exec", "--", "sh", "-c", "echo out; echo err >&2")
    assert (done.status, done.stdout, done.stderr) == (0, "out\n", "err\n")
    assert world("exec", "--", "sh", "-c", "exit 7").status == 7
    assert world("exec", "--", "no-such-program").status == 127
    assert world("exec", "-e", "GREETING=hello", "--", "sh", "-c", "echo $GREETING").stdout == "hello\n"
    assert world("exec", "sh", "-c", "exit 3").status == 3
    assert world("exec", "-d", "--", "true").status == 0


def test_shell_brings_it_up_and_runs_a_command(world: World) -> None:
    world.write()
    done = world("shell", "--", "sh", "-c", "exit 5")
    assert done.status == 5, done.stderr
    assert state(world) == "running"
    assert world("ssh", "--", "sh", "-c", "exit 6").status == 6


def test_shell_without_a_profile_uses_what_init_would_write_and_writes_nothing(fake: FakeWorld) -> None:
    fake.engine.add_image("debian:12", env={"PATH": "/usr/bin:/bin"})
    (fake.directory / "requirements.txt").write_text("")
    done = fake("shell", "--", "sh", "-c", "exit 4")
    assert done.status == 4, done.stderr
    assert [path.name for path in fake.directory.iterdir()] == ["requirements.txt"]


@pytest.mark.parametrize("verb", [("shell",), ("up",), ("init",), ("detect",), ("build",), ("config",)])
@pytest.mark.parametrize("files", [{}, {".nvmrc": "18\n", "package.json": '{"engines": {"node": ">=20"}}'}], ids=len)
def test_what_says_nothing_or_contradicts_itself_is_refused_and_nothing_is_made(
    fake: FakeWorld, verb: tuple[str, ...], files: dict[str, str]
) -> None:
    for name, text in files.items():
        (fake.directory / name).write_text(text)
    images = dict(fake.engine.image_store)
    done = fake(*verb, "--json")
    assert (done.status, done.error) == (2, "detection-contradiction" if files else "undetectable"), done.stderr
    error = done.document["error"]
    assert {problem["file"] for problem in error["problems"]} == set(files)
    assert all(problem["line"] for problem in error["problems"])
    assert "devbox init" in error["hint"]
    assert "there is no devbox.toml" not in done.stderr
    assert {path.name for path in fake.directory.iterdir()} == set(files)
    assert not fake.engine.container_store
    assert fake.engine.image_store == images


def test_detect_shows_each_thing_with_its_place(fake: FakeWorld) -> None:
    (fake.directory / "requirements.txt").write_text("# web\nflask\n")
    shown = fake("detect").stdout.splitlines()
    assert shown[0] == "python"
    assert any(line.split() == ["Flask", "requirements.txt:2"] for line in shown)
    document = fake("detect", "--json").document
    assert set(document) == {"schema", "name", "stacks", "evidence", "profile"}
    (stack,) = document["stacks"]
    assert stack["stack"] == "python"
    assert {"file": "requirements.txt", "line": 2, "what": "Flask"} in stack["evidence"]
    assert fake("init", "--json").document["text"] == document["profile"]
    assert fake("detect", "--json").document == document


def test_build_makes_an_image_once(world: World) -> None:
    world.write(PROFILE + '[[provision]]\nname = "mark"\nrun = "touch /marked"\nwhen = "build"\n')
    first = world("build", "--json")
    assert first.status == 0, first.stderr
    assert set(first.document) == {"schema", "changed", "image", "reference", "digest", "run", "reused"}
    assert first.document["changed"] is True
    second = world("build", "--json").document
    assert (second["changed"], second["run"], second["image"]) == (False, [], first.document["image"])
    shown = world("build")
    assert shown.stdout == f"{second['reference']}: nothing to do\n"
    assert state(world) == "absent"


def test_list_shows_every_environment_of_this_owner(world: World) -> None:
    world.write()
    assert world("up").status == 0
    environments = world("list", "--json").document["environments"]
    mine = [one for one in environments if one["workspace"] == str(world.directory.resolve())]
    assert len(mine) == 1
    assert (mine[0]["name"], mine[0]["state"], mine[0]["gone"]) == ("shop", "running", False)
    assert str(world.directory.resolve()) in world("list").stdout


def test_list_marks_a_directory_that_is_gone(fake: FakeWorld) -> None:
    fake.write()
    assert fake("up").status == 0
    fake.directory = fake.directory.rename(fake.directory.with_name("moved"))
    assert [one["gone"] for one in fake("list", "--json").document["environments"]] == [True]
    assert "gone" in fake("list").stdout


def test_list_of_nothing(fake: FakeWorld) -> None:
    assert fake("list").stdout == "no environments\n"
    assert fake("list", "--json").document == {"schema": 1, "environments": []}


def test_a_port_to_remove_that_is_not_there_is_the_one_that_was_meant_or_none(world: World) -> None:
    world.write(PROFILE + "[ports]\nweb = { guest = 90, host = 0 }\n")
    for words in (("up",), ("port", "53:0/udp"), ("port", "8000:0")):
        assert world(*words).status == 0
    for typed, meant in (("53", "53/udp"), ("53:5353", "53/udp"), ("8000/udp", "8000"), ("wob", "web")):
        done = world("port", "--remove", typed)
        assert (done.status, done.error) == (2, "usage")
        assert done.stderr.endswith(f"hint: did you mean: devbox port --remove {meant}\n")
    for typed in ("90", "5300", "nil"):
        done = world("port", "--remove", typed)
        assert (done.status, done.stdout) == (0, f"no port is called {typed}; there are: 53/udp, 8000, web\n")
    assert len(world("port", "--json").document["ports"]) == 3
    assert world("port", "--remove", "8000/tcp").stdout.endswith("leads inside no more\n")


def test_prune_says_what_it_would_remove_and_removes_it(fake: FakeWorld) -> None:
    fake.write()
    assert fake("up").status == 0
    assert fake("destroy", "-f").status == 0
    would = fake("prune", "--dry-run", "--json").document
    assert (would["changed"], would["dry_run"]) == (False, True)
    assert would["removed"]["images"]
    done = fake("prune", "--json").document
    assert done["changed"] is True
    assert done["removed"] == would["removed"]
    assert fake("prune").stdout == "nothing to do\n"


def test_prune_takes_the_disks_that_no_machine_stands_on(fake: FakeWorld) -> None:
    place = Path(paths.machine_images()) / ("ab" * 8)
    place.mkdir(parents=True)
    (place / "disk.qcow2").write_bytes(bytes(2**20))
    would = fake("prune", "--dry-run", "--json").document
    assert would["removed"]["disks"] == [place.name]
    assert would["bytes"] >= 2**20
    assert place.exists()
    machine = Path(paths.machine_directory("devbox-shop-0123abcd"))
    machine.mkdir(parents=True)
    qcow2(machine / paths.MACHINE_DISK, 100, str(place / "disk.qcow2"))
    assert fake("prune").stdout == "nothing to do\n"
    (machine / paths.MACHINE_DISK).unlink()
    assert f"removed disk {place.name}\n" in fake("prune").stdout
    assert not place.exists()


def test_status_shows_a_broken_profile_as_problems_and_still_the_state(world: World) -> None:
    world.write('name = "shop"\npakages = 1\n')
    done = world("status", "--json")
    assert done.status == 0
    assert done.document["state"] == "absent"
    assert [(problem["file"], problem["line"]) for problem in done.document["problems"]] == [("devbox.toml", 2)]
    assert world("up").status == 2


def test_keys_of_a_later_version_are_refused_by_what_would_need_them(world: World) -> None:
    world.write('isolation = "strict"\n' + PROFILE)
    for words in (("up",), ("build",), ("shell",)):
        done = world(*words)
        assert (done.status, done.error) == (2, "not-in-this-version")
    assert world("config").status == 0
    assert world("status").status == 0


def test_trust_is_asked_for_before_anything_is_made(world: World) -> None:
    world.write(PROFILE + '[env]\nfrom_host = ["AWS_PROFILE"]\n')
    refused = world("up", "--json")
    assert (refused.status, refused.error) == (2, "trust-required")
    assert state(world) == "absent"
    assert world("trust", "--yes").status == 0
    assert world("up").status == 0


def test_hostile_names_cannot_steer_a_terminal(fake: FakeWorld) -> None:
    fake.write('name = "shop"\n"a\\u001b]0;x\\u0007" = 1\n')
    for words in (("config",), ("status",), ("up",)):
        done = fake(*words)
        assert "\x1b" not in done.stdout + done.stderr
    json.loads(fake("config", "--json").stdout)


@pytest.mark.parametrize("words", [("up",), ("status",), ("list",), ("halt",), ("build",)])
def test_progress_and_next_steps_stay_off_stdout(fake: FakeWorld, words: tuple[str, ...]) -> None:
    fake.write()
    done = fake(*words)
    assert "next: " not in done.stdout
    assert fake(*words, "-q").stderr == ""
