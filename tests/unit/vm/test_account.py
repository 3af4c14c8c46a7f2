"""Whom QEMU runs as where devbox is root."""

import os
from pathlib import Path

import pytest

from devbox.vm import account
from devbox.vm.account import account_of, is_accelerated, why_root

ONE = "11111111-2222-3333-4444-555555555555"
OTHER = "11111111-2222-3333-4444-555555555556"
ALL = "         0          0 4294967295\n"
CONTAINER = "0 100000 65536\n"
ALONE = "0 1000 1\n"


@pytest.fixture(autouse=True)
def root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(account.sys, "platform", "linux")


@pytest.fixture
def program() -> str:
    return "/bin/sh"


def users(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, mapped: str) -> None:
    (tmp_path / "map").write_text(mapped, encoding="ascii")
    monkeypatch.setattr(account, "_MAPS", (tmp_path / "map",) * 2)


@pytest.mark.parametrize(("mapped", "least", "most"), [(ALL, 0x70000000, 0x78000000), (CONTAINER, 61184, 65520)])
def test_root_lets_it_be_another_user_for_each_machine(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, program: str, mapped: str, least: int, most: int
) -> None:
    users(monkeypatch, tmp_path, mapped)
    found = account_of(ONE, program)
    assert found is not None
    assert found == account_of(ONE, program)
    assert found.uid == found.gid
    assert least <= found.uid < most
    other = account_of(OTHER, program)
    assert other is not None
    assert other.uid != found.uid
    assert why_root(program) is None


def test_a_namespace_of_one_user_has_nobody_else(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, program: str) -> None:
    users(monkeypatch, tmp_path, ALONE)
    assert account_of(ONE, program) is None
    assert "has no other user" in str(why_root(program))


def test_what_lies_below_a_directory_of_roots_alone_nobody_else_can_run(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    users(monkeypatch, tmp_path, ALL)
    program = tmp_path / "own" / "qemu"
    program.parent.mkdir(mode=0o700)
    program.touch(mode=0o755)
    assert account_of(ONE, str(program)) is None
    assert "nobody else may run" in str(why_root(str(program)))


def test_the_group_of_the_acceleration_is_its_own_too_unless_it_is_roots(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, program: str
) -> None:
    users(monkeypatch, tmp_path, ALL)
    device = tmp_path / "kvm"
    device.touch()
    device.chmod(0o660)
    monkeypatch.setattr(account, "_KVM", device)
    own = device.stat().st_gid
    found = account_of(ONE, program)
    assert found is not None
    assert found.groups == ((own,) if own else ())
    assert is_accelerated() == bool(own)
    device.chmod(0o600)
    closed = account_of(ONE, program)
    assert closed is not None
    assert closed.groups == ()
    assert not is_accelerated()
    device.chmod(0o666)
    assert is_accelerated()


def test_an_ordinary_users_is_that_users(monkeypatch: pytest.MonkeyPatch, program: str) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert account_of(ONE, program) is None
    assert why_root(program) is None
