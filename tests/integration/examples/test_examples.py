"""Each example, as somebody uses it for the first time: as root, and as an ordinary user."""

import contextlib
import json
import time
from collections.abc import Callable, Iterator
from http.client import HTTPConnection
from pathlib import Path

import pytest

from tests.support.account import Account, invoker, ordinary
from tests.support.command import Devbox, containers_made, left_over
from tests.support.project import project
from tests.support.tree import ROOT

pytestmark = pytest.mark.docker

TESTS = {
    "python-flask": (["pytest", "-q"], " passed"),
    "node-express": (["npm", "test"], "# fail 0"),
}
SERVERS = {"python-flask": ["flask", "run", "--port", "8000"], "node-express": ["npm", "start"]}  # as its README has it
PATIENCE = 60.0  # seconds until a server listens


Case = tuple[Callable[[], Account], str]
CASES = [
    pytest.param((invoker, "node-express"), id="invoker-node-express"),
    pytest.param((invoker, "python-flask"), id="invoker-python-flask"),
    pytest.param((ordinary, "python-flask"), id="ordinary user-python-flask"),
    # By day the other three tell of a fault as well; installing the distribution's npm takes minutes.
    pytest.param((ordinary, "node-express"), id="ordinary user-node-express", marks=pytest.mark.nightly),
]


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest) -> Case:
    found: Case = request.param
    return found


@pytest.fixture
def account(case: Case) -> Account:
    return case[0]()


@pytest.fixture
def example(case: Case) -> str:
    return case[1]


@pytest.fixture
def devbox(account: Account, example: str) -> Iterator[Devbox]:
    with project(account, source=ROOT / "examples" / example) as made:
        yield made


def strangers(directory: Path, account: Account) -> list[str]:
    """Return what in `directory` does not belong to `account`."""
    paths = [directory, *directory.rglob("*")]
    return [str(path) for path in paths if (path.lstat().st_uid, path.lstat().st_gid) != (account.uid, account.gid)]


def listening(devbox: Devbox, patience: float = PATIENCE) -> list[str]:
    """Wait until somebody listens inside, for `patience` seconds at most; return the addresses."""
    end = time.monotonic() + patience
    while not (found := devbox.json("port", "--watch")["listeners"]):
        assert time.monotonic() < end, "nobody listens inside"
    return [address for one in found for address in one["addresses"]]


def require_an_answer(devbox: Devbox, example: str, patience: float = PATIENCE) -> None:
    """Start the example's server, which lets in nobody from outside, and ask it from this host."""
    devbox("exec", "-d", "--", *SERVERS[example])
    assert listening(devbox, patience) == ["127.0.0.1"]
    with contextlib.closing(HTTPConnection(devbox("port", "web").stdout.strip(), timeout=patience)) as connection:
        connection.request("GET", "/health")
        assert json.load(connection.getresponse()) == {"ok": True}


def test_an_example_from_the_first_shell_to_destroy(devbox: Devbox, example: str) -> None:
    command, closing = TESTS[example]
    sources = sorted(path.name for path in devbox.directory.iterdir())

    ran = devbox("shell", "--", *command)
    assert closing in ran.stdout, ran.stdout

    devbox("shell", "--", "sh", "-c", "mkdir made && echo inside > 'made/by hand'")
    assert (devbox.directory / "made" / "by hand").read_text() == "inside\n"
    assert not strangers(devbox.directory, devbox.account)

    status = devbox.json("status")
    assert (status["state"], status["stale"], status["problems"]) == ("running", False, [])
    assert [port["host"] for port in status["ports"]] == ["127.0.0.1"]

    require_an_answer(devbox, example)

    since = time.time()
    assert "nothing to do" in devbox("up").stdout
    assert devbox.json("up")["changed"] is False
    assert containers_made(devbox.hash, since, time.time()) == []

    devbox("destroy", "-f")
    assert left_over(devbox.hash) == []
    assert devbox.json("status")["state"] == "absent"
    assert set(sources) <= {path.name for path in devbox.directory.iterdir()}


def test_root_in_the_directory_of_somebody_else_works_as_the_owner() -> None:
    owner = ordinary().uid
    with project(invoker(), owner=owner) as devbox:
        (devbox.directory / "devbox.toml").write_text('[base]\nimage = "debian:12"\n')
        assert devbox("shell", "--", "sh", "-c", "id -u; id -g; touch made").stdout.split() == [str(owner)] * 2
        made = (devbox.directory / "made").stat()
        assert (made.st_uid, made.st_gid) == (owner, owner)
