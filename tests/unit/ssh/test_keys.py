import stat
from pathlib import Path

import pytest

from devbox.errors import StateError
from devbox.ssh.keys import ensure_keys, host_key_file, known_hosts_file

HASH = "1a2b3c4d"


def test_a_key_is_made_once_and_pinned(home: Path) -> None:
    ensure_keys(HASH, "devbox-shop-1a2b3c4d")
    key, pinned = host_key_file(HASH), known_hosts_file(HASH)
    before = key.read_bytes(), pinned.read_bytes()
    ensure_keys(HASH, "devbox-shop-1a2b3c4d")
    assert (key.read_bytes(), pinned.read_bytes()) == before
    assert pinned.read_text().startswith("devbox-shop-1a2b3c4d ssh-ed25519 AAAA")
    assert [stat.S_IMODE(path.stat().st_mode) for path in (key, pinned, key.parent)] == [0o600, 0o600, 0o700]
    assert sorted(path.name for path in key.parent.iterdir()) == ["host_key", "known_hosts"]


def test_two_workspaces_have_two_keys(home: Path) -> None:
    ensure_keys(HASH, "a")
    ensure_keys("00000000", "b")
    assert host_key_file(HASH).read_bytes() != host_key_file("00000000").read_bytes()


def test_what_was_pinned_wrongly_is_pinned_anew(home: Path) -> None:
    ensure_keys(HASH, "a")
    right = known_hosts_file(HASH).read_text()
    known_hosts_file(HASH).write_text("a ssh-ed25519 AAAA\n")
    ensure_keys(HASH, "a")
    assert known_hosts_file(HASH).read_text() == right


def test_a_key_that_is_none_is_said_with_its_file(home: Path) -> None:
    ensure_keys(HASH, "a")
    host_key_file(HASH).write_text("nothing")
    with pytest.raises(StateError, match="no key any more") as caught:
        ensure_keys(HASH, "a")
    assert str(host_key_file(HASH)) in str(caught.value.message)


def test_a_directory_that_cannot_be_made_is_said(home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    with pytest.raises(StateError, match="cannot be kept"):
        ensure_keys(HASH, "a")
