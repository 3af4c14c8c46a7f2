import os
import stat
from pathlib import Path

import pytest

from devbox import paths


@pytest.mark.parametrize("umask", [0o000, 0o077, 0o777])
def test_a_private_directory_is_private_whatever_the_umask(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        made = paths.private_directory(str(tmp_path / "a" / "b" / "c"))
    finally:
        os.umask(before)
    assert made == str(tmp_path / "a" / "b" / "c")
    for part in ("a", "a/b", "a/b/c"):
        assert stat.S_IMODE((tmp_path / part).stat().st_mode) == 0o700


def test_a_directory_that_is_there_is_returned_as_it_is(tmp_path: Path) -> None:
    assert paths.private_directory(str(tmp_path)) == str(tmp_path)


@pytest.mark.parametrize("value", ["relative", ""])
def test_a_relative_xdg_variable_is_ignored(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("HOME", "/home/u")
    monkeypatch.setenv("XDG_STATE_HOME", value)
    assert paths.state_root() == "/home/u/.local/state/devbox"


def test_without_home_the_password_database_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HOME")
    assert paths.home().startswith("/")
