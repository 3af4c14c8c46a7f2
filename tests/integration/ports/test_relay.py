"""Bytes through a declared port of a real environment."""

import contextlib
import hashlib
import os
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from tests.integration.ports.conftest import PATIENCE, asked, echo, host_port, require_inside, serve
from tests.integration.workspace.conftest import write
from tests.support.command import Devbox

pytestmark = pytest.mark.docker
TCP = "[ports]\nweb = { guest = 8000, host = 0 }\n"
INSIDE = ("127.0.0.1", "0.0.0.0", "::1", "::")
OUTSIDE = ("127.0.0.1", "::1")


@pytest.fixture
def web(devbox: Devbox) -> Devbox:
    """An environment that has the port `web`."""
    write(devbox, TCP)
    devbox("up")
    return devbox


def test_whatever_address_is_listened_on_inside(devbox: Devbox) -> None:
    write(devbox, "[ports]\n" + "".join(f"p{at} = {{ guest = {8000 + at}, host = 0 }}\n" for at in range(len(INSIDE))))
    devbox("up")
    for at, inside in enumerate(INSIDE):
        require_inside(devbox, inside)
        echo(devbox, 8000 + at, host=inside)
        for outside in OUTSIDE:
            said = f"to {inside} from {outside}".encode()
            assert asked(host_port(devbox, f"p{at}"), said, host=outside) == said


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


def test_datagrams_stay_what_they_are(devbox: Devbox) -> None:
    udp = 'host = 0, protocol = "udp"'
    write(devbox, f"[ports]\nfour = {{ guest = 5353, {udp} }}\nsix = {{ guest = 5354, {udp} }}\n")
    devbox("up")
    for name, guest, inside in (("four", 5353, "127.0.0.1"), ("six", 5354, "::1")):
        require_inside(devbox, inside)
        serve(devbox, "udp", guest, host=inside)
        for outside in OUTSIDE:
            ask = partial(_answered, (outside, host_port(devbox, name)))
            assert ask(0)
            with ThreadPoolExecutor(8) as pool:
                assert all(pool.map(ask, range(8)))


def _answered(address: tuple[str, int], number: int) -> bool:
    """Whether a datagram comes back as it was."""
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as client:
        client.settimeout(1)
        client.connect(address)
        data = b"%d-" % number * 300
        for _ in range(20):  # the server may not listen yet, and datagrams may be lost
            try:
                client.send(data)
                return client.recv(65536) == data
            except (TimeoutError, ConnectionRefusedError):
                continue
    return False


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
