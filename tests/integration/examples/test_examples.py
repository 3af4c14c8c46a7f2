"""Each example, as somebody uses it for the first time: as root, as an ordinary user, and as a machine."""

import contextlib
import json
import time
from collections.abc import Callable, Iterator
from http.client import HTTPConnection
from pathlib import Path

import pytest

from tests.integration.machine.conftest import machines, processes_of
from tests.support.account import Account, invoker, ordinary
from tests.support.command import Devbox, containers_made, left_over
from tests.support.project import project
from tests.support.supervisors import gone
from tests.support.tree import ROOT

pytestmark = pytest.mark.docker

TESTS = {
    "python-flask": (["pytest", "-q"], " passed"),
    "node-express": (["npm", "test"], "# fail 0"),
}
SERVERS = {"python-flask": ["flask", "run", "--port", "8000"], "node-express": ["npm", "start"]}  # as its README has it
MACHINES = {  # what its machine is; one that is not kept ready boots once less
    "python-flask": '[vm]\ninit = "full"\n',
    "node-express": '[vm]\ninit = "trimmed"\nready = false\n',
}
PATIENCE = 60.0  # seconds until a server listens
MACHINE_SERVERS = SERVERS | {"node-express": ["node", "server.js"]}  # npm alone takes a minute in an emulated machine
MACHINE_PATIENCE = 300.0


Case = tuple[Callable[[], Account], str]
NODE_AS_ROOT: Case = (invoker, "node-express")
FLASK_AS_ANYBODY: Case = (ordinary, "python-flask")
CASES = [  # those that are machines as well first: pytest puts tests together by a parameter's place in its list
    pytest.param(NODE_AS_ROOT, id="invoker-node-express"),
    pytest.param(FLASK_AS_ANYBODY, id="ordinary user-python-flask"),
    pytest.param((invoker, "python-flask"), id="invoker-python-flask"),
    # By day the others tell of a fault as well; installing the distribution's npm takes minutes.
    pytest.param((ordinary, "node-express"), id="ordinary user-node-express", marks=pytest.mark.nightly),
]


@pytest.fixture(scope="module", params=CASES)
def case(request: pytest.FixtureRequest) -> Case:
    found: Case = request.param
    return found


@pytest.fixture(scope="module")
def account(case: Case) -> Account:
    return case[0]()


@pytest.fixture(scope="module")
def example(case: Case) -> str:
    return case[1]


@pytest.fixture(scope="module")
def devbox(account: Account, example: str) -> Iterator[Devbox]:
    """Its project. What a test has had built is there for the next one."""
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


def require_an_answer(devbox: Devbox, server: list[str], patience: float = PATIENCE) -> None:
    """Start the example's server, which lets in nobody from outside, and ask it from this host."""
    devbox("exec", "-d", "--", *server)
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

    require_an_answer(devbox, SERVERS[example])

    since = time.time()
    assert "nothing to do" in devbox("up").stdout
    assert devbox.json("up")["changed"] is False
    assert containers_made(devbox.hash, since, time.time()) == []

    devbox("destroy", "-f")
    assert left_over(devbox.hash) == []
    assert devbox.json("status")["state"] == "absent"
    assert set(sources) <= {path.name for path in devbox.directory.iterdir()}


@pytest.mark.vm
@pytest.mark.parametrize("case", [NODE_AS_ROOT, FLASK_AS_ANYBODY], ids=["node-express", "python-flask"], indirect=True)
def test_an_example_as_a_machine(devbox: Devbox, example: str) -> None:
    """Its tests pass, files go both ways, and after a halt they are there and its server answers here."""
    command, closing = TESTS[example]
    local = devbox.directory / "devbox.local.toml"
    local.write_text(MACHINES[example], encoding="utf-8")
    assert closing in devbox("shell", "--runtime", "vm", "--", *command).stdout
    assert len(processes_of(devbox, "qemu")) == 1
    local.write_text(f'runtime = "vm"\n{MACHINES[example]}', encoding="utf-8")
    assert devbox.json("status")["state"] == "running"
    (devbox.directory / "here.txt").write_text("from here", encoding="utf-8")
    assert devbox("exec", "--", "sh", "-c", "cat here.txt; mkdir -p made; echo too > made/inside").stdout == "from here"
    assert (devbox.directory / "made" / "inside").read_text(encoding="utf-8") == "too\n"
    devbox("halt")
    assert not processes_of(devbox)
    devbox("up")
    assert devbox("exec", "--", "cat", "made/inside").stdout == "too\n"
    require_an_answer(devbox, MACHINE_SERVERS[example], MACHINE_PATIENCE)
    devbox("destroy", "-f")
    assert not processes_of(devbox)
    assert not list(machines(devbox))
    assert gone(devbox.hash)


def test_root_in_the_directory_of_somebody_else_works_as_the_owner() -> None:
    owner = ordinary().uid
    with project(invoker(), owner=owner) as devbox:
        (devbox.directory / "devbox.toml").write_text('[base]\nimage = "debian:12"\n')
        assert devbox("shell", "--", "sh", "-c", "id -u; id -g; touch made").stdout.split() == [str(owner)] * 2
        made = (devbox.directory / "made").stat()
        assert (made.st_uid, made.st_gid) == (owner, owner)
