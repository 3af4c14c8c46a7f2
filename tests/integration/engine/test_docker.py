"""What only a real Docker can show."""

import contextlib
import selectors
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from devbox.engine.base import Allowance, ExecRequest, ImageConfig, Mount, MountKind
from devbox.engine.endpoint import Endpoint, TlsFiles
from devbox.engine.relay import Relay
from devbox.engine.sdk import SdkEngine
from devbox.errors import EngineError, PolicyError
from tests.fakes.reporter import RecordingReporter
from tests.integration.engine.conftest import Make, run
from tests.support.elsewhere import pump
from tests.support.engine import DOCKER_SOCKET, labels, unique
from tests.support.images import tiny_image

pytestmark = pytest.mark.docker


def test_output_that_is_there_at_once_is_never_lost(docker_engine: SdkEngine, make: Make) -> None:
    container = make()
    for number in range(15):
        assert run(docker_engine, container, f"echo {number}; exit {number}") == (number, f"{number}\n".encode())


def test_whoever_waits_on_the_descriptor_gets_it_all(docker_engine: SdkEngine, make: Make) -> None:
    request = ExecRequest(argv=("/bin/sh", "-c", "dd if=/dev/zero bs=64k count=64 2>/dev/null; echo e >&2"), user="0:0")
    session = docker_engine.exec(make(), request)
    got = {1: 0, 2: 0}
    with selectors.DefaultSelector() as selector, contextlib.closing(session):
        selector.register(session.fileno(), selectors.EVENT_READ)
        while selector.select(30):
            frame = session.receive()
            if frame is None:
                break
            got[frame[0]] += len(frame[1])
    assert got == {1: 64 * 65536, 2: 2}
    assert session.exit_code() == 0


def test_a_process_whose_container_is_removed_has_been_killed(docker_engine: SdkEngine, make: Make) -> None:
    container = make()
    session = docker_engine.exec(container, ExecRequest(argv=("sh", "-c", "echo up; sleep 600"), user="0:0"))
    assert session.receive() == (1, b"up\n")
    docker_engine.remove(container)
    assert session.receive() is None
    assert session.exit_code() == 137
    session.close()


def test_a_terminal_is_told_its_size(docker_engine: SdkEngine, make: Make) -> None:
    request = ExecRequest(argv=("/bin/sh", "-c", "read x; stty size"), user="0:0", terminal=True, stdin=True)
    session = docker_engine.exec(make(), request)
    session.resize(33, 111)
    session.send(b"\n")
    got = b""
    while (frame := session.receive()) is not None:
        got += frame[1]
    assert b"33 111" in got
    session.close()


def test_the_container_is_confined_as_asked(docker_engine: SdkEngine, make: Make) -> None:
    container = make(memory=64 * 2**20, pids=100, cpus=0.5, capabilities=("CHOWN",), init=True)
    host = docker_engine._client.inspect_container(container)["HostConfig"]
    assert (host["CapDrop"], host["CapAdd"], host["SecurityOpt"]) == (["ALL"], ["CHOWN"], ["no-new-privileges"])
    assert (host["Memory"], host["PidsLimit"], host["NanoCpus"], host["Init"]) == (64 * 2**20, 100, 500_000_000, True)
    assert not host["Binds"]
    assert not host["Privileged"]
    _, status = run(docker_engine, container, "grep -E 'CapEff|NoNewPrivs' /proc/1/status")
    assert status.split() == [b"CapEff:", b"0000000000000001", b"NoNewPrivs:", b"1"]


@pytest.mark.parametrize(
    ("key", "options"),
    [
        ("PortBindings", {"port_bindings": {80: ("127.0.0.1", None)}}),
        ("PublishAllPorts", {"publish_all_ports": True}),
    ],
)
def test_the_sdk_itself_publishes_no_port(docker_engine: SdkEngine, key: str, options: dict[str, Any]) -> None:
    client = docker_engine._client
    host = client.create_host_config(**options)
    with pytest.raises(PolicyError) as caught:
        client.create_container(tiny_image(docker_engine).id, "true", host_config=host)
    assert f"HostConfig.{key}" in {problem.key for problem in caught.value.problems}


def test_a_bind_mount_shows_the_directory_and_never_makes_it(
    docker_engine: SdkEngine, make: Make, tmp_path: Path
) -> None:
    allowance = Allowance(bind_sources=frozenset({str(tmp_path)}))
    mount = Mount(kind=MountKind.BIND, source=str(tmp_path), target="/workspaces/a b")
    container = make(mounts=(mount,), allowance=allowance)
    assert run(docker_engine, container, "echo hi >'/workspaces/a b/f'")[0] == 0
    assert (tmp_path / "f").read_text() == "hi\n"
    gone = Mount(kind=MountKind.BIND, source=str(tmp_path / "gone"), target="/gone")
    with pytest.raises(EngineError, match="create"):
        make(mounts=(gone,), allowance=allowance)
    assert not (tmp_path / "gone").exists()
    with pytest.raises(PolicyError):
        make(mounts=(mount,))


def test_a_fresh_volume_gets_what_the_image_has_there(docker_engine: SdkEngine, make: Make) -> None:
    name = unique()
    mount = Mount(kind=MountKind.VOLUME, source=name, target="/etc", labels=labels())
    container = make(mounts=(mount,))
    assert b"root" in run(docker_engine, container, "cat /etc/passwd")[1]
    docker_engine.remove(container)
    assert docker_engine.remove_volume(name)


def test_nothing_of_the_mounts_gets_into_a_commit(docker_engine: SdkEngine, make: Make) -> None:
    name = unique()
    image = tiny_image(docker_engine)
    script = "mkdir -p /run/devbox; echo keep >/kept"
    config = ImageConfig(env=image.env, command=("sleep", "infinity"), labels=labels())
    first = make("/bin/sh", "-c", script)
    docker_engine.wait(first)
    base = docker_engine.commit(first, config=config, message="1")
    mounts = (
        Mount(kind=MountKind.TMPFS, source="", target="/run/devbox"),
        Mount(kind=MountKind.VOLUME, source=name, target="/run/devbox/cache/apt", labels=labels()),
    )
    second = make(
        "/bin/sh",
        "-c",
        "echo canary >/run/devbox/secret; echo canary >/run/devbox/cache/apt/x; id >/id",
        image=base,
        mounts=mounts,
    )
    assert docker_engine.wait(second) == 0
    made = docker_engine.commit(second, config=config, message="2")
    third = make(image=made)
    assert run(docker_engine, third, "find /run/devbox; cat /kept; ls /id") == (0, b"/run/devbox\nkeep\n/id\n")
    raw = docker_engine._client.inspect_image(made)["Config"]  # type: ignore[no-untyped-call]
    assert (raw["Volumes"], raw["Entrypoint"], raw["Cmd"], raw.get("ExposedPorts")) == (
        None,
        [],
        ["sleep", "infinity"],
        None,
    )
    for container in (first, second, third):
        docker_engine.remove(container)
    for item in (made, base):
        docker_engine.remove_image(item)
    assert docker_engine.remove_volume(name)


def test_no_line_of_the_log_has_a_secret(make: Make, docker_engine: SdkEngine) -> None:
    container = make()
    reporter = RecordingReporter()
    with contextlib.closing(SdkEngine(docker_engine.endpoint, reporter)) as engine:
        engine.exec(container, ExecRequest(argv=("true",), user="0:0", env=(("TOKEN", "canary"),))).close()
    assert any("/exec" in line for line in reporter.debugged)
    assert not any("canary" in line or "/archive" in line for line in reporter.debugged)


@pytest.fixture(params=["tcp", "tls"])
def remote(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Endpoint]:
    """Docker behind a TCP port on loopback, with and without TLS."""
    files = _certificate(tmp_path) if request.param == "tls" else None
    listener = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=_forward, args=(listener, files))
    thread.start()
    url = f"tcp://127.0.0.1:{listener.getsockname()[1]}"
    yield Endpoint(url=url, source="test", address=url, tls=files, local=False)
    listener.shutdown(socket.SHUT_RDWR)
    thread.join(timeout=20)
    listener.close()


def _certificate(directory: Path) -> TlsFiles:
    key, cert = directory / "key.pem", directory / "cert.pem"
    argv = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    argv += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(cert)]
    subprocess.run(argv, check=True, capture_output=True)
    return TlsFiles(ca=str(cert), cert=str(cert), key=str(key))


def _forward(listener: socket.socket, files: TlsFiles | None) -> None:
    threads = []
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            break
        threads.append(threading.Thread(target=_serve, args=(connection, files)))
        threads[-1].start()
    for thread in threads:
        thread.join(timeout=20)


def _serve(connection: socket.socket, files: TlsFiles | None) -> None:
    relay = None
    if files is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(str(files.cert), str(files.key))
        connection = context.wrap_socket(connection, server_side=True)
        relay = Relay(connection, b"")
    plain = relay.socket if relay else connection
    with connection, socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as engine:
        engine.connect(DOCKER_SOCKET)
        back = threading.Thread(target=pump, args=(engine, plain))
        back.start()
        pump(plain, engine)
        back.join()
        if relay:
            relay._thread.join(timeout=20)  # until it has passed on all that it holds; to close is to leave
            relay.close()


def test_a_remote_engine_works_alike_and_shares_nothing(remote: Endpoint, make: Make) -> None:
    container = make()
    sent = bytes(range(256)) * 4000
    with contextlib.closing(SdkEngine(remote, RecordingReporter())) as engine:
        assert not engine.info.shares_host
        assert run(engine, container, "cat; exit 3", stdin=sent) == (3, sent)
        assert run(engine, container, "echo $$ >/dev/null") == (0, b"")
