import glob
import stat
from pathlib import Path

import pytest

from devbox.errors import StateError
from devbox.ssh import user_config


@pytest.fixture
def config(home: Path) -> Path:
    (home / ".ssh").mkdir(mode=0o700)
    return home / ".ssh" / "config"


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def test_without_one_it_is_empty_and_is_made_for_the_user_alone(home: Path) -> None:
    assert user_config.read() == ""
    user_config.write("x\n")
    assert user_config.read() == "x\n"
    assert (mode(home / ".ssh"), mode(home / ".ssh" / "config")) == (0o700, 0o600)
    assert names(home / ".ssh") == ["config"]


def test_mode_and_every_byte_are_kept(config: Path) -> None:
    config.write_bytes(b"Host caf\xe9\r\n\x0c")
    config.chmod(0o644)
    user_config.write(user_config.read() + "\n")
    assert config.read_bytes() == b"Host caf\xe9\r\n\x0c\n"
    assert mode(config) == 0o644


def test_a_link_stays_one(config: Path, tmp_path: Path) -> None:
    target = tmp_path / "dotfiles"
    target.write_text("a\n")
    config.symlink_to(target)
    user_config.write("b\n")
    assert config.is_symlink()
    assert target.read_text() == "b\n"
    assert names(tmp_path) == ["dotfiles"]


def test_what_is_no_file_is_left_alone(config: Path) -> None:
    config.symlink_to("/dev/null")
    with pytest.raises(StateError, match="no ordinary file") as caught:
        user_config.read()
    assert "Include" in str(caught.value.hint)


def test_a_directory_that_cannot_be_written_changes_nothing(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config.write_text("a\n")
    monkeypatch.setattr(Path, "replace", lambda *_: (_ for _ in ()).throw(PermissionError(13, "Permission denied")))
    with pytest.raises(StateError, match="permission denied"):
        user_config.write("b\n")
    assert config.read_text() == "a\n"
    assert names(config.parent) == ["config"]


def test_the_pattern_finds_the_entries_wherever_the_state_lies(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "a[b]*"))
    file = tmp_path / "a[b]*" / "devbox" / "s" / "1a2b3c4d" / "ssh" / "config"
    file.parent.mkdir(parents=True)
    file.touch()
    assert glob.glob(user_config.pattern()) == [str(file)]  # noqa: PTH207 (as ssh does it)
    assert user_config.entry_files() == [file]
