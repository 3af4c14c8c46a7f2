"""Ports where there is nothing else in the image, and of a user who is not root."""

import shutil
from collections.abc import Iterator

import pytest

from devbox.engine.base import Engine
from tests.integration.ports.conftest import SERVER, asked, echo, host_port
from tests.integration.workspace.conftest import own_base, write
from tests.support.account import invoker, ordinary
from tests.support.bare import BARE, bare_image
from tests.support.command import Devbox
from tests.support.guest_server import program
from tests.support.project import project
from tests.support.supervisors import gone, processes

pytestmark = pytest.mark.docker


@pytest.fixture
def bare(docker_engine: Engine) -> Iterator[Devbox]:
    """A project on an image that holds one program, and no shell."""
    bare_image(docker_engine)
    with project(invoker()) as found:
        profile = f'network.ca_bundle = "none"\n[base]\nimage = "{BARE}"\n[ports]\nweb = {{ guest = 8000, host = 0 }}\n'
        (found.directory / "devbox.toml").write_text(profile)
        shutil.copy(program(), found.directory / SERVER)
        yield found


def test_an_image_without_a_shell_has_ports_as_any_other(bare: Devbox) -> None:
    bare("up")
    echo(bare, 8000)
    assert asked(host_port(bare, "web"), b"x") == b"x"


@pytest.fixture
def theirs(docker_engine: Engine) -> Iterator[Devbox]:
    """A project of an ordinary user."""
    with project(ordinary()) as found, own_base(docker_engine, found):
        yield found
        found("destroy", "-f", status=None)
        assert gone(found.hash), "a supervisor was left"


def test_a_port_of_roots_is_another_one_or_an_error_that_says_which_to_write(theirs: Devbox) -> None:
    write(theirs, "[ports]\nweb = 80\n")
    done = theirs("up")
    assert "does not let you have 80" in done.stderr
    (port,) = theirs.json("status")["ports"]
    assert port["host_port"] >= 8080
    assert len(processes(theirs.hash)) == 1
    assert "nothing to do" in theirs("up").stdout
    write(theirs, "[ports]\nweb = { guest = 80, host = 80 }\n")
    refused = theirs("up", status=2)
    assert "error[port-denied]: port 'web'" in refused.stderr
    assert "host = 8080" in refused.stderr
    assert theirs("exec", "--", "true").returncode == 0
