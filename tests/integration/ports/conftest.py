"""Environments on the real engine, and servers in them: a static program that lies in the project."""

import contextlib
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator

import pytest

from devbox.engine.base import Engine
from devbox.values import LABEL_WORKSPACE
from tests.integration.workspace.conftest import own_base, write
from tests.support.account import invoker
from tests.support.command import Devbox, engine
from tests.support.guest_server import program
from tests.support.project import project
from tests.support.skips import NOT_HERE
from tests.support.supervisors import gone

PATIENCE = 20.0  # seconds
SERVER = "guest-server"


@pytest.fixture
def devbox(docker_engine: Engine) -> Iterator[Devbox]:
    """A project that has no ports yet."""
    with project(invoker()) as found, own_base(docker_engine, found):
        write(found)
        shutil.copy(program(), found.directory / SERVER)
        yield found
        found("destroy", "-f", status=None)
        assert gone(found.hash), "a supervisor was left"


def require_inside(devbox: Devbox, host: str) -> None:
    """Have the address `host` inside: an engine without an IPv6 network takes IPv6 from its containers' loopback too.

    Skips the test where it cannot be given back.
    """
    if ":" not in host or _has_ipv6(devbox):
        return
    if os.getuid() == 0 and shutil.which("nsenter"):
        with engine() as client:
            (found,) = client.containers.list(filters={"label": f"{LABEL_WORKSPACE}={devbox.hash}"})
            pid = client.api.inspect_container(found.id)["State"]["Pid"]
        switch = "/proc/sys/net/ipv6/conf/lo/disable_ipv6"
        subprocess.run(["nsenter", "-t", str(pid), "-n", "sh", "-c", f"echo 0 >{switch}"], capture_output=True)
    if not _has_ipv6(devbox):
        pytest.skip(f"{NOT_HERE}this engine gives its containers no IPv6")


def _has_ipv6(devbox: Devbox) -> bool:
    return bool(devbox("exec", "--", "cat", "/proc/net/if_inet6", status=None).stdout)


def serve(devbox: Devbox, what: str, port: int, *, host: str = "127.0.0.1") -> None:
    """Start a server inside that goes on; `what`: tcp, bye or udp (see its source)."""
    devbox("exec", "-d", "--", f"./{SERVER}", what, host, str(port))


def echo(devbox: Devbox, port: int, *, host: str = "127.0.0.1") -> None:
    """Let a TCP server inside echo what it gets."""
    serve(devbox, "tcp", port, host=host)


def asked(port: int, data: bytes, *, host: str = "127.0.0.1") -> bytes:
    """Return what is answered to `data` on a TCP port of this host, once somebody answers."""
    end = time.monotonic() + PATIENCE
    while True:
        with contextlib.suppress(ConnectionError), socket.create_connection((host, port), timeout=PATIENCE) as client:
            client.sendall(data)
            client.shutdown(socket.SHUT_WR)
            return client.makefile("rb").read()
        if time.monotonic() > end:
            raise AssertionError(f"nobody answers on {host}:{port}")
        time.sleep(0.05)


def host_port(devbox: Devbox, name: str) -> int:
    """Return where a port answers, as a script would ask."""
    return int(devbox("port", name).stdout.strip().rpartition(":")[2])
