"""The way to an agent through its engine, after a Supervisor that was killed."""

import socket
import sys
from contextlib import closing
from pathlib import Path

import pytest

from devbox import paths
from devbox.supervisor import relaying
from devbox.supervisor.log import Log
from devbox.supervisor.relaying import Relay

HASH = "0a1b2c3d"
# Says "new" to whoever comes, as the program behind the socket would lead on.
NEW = """
import os, socket, sys, time
time.sleep(0.3)
listener = socket.socket(socket.AF_UNIX)
os.chdir(os.path.dirname(sys.argv[1]))
listener.bind(os.path.basename(sys.argv[1]))
listener.listen()
while True:
    client, _ = listener.accept()
    try:
        client.sendall(b"new")
    except OSError:
        pass  # it only looked whether somebody listens
    client.close()
"""


def test_who_comes_is_not_led_to_the_program_of_one_that_was_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    paths.private_directory(paths.agent_directory(HASH))
    path = paths.relay_socket(HASH)
    monkeypatch.setattr(relaying, "devbox_argv", lambda *_: [sys.executable, "-c", NEW, path])
    monkeypatch.chdir(Path(path).parent)  # a path may be longer than the kernel takes
    with closing(socket.socket(socket.AF_UNIX)) as old:
        old.bind(Path(path).name)
        old.listen()
        way = Relay(HASH, "/", Log(paths.supervisor_log(HASH)))
        try:
            assert way.open() == path
            with closing(socket.socket(socket.AF_UNIX)) as client:
                client.settimeout(5)
                client.connect(Path(path).name)
                assert client.recv(8) == b"new"
        finally:
            way.close()
