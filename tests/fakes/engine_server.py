"""A program that speaks just enough of the Engine API on a unix socket to misbehave in it."""

import contextlib
import json
import socket
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

Handler = Callable[[str, str, socket.socket], None]  # method, path, connection

VERSION = {"Version": "20.10.24", "ApiVersion": "1.41", "MinAPIVersion": "1.12", "Os": "linux", "Arch": "amd64"}


def answer(connection: socket.socket, body: object, *, status: str = "200 OK") -> None:
    """Send a JSON answer."""
    data = json.dumps(body).encode()
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(data)}\r\n\r\n"
    connection.sendall(head.encode() + data)


@contextlib.contextmanager
def engine_server(handler: Handler) -> Iterator[str]:
    """Serve in threads until left; yield the URL. `/version` is answered here, all else by `handler`."""
    directory = tempfile.mkdtemp(prefix="dbx-")  # short: a socket's path has 107 bytes at most
    path = Path(directory) / "s"
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(path))
    listener.listen(8)
    threads: list[threading.Thread] = []
    threads.append(threading.Thread(target=_accept, args=(listener, handler, threads)))
    threads[0].start()
    try:
        yield f"unix://{path}"
    finally:
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        for thread in threads:
            thread.join(timeout=10)
        listener.close()
        path.unlink()
        Path(directory).rmdir()


def _accept(listener: socket.socket, handler: Handler, threads: list[threading.Thread]) -> None:
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        thread = threading.Thread(target=_serve, args=(connection, handler))
        threads.append(thread)
        thread.start()


def _serve(connection: socket.socket, handler: Handler) -> None:
    with connection, contextlib.suppress(OSError, ValueError):  # the other side went, or went on after a hang-up
        data = b""
        while True:
            while b"\r\n\r\n" not in data:
                more = connection.recv(65536)
                if not more:
                    return
                data += more
            head, _, data = data.partition(b"\r\n\r\n")
            lines = head.decode().split("\r\n")
            method, path, _ = lines[0].split(" ")
            length = next((int(line.split(":")[1]) for line in lines if line.lower().startswith("content-length")), 0)
            while len(data) < length:
                data += connection.recv(65536)
            data = data[length:]
            if path.endswith("/version"):
                answer(connection, VERSION)
            else:
                handler(method, path, connection)
