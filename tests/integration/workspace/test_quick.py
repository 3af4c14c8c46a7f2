"""`up` by the plan of the last one: the same result as the whole `up`, and only while nothing has changed."""

import shutil
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from devbox.engine.base import ContainerRequest, Engine, ImageConfig
from tests.integration.workspace.conftest import base, own_base, remove_images, write
from tests.support.account import invoker
from tests.support.command import Devbox
from tests.support.engine import labels
from tests.support.images import TINY_ENV, tiny_image
from tests.support.project import project
from tests.support.tree import ROOT

pytestmark = pytest.mark.docker
ENV = '[env]\nWORD = "one"\n'
SLOW = {"typer", "pydantic", "docker", "requests", "tomli", "rich"}


@pytest.fixture
def plain(docker_engine: Engine) -> Iterator[Devbox]:
    """A project that the next `up` can go by its plan in, brought up once, its files an hour old."""
    with project(invoker()) as found, own_base(docker_engine, found):
        write(found, ENV)
        yield found


def _settle(devbox: Devbox) -> None:
    """Let the file system's clock move on past the last change, then let `up` keep its plan."""
    kept = devbox.home / ".cache" / "devbox" / "prepared" / f"{devbox.hash}.json"
    for _ in range(50):
        devbox("up")
        if kept.exists():
            return
    raise AssertionError("no plan was ever kept")


def _imported(devbox: Devbox) -> set[str]:
    script = (
        "import os, sys; from devbox import launcher; sys.argv = ['devbox', 'up']; "
        "launcher._end = lambda status: print('\\n'.join(sys.modules), file=sys.stderr); launcher.main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=devbox.environment | {"PYTHONPATH": str(ROOT)},
        cwd=devbox.directory,
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stderr.splitlines())


def test_nothing_slow_is_imported_for_it(plain: Devbox) -> None:
    _settle(plain)
    assert not SLOW & _imported(plain)


def test_after_destroy_it_makes_the_same_container(plain: Devbox) -> None:
    _settle(plain)
    word = ("exec", "--", "sh", "-c", "echo $WORD; id -u; pwd")
    before = plain(*word).stdout
    plain("destroy", "-f")
    assert "created" in plain("up").stdout
    assert plain(*word).stdout == before
    assert plain("up").stdout == "nothing to do\n"
    plain("halt")
    assert "started" in plain("up").stdout


def test_another_value_of_a_variable_needs_nothing_slow_and_comes_to_what_the_whole_up_would(plain: Devbox) -> None:
    _settle(plain)
    image = plain.json("status")["image"]
    for word in ("two", "three"):  # the second time by what the first has kept
        write(plain, ENV.replace("one", word))
        time.sleep(0.1)  # a file that has only just changed may change again unseen, and is worked out in full
        assert not SLOW - {"tomli"} & _imported(plain)
        assert plain("exec", "--", "sh", "-c", "echo $WORD").stdout == f"{word}\n"
        status = plain.json("status")
        assert (status["image"], status["stale"]) == (image, False)
        assert plain("up", "-v").stdout == "nothing to do\n"  # -v is not for the quick way


@pytest.mark.parametrize("verb", [("up",), ("up", "-v")], ids=["quick", "whole"])
def test_a_project_that_was_cloned_again_is_the_one_that_is_seen_inside(plain: Devbox, verb: tuple[str, ...]) -> None:
    _settle(plain)
    plain("exec", "--", "sh", "-c", "echo kept > /tmp/inside")
    again = plain.directory.with_name("again")
    shutil.copytree(plain.directory, again)
    shutil.rmtree(plain.directory)
    again.rename(plain.directory)
    (plain.directory / "new").write_text("new")
    assert "restarted (the project's directory is another one)" in plain(*verb).stdout
    assert plain("exec", "--", "sh", "-c", "cat new /tmp/inside").stdout == "newkept\n"
    assert plain("up", "-v").stdout == "nothing to do\n"


def test_a_changed_profile_counts_at_once(plain: Devbox) -> None:
    _settle(plain)
    write(plain, ENV.replace("one", "two"))
    assert "recreated" in plain("up").stdout
    assert plain("exec", "--", "sh", "-c", "echo $WORD").stdout == "two\n"


def test_a_personal_layer_and_a_broken_profile_count_at_once(plain: Devbox) -> None:
    _settle(plain)
    (plain.directory / "devbox.local.toml").write_text('[env]\nWORD = "mine"\n')
    assert "recreated" in plain("up").stdout
    _settle(plain)
    write(plain, "[pakages]\n")
    assert "did you mean" in plain("up", status=2).stderr


def test_a_lost_image_is_built_again(plain: Devbox, docker_engine: Engine) -> None:
    _settle(plain)
    plain("destroy", "-f")
    remove_images(docker_engine, plain)
    assert "built" in plain("up").stdout


def test_a_base_of_another_content_is_built_upon(plain: Devbox, docker_engine: Engine) -> None:
    _settle(plain)
    tiny, older = tiny_image(docker_engine), docker_engine.image(base(plain))
    assert older is not None
    box = docker_engine.create(
        ContainerRequest(name=None, image=tiny.id, command=("sh", "-c", "echo new >/new"), labels=labels())
    )
    try:
        docker_engine.start(box)
        docker_engine.wait(box)
        config = ImageConfig(env=tuple(TINY_ENV.items()), command=("sh",), labels=labels())
        newer = docker_engine.commit(box, config=config, message="newer", reference=base(plain))
    finally:
        docker_engine.remove(box)
    try:
        assert "built" in plain("up").stdout
        assert plain("exec", "--", "cat", "/new").stdout == "new\n"
    finally:
        plain("destroy", "-f")
        remove_images(docker_engine, plain)
        docker_engine.remove_image(newer, force=True)
        docker_engine.remove_image(older.id, force=True)


def test_json_is_the_same_document(plain: Devbox) -> None:
    first = plain("up", "--json", "-v").stdout  # -v is not for the quick way
    assert plain("up", "--json").stdout.replace('"changed": true', "") == plain("up", "--json", "-v").stdout
    assert first.startswith("{")
