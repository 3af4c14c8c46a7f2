"""The project's Dockerfile as a base, by each builder that is here."""

import shutil

import pytest

from devbox.build.dockerfile import find_builder
from devbox.errors import BaseImageError
from devbox.process import HostProcesses
from devbox.values import GuestUser
from tests.integration.build.conftest import Room
from tests.support.images import TINY, tiny_image

pytestmark = pytest.mark.docker
ROOT = GuestUser(name="root", uid=0, gid=0, home="/root", shell="sh")

PLAIN = f"""\
FROM {TINY} AS tools
COPY kept.txt /kept.txt
RUN ls / > /listing
FROM tools AS other
RUN echo other > /other
"""
MOUNT = f"""\
FROM {TINY}
RUN --mount=type=cache,target=/cache echo x > /cache/y && echo built > /built
"""


@pytest.fixture(autouse=True)
def _base(room: Room) -> None:
    tiny_image(room.engine)
    (room.directory / "kept.txt").write_text("kept")
    (room.directory / "ignored.txt").write_text("1")
    (room.directory / ".dockerignore").write_text("# nothing of these\nignored.txt\n")


def builds(room: Room) -> int:
    return len([title for title in room.reporter.titles if title.startswith("build ")])


def test_a_target_is_built_once_until_what_it_sees_changes(room: Room) -> None:
    (room.directory / "Dockerfile").write_text(PLAIN)
    base = room.base(dockerfile="Dockerfile", target="tools")
    assert room.inside(base.id, "cat", "/kept.txt") == "kept"
    assert "other" not in room.inside(base.id, "ls", "/")
    (room.directory / "ignored.txt").write_text("2")
    assert room.base(dockerfile="Dockerfile", target="tools").id == base.id
    assert builds(room) == 1
    (room.directory / "kept.txt").write_text("changed")
    assert room.inside(room.base(dockerfile="Dockerfile", target="tools").id, "cat", "/kept.txt") == "changed"
    assert builds(room) == 2


def test_buildkit_is_found_and_does_what_needs_it(room: Room) -> None:
    environ = dict(room.resolver.environ)
    if find_builder(room.engine, HostProcesses(room.reporter), environ) is None:
        pytest.skip("needs BuildKit: apt-get install docker.io, or docker-buildx")
    (room.directory / "Dockerfile").write_text(MOUNT)
    base = room.base(dockerfile="Dockerfile")
    assert room.inside(base.id, "cat", "/built") == "built\n"
    assert room.build(base, user=ROOT).run[0] == "prepare the base"


def test_the_classic_builder_does_what_it_can(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    _without_docker_command(monkeypatch)
    (room.directory / "Dockerfile").write_text(PLAIN)
    base = room.base(dockerfile="Dockerfile")
    assert room.inside(base.id, "cat", "/other", "/listing").startswith("other\nbin\n")


def test_the_classic_builder_names_the_line_that_it_cannot_do(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    _without_docker_command(monkeypatch)
    (room.directory / "Dockerfile").write_text(MOUNT)
    with pytest.raises(BaseImageError) as caught:
        room.base(dockerfile="Dockerfile")
    (problem,) = caught.value.problems
    assert (problem.file, problem.line) == ("Dockerfile", 2)
    assert "buildx" in str(caught.value.hint)


@pytest.mark.parametrize("classic", [False, True])
def test_a_failing_build_has_the_builders_words(room: Room, monkeypatch: pytest.MonkeyPatch, classic: bool) -> None:
    if classic:
        _without_docker_command(monkeypatch)
    (room.directory / "Dockerfile").write_text(f"FROM {TINY}\nRUN echo the reason && exit 9\n")
    with pytest.raises(BaseImageError, match="Dockerfile could not be built") as caught:
        room.base(dockerfile="Dockerfile")
    assert "exit code: 9" in str(caught.value.detail) or "non-zero code: 9" in str(caught.value.detail)


def _without_docker_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("devbox.build.dockerfile.find_builder", lambda *_: None)


def test_the_docker_command_is_the_engines_own_address(room: Room) -> None:
    if shutil.which("docker") is None:
        pytest.skip("needs the docker command: apt-get install docker.io")
    found = find_builder(room.engine, HostProcesses(room.reporter), dict(room.resolver.environ))
    assert found is not None
    assert found.env["DOCKER_HOST"] == room.engine.info.url
