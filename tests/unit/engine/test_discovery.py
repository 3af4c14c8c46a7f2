"""Which engine is taken, and what is said when none answers."""

import contextlib
import hashlib
import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from devbox import paths
from devbox.engine import contexts, discovery, podman, ssh
from devbox.engine.endpoint import Endpoint
from devbox.engine.identity import describe
from devbox.errors import EngineUnavailableError, UsageError
from tests.fakes.engine_server import answer, engine_server
from tests.fakes.processes import FakeProcesses
from tests.fakes.reporter import RecordingReporter


@pytest.fixture
def reporter() -> RecordingReporter:
    return RecordingReporter()


@pytest.fixture(autouse=True)
def _no_usual_sockets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the machine have no engine of its own."""
    monkeypatch.setattr(discovery, "DOCKER_SOCKET", "/nonexistent/docker.sock")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)


def _info(method: str, path: str, connection: socket.socket) -> None:
    answer(connection, {"NCPU": 4, "MemTotal": 1, "SecurityOptions": ["name=rootless"]})


@pytest.fixture
def served() -> Iterator[str]:
    with engine_server(_info) as url:
        yield url


def _context(home: Path, name: str, meta: object, *, tls: bool = False) -> None:
    digest = hashlib.sha256(name.encode()).hexdigest()
    directory = home / ".docker/contexts/meta" / digest
    directory.mkdir(parents=True)
    (directory / "meta.json").write_text(meta if isinstance(meta, str) else json.dumps(meta))
    if tls:
        files = home / ".docker/contexts/tls" / digest / "docker"
        files.mkdir(parents=True)
        for file in ("ca.pem", "cert.pem", "key.pem"):
            (files / file).write_text("x")


def _docker(host: str, **more: Any) -> dict[str, Any]:
    return {"Name": "x", "Endpoints": {"docker": {"Host": host, **more}}}


def _connect(environ: dict[str, str], reporter: RecordingReporter, *programs: str) -> tuple[str, str, bool]:
    with contextlib.closing(discovery.connect(environ, FakeProcesses(*programs), reporter)) as engine:
        return engine.info.url, engine.info.source, engine.info.rootless


def test_docker_host_is_taken_first(served: str, home: Path, reporter: RecordingReporter) -> None:
    _context(home, "other", _docker("unix:///nowhere"))
    environ = {"DOCKER_HOST": served, "DOCKER_CONTEXT": "other", "HOME": str(home)}
    assert _connect(environ, reporter) == (served, "DOCKER_HOST", True)


@pytest.mark.parametrize("how", ["variable", "file"])
def test_the_context_is_taken_next(how: str, served: str, home: Path, reporter: RecordingReporter) -> None:
    _context(home, "mine", _docker(served))
    environ = {"HOME": str(home)}
    if how == "variable":
        environ["DOCKER_CONTEXT"] = "mine"
    else:
        (home / ".docker/config.json").write_text('{"currentContext": "mine"}')
    assert _connect(environ, reporter)[:2] == (served, "context mine")


def test_the_default_context_is_none(home: Path) -> None:
    (home / ".docker").mkdir()
    (home / ".docker/config.json").write_text('{"currentContext": "default", "auths": {}}')
    assert discovery.named_endpoint({"HOME": str(home)}) is None
    assert discovery.named_endpoint({"HOME": str(home), "DOCKER_CONTEXT": "default"}) is None


def test_a_context_brings_its_tls_files(home: Path) -> None:
    _context(home, "far", _docker("tcp://far.example:2376"), tls=True)
    _context(home, "lax", _docker("tcp://far.example:2376", SkipTLSVerify=True))
    far = contexts.endpoint_of("far", {"HOME": str(home)})
    assert far.tls is not None
    assert (far.local, far.tls.verify, Path(far.tls.key or "").name) == (False, True, "key.pem")
    lax = contexts.endpoint_of("lax", {"HOME": str(home)})
    assert lax.tls is not None
    assert not lax.tls.verify


@pytest.mark.parametrize(
    "meta", ["{", "[]", "[" * 100_000, '{"Endpoints": []}', '{"Endpoints": {"docker": {"Host": 1}}}', "1"]
)
def test_a_broken_context_is_a_plain_error(meta: str, home: Path, reporter: RecordingReporter) -> None:
    _context(home, "bad", meta)
    with pytest.raises(EngineUnavailableError, match=r"cannot be read|no object|names no engine"):
        _connect({"HOME": str(home), "DOCKER_CONTEXT": "bad"}, reporter)


def test_a_context_that_is_not_there_is_named(home: Path, reporter: RecordingReporter) -> None:
    with pytest.raises(EngineUnavailableError, match='no docker context "gone"'):
        _connect({"HOME": str(home), "DOCKER_CONTEXT": "gone"}, reporter)


@pytest.mark.parametrize("host", ["unix:///nowhere/docker.sock", "bad", "gopher://x", "ssh://-oProxyCommand=x"])
def test_a_docker_host_that_fails_is_an_error_and_nothing_else_is_tried(
    host: str, served: str, home: Path, reporter: RecordingReporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(discovery, "DOCKER_SOCKET", served.removeprefix("unix://"))
    processes = FakeProcesses("podman", "ssh")
    with pytest.raises(EngineUnavailableError):
        discovery.connect({"DOCKER_HOST": host, "HOME": str(home)}, processes, reporter)
    assert processes.calls == []


def test_the_usual_sockets_follow(
    served: str, home: Path, reporter: RecordingReporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(discovery, "DOCKER_SOCKET", served.removeprefix("unix://"))
    assert _connect({"HOME": str(home)}, reporter)[:2] == (served, "default socket")


def test_the_order_of_the_usual_sockets_and_the_choice() -> None:
    environ = {"HOME": "/home/x", "XDG_RUNTIME_DIR": "/run/user/7"}
    both = [endpoint.source for endpoint in discovery.usual_endpoints(environ, None)]
    assert both[:2] == ["default socket", "rootless Docker"]
    assert both.index("Colima") < both.index("podman service")
    assert {endpoint.source for endpoint in discovery.usual_endpoints(environ, "podman")} == {"podman service"}
    assert "podman service" not in {endpoint.source for endpoint in discovery.usual_endpoints(environ, "docker")}


def test_an_unknown_choice_is_a_usage_error(home: Path, reporter: RecordingReporter) -> None:
    with pytest.raises(UsageError, match="DEVBOX_ENGINE"):
        _connect({"HOME": str(home), "DEVBOX_ENGINE": "lxc"}, reporter)


def test_where_nothing_is_installed_the_message_says_what_to_do(home: Path, reporter: RecordingReporter) -> None:
    with pytest.raises(EngineUnavailableError, match="no container engine is running here") as caught:
        _connect({"HOME": str(home)}, reporter)
    assert "devbox doctor --fix" in str(caught.value.hint)


def test_where_there_is_none_at_all_images_for_machines_are_made_without(
    home: Path, reporter: RecordingReporter, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(discovery, "DOCKER_SOCKET", str(tmp_path / "none"))
    machines = {f"qemu-system-{os.uname().machine}", "mmdebstrap", "tar", "newuidmap"}
    found = discovery.connect({"HOME": str(home)}, FakeProcesses(*machines), reporter)
    assert not found.info.runs_environments
    for missing in (f"qemu-system-{os.uname().machine}", "mmdebstrap"):
        with pytest.raises(EngineUnavailableError, match="no container engine is running here"):
            discovery.connect({"HOME": str(home)}, FakeProcesses(*machines - {missing}), reporter)
    for named in ({"DOCKER_HOST": "unix:///nowhere"}, {"DEVBOX_ENGINE": "docker"}):
        with pytest.raises(EngineUnavailableError):
            discovery.connect({"HOME": str(home), **named}, FakeProcesses(*machines), reporter)


def test_a_docker_that_is_stopped_is_not_replaced_by_podman(
    home: Path, reporter: RecordingReporter, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as dead:
        dead.bind("d.sock")
    monkeypatch.setattr(discovery, "DOCKER_SOCKET", str(tmp_path / "d.sock"))
    processes = FakeProcesses("podman")
    with pytest.raises(EngineUnavailableError, match="nobody listens") as caught:
        discovery.connect({"HOME": str(home)}, processes, reporter)
    assert "default socket: the engine is not running" in str(caught.value.detail)
    assert processes.calls == []


def test_podman_is_started_where_there_is_nothing_else(
    home: Path, reporter: RecordingReporter, monkeypatch: pytest.MonkeyPatch, served: str
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(home / "s"))
    processes = FakeProcesses()

    def start(call: object) -> Any:
        Path(paths.podman_socket()).symlink_to(served.removeprefix("unix://"))
        return FakeProcesses("x").run(["x"])

    processes.answer("podman", with_=start)
    environ = {"HOME": str(home)}
    for _ in range(2):  # the second finds what the first has started
        with contextlib.closing(discovery.connect(environ, processes, reporter)) as engine:
            assert engine.info.source == "podman service"
    assert processes.argvs == [("podman", "system", "service", "--time=900", f"unix://{paths.podman_socket()}")]
    assert Path(paths.podman_socket()).parent.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("program", ["podman", "ssh"])
def test_a_home_that_cannot_be_written_is_a_plain_error(
    program: str, monkeypatch: pytest.MonkeyPatch, reporter: RecordingReporter
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", "/proc/nowhere")
    environ = {"DOCKER_HOST": "ssh://host"} if program == "ssh" else {}
    with pytest.raises(EngineUnavailableError, match="cannot be made: no such file") as caught:
        discovery.connect(environ, FakeProcesses(program), reporter)
    assert caught.value.hint == "set XDG_STATE_HOME to a writable directory"


def test_who_may_not_use_docker_hears_of_that_when_podman_fails_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reporter: RecordingReporter
) -> None:
    (tmp_path / "docker.sock").touch()

    def refuse(endpoint: Endpoint) -> None:
        raise PermissionError

    monkeypatch.setattr(discovery, "DOCKER_SOCKET", str(tmp_path / "docker.sock"))
    monkeypatch.setattr(discovery, "knock", refuse)
    monkeypatch.setenv("XDG_STATE_HOME", "/proc/nowhere")
    with pytest.raises(EngineUnavailableError, match="no permission to use the engine") as caught:
        discovery.connect({}, FakeProcesses("podman"), reporter)
    assert "podman service: /proc/nowhere" in str(caught.value.detail)


def test_a_podman_that_does_not_come_up_shows_its_words(
    home: Path, monkeypatch: pytest.MonkeyPatch, reporter: RecordingReporter
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(home / "s"))
    monkeypatch.setattr(podman, "_PATIENCE", 0.0)
    processes = FakeProcesses()

    def start(call: object) -> Any:
        (Path(paths.podman_socket()).parent / "log").write_text("runroot is broken\n")
        return FakeProcesses("x").run(["x"])

    processes.answer("podman", with_=start)
    with pytest.raises(EngineUnavailableError, match="does not start") as caught:
        discovery.connect({"HOME": str(home)}, processes, reporter)
    assert caught.value.detail == "runroot is broken"


def test_a_socket_path_that_is_too_long_is_told(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(home / ("x" * 100)))
    with pytest.raises(EngineUnavailableError, match="too long"):
        podman.serve(FakeProcesses("podman"))


def test_all_that_answer_are_reachable_each_once(
    served: str, home: Path, reporter: RecordingReporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(discovery, "DOCKER_SOCKET", served.removeprefix("unix://"))
    found = discovery.reachable({"HOME": str(home), "DOCKER_HOST": served}, FakeProcesses("podman"), reporter)
    assert [engine.info.source for engine in found] == ["DOCKER_HOST"]
    for engine in found:
        engine.close()
    (other,) = discovery.reachable({"HOME": str(home), "DOCKER_HOST": "unix:///no"}, FakeProcesses(), reporter)
    other.close()
    assert any("left out" in line for line in reporter.debugged)


def test_tls_is_taken_from_the_variables(home: Path) -> None:
    environ = {"HOME": str(home), "DOCKER_HOST": "tcp://x:2376", "DOCKER_TLS_VERIFY": "1"}
    with pytest.raises(EngineUnavailableError, match="file for TLS"):
        discovery.named_endpoint(environ)
    for name in ("ca", "cert", "key"):
        (home / f"{name}.pem").write_text("x")
    found = discovery.named_endpoint({**environ, "DOCKER_CERT_PATH": str(home)})
    assert found is not None
    assert found.tls is not None
    assert (found.tls.ca, found.tls.verify) == (str(home / "ca.pem"), True)


def test_ssh_is_asked_to_forward_the_socket_and_nothing_else() -> None:
    argv = ssh.tunnel_argv("ssh://me@far.example:2222", "/s/x.sock")
    assert argv[0] == "ssh"
    assert argv[-6:] == ["-lme", "-p2222", "-L/s/x.sock:/var/run/docker.sock", "--", "far.example", "sleep 900"]
    assert {"-oBatchMode=yes", "-oForwardAgent=no", "-oExitOnForwardFailure=yes"} <= set(argv)
    assert "-L/s:/run/user/7/docker.sock" in ssh.tunnel_argv("ssh://far/run/user/7/docker.sock", "/s")


@pytest.mark.parametrize("url", ["ssh://-oProxyCommand=x", "ssh://", "ssh://-lx@host", "ssh://ho st"])
def test_no_option_gets_into_ssh_by_an_address(url: str) -> None:
    with pytest.raises(EngineUnavailableError, match="not an engine's address"):
        ssh.tunnel_argv(url, "/s")


HERE = {"KernelVersion": os.uname().release, "Os": "linux"}
MEMORY = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.skipif(os.uname().sysname != "Linux", reason="elsewhere no engine shares the host's kernel")
@pytest.mark.parametrize(
    ("url", "version", "details", "shared"),
    [
        ("unix:///run/docker.sock", HERE, {"MemTotal": MEMORY}, True),
        ("unix:///run/docker.sock", HERE, {"MemTotal": MEMORY // 2}, False),
        ("unix:///run/docker.sock", {"KernelVersion": "6.6.0-linuxkit"}, {"MemTotal": MEMORY}, False),
        ("unix:///run/docker.sock", {}, {}, False),
        ("tcp://127.0.0.1:2375", HERE, {"MemTotal": MEMORY}, False),
    ],
)
def test_an_engine_shares_the_host_only_on_its_kernel_and_socket(
    url: str, version: dict[str, str], details: dict[str, int], shared: bool
) -> None:
    endpoint = Endpoint(url=url, source="test", address=url, local=url.startswith("unix://"))
    assert describe(endpoint, version, details).shares_host is shared
