"""Containers: making, running, finding and removing them."""

import pytest

from devbox.engine.base import Mount, MountKind
from devbox.errors import EngineError
from devbox.tarstream import Kind, TarReader
from devbox.values import LABEL_NAME, LABEL_ROLE, ROLE_CACHE
from tests.contract.engine.conftest import Bench
from tests.fakes.engine_streams import Outcome
from tests.support.engine import labels, unique


def test_a_container_lives_through_its_states(bench: Bench) -> None:
    with bench.container(start=False) as container:
        info = bench.engine.container(container)
        assert info is not None
        assert (info.status, info.running, info.image) == ("created", False, bench.image.id)
        bench.engine.start(container)
        bench.engine.start(container)
        running = bench.engine.container(container)
        assert running is not None
        assert running.running
        bench.engine.stop(container, timeout=0)
        bench.engine.stop(container, timeout=0)
        stopped = bench.engine.container(container)
        assert stopped is not None
        assert stopped.status == "exited"
    assert bench.engine.container(container) is None


def test_a_container_is_ended_at_once_and_may_have_another_name(bench: Bench) -> None:
    name = unique()
    with bench.container(name=name) as container:
        bench.engine.rename(container, f"{name}-old")
        bench.engine.kill(container)
        bench.engine.kill(container)
        assert bench.engine.container(name) is None
        found = bench.engine.container(f"{name}-old")
        assert found is not None
        assert (found.id, found.status, found.exit_code, found.pid) == (container, "exited", 137, 0)
    bench.engine.kill(container)
    bench.engine.rename(container, name)


def test_a_container_that_never_ran_has_nothing_to_end(bench: Bench) -> None:
    with bench.container(start=False) as container:
        bench.engine.kill(container)
        found = bench.engine.container(container)
        assert found is not None
        assert found.status == "created"


def test_what_is_absent_is_none_and_its_removal_does_nothing(bench: Bench) -> None:
    name = unique()
    assert bench.engine.container(name) is None
    assert bench.engine.image(f"{name}:1") is None
    assert bench.engine.containers({LABEL_NAME: name}) == []
    assert bench.engine.images({LABEL_NAME: name}) == []
    assert bench.engine.volumes({LABEL_NAME: name}) == []
    assert bench.engine.networks({LABEL_NAME: name}) == []
    bench.engine.remove(name)
    bench.engine.stop(name)
    bench.engine.remove_image(f"{name}:1")
    bench.engine.remove_network(name)
    assert bench.engine.remove_volume(name)


def test_a_container_is_found_by_its_name_and_by_its_labels(bench: Bench) -> None:
    name = unique()
    with bench.container(name=name, start=False) as container:
        found = bench.engine.container(name)
        assert found is not None
        assert (found.id, found.name) == (container, name)
        for wanted in ({LABEL_NAME: bench.name}, {LABEL_NAME: bench.name, LABEL_ROLE: ""}):
            assert [info.id for info in bench.engine.containers(wanted)] == [container]
        assert bench.engine.containers({LABEL_NAME: bench.name, LABEL_ROLE: "another"}) == []


def test_a_container_that_never_ran_exports_what_its_image_holds(bench: Bench) -> None:
    with bench.container(start=False) as container:
        found = {one.path: one for one in TarReader(bench.engine.export(container)).members()}
        assert found["/bin"].kind is Kind.DIRECTORY
        assert found["/bin/sh"].kind in (Kind.LINK, Kind.FILE)
    with pytest.raises(EngineError):
        list(bench.engine.export(container))


def test_a_name_is_given_once(bench: Bench) -> None:
    name = unique()
    with bench.container(name=name, start=False), pytest.raises(EngineError, match=name):
        bench.engine.create(bench.request(name=name))


def test_a_container_of_no_image_is_refused_by_name(bench: Bench) -> None:
    with pytest.raises(EngineError, match="no image devbox-test/none:1"):
        bench.engine.create(bench.request(image="devbox-test/none:1"))


def test_the_exit_code_and_the_output_are_kept(bench: Bench) -> None:
    script = bench.sh("echo out; echo err >&2; exit 7", Outcome(exit_code=7, stdout=b"out\n", stderr=b"err\n"))
    with bench.container(script) as container:
        assert bench.engine.wait(container) == 7
        assert bench.engine.wait(container) == 7
        assert sorted(bench.engine.logs(container)) == [(1, b"out\n"), (2, b"err\n")]
        assert sorted(bench.engine.logs(container, follow=True)) == [(1, b"out\n"), (2, b"err\n")]
        info = bench.engine.container(container)
        assert info is not None
        assert (info.status, info.exit_code) == ("exited", 7)


def test_attached_before_the_start_nothing_is_missed_and_input_ends(bench: Bench) -> None:
    script = bench.sh("cat; echo end; exit 3", lambda stdin: Outcome(exit_code=3, stdout=stdin + b"end\n"))
    sent = bytes(range(256)) * 2000
    with bench.container(script, start=False, stdin=True) as container:
        stream = bench.engine.attach(container)
        bench.engine.start(container)
        stream.send(sent)
        stream.close_stdin()
        got = b""
        while (frame := stream.receive()) is not None:
            got += frame[1]
        stream.close()
        assert got == sent + b"end\n"
        assert bench.engine.wait(container) == 3


def test_a_volume_comes_with_the_mount_and_is_kept_while_it_is_used(bench: Bench) -> None:
    name = unique()
    own = (*labels(ROLE_CACHE), (LABEL_NAME, bench.name))
    mount = Mount(kind=MountKind.VOLUME, source=name, target="/cache", labels=own)
    with bench.container(start=False, mounts=(mount,)) as container:
        (volume,) = bench.engine.volumes({LABEL_NAME: bench.name})
        assert (volume.name, volume.labels[LABEL_ROLE]) == (name, ROLE_CACHE)
        info = bench.engine.container(container)
        assert info is not None
        assert [(item.kind, item.source, item.target) for item in info.mounts] == [(mount.kind, name, "/cache")]
        assert not bench.engine.remove_volume(name)
    assert [item.name for item in bench.engine.volumes({LABEL_NAME: bench.name})] == [name]
    assert bench.engine.remove_volume(name)
    assert bench.engine.volumes({LABEL_NAME: bench.name}) == []


def test_a_process_sees_its_user_its_directory_and_its_variables(bench: Bench) -> None:
    script = 'echo "$(id -u) $(pwd) $A"; cat; exit 5'
    told = b"65534 /tmp x y\n=z\n"
    command = bench.sh(script, lambda stdin: Outcome(exit_code=5, stdout=told + stdin))
    with bench.container() as container:
        found = bench.exec(container, command, stdin=b"in", user="65534:65534", workdir="/tmp", env=(("A", "x y\n=z"),))
    assert found == (5, told + b"in", b"")


def test_stdout_and_stderr_of_a_process_come_apart_unless_it_has_a_terminal(bench: Bench) -> None:
    command = bench.sh("echo out; echo err >&2", Outcome(stdout=b"out\n", stderr=b"err\n"))
    with bench.container() as container:
        assert bench.exec(container, command) == (0, b"out\n", b"err\n")
        _, out, err = bench.exec(container, command, terminal=True, rows=40, columns=100)
        assert (out.replace(b"\r", b""), err) == (b"out\nerr\n", b"")


def test_a_signal_is_128_and_its_number(bench: Bench) -> None:
    command = bench.sh("kill -9 $$", Outcome(exit_code=137))
    with bench.container() as container:
        assert bench.exec(container, command)[0] == 137


def test_a_process_of_a_container_that_does_not_run_is_an_error(bench: Bench) -> None:
    with bench.container(start=False) as container, pytest.raises(EngineError, match="process"):
        bench.exec(container, ("true",))
