"""Whatever stands in whichever file: detection ends with a value, and what is wrong is a `Problem`."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from devbox.errors import ContradictionError, UndetectableError
from devbox.profile.detect import detect, render, require_clear
from devbox.profile.load import load
from tests.support.corpus import PROJECTS

pytestmark = pytest.mark.long

NAMES = sorted(
    {
        str(path.relative_to(project / "repo"))
        for project in PROJECTS
        for path in (project / "repo").rglob("*")
        if path.is_file()
    }
)
FILES = [
    (path, str(path.relative_to(project / "repo")))
    for project in PROJECTS
    for path in sorted((project / "repo").rglob("*"))
    if path.is_file()
]
PIECES = [
    b"", b"\n", b"\0", b"\xff\xfe", b"\xef\xbb\xbf", b"{" * 3000, b"[" * 3000, b"null", b"[1]", b'{"a": ', b"<a>",
    b"<!DOCTYPE a>", b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', b"version = ", b"9" * 5000, b"\x1b[31m", b'"', b"'''",
    b"- " * 500, b"=" * 100, b"[project]\nname = 1\ndependencies = 2\n", b"ruby '",
    b'{"engines": 3, "scripts": [], "dependencies": "x", "volta": 1}',
]  # fmt: skip
SETTINGS = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def looked_at(directory: Path) -> None:
    """Detect; what can be used must be usable, and what cannot be must say so by its own errors."""
    found = detect(directory)
    for problem in found.problems:
        assert problem.file
        assert problem.message.isprintable()
    text = render(found)
    try:
        require_clear(found)
    except (ContradictionError, UndetectableError):
        return
    load(directory, environ={}, fallback=text)


def clean(directory: Path) -> None:
    for path in sorted(directory.rglob("*"), reverse=True):
        path.unlink() if path.is_file() else path.rmdir()


def put(directory: Path, name: str, content: bytes) -> None:
    target = directory / name
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(content)


@SETTINGS
@given(
    files=st.dictionaries(
        st.sampled_from(NAMES),
        st.one_of(st.binary(max_size=200), st.lists(st.sampled_from(PIECES), max_size=4).map(b"".join)),
        max_size=6,
    )
)
def test_any_bytes_in_any_file(project: Path, files: dict[str, bytes]) -> None:
    clean(project)
    for name, content in files.items():
        if not (project / name).is_dir():
            put(project, name, content)
    looked_at(project)


@SETTINGS
@given(
    file=st.sampled_from(FILES),
    at=st.integers(0, 10_000),
    piece=st.one_of(st.binary(max_size=20), st.sampled_from(PIECES)),
    cut=st.integers(0, 40),
)
def test_a_real_manifest_with_something_else_in_it(
    project: Path, file: tuple[Path, str], at: int, piece: bytes, cut: int
) -> None:
    clean(project)
    content = file[0].read_bytes()
    place = at % (len(content) + 1)
    put(project, file[1], content[:place] + piece + content[place + cut :])
    looked_at(project)


@pytest.mark.parametrize("content", PIECES, ids=range(len(PIECES)))
def test_each_piece_in_each_file(project: Path, content: bytes) -> None:
    for name in NAMES:
        clean(project)
        put(project, name, content)
        looked_at(project)
