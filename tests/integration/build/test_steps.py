"""Steps on a base that has nothing but busybox: no network, no package manager, seconds."""

from dataclasses import replace

import pytest

from devbox.build.base import BaseImage
from devbox.build.compose import compose
from devbox.build.manifests import read_inputs
from devbox.build.run import Builder
from devbox.errors import BuildFailedError, ToolchainError
from devbox.values import LABEL_OWNER, LABEL_WORKSPACE, GuestUser
from tests.integration.build.conftest import Room
from tests.support.build import DEV, profile

pytestmark = pytest.mark.docker
SH = replace(DEV, shell="sh")
ROOT = GuestUser(name="root", uid=0, gid=0, home="/root", shell="sh")


def test_the_user_has_name_ids_home_and_shell(room: Room, tiny: BaseImage) -> None:
    built = room.build(tiny, user=SH)
    assert built.run == ("prepare the base", "user dev")
    assert room.inside(built.image, "id", user="dev") == "uid=1000(dev) gid=1000(dev) groups=1000(dev)\n"
    assert room.inside(
        built.image, "sh", "-c", "echo $HOME; touch ~/x; stat -c %u:%g ~ ~/.cache", user="dev"
    ).split() == [
        "/home/dev",
        "1000:1000",
        "1000:1000",
    ]
    assert room.inside(built.image, "sh", "-c", "echo $LANG") == "C.UTF-8\n"
    assert "dev:*:" in room.inside(built.image, "cat", "/etc/shadow")
    assert room.inside(built.image, "sh", "-c", "stat -c %a /run/devbox; ls -A /run/devbox") == "700\n"


def test_whoever_had_the_uid_or_the_name_before_has_gone(room: Room, tiny: BaseImage) -> None:
    built = room.build(tiny, user=GuestUser(name="nobody", uid=1234, gid=0, home="/home/nobody", shell="sh"))
    passwd = room.inside(built.image, "cat", "/etc/passwd").splitlines()
    assert [line for line in passwd if line.startswith("nobody:")] == ["nobody:x:1234:0::/home/nobody:/bin/sh"]
    assert room.inside(built.image, "grep", "-c", ":0:", "/etc/group") == "1\n"
    taken = room.build(tiny, user=replace(SH, uid=65534, gid=65534))
    assert room.inside(taken.image, "id", user="dev") == "uid=65534(dev) gid=65534(nogroup) groups=65534(nogroup)\n"
    assert "nobody:" not in room.inside(taken.image, "cat", "/etc/passwd")


def test_root_stays_root(room: Room, tiny: BaseImage) -> None:
    built = room.build(tiny, user=ROOT)
    assert room.inside(built.image, "cat", "/etc/passwd").count("root") == 3
    assert room.inside(built.image, "cat", "/etc/profile.d/devbox.sh").endswith(
        f"export PATH='{dict(tiny.env)['PATH']}'\n"
    )


def test_files_are_copied_with_modes_links_and_the_right_owner(room: Room, tiny: BaseImage) -> None:
    conf = room.directory / "my conf"
    (conf / "sub").mkdir(parents=True)
    (conf / "run.sh").write_text("#!/bin/sh\necho ran\n")
    (conf / "run.sh").chmod(0o755)
    (conf / "sub/ü").write_text("x")
    (conf / "link").symlink_to("sub/ü")
    built = room.build(
        tiny,
        user=SH,
        provision=[
            {"copy": {"from": "my conf", "to": "/srv/my conf"}, "when": "build"},
            {"copy": {"from": "my conf", "to": "/home/dev/a/b"}, "when": "build"},
            {"copy": {"from": "my conf/run.sh", "to": "/etc/run.sh"}, "when": "build"},
        ],
    )
    assert room.inside(built.image, "/srv/my conf/run.sh") == "ran\n"
    assert room.inside(built.image, "cat", "/srv/my conf/link") == "x"
    look = (
        "stat -c '%u:%g %a' '/srv/my conf' '/srv/my conf/sub/ü' /home/dev /home/dev/a /home/dev/a/b/run.sh /etc/run.sh"
    )
    assert room.inside(built.image, "sh", "-c", look).splitlines() == [
        "0:0 755",
        "0:0 644",
        "1000:1000 755",
        "1000:1000 755",
        "1000:1000 755",
        "0:0 755",
    ]


def test_a_script_of_the_project_and_commands_see_the_variables(room: Room, tiny: BaseImage) -> None:
    (room.directory / "setup.sh").write_text('#!/bin/sh -e\necho "script $GREETING" >> /said\n')
    built = room.build(
        tiny,
        user=SH,
        env={"GREETING": "hello\nworld"},
        provision=[
            {"script": "setup.sh", "when": "build"},
            {"run": 'echo "run $SOURCE_DATE_EPOCH"  >> /said\ntrue', "when": "build"},
        ],
    )
    assert room.inside(built.image, "cat", "/said") == f"script hello\nworld\nrun {tiny.epoch}\n"
    assert room.inside(built.image, "sh", "-c", 'echo "$GREETING"') == "hello\nworld\n"


def test_a_second_build_makes_no_container(room: Room, tiny: BaseImage, monkeypatch: pytest.MonkeyPatch) -> None:
    first = room.build(tiny, user=SH, env={"A": "1"})
    monkeypatch.setattr(room.engine, "create", lambda _: pytest.fail("a container was made"))
    second = room.build(tiny, user=SH, env={"A": "1"})
    assert (second.image, second.run, second.reused) == (first.image, (), 2)
    assert room.build(tiny, user=SH, env={"A": "2"}).image == first.image


def test_a_changed_variable_runs_what_may_have_seen_it_and_nothing_before(room: Room, tiny: BaseImage) -> None:
    provision = [{"run": "echo $A >/a", "when": "build"}]
    room.build(tiny, user=SH, env={"A": "1"}, provision=provision)
    assert room.build(tiny, user=SH, env={"A": "2"}, provision=provision).run == ("variables", "echo $A >/a")


def test_a_failing_step_keeps_its_state_and_the_layers_before(room: Room, tiny: BaseImage) -> None:
    steps = [
        {"run": "echo kept > /kept", "when": "build"},
        {"run": "echo half > /half; echo oh no >&2; exit 7", "when": "build"},
    ]
    with pytest.raises(BuildFailedError, match="failed with exit code 7") as caught:
        room.build(tiny, user=SH, provision=steps)
    assert "oh no" in str(caught.value.detail)
    failed = f"{room.repository}:failed-{room.labels[LABEL_WORKSPACE]}"
    assert room.inside(failed, "cat", "/kept", "/half") == "kept\nhalf\n"
    (log,) = room.logs.glob("04-*.log")
    assert log.read_text() == "oh no\n"
    steps[1]["run"] = "echo whole > /half"
    built = room.build(tiny, user=SH, provision=steps)
    assert built.reused == 3
    assert room.engine.image(failed) is None


def test_no_trace_of_secrets_certificates_and_mounts(room: Room, tiny: BaseImage) -> None:
    canary = "canary-0451-\nsecond canary-0452 $(id) 'quoted' \\n\n"
    (room.directory / "use.sh").write_text(
        "set -e\n"
        'printf %s "$TOKEN" | cmp - /run/devbox/secrets/TOKEN\n'
        "stat -c %a /run/devbox/secrets/TOKEN\n"
        'echo "$TOKEN"\n'
        "test -s /run/devbox/ca.pem\n"
        "touch /run/devbox/probe-0453\n"
    )
    built = room.build(
        tiny,
        user=SH,
        given={"TOKEN": canary},
        secrets={"TOKEN": {"env": "TOKEN"}},
        provision=[{"script": "use.sh", "when": "build"}],
    )
    log = (room.logs / "03-use-sh.log").read_text()
    assert log.splitlines()[:3] == ["600", "***", "***"]
    saved = room.saved(built.image)
    for trace in (b"canary-045", b"probe-0453", b"BEGIN CERTIFICATE", b"use.sh\0"):
        assert trace not in saved
    said = [line for step in room.reporter.steps for line in step.lines] + room.reporter.debugged
    assert not any("canary-045" in line for line in said)


def test_a_secret_is_a_variable_to_its_last_dot(room: Room, tiny: BaseImage) -> None:
    steps = [{"run": 'test "$TOKEN" = "ends with dots.."', "when": "build"}]
    room.build(tiny, user=SH, given={"TOKEN": "ends with dots.."}, secrets={"TOKEN": {"env": "T"}}, provision=steps)


def test_a_version_that_is_not_there_is_found_in_the_step(room: Room, tiny: BaseImage) -> None:
    with pytest.raises(ToolchainError, match="no Python"):
        room.build(tiny, user=SH, packages={"python": {"version": "3.9"}})


def test_a_shell_that_is_not_there_is_named(room: Room, tiny: BaseImage) -> None:
    with pytest.raises(ToolchainError, match="no shell fish"):
        room.build(tiny, user=replace(DEV, shell="fish"))


def test_a_file_that_changes_while_it_is_sent_stops_the_build(room: Room, tiny: BaseImage) -> None:
    asked = {"provision": [{"copy": {"from": "data", "to": "/srv/data"}, "when": "build"}]}
    (room.directory / "data").write_text("before")
    inputs = read_inputs(profile(**asked), room.directory)
    (room.directory / "data").write_text("after!")
    recipe = compose(profile(**asked), base=tiny, inputs=inputs, user=SH, project_name="a shop")
    with pytest.raises(BuildFailedError, match="data changed"):
        Builder(room.engine, room.reporter).build(room.order(recipe, inputs))
    assert room.engine.containers({LABEL_OWNER: room.owner}) == []
