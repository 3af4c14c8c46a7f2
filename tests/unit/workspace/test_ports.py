import os
from pathlib import Path

import pytest

from devbox import paths
from devbox.errors import PortDeniedError, PortTakenError
from devbox.profile.asks import Grants
from devbox.profile.model import Profile
from devbox.runtimes.base import PublishedPort
from devbox.supervisor.binding import SPAN
from devbox.supervisor.protocol import DENIED, Failed, Forward, Wanted
from devbox.workspace import ports_file
from devbox.workspace.context import Host, Workspace
from devbox.workspace.ports import end, failure, give, give_again, reported
from devbox.workspace.spec import wanted_ports
from tests.fakes.processes import FakeProcesses
from tests.fakes.reporter import RecordingReporter
from tests.fakes.supervisor import FakeSupervisors

WEB = Wanted(name="web", guest=80, host=8000)


class Bench:
    """A Host without an engine, a Workspace, and Supervisors in memory; `host` is a new command each time."""

    def __init__(self, directory: Path) -> None:
        self.workspace = Workspace(directory=directory, name="shop")
        self.supervisors = FakeSupervisors()
        self.reporter = RecordingReporter()
        paths.private_directory(paths.workspace_state(self.workspace.hash))

    @property
    def host(self) -> Host:
        return Host(
            reporter=self.reporter,
            processes=FakeProcesses(),
            environ={},
            cwd=self.workspace.directory,
            connect=lambda: pytest.fail("no engine is needed for this"),
            interactive=False,
            uid=os.getuid(),
            gid=os.getgid(),
            supervisors=self.supervisors,
        )

    def give(self, *wanted: Wanted, identity: str = "one") -> tuple[list[tuple[str, int]], tuple[str, ...]]:
        given = give(self.host, self.workspace, wanted, identity=identity)
        return [(port.name, port.host_port) for port in given.ports], given.done

    @property
    def kept(self) -> list[tuple[str, int]]:
        return [(port.name, port.host) for port in ports_file.read(self.workspace.hash)]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_without_ports_there_is_no_supervisor(bench: Bench) -> None:
    assert bench.give() == ([], ())
    assert not bench.supervisors.started


def test_a_port_is_given_and_the_same_again_changes_nothing(bench: Bench) -> None:
    assert bench.give(WEB) == ([("web", 8000)], ("ports changed",))
    assert bench.give(WEB) == ([("web", 8000)], ())
    assert bench.supervisors.started == 1
    assert not bench.reporter.notes


def test_a_taken_port_moves_is_said_once_and_kept(bench: Bench) -> None:
    bench.supervisors.taken.add(8000)
    bench.give(WEB)
    assert [note for note in bench.reporter.notes if "answers on 127.0.0.1:8001, since 8000 is taken" in note]
    bench.supervisors.taken.clear()
    end(bench.host, bench.workspace)
    assert bench.give(WEB)[0] == [("web", 8001)]
    assert len(bench.reporter.notes) == 1


def test_a_port_that_another_one_of_the_same_environment_has(bench: Bench) -> None:
    bench.give(WEB, Wanted(name="api", guest=90, host=8000))
    assert bench.reporter.notes == [
        "port api answers on 127.0.0.1:8001, since 8000 is taken on this host by this environment's own port web"
    ]


def test_what_was_kept_is_given_up_when_it_is_lost_or_another_one_is_wanted(bench: Bench) -> None:
    bench.supervisors.taken.add(8000)
    bench.give(WEB)
    end(bench.host, bench.workspace)
    bench.supervisors.taken = {8001}
    assert bench.give(WEB)[0] == [("web", 8000)]
    end(bench.host, bench.workspace)
    other = Wanted(name="web", guest=80, host=9000)
    assert bench.give(other)[0] == [("web", 9000)]


def test_a_port_that_was_found_elsewhere_is_not_kept_for_who_wants_that_very_one(bench: Bench) -> None:
    elsewhere = Forward(name="web", guest=80, host=8080, wanted=80, protocol="tcp", address="127.0.0.1", declared=True)
    ports_file.write(bench.workspace.hash, [elsewhere])
    assert bench.give(Wanted(name="web", guest=80, host=80, otherwise=8080))[0] == [("web", 8080)]
    assert bench.give(Wanted(name="web", guest=80, host=80))[0] == [("web", 80)]


def test_changed_ports_are_said_as_such(bench: Bench) -> None:
    bench.give(WEB)
    api = Wanted(name="api", guest=81, host=8100)
    assert bench.give(WEB, api) == ([("api", 8100), ("web", 8000)], ("ports changed",))
    assert bench.give(api) == ([("api", 8100)], ("ports changed",))
    assert bench.give() == ([], ("ports changed",))
    assert bench.kept == []
    assert not bench.supervisors.store


def test_a_lost_supervisor_comes_back_with_what_was_asked_for_at_run_time(bench: Bench) -> None:
    bench.give(WEB)
    extra = Wanted(name="5173", guest=5173, host=5173, declared=False)
    supervisor = bench.supervisors.store[bench.workspace.hash]
    ports_file.write(bench.workspace.hash, supervisor.forward(extra).ports)
    bench.supervisors.kill(bench.workspace.hash)
    assert bench.give(WEB) == ([("5173", 5173), ("web", 8000)], ("ports answer again",))


def test_halt_keeps_the_declared_ports_and_destroy_none(bench: Bench) -> None:
    bench.give(WEB)
    extra = Wanted(name="5173", guest=5173, host=5173, declared=False)
    ports_file.write(bench.workspace.hash, bench.supervisors.store[bench.workspace.hash].forward(extra).ports)
    end(bench.host, bench.workspace)
    assert bench.kept == [("web", 8000)]
    assert not bench.supervisors.store
    end(bench.host, bench.workspace, forget=True)
    assert bench.kept == []


def test_another_environment_of_the_same_project_gets_a_supervisor_of_its_own(bench: Bench) -> None:
    bench.give(WEB)
    assert bench.give(WEB, identity="two")[0] == [("web", 8000)]
    assert bench.supervisors.started == 2


def test_a_port_that_cannot_be_had_is_an_error_and_the_others_answer(bench: Bench) -> None:
    bench.supervisors.taken.update(range(8000, 8000 + SPAN))
    with pytest.raises(PortTakenError, match="8000 to 8099") as caught:
        bench.give(WEB, Wanted(name="api", guest=81, host=9000))
    assert caught.value.hint
    assert "ports.web" in caught.value.hint
    assert bench.kept == [("api", 9000)]


def test_a_port_of_roots_says_which_to_take_instead() -> None:
    error = failure(Failed(name="web", host=80, reason=DENIED, detail="Permission denied"))
    assert isinstance(error, PortDeniedError)
    assert error.hint
    assert "host = 8080" in error.hint
    error = failure(Failed(name="80", host=80, reason=DENIED, detail=""), declared=False)
    assert error.hint
    assert "devbox port 80:8080" in error.hint


def test_status_tells_a_supervisor_that_is_gone_or_of_another_devbox(bench: Bench) -> None:
    bench.give(WEB)
    path_hash = bench.workspace.hash
    web = PublishedPort(name="web", host="127.0.0.1", host_port=8000, guest_port=80, protocol="tcp")
    assert (found := reported(bench.host, path_hash, running=True)).ports == (web,)
    assert not found.problems
    bench.supervisors.unanswering.add(path_hash)
    found = reported(bench.host, path_hash, running=True)
    assert [problem.hint for problem in found.problems] == ["devbox up"]
    assert "another devbox" in found.problems[0].message
    bench.supervisors.kill(path_hash)
    found = reported(bench.host, path_hash, running=True)
    assert found.ports == (web,)
    assert "has ended" in found.problems[0].message
    assert reported(bench.host, path_hash, running=False).ports == (web,)
    assert not reported(bench.host, path_hash, running=False).problems


def test_what_others_could_reach_comes_back_by_up_alone(bench: Bench) -> None:
    lan = Wanted(name="lan", guest=82, host=8200, address="0.0.0.0")
    bench.give(WEB, lan)
    bench.supervisors.kill(bench.workspace.hash)
    assert [port.name for port in give_again(bench.host, bench.workspace, identity="one")] == ["web"]
    assert bench.give(WEB, lan)[0] == [("lan", 8200), ("web", 8000)]


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", "nonsense", '{"schema": 1, "ports": [1]}', '{"schema": 9, "ports": []}']
)
def test_a_damaged_file_is_none(bench: Bench, text: str) -> None:
    Path(paths.ports_file(bench.workspace.hash)).write_text(text)
    assert bench.kept == []
    assert bench.give(WEB)[0] == [("web", 8000)]


def test_ports_are_on_loopback_unless_the_network_may_see_them() -> None:
    profile = Profile.model_validate(
        {"ports": {"web": {"guest": 80}, "any": {"guest": 81, "host": 0}, "lan": {"guest": 8082, "expose": "lan"}}}
    )
    found = wanted_ports(profile, Grants(addresses=frozenset({"0.0.0.0"})))
    assert {(one.name, one.host, one.address, one.otherwise) for one in found} == {
        ("web", 80, "127.0.0.1", 8080),
        ("any", 0, "127.0.0.1", 0),
        ("lan", 8082, "0.0.0.0", 0),
    }
    assert {one.address for one in wanted_ports(profile, Grants())} == {"127.0.0.1"}
