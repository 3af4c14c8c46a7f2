"""Bytes through a declared port of a real environment."""

import contextlib
import hashlib
import os
import socket
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.integration.ports.conftest import PATIENCE, asked, echo, host_port, require_inside, serve
from tests.integration.workspace.conftest import write
from tests.support.command import Devbox

pytestmark = pytest.mark.docker
TCP = "[ports]\nweb = { guest = 8000, host = 0 }\n"
UDP = '[ports]\ndns = { guest = 5353, host = 0, protocol = "udp" }\n'


@pytest.fixture
def web(devbox: Devbox) -> Devbox:
    """An environment that has the port `web`."""
    write(devbox, TCP)
    devbox("up")
    return devbox


@pytest.mark.parametrize("inside", ["127.0.0.1", "0.0.0.0", "::1", "::"])
@pytest.mark.parametrize("outside", ["127.0.0.1", "::1"])
def test_whatever_address_is_listened_on_inside(web: Devbox, inside: str, outside: str) -> None:
    require_inside(web, inside)
    echo(web, 8000, host=inside)
    assert asked(host_port(web, "web"), b"hello", host=outside) == b"hello"


def test_many_bytes_arrive_as_they_were_both_ways_at_once(web: Devbox) -> None:
    echo(web, 8000)
    asked(host_port(web, "web"), b"")  # it listens
    sent = os.urandom(64 << 20)
    with socket.create_connection(("127.0.0.1", host_port(web, "web")), timeout=60) as client:

        def send() -> None:
            client.sendall(sent)
            client.shutdown(socket.SHUT_WR)

        sender = threading.Thread(target=send)
        sender.start()
        digest = hashlib.sha256()
        while data := client.recv(1 << 20):
            digest.update(data)
        sender.join()
    assert digest.digest() == hashlib.sha256(sent).digest()


def test_the_guest_may_be_done_before_the_client_is(web: Devbox) -> None:
    serve(web, "bye", 8000)
    assert asked(host_port(web, "web"), b"and the rest") == b"bye\n"
    heard = web("exec", "--", "sh", "-c", "until [ -s /tmp/heard ]; do sleep 0.1; done; cat /tmp/heard").stdout
    assert heard == "and the rest"


def test_nobody_inside_is_a_reset(web: Devbox) -> None:
    address = ("127.0.0.1", host_port(web, "web"))
    # It may come before the connecting has returned.
    with pytest.raises(ConnectionResetError), socket.create_connection(address, timeout=PATIENCE) as client:
        client.recv(1)


def test_a_thousand_at_once(web: Devbox) -> None:
    echo(web, 8000)
    port = host_port(web, "web")
    asked(port, b"")
    clients = [socket.create_connection(("127.0.0.1", port), timeout=60) for _ in range(1000)]
    try:
        for number, client in enumerate(clients):
            client.sendall(b"%d" % number)
        for number, client in enumerate(clients):
            assert client.recv(16) == b"%d" % number
    finally:
        for client in clients:
            client.close()
    assert asked(port, b"still there") == b"still there"


@pytest.mark.parametrize("inside", ["127.0.0.1", "::1"])
@pytest.mark.parametrize("outside", ["127.0.0.1", "::1"])
def test_datagrams_stay_what_they_are(devbox: Devbox, inside: str, outside: str) -> None:
    write(devbox, UDP)
    devbox("up")
    require_inside(devbox, inside)
    serve(devbox, "udp", 5353, host=inside)
    port = host_port(devbox, "dns")

    def ask(number: int) -> bool:
        family = socket.AF_INET6 if ":" in outside else socket.AF_INET
        with socket.socket(family, socket.SOCK_DGRAM) as client:
            client.settimeout(1)
            client.connect((outside, port))
            data = b"%d-" % number * 300
            for _ in range(20):  # the server may not listen yet, and datagrams may be lost
                try:
                    client.send(data)
                    return client.recv(65536) == data
                except (TimeoutError, ConnectionRefusedError):
                    continue
        return False

    assert ask(0)
    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(ask, range(8)))


def test_a_guest_that_dies_ends_its_connections(web: Devbox) -> None:
    echo(web, 8000)
    port = host_port(web, "web")
    asked(port, b"")
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as client:
        client.sendall(b"x")
        assert client.recv(1) == b"x"
        web("halt")
        with contextlib.suppress(ConnectionResetError):
            assert client.recv(1) == b""
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port)).close()
