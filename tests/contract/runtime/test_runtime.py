"""What every runtime keeps to."""

import signal
from dataclasses import replace

import pytest

from devbox.errors import CannotStartError, EngineError
from devbox.runtimes.base import AgentState, InstanceState
from tests.contract.runtime.conftest import Bench, exec_spec, run


def test_an_absent_instance_is_none_not_an_error(bench: Bench) -> None:
    assert bench.runtime.find("devbox-never-was") is None


def test_what_was_created_is_found_stopped_with_all_that_it_was_made_from(bench: Bench) -> None:
    created = bench.create()
    found = bench.runtime.find(bench.spec.name)
    assert found is not None
    assert (found.id, found.name, found.image) == (created.id, bench.spec.name, bench.spec.image)
    assert found.spec_digest == bench.spec.digest
    assert found.state is InstanceState.CREATED
    assert found.problem is None
    assert [(share.source, share.target, share.read_only) for share in found.shares] == [
        (bench.spec.shares[0].source, "/work", False)
    ]


def test_create_twice_is_harmless(bench: Bench) -> None:
    assert bench.create().id == bench.create().id


def test_create_with_another_spec_is_the_callers_mistake(bench: Bench) -> None:
    bench.create()
    with pytest.raises(ValueError, match="another spec"):
        bench.create(hostname="other")


def test_labels_do_not_change_the_spec(bench: Bench) -> None:
    assert replace(bench.spec, labels=()).digest == bench.spec.digest


def test_instances_are_found_by_label_the_empty_value_standing_for_any(bench: Bench) -> None:
    bench.create()
    name, value = bench.spec.labels[0]
    for wanted in ({name: value}, {name: ""}):
        assert bench.spec.name in [one.name for one in bench.runtime.instances(wanted)]
    assert bench.spec.name not in [one.name for one in bench.runtime.instances({name: "no such value"})]


def test_start_and_stop_are_idempotent(bench: Bench) -> None:
    instance = bench.running()
    instance.start()
    assert _state(bench) is InstanceState.RUNNING
    instance.stop(timeout=1)
    instance.stop(timeout=1)
    assert _state(bench) is InstanceState.STOPPED
    found = bench.runtime.find(bench.spec.name)
    assert found is not None
    assert found.problem is None


def test_remove_takes_a_running_one_and_may_be_repeated(bench: Bench) -> None:
    instance = bench.running()
    instance.remove()
    instance.remove()
    assert bench.runtime.find(bench.spec.name) is None


def _state(bench: Bench) -> InstanceState:
    found = bench.runtime.find(bench.spec.name)
    assert found is not None
    return found.state


def test_nothing_starts_in_an_instance_that_does_not_run(bench: Bench) -> None:
    instance = bench.create()
    with pytest.raises(EngineError):
        instance.exec(exec_spec("true"))


@pytest.mark.parametrize(("argv", "status"), [(["true"], 0), (["/bin/sh", "-c", "exit 7"], 7)])
def test_the_exit_code_is_the_processs_own(bench: Bench, argv: list[str], status: int) -> None:
    assert run(bench.running(), *argv)[0] == status


def test_what_is_not_there_is_not_started(bench: Bench) -> None:
    with pytest.raises(CannotStartError) as caught:
        bench.running().exec(exec_spec("no-such"))
    assert caught.value.status == 127


def test_the_agent_answers_while_it_runs(bench: Bench) -> None:
    instance = bench.running()
    assert instance.agent_state() is AgentState.ANSWERS
    instance.stop(timeout=1)
    assert instance.agent_state() is AgentState.SILENT
    instance.start()
    assert instance.agent_state() is AgentState.ANSWERS


def test_what_was_started_is_listed_until_it_ends(bench: Bench) -> None:
    instance = bench.running()
    assert instance.sessions() == ()
    session = instance.exec(exec_spec("sleep", "600"))
    assert [(one.argv, one.detached, one.terminal) for one in instance.sessions()] == [(("sleep", "600"), False, False)]
    session.signal(signal.SIGTERM)
    assert session.exit_code() == 128 + signal.SIGTERM
    session.close()
    assert instance.sessions() == ()


def test_what_is_detached_goes_on_when_it_is_left(bench: Bench) -> None:
    instance = bench.running()
    session = instance.exec(exec_spec("sleep", "600", detach=True, stdin=False))
    assert (session.receive(), session.exit_code()) == (None, 0)
    session.close()
    assert [(one.argv, one.detached) for one in instance.sessions()] == [(("sleep", "600"), True)]
    instance.stop()
    instance.start()
    assert instance.sessions() == ()


def test_output_and_errors_are_kept_apart(bench: Bench) -> None:
    assert run(bench.running(), "/bin/sh", "-c", "echo out; echo err >&2") == (0, b"out\n", b"err\n")


def test_input_arrives_and_has_an_end(bench: Bench) -> None:
    assert run(bench.running(), "cat", stdin=b"\x00\xffline\n") == (0, b"\x00\xffline\n", b"")


def test_variables_and_the_directory_are_the_ones_that_were_given(bench: Bench) -> None:
    instance = bench.running()
    assert run(instance, "/bin/sh", "-c", "echo $GREETING", env=(("GREETING", "a\nb c"),))[1].strip() != b""
    assert run(instance, "pwd", workdir="/work")[1] == b"/work\n"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
@pytest.mark.parametrize("user", ["0:0", "4321:4321"])
def test_a_signal_reaches_the_process_whoever_runs_it(bench: Bench, number: int, user: str) -> None:
    session = bench.running().exec(exec_spec("sleep", "600", user=user))
    try:
        session.signal(number)
        while session.receive() is not None:
            pass
        assert session.exit_code() == 128 + number
    finally:
        session.close()


def test_closing_a_session_twice_is_harmless(bench: Bench) -> None:
    session = bench.running().exec(exec_spec("true"))
    session.close()
    session.close()
