"""Which builder is chosen for a Dockerfile, and what the classic one cannot do."""

from pathlib import Path

import pytest

from devbox.build.dockerfile import beyond_classic, find_builder
from tests.fakes.engine import INFO, FakeEngine
from tests.fakes.processes import FakeProcesses, completed


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("RUN --mount=type=cache,target=/x pip install y", "RUN --mount"),
        ("run --network=none --mount=type=secret,id=a cat", "RUN --mount"),
        ("RUN --security=insecure x", "RUN --security"),
        ("COPY --from=a --link /x /y", "COPY --link"),
        ("COPY --chmod=755 a b", "COPY --chmod"),
        ("ADD --checksum=sha256:aa u /x", "ADD --checksum"),
        ("RUN <<EOF", "here-document (EOF)"),
    ],
)
def test_lines_beyond_the_classic_builder_are_named(line: str, what: str) -> None:
    (problem,) = beyond_classic(f"FROM x\n{line}\n", file="Dockerfile")
    assert what in problem.message
    assert (problem.file, problem.line) == ("Dockerfile", 2)


@pytest.mark.parametrize(
    "line", ["RUN apt-get --mount x", "COPY --from=a b c", "COPY --chown=a b c", "# RUN --mount", "RUN a < b"]
)
def test_other_lines_are_not(line: str) -> None:
    assert beyond_classic(f"FROM x\n{line}\n", file="Dockerfile") == []


def tools(directory: Path, *names: str) -> dict[str, str]:
    for name in names:
        (directory / name).mkdir()
        (directory / name / "docker").write_text("")
        (directory / name / "docker").chmod(0o755)
    return {"PATH": ":".join(str(directory / name) for name in names)}


def test_a_later_docker_with_buildx_beats_an_earlier_one_without(tmp_path: Path) -> None:
    environ = tools(tmp_path, "a", "b")
    processes = FakeProcesses()
    processes.answer(f"{tmp_path}/a/docker", with_=completed(status=1))
    processes.answer(f"{tmp_path}/b/docker", "buildx", with_="v0.12")
    found = find_builder(FakeEngine(), processes, environ)
    assert found is not None
    assert found.argv == (f"{tmp_path}/b/docker", "buildx", "build", "--load")
    assert found.env["DOCKER_HOST"] == INFO.url


def test_an_older_docker_has_buildkit_inside(tmp_path: Path) -> None:
    environ = tools(tmp_path, "a", "b")
    processes = FakeProcesses()
    processes.answer(f"{tmp_path}/a/docker", "buildx", with_=completed(status=1))
    processes.answer(f"{tmp_path}/a/docker", "version", with_="28.2.0 20.10.24")
    processes.answer(f"{tmp_path}/b/docker", "buildx", with_=completed(status=1))
    processes.answer(f"{tmp_path}/b/docker", "version", with_="20.10.24+dfsg1 20.10.24+dfsg1")
    found = find_builder(FakeEngine(), processes, environ)
    assert found is not None
    assert found.argv == (f"{tmp_path}/b/docker", "build")
    assert found.env["DOCKER_BUILDKIT"] == "1"


def test_without_a_docker_command_the_engine_itself_is_left(tmp_path: Path) -> None:
    assert find_builder(FakeEngine(), FakeProcesses(), {"PATH": str(tmp_path)}) is None
