"""Who works inside, with what of the host's, in which directory, by which shell."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from devbox.profile.model import Profile, Secret, User
from devbox.values import GuestUser
from devbox.workspace.context import Host
from devbox.workspace.guest_env import from_host, session_env, timezone
from devbox.workspace.identity import guest_user
from devbox.workspace.login import login_argv
from devbox.workspace.secret_values import SecretValues
from devbox.workspace.shell import working_directory
from tests.fakes.engine import INFO
from tests.support.desk import Desk

DEV = GuestUser(name="dev", uid=1000, gid=1000, home="/home/dev")


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path / "shop").write()


def _as(host: Host, uid: int, gid: int) -> Host:
    return replace(host, uid=uid, gid=gid)


def test_the_user_inside_is_the_caller(desk: Desk) -> None:
    user = guest_user(_as(desk.host, 1234, 5678), desk.workspace, INFO, User())
    assert (user.name, user.uid, user.gid, user.home) == ("dev", 1234, 5678, "/home/dev")


@pytest.mark.skipif(os.getuid() != 0, reason="not possible here: only root can give a directory away")
def test_for_root_it_is_the_directorys_owner(desk: Desk) -> None:
    os.chown(desk.directory, 4321, 4322)
    user = guest_user(_as(desk.host, 0, 0), desk.workspace, INFO, User(name="me", shell="zsh"))
    assert (user.name, user.uid, user.gid, user.shell) == ("me", 4321, 4322, "zsh")
    os.chown(desk.directory, 0, 0)
    assert guest_user(_as(desk.host, 0, 0), desk.workspace, INFO, User()).is_root


def test_a_rootless_docker_has_one_uid_that_owns_the_project(desk: Desk) -> None:
    rootless = replace(INFO, rootless=True)
    assert guest_user(_as(desk.host, 1234, 1234), desk.workspace, rootless, User()).is_root
    assert not guest_user(_as(desk.host, 1234, 1234), desk.workspace, replace(rootless, name="podman"), User()).is_root


def test_of_the_hosts_variables_only_the_allowed_ones_get_in(desk: Desk) -> None:
    desk.environ |= {"TERM": "xterm", "COLORTERM": "24bit", "TZ": "Europe/Rome", "LD_PRELOAD": "x", "AWS_KEY": "y"}
    assert session_env(desk.host, DEV, terminal=True) == {
        "HOME": "/home/dev",
        "USER": "dev",
        "LOGNAME": "dev",
        "TERM": "xterm",
        "COLORTERM": "24bit",
        "TZ": "Europe/Rome",
    }
    assert "TERM" not in session_env(desk.host, DEV, terminal=False)


def test_a_terminal_without_a_name_is_no_variable(desk: Desk) -> None:
    desk.environ["TERM"] = ""
    assert "TERM" not in session_env(desk.host, DEV, terminal=True)


def test_the_time_zone_is_found_where_the_system_keeps_it(tmp_path: Path) -> None:
    link = tmp_path / "localtime"
    link.symlink_to("/usr/share/zoneinfo/America/Argentina/Ushuaia")
    assert timezone({}, link) == "America/Argentina/Ushuaia"
    assert timezone({"TZ": ":UTC"}, link) == "UTC"
    assert timezone({"TZ": "/etc/evil"}, tmp_path / "nothing") is None


def test_from_host_takes_what_is_set(desk: Desk) -> None:
    desk.environ["AWS_PROFILE"] = "a\nb"
    profile = Profile.model_validate({"env": {"from_host": ["AWS_PROFILE", "NOT_SET"]}})
    assert from_host(desk.host, profile) == {"AWS_PROFILE": "a\nb"}


def test_secrets_are_read_when_asked_for_and_shown_by_nobody(desk: Desk) -> None:
    (desk.directory / "token").write_text("canary\n")
    secrets = {"FILE": Secret(file="./token"), "VARIABLE": Secret(env="HOST_TOKEN"), "GONE": Secret(env="NOT_SET")}
    values = SecretValues(desk.host, desk.workspace, secrets)
    desk.environ["HOST_TOKEN"] = "canary too"
    assert values.present() == {"FILE": "canary", "VARIABLE": "canary too"}
    assert "GONE" not in values
    assert desk.reporter.notes == ["the secret GONE is not set inside: the variable NOT_SET is not set"]
    assert "canary" not in repr(values)


@pytest.mark.parametrize("content", [None, b"\0", b"x" * (1024 * 1024 + 1)])
def test_a_file_that_can_be_no_secret_is_none(desk: Desk, content: bytes | None) -> None:
    if content is not None:
        (desk.directory / "token").write_bytes(content)
    assert "FILE" not in SecretValues(desk.host, desk.workspace, {"FILE": Secret(file="token")})


def test_commands_start_where_the_caller_is(desk: Desk) -> None:
    deep = desk.directory / "src" / "a b"
    deep.mkdir(parents=True)
    profile = Profile()
    assert working_directory(desk.host, desk.workspace, profile) == "/workspaces/shop"
    inside = replace(desk.host, cwd=deep.resolve())
    assert working_directory(inside, desk.workspace, profile) == "/workspaces/shop/src/a b"
    assert working_directory(replace(desk.host, cwd=Path("/")), desk.workspace, profile) == "/workspaces/shop"


def test_the_profiles_own_directory_is_for_whoever_is_not_below_the_project(desk: Desk) -> None:
    profile = Profile.model_validate({"user": {"workdir": "/data"}})
    assert working_directory(desk.host, desk.workspace, profile) == "/data"


def test_a_command_goes_through_a_posix_shell_whatever_the_user_likes() -> None:
    assert login_argv("fish", ())[-1] == "fish"
    assert login_argv("fish", ("ls",))[-2:] == ("bash", "ls")
    assert login_argv("zsh", ("ls", "$(id)"))[-3:] == ("zsh", "ls", "$(id)")
