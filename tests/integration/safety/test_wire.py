"""What devbox asks of the engine in a whole session, read off the wire, and what is open on the host meanwhile."""

import contextlib
import os
import re
import socket
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Thread

import pytest

from tests.integration.safety.conftest import PROFILE
from tests.support.account import Account
from tests.support.command import Devbox
from tests.support.engine import DOCKER_SOCKET

pytestmark = pytest.mark.docker

_REQUEST = re.compile(rb"(?:GET|HEAD|POST|PUT|DELETE) (/\S*) HTTP/1\.1\r\n")
STEPS = """
[[provision]]
copy = { from = "file", to = "/copied" }
when = "build"
[[provision]]
run = "echo built >/built"
when = "build"
[[provision]]
copy = { from = "file", to = "/tmp/copied" }
[[provision]]
run = "echo created >/tmp/created"
"""


@dataclass
class Tap:
    """A relay in front of the engine that keeps the first line of every request."""

    socket: str
    asked: list[str] = field(default_factory=list)

    def serve(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            Thread(target=self._serve_one, args=(client,), daemon=True).start()

    def _serve_one(self, client: socket.socket) -> None:
        with client, socket.socket(socket.AF_UNIX) as upstream:
            upstream.connect(DOCKER_SOCKET)
            there = Thread(target=self._copy, args=(client, upstream, True), daemon=True)
            there.start()
            self._copy(upstream, client, False)
            with contextlib.suppress(OSError):
                client.shutdown(socket.SHUT_RDWR)
            there.join()

    def _copy(self, source: socket.socket, target: socket.socket, listens: bool) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if listens:
                    self.asked.extend(match.decode() for match in _REQUEST.findall(data))
                target.sendall(data)
        with contextlib.suppress(OSError):
            target.shutdown(socket.SHUT_WR)


@pytest.fixture
def tap() -> Iterator[Tap]:
    with tempfile.TemporaryDirectory(prefix="dbx-") as directory:
        path = str(Path(directory) / "engine.sock")
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(path)
            listener.listen()
            found = Tap(path)
            thread = Thread(target=found.serve, args=(listener,), daemon=True)
            thread.start()
            yield found
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


@dataclass(frozen=True, kw_only=True)
class Tapped(Devbox):
    """devbox with another engine address."""

    address: str

    @property
    def environment(self) -> dict[str, str]:
        return {**super().environment, "DOCKER_HOST": self.address}


def _tapped(devbox: Devbox, tap: Tap) -> Tapped:
    account: Account = replace(devbox.account)
    return Tapped(directory=devbox.directory, home=devbox.home, account=account, address=f"unix://{tap.socket}")


def test_no_request_of_a_whole_session_is_for_an_archive(devbox: Devbox, tap: Tap) -> None:
    (devbox.directory / "file").write_text("seen\n")
    (devbox.directory / "devbox.toml").write_text(PROFILE + STEPS)
    tapped = _tapped(devbox, tap)
    for words in (
        *(("up",), ("status",), ("exec", "--", "cat", "/copied"), ("shell", "--", "true"), ("logs",), ("list",)),
        *(("build", "--no-cache"), ("up",), ("halt",), ("destroy", "-f")),
    ):
        tapped(*words)
    assert len(tap.asked) > 30, "the tap hears nothing"
    assert [path for path in tap.asked if re.search(r"/commit\b", path)], "the build did not pass here"
    assert [path for path in tap.asked if re.search(r"/(?:archive|copy|cp)\b", path)] == []


def _listening() -> set[tuple[str, int]]:
    """Return address and port of every TCP listener of this machine, from the kernel's own table."""
    found = set()
    for file, family in (("/proc/net/tcp", socket.AF_INET), ("/proc/net/tcp6", socket.AF_INET6)):
        for line in Path(file).read_text().splitlines()[1:]:
            local, state = line.split()[1], line.split()[3]
            if state == "0A":
                digits, port = local.split(":")
                raw = bytes.fromhex(digits)
                words = b"".join(raw[at : at + 4][::-1] for at in range(0, len(raw), 4))
                found.add((socket.inet_ntop(family, words), int(port, 16)))
    return found


@pytest.mark.skipif(not os.path.exists("/proc/net/tcp"), reason="not possible here: no /proc/net/tcp")  # noqa: PTH110
def test_a_declared_port_is_open_on_loopback_alone(devbox: Devbox) -> None:
    (devbox.directory / "devbox.toml").write_text(PROFILE + "[ports]\nweb = { guest = 80, host = 0 }\n")
    devbox("up")
    port = devbox.json("status")["ports"][0]["host_port"]
    assert {address for address, number in _listening() if number == port} in ({"127.0.0.1"}, {"127.0.0.1", "::1"})


def test_no_container_gets_more_than_its_own_project(devbox: Devbox) -> None:
    """Nothing of the user's that is not the project is seen inside: no home, no keys, no engine's socket (S-26)."""
    (devbox.home / ".ssh").mkdir()
    (devbox.home / ".ssh/id").write_text("canary-of-the-home\n")
    devbox("up")
    found = devbox("exec", "--", "sh", "-c", "cat /proc/mounts; find / -xdev -name '*.sock' 2>/dev/null; env")
    assert str(devbox.home) not in found.stdout
    assert "docker.sock" not in found.stdout
    assert "SSH_AUTH_SOCK" not in found.stdout
