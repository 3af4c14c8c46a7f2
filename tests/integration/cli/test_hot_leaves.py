"""What the hot path leaves to the whole command line, and that it is answered rightly there."""

from collections.abc import Iterator

import pytest

from devbox.engine.base import Engine
from tests.support.command import Devbox
from tests.support.paths import HOT, LEFT, Traveller, settled

pytestmark = pytest.mark.docker
VERBS = ("exec -- true", "shell -- true", "up", "status")


@pytest.fixture
def project(docker_engine: Engine) -> Iterator[Devbox]:
    with settled(docker_engine) as devbox:
        yield devbox


def left(devbox: Devbox) -> set[str]:
    """Return the verbs for which the hot path is left."""
    hot = Traveller(devbox=devbox, path=HOT)
    return {verb.split()[0] for verb in VERBS if hot(*verb.split()).returncode == LEFT}


def test_a_settled_project_is_hot_for_all_and_a_halted_one_for_none(project: Devbox) -> None:
    assert left(project) == set()
    project("halt")
    assert left(project) == {"exec", "shell", "up", "status"}
    done = project("exec", "--", "true", status=125)
    assert "error[not-running]" in done.stderr
    assert "hint: devbox up" in done.stderr
    project("up")
    assert left(project) == set()


def test_an_edited_profile_counts_at_once(project: Devbox) -> None:
    profile = project.directory / "devbox.toml"
    profile.write_text(profile.read_text() + '[env]\nNEW = "1"\n')
    assert left(project) == {"exec", "shell", "up", "status"}
    assert "stale" in project("status").stdout
    assert "recreated" in project("up").stdout
    assert project("exec", "--", "sh", "-c", "echo $NEW").stdout == "1\n"


def test_files_that_come_and_go_in_the_project_change_nothing(project: Devbox) -> None:
    (project.directory / "notes.txt").write_text("")
    (project.directory / "sub").mkdir()
    assert left(project) == set()
    (project.directory / "devbox.local.toml").write_text("")
    assert left(project) == {"exec", "shell", "up", "status"}


def test_a_program_that_cannot_be_started_is_told_apart(project: Devbox) -> None:
    assert left(project) == set()
    (project.directory / "plain").write_text("no program")
    done = project("exec", "--", "no-such-program", status=127)
    assert "not found" in done.stderr
    assert project("exec", "--", "./plain", status=126).stderr.startswith("error[")
    assert "does not exist" in project("exec", "-w", "/nope", "--", "true", status=126).stderr
    assert "no user" in project("exec", "-u", "nope", "--", "true", status=126).stderr


def test_a_container_that_was_started_again_is_looked_at_by_those_who_bring_up(
    project: Devbox, docker_engine: Engine
) -> None:
    instance = project.json("status")["instance"]
    docker_engine.stop(instance)
    docker_engine.start(instance)
    while project("exec", "--", "true", status=None).returncode:
        pass  # the engine says that it runs before the agent does
    assert left(project) == {"shell", "up", "status"}
    assert project("up").stdout == "nothing to do\n"
    assert left(project) == set()


def test_a_base_of_ones_own_may_be_another_image_by_now(project: Devbox, docker_engine: Engine) -> None:
    profile = project.directory / "devbox.toml"
    image = next(line for line in profile.read_text().splitlines() if "sha256:" in line).partition('"')[2].rstrip('"')
    reference = f"devbox-test/own:{project.hash}"
    docker_engine.tag(image, reference)
    try:
        profile.write_text(profile.read_text().replace(image, reference))
        project("up")
        assert left(project) == {"shell", "up"}
        assert project("up").stdout == "nothing to do\n"
    finally:
        project("destroy", "-f")
        docker_engine.remove_image(reference)


def test_what_is_set_on_the_command_line_holds_for_once(project: Devbox) -> None:
    project("up", "--set", 'env.ONCE="1"')
    assert left(project) == {"exec", "shell", "up", "status"}
    assert "recreated" in project("up").stdout
    assert left(project) == set()


def test_secrets_are_fetched_each_time_and_variables_of_the_host_as_they_are(project: Devbox) -> None:
    profile = project.directory / "devbox.toml"
    before = profile.read_text()
    profile.write_text(before + '[env]\nfrom_host = ["LANG"]\n')
    project("trust", "--yes")
    project("up")
    assert left(project) == set()
    profile.write_text(before + '[secrets]\nTOKEN = { env = "TOKEN" }\n')
    project("trust", "--yes")
    project("up")
    assert left(project) == {"exec", "shell", "up", "status"}
