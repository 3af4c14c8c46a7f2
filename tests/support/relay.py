"""A relay in front of the real engine that makes it look as if it ran on another machine."""

import contextlib
import http.client
import json
import socket
import tempfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import ThreadingMixIn, UnixStreamServer
from threading import Thread

from tests.support.engine import DOCKER_SOCKET


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        upstream = http.client.HTTPConnection("engine")
        upstream.sock = socket.socket(socket.AF_UNIX)
        upstream.sock.connect(DOCKER_SOCKET)
        upstream.request(self.command, self.path, headers={"Host": "engine"})
        answer = upstream.getresponse()
        body = answer.read()
        if self.path.endswith("/version"):
            version = json.loads(body)
            version["KernelVersion"] = "1.0.0-elsewhere"
            body = json.dumps(version).encode()
        self.send_response(answer.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
        upstream.close()

    do_HEAD = do_GET

    def address_string(self) -> str:
        return "unix"

    def log_message(self, format: str, *args: object) -> None:
        return


class _Server(ThreadingMixIn, UnixStreamServer):
    daemon_threads = True


@contextlib.contextmanager
def other_kernel() -> Iterator[str]:
    """Serve the engine's reading half under another kernel's name; yields the address."""
    with tempfile.TemporaryDirectory(prefix="dbx-") as directory:
        path = Path(directory) / "engine.sock"
        with _Server(str(path), _Handler) as server:
            thread = Thread(target=server.serve_forever)
            thread.start()
            try:
                yield f"unix://{path}"
            finally:
                server.shutdown()
                thread.join()
