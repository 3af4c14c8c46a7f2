"""Files into an archive, out of a directory that answers as a guest does."""

import os
import tarfile
from contextlib import closing
from pathlib import Path

import pytest

from devbox.errors import SyncError
from devbox.sync.host import HostEndpoint
from devbox.workspace.salvage import salvage


@pytest.fixture
def guest(tmp_path: Path) -> Path:
    root = tmp_path / "guest"
    (root / "out" / "deep").mkdir(parents=True)
    (root / "out" / "deep" / "big").write_bytes(os.urandom(700_000))
    (root / "out" / "link").symlink_to("../a")
    (root / "a").write_text("a")
    (root / "node_modules").mkdir()
    (root / "node_modules" / "x").write_text("x")
    return root


def _saved(guest: Path, target: Path, wanted: list[str]) -> dict[str, bytes | str | None]:
    with closing(HostEndpoint(guest)) as end:
        salvage(end, wanted, apart=["node_modules"], target=target)
    found: dict[str, bytes | str | None] = {}
    with tarfile.open(target) as archive:
        for entry in archive:
            content = archive.extractfile(entry) if entry.isreg() else None
            found[entry.name] = content.read() if content else entry.linkname or None
    return found


def test_what_is_named_is_saved_with_all_below_it(guest: Path, tmp_path: Path) -> None:
    found = _saved(guest, tmp_path / "saved.tar", ["out", "not there", "../guest/a", "/etc/passwd"])
    assert found == {
        "out": None,
        "out/deep": None,
        "out/deep/big": (guest / "out" / "deep" / "big").read_bytes(),
        "out/link": "../a",
    }
    assert (tmp_path / "saved.tar").stat().st_mode & 0o777 == 0o600


def test_everything_is_all_but_what_is_apart(guest: Path, tmp_path: Path) -> None:
    assert sorted(_saved(guest, tmp_path / "saved.tar", [""])) == ["a", "out", "out/deep", "out/deep/big", "out/link"]


def test_an_archive_that_cannot_be_written_is_an_error_and_leaves_nothing(guest: Path, tmp_path: Path) -> None:
    with closing(HostEndpoint(guest)) as end, pytest.raises(SyncError, match="cannot be written"):
        salvage(end, ["a"], apart=[], target=tmp_path / "no" / "saved.tar")
