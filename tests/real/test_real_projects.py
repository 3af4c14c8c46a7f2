"""Real projects, as their maintainers have them: no profile, one command, and their own tests pass."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.account import ordinary
from tests.support.command import Devbox
from tests.support.project import project
from tests.support.real_sources import Source, clone, pinned

pytestmark = [pytest.mark.docker, pytest.mark.network]

SOURCES = [
    pytest.param(source, id=source.name, marks=() if source.quick else pytest.mark.nightly) for source in pinned()
]


@pytest.fixture(params=SOURCES)
def source(request: pytest.FixtureRequest) -> Source:
    found: Source = request.param
    return found


@pytest.fixture
def devbox(source: Source, tmp_path: Path) -> Iterator[Devbox]:
    with project(ordinary(), source=clone(source, tmp_path / source.name)) as made:
        yield made


def test_its_own_tests_pass_with_no_profile(devbox: Devbox, source: Source) -> None:
    assert not (devbox.directory / "devbox.toml").exists()

    done = devbox("shell", "--", *source.command)

    assert source.ran(done.stdout + done.stderr) >= source.tests, done.stdout[-2000:]
    assert not (devbox.directory / "devbox.toml").exists()
