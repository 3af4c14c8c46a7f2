"""What a person is told when an engine or a registry cannot be used; against a server that misbehaves on purpose."""

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from devbox.engine import endpoint as limits
from devbox.engine.base import ContainerRequest, ExecRequest
from devbox.engine.endpoint import Endpoint
from devbox.engine.failures import explained, registry_failure
from devbox.engine.sdk import SdkEngine
from devbox.errors import DevboxError, EngineError, EngineUnavailableError, PolicyError, RegistryUnreachableError
from tests.fakes.engine_server import answer, engine_server
from tests.fakes.reporter import RecordingReporter

LABELS = (("devbox.role", "step"), ("devbox.owner", "1"))


def _endpoint(url: str) -> Endpoint:
    return Endpoint(url=url, source="test", address=url)


def _engine(url: str) -> SdkEngine:
    return SdkEngine(_endpoint(url), RecordingReporter())


def test_no_socket_says_how_to_start_the_engine(tmp_path: Path) -> None:
    with pytest.raises(EngineUnavailableError, match="not running: there is no socket at unix://") as caught:
        _engine(f"unix://{tmp_path}/none.sock")
    assert "systemctl start docker" in str(caught.value.hint)
    assert caught.value.exit_status == 3


def test_nobody_behind_the_socket_is_another_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as left:
        left.bind("dead.sock")
    with pytest.raises(EngineUnavailableError, match="not running: nobody listens at unix://"):
        _engine(f"unix://{tmp_path}/dead.sock")


def test_no_permission_says_which_group(tmp_path: Path) -> None:
    with (
        pytest.raises(EngineUnavailableError, match="no permission to use the engine's socket") as caught,
        explained(_endpoint("unix:///run/x.sock"), "answer"),
    ):
        raise PermissionError(13, "Permission denied")
    assert "usermod -aG docker" in str(caught.value.hint)
    assert "rootless" in str(caught.value.hint)


def test_an_engine_that_hangs_is_not_waited_for_for_ever(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(limits, "PROBE_TIMEOUT", 0.05)
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as silent:
        silent.bind("s")
        silent.listen()
        with pytest.raises(EngineUnavailableError, match="does not answer"):
            _engine(f"unix://{tmp_path}/s")


def _drop(method: str, path: str, connection: socket.socket) -> None:
    connection.shutdown(socket.SHUT_RDWR)


def _half_a_frame(method: str, path: str, connection: socket.socket) -> None:
    head = b"HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n"
    connection.sendall(head + b"\x01\0\0\0\0\0\0\x09four")
    connection.shutdown(socket.SHUT_RDWR)


CALLS: dict[str, Callable[[SdkEngine], object]] = {
    "image": lambda engine: engine.image("x"),
    "containers": lambda engine: engine.containers({}),
    "wait": lambda engine: engine.wait("x"),
    "logs": lambda engine: engine.logs("x").__next__(),
    "load": lambda engine: engine.load([b"x"]),
    "pull": lambda engine: list(engine.pull("x:1")),
    "exec": lambda engine: engine.exec("x", ExecRequest(argv=("x",), user="0")),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS.keys())
def test_an_engine_that_goes_away_in_a_call_is_unavailable(call: Callable[[SdkEngine], object]) -> None:
    with (
        engine_server(_drop) as url,
        contextlib.closing(_engine(url)) as engine,
        pytest.raises(EngineUnavailableError, match="dropped the connection") as caught,
    ):
        call(engine)
    assert "run the same command again" in str(caught.value.hint)


def test_an_engine_that_goes_away_in_a_stream_is_unavailable() -> None:
    with engine_server(_half_a_frame) as url, contextlib.closing(_engine(url)) as engine:
        stream = engine.attach("x")
        assert stream.receive() == (1, b"four")
        with pytest.raises(EngineUnavailableError, match="dropped the connection"):
            stream.receive()
        stream.close()


def test_bytes_that_came_with_the_header_are_not_lost() -> None:
    done = threading.Event()

    def early(method: str, path: str, connection: socket.socket) -> None:
        head = b"HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n"
        connection.sendall(head + b"\x01\0\0\0\0\0\0\x05early")
        done.wait(10)
        connection.sendall(b"\x02\0\0\0\0\0\0\x04late")
        connection.shutdown(socket.SHUT_RDWR)

    with engine_server(early) as url, contextlib.closing(_engine(url)) as engine:
        stream = engine.attach("x")
        assert stream.receive() == (1, b"early")
        done.set()
        assert stream.receive() == (2, b"late")
        assert stream.receive() is None
        stream.close()


def test_an_engines_refusal_keeps_its_words() -> None:
    def refuse(method: str, path: str, connection: socket.socket) -> None:
        answer(connection, {"message": "its own words"}, status="500 Internal Server Error")

    with engine_server(refuse) as url, contextlib.closing(_engine(url)) as engine:
        with pytest.raises(EngineError, match="the engine did not start the container") as caught:
            engine.start("x")
        assert caught.value.detail == "its own words"
        with pytest.raises(EngineError) as caught:
            engine.exec("x", ExecRequest(argv=("x",), user="0"))
        assert caught.value.detail == "its own words"


def test_what_the_policy_refuses_is_never_sent() -> None:
    seen: list[str] = []

    def note(method: str, path: str, connection: socket.socket) -> None:
        seen.append(path)
        answer(connection, {"Id": "x"})

    with engine_server(note) as url, contextlib.closing(_engine(url)) as engine:
        bad = ContainerRequest(name="x", image="x", command=(), labels=LABELS, network="host")
        with pytest.raises(PolicyError):
            engine.create(bad)
        with pytest.raises(PolicyError):
            engine.exec("x", ExecRequest(argv=("x",), user="0", workdir="/proc/self/fd/7"))
        with pytest.raises(PolicyError):
            engine._client.put_archive("x", "/", b"")
        with pytest.raises(PolicyError):
            engine._client.create_container("x", host_config=engine._client.create_host_config(privileged=True))
        with pytest.raises(PolicyError):
            engine._client.create_volume("x", driver_opts={"o": "bind"})
    assert seen == []


def test_every_call_is_told_in_a_form_to_paste_without_values() -> None:
    reporter = RecordingReporter()

    def make(method: str, path: str, connection: socket.socket) -> None:
        answer(connection, {"Id": "x"}) if path.endswith("/exec") else _half_a_frame(method, path, connection)

    with engine_server(make) as url, contextlib.closing(SdkEngine(_endpoint(url), reporter)) as engine:
        request = ExecRequest(argv=("echo", "it's"), user="0", env=(("TOKEN", "canary"), ("LINES", "a\ncanary")))
        engine.exec("x", request).close()
    told = "\n".join(reporter.debugged)
    path = url.removeprefix("unix://")
    assert f"curl -s --unix-socket {path} http://engine/version" in reporter.debugged
    assert f"--unix-socket {path} -X POST -H 'Content-Type: application/json' -d '" in told
    assert "TOKEN=***" in told
    assert "canary" not in told


def test_an_archive_that_cannot_be_read_is_not_the_engines_fault() -> None:
    def broken() -> Iterator[bytes]:
        yield b"some"
        raise FileNotFoundError(2, "gone")

    def listen(method: str, path: str, connection: socket.socket) -> None:
        while connection.recv(65536):  # a server that hung up first would be the one to blame
            pass

    with (
        engine_server(listen) as url,
        contextlib.closing(_engine(url)) as engine,
        pytest.raises(EngineError, match="cannot be read"),
    ):
        engine.load(broken())


WORDS: list[tuple[str, type[DevboxError], str]] = [
    ('Get "https://r.example/v2/": dial tcp: lookup r.example: no such host', RegistryUnreachableError, "no answer"),
    (
        "dial tcp 10.0.0.1:443: connect: connection refused",
        RegistryUnreachableError,
        "no answer from the registry r.example",
    ),
    ("net/http: TLS handshake timeout", RegistryUnreachableError, "no answer"),
    (
        "context deadline exceeded (Client.Timeout exceeded while awaiting headers)",
        RegistryUnreachableError,
        "no answer",
    ),
    ("x509: certificate signed by unknown authority", RegistryUnreachableError, "does not trust the certificate"),
    ("pull access denied for x, repository does not exist or may require 'docker login'", EngineError, "wants a login"),
    ("unauthorized: authentication required", EngineError, "wants a login"),
    ("manifest for r.example/x:1 not found: manifest unknown", EngineError, "has no image"),
    ("toomanyrequests: You have reached your pull rate limit", EngineError, "too many requests"),
    ("received unexpected HTTP status: 500 Internal Server Error", EngineError, "failed to give"),
    ("no matching manifest for linux/arm64 in the manifest list entries", EngineError, "architecture"),
    ("invalid reference format", EngineError, "not the name of an image"),
]


@pytest.mark.parametrize(("words", "kind", "message"), WORDS)
def test_each_failure_of_a_registry_has_its_message(words: str, kind: type[DevboxError], message: str) -> None:
    error = registry_failure("r.example/x:1", words)
    assert type(error) is kind
    assert message in error.message
    assert (error.detail, bool(error.hint)) == (words, True)


@pytest.mark.parametrize("streamed", [True, False], ids=["in the stream", "as the answer"])
def test_a_pull_that_fails_is_explained_wherever_the_words_come(streamed: bool) -> None:
    def fail(method: str, path: str, connection: socket.socket) -> None:
        if not streamed:
            return answer(connection, {"message": "manifest unknown"}, status="404 Not Found")
        line = b'{"error":"manifest unknown","errorDetail":{"message":"manifest unknown"}}\r\n'
        head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        return connection.sendall(head + b"%x\r\n%b\r\n0\r\n\r\n" % (len(line), line))

    with (
        engine_server(fail) as url,
        contextlib.closing(_engine(url)) as engine,
        pytest.raises(EngineError, match=r"has no image r\.example/x:1"),
    ):
        list(engine.pull("r.example/x:1"))


@pytest.mark.parametrize(
    ("newest", "oldest", "spoken"),
    [("1.41", "1.12", "1.41"), ("1.52", "1.44", "1.44"), ("1.60", "1.50", "1.50"), ("?", "?", "1.41")],
)
def test_the_spoken_version_is_one_that_both_know(newest: str, oldest: str, spoken: str) -> None:
    assert limits.agreed_version(newest, oldest) == spoken
