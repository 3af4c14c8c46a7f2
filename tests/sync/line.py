"""A line to an engine that is far away: slow, narrow, losing packets, and cut now and then.

It is a network of its own, a namespace and a pair of interfaces: tbf makes it narrow, iptables drops packets at random,
so that the kernel's TCP has to send them again, and drops all of them while the line is cut. This kernel need not have
netem, so a relay makes it long.
"""

import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.engine import DOCKER_SOCKET
from tests.support.skips import NOT_HERE

DELAY = 0.01  # seconds, each way
LOSS = 0.02
RATE = "100mbit"
_PORT = 2375
_ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, kw_only=True)
class Line:
    """One. `url` is where the engine is, at its other end."""

    namespace: str
    address: str

    @property
    def url(self) -> str:
        return f"tcp://{self.address}:{_PORT}"

    def cut(self) -> None:
        """Let nothing through, and say so to nobody."""
        self._inside("iptables", "-I", "INPUT", "1", "-i", "far", "-j", "DROP")

    def mend(self) -> None:
        """Let it through again."""
        self._inside("iptables", "-D", "INPUT", "-i", "far", "-j", "DROP")

    def refuse(self) -> None:
        """End all connections that go over it, as a middle box that has forgotten them."""
        reset = ("-i", "far", "-p", "tcp", "-j", "REJECT", "--reject-with", "tcp-reset")
        self._inside("iptables", "-I", "INPUT", "1", *reset)

    def take_again(self) -> None:
        reset = ("-i", "far", "-p", "tcp", "-j", "REJECT", "--reject-with", "tcp-reset")
        self._inside("iptables", "-D", "INPUT", *reset)

    def _inside(self, *words: str) -> None:
        _run("ip", "netns", "exec", self.namespace, *words)


def _run(*words: str) -> None:
    done = subprocess.run(words, capture_output=True, check=False)
    assert done.returncode == 0, f"{' '.join(words)}: {done.stderr.decode()}"


@contextmanager
def line() -> Iterator[Line]:
    """Have a line."""
    if os.getuid() != 0:
        pytest.skip(f"{NOT_HERE}a network of one's own takes root")
    token = uuid.uuid4().hex[:8]
    name, near = f"devbox-{token}", f"dbx{token}"
    third, fourth = int(token[:2], 16), int(token[2:4], 16) & 0xFC
    ours, theirs = f"10.213.{third}.{fourth + 1}", f"10.213.{third}.{fourth + 2}"
    made = Line(namespace=name, address=theirs)
    _run("ip", "netns", "add", name)
    try:
        _run("ip", "link", "add", near, "type", "veth", "peer", "name", "far", "netns", name)
        _run("ip", "address", "add", f"{ours}/30", "dev", near)
        _run("ip", "link", "set", near, "up")
        made._inside("ip", "address", "add", f"{theirs}/30", "dev", "far")
        made._inside("ip", "link", "set", "far", "up")
        made._inside("ip", "link", "set", "lo", "up")
        _run("tc", "qdisc", "add", "dev", near, "root", "tbf", "rate", RATE, "burst", "64k", "latency", "100ms")
        narrow = ("root", "tbf", "rate", RATE, "burst", "64k", "latency", "100ms")
        made._inside("tc", "qdisc", "add", "dev", "far", *narrow)
        for chain, way in (("INPUT", "-i"), ("OUTPUT", "-o")):
            chance = ("-m", "statistic", "--mode", "random", "--probability", str(LOSS))
            made._inside("iptables", "-A", chain, way, "far", *chance, "-j", "DROP")
        with _relay(name, theirs):
            yield made
    finally:
        _run("ip", "netns", "delete", name)


@contextmanager
def _relay(namespace: str, address: str) -> Iterator[None]:
    words = [sys.executable, "-m", "tests.sync.slow", address, str(_PORT), DOCKER_SOCKET, str(DELAY)]
    process = subprocess.Popen(["ip", "netns", "exec", namespace, *words], cwd=_ROOT, stdout=subprocess.PIPE)
    assert process.stdout
    try:
        assert process.stdout.readline() == b"listens\n"
        yield
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
