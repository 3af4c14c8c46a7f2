from pathlib import Path

import pytest

from devbox.ssh.guest import Front, environment, stty, with_modes

FRONT = Front(
    socket="/s",
    identity="i",
    host_key=Path("/k"),
    name="dev",
    run_as="1000:1000",
    workdir="/workspaces/shop",
    shell=("sh",),
    command=("sh", "-c"),
    env=(("HOME", "/home/dev"), ("TZ", "UTC")),
    env_of_others=(("TZ", "UTC"),),
)


def env(
    sent: dict[bytes, bytes], *, user: str = "dev", terminal: str | None = None, agent: str | None = None
) -> set[str]:
    return set(environment(FRONT, user, sent, terminal=terminal, agent=agent))


def test_what_a_client_may_set_is_set() -> None:
    found = env({b"LANG": b"C.UTF-8", b"LC_ALL": b"de", b"TZ": b"Asia/Tokyo", b"GIT_PROTOCOL": b"version=2"})
    assert {"LANG=C.UTF-8", "LC_ALL=de", "TZ=Asia/Tokyo", "GIT_PROTOCOL=version=2", "HOME=/home/dev"} <= found


@pytest.mark.parametrize("name", ["LD_PRELOAD", "PATH", "BASH_ENV", "HOME", "LC_", "LC_A=B", "TERM", "LC_\xff", ""])
def test_nothing_else_is(name: str) -> None:
    assert env({name.encode("latin-1"): b"x"}) == env({})


@pytest.mark.parametrize("value", [b"a\0b", b"x" * 5000])
def test_a_value_that_cannot_be_is_left_out(value: bytes) -> None:
    assert env({b"LANG": value}) == env({})


def test_the_terminal_and_the_forwarded_agent_are_named() -> None:
    assert {"TERM=xterm", "SSH_AUTH_SOCK=/tmp/x/agent"} <= env({}, terminal="xterm", agent="/tmp/x/agent")
    assert not any(entry.startswith(("TERM=", "SSH_AUTH_SOCK=")) for entry in env({}))


def test_another_user_has_a_home_of_its_own() -> None:
    assert not any(entry.startswith("HOME=") for entry in env({}, user="root"))


def test_usual_modes_need_no_stty() -> None:
    assert stty({1: 3, 3: 127, 42: 1, 50: 1, 53: 1, 36: 1, 128: 38400}) == []
    assert with_modes(("sh",), {}) == ("sh",)


def test_unusual_modes_are_said_to_stty() -> None:
    assert stty({3: 8, 4: 255, 53: 0, 42: 0}) == ["erase", "0x08", "kill", "undef", "-iutf8", "-echo"]
    argv = with_modes(("sh", "-l"), {3: 8})
    assert argv[3:] == ("erase 0x08", "sh", "-l")


def test_a_mode_that_no_terminal_has_is_left_out() -> None:
    assert stty({3: 70000, 200: 1}) == []
