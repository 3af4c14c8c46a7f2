"""The bare connection: kept for many requests, replaced when it has gone, and never believed when it broke off."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from devbox.engine.endpoint import Endpoint
from devbox.engine.lean import LeanEngine
from devbox.engine.wire import BrokenAnswerError, Wire
from devbox.errors import EngineError, EngineUnavailableError
from tests.fakes.engine_server import VERSION, answer, engine_server
from tests.fakes.reporter import RecordingReporter


def _lean(url: str) -> LeanEngine:
    return LeanEngine(Endpoint(url=url, source="test", address=url), RecordingReporter(), full=_nobody)


def _nobody() -> LeanEngine:
    raise AssertionError("a plain request went to the full engine")


def test_one_connection_serves_many_requests() -> None:
    connections: set[int] = set()
    paths: list[str] = []

    def handle(method: str, path: str, connection: socket.socket) -> None:
        connections.add(id(connection))
        paths.append(path)
        answer(connection, {"Volumes": [], "Id": "sha256:" + "1" * 64})

    with engine_server(handle) as url:
        engine = _lean(url)
        assert engine.look()
        for _ in range(3):
            engine.volumes({})
            engine.image("debian:12")
        engine.close()
    assert len(paths) == 6
    assert all(path.startswith(f"/v{VERSION['ApiVersion']}/") for path in paths)
    assert len(connections) == 1


def test_a_connection_that_the_engine_closed_is_replaced() -> None:
    def handle(method: str, path: str, connection: socket.socket) -> None:
        answer(connection, {"Volumes": []})
        connection.shutdown(socket.SHUT_RDWR)

    with engine_server(handle) as url:
        engine = _lean(url)
        engine.look()
        for _ in range(3):
            assert engine.volumes({}) == []
        engine.close()


def test_a_kept_connection_that_closes_at_the_very_request_is_replaced_where_nothing_can_be_done_twice() -> None:
    asked: list[str] = []

    def handle(method: str, path: str, connection: socket.socket) -> None:
        asked.append(method)
        if len(asked) in (2, 4):
            connection.shutdown(socket.SHUT_RDWR)
        else:
            answer(connection, {"Volumes": []})

    with engine_server(handle) as url:
        engine = _lean(url)
        engine.look()
        assert engine.volumes({}) == []
        assert engine.volumes({}) == []
        with pytest.raises(EngineUnavailableError):
            engine.start("x")
        engine.close()
    assert asked == ["GET", "GET", "GET", "POST"]


def test_threads_do_not_share_a_connection() -> None:
    together = threading.Barrier(2)

    def handle(method: str, path: str, connection: socket.socket) -> None:
        together.wait(10)  # neither is answered before both have asked
        answer(connection, {"Volumes": [{"Name": path.rpartition("=")[2]}]})

    with engine_server(handle) as url:
        engine = _lean(url)
        engine.look()
        threads = [threading.Thread(target=engine.volumes, args=({name: ""},)) for name in ("a", "b")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10)
            assert not thread.is_alive()
        engine.close()


def test_what_the_engine_refuses_is_said_in_its_words() -> None:
    def handle(method: str, path: str, connection: socket.socket) -> None:
        answer(connection, {"message": "it is on fire"}, status="500 Internal Server Error")

    with engine_server(handle) as url:
        engine = _lean(url)
        engine.look()
        with pytest.raises(EngineError, match="the engine did not start the container") as caught:
            engine.start("abc")
        engine.close()
    assert caught.value.detail == "it is on fire"


@contextmanager
def _said(tmp_path: Path, words: bytes) -> Iterator[str]:
    """Yield the path of a socket behind which somebody says `words` to the first request, and goes."""
    path = str(tmp_path / "s")

    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(65536)
            connection.sendall(words)

    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(path)
        listener.listen(1)
        thread = threading.Thread(target=serve)
        thread.start()
        yield path
        thread.join(10)


@pytest.mark.parametrize(
    ("words", "body"),
    [
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n", b"abcde"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab", b"ab"),
        (b"HTTP/1.0 200 OK\r\n\r\nto the end", b"to the end"),
        (b"HTTP/1.1 204 No Content\r\n\r\n", b""),
    ],
)
def test_a_body_is_read_as_the_engine_sends_it(tmp_path: Path, words: bytes, body: bytes) -> None:
    with _said(tmp_path, words) as path:
        wire = Wire(path)
        assert wire.ask("GET", "/x", timeout=10)[1] == body
        wire.close()


@pytest.mark.parametrize(
    "words",
    [
        b"",
        b"SSH-2.0-hello\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Le",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfive\r\nab",
    ],
)
def test_an_answer_that_broke_off_is_none(tmp_path: Path, words: bytes) -> None:
    with _said(tmp_path, words) as path:
        wire = Wire(path)
        with pytest.raises(BrokenAnswerError):
            wire.ask("GET", "/x", timeout=10)
        wire.close()


def test_an_answer_that_is_no_json_is_an_engine_that_cannot_be_used(tmp_path: Path) -> None:
    with _said(tmp_path, b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nwhat") as path:
        engine = _lean(f"unix://{path}")
        with pytest.raises(EngineUnavailableError, match="dropped the connection"):
            engine.volumes({})
        engine.close()
