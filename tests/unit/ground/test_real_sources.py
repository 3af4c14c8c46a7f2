"""What the tests on real projects rest on: the pins, and that no archive writes where it should not."""

import io
import re
import tarfile
import zipfile
from collections import Counter
from pathlib import Path

import pytest

from tests.support.real_sources import Source, pinned, unpack

LEAST = {"python": 2, "node": 2, "go": 1, "rust": 1, "c": 1, "java": 1}


def tar(path: Path, *members: tuple[str, bytes, int], link: str = "") -> Path:
    with tarfile.open(path, "w:gz") as opened:
        for name, content, mode in members:
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), mode
            opened.addfile(entry, io.BytesIO(content))
        if link:
            entry = tarfile.TarInfo(link)
            entry.type, entry.linkname = tarfile.SYMTYPE, "/etc/passwd"
            opened.addfile(entry)
    return path


def source(count: str) -> Source:
    return Source(
        name="x",
        ecosystem="npm",
        package="x",
        version="1",
        sha256="",
        directory="x",
        language="node",
        command=("true",),
        count=count,
        tests=1,
    )


def test_enough_projects_of_each_language_are_pinned_by_hash() -> None:
    found = pinned()
    count = Counter(one.language for one in found)
    assert len(found) >= 10
    assert all(count[language] >= least for language, least in LEAST.items()), count
    assert sum(one.quick for one in found) == 3
    assert all(re.fullmatch("[0-9a-f]{64}", one.sha256) for one in found)


def test_the_files_of_one_directory_of_an_archive_are_written(tmp_path: Path) -> None:
    files = [
        ("a/b/run", b"1", 0o755),
        ("a/b/in/text", b"2", 0o4600),
        ("a/other", b"3", 0o644),
        ("a/b/.git", b"4", 0o644),
    ]
    unpack(tar(tmp_path / "x.tgz", *files), "a/b", tmp_path / "made")
    made = {str(path.relative_to(tmp_path / "made")): path for path in (tmp_path / "made").rglob("*") if path.is_file()}
    assert {name: (path.read_bytes(), path.stat().st_mode & 0o7777) for name, path in made.items()} == {
        "run": (b"1", 0o755),
        "in/text": (b"2", 0o644),
    }


def test_a_zip_is_opened_too(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as opened:
        opened.writestr("a/text", "1")
    unpack(tmp_path / "x.zip", "a", tmp_path / "made")
    assert (tmp_path / "made" / "text").read_text() == "1"


@pytest.mark.parametrize("name", ["a/../../out", "/out"])
def test_an_archive_that_leads_out_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="leads out"):
        unpack(tar(tmp_path / "x.tgz", (name, b"1", 0o644)), "a", tmp_path / "made")
    assert not (tmp_path / "out").exists()


def test_a_link_in_an_archive_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="neither a file nor a directory"):
        unpack(tar(tmp_path / "x.tgz", link="a/passwd"), "a", tmp_path / "made")


@pytest.mark.parametrize(
    ("count", "output", "ran"),
    [(r"(\d+) passed", "3 passed\n4 passed", 7), ("(?m)^ok$", "ok\nnot ok\nok", 2), (r"(\d+) passed", "none", 0)],
)
def test_tests_are_counted_by_what_they_printed(count: str, output: str, ran: int) -> None:
    assert source(count).ran(output) == ran
