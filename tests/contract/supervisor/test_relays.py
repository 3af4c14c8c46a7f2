"""The relays between ports of this host, without an agent in between."""

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from devbox.supervisor.log import Log
from devbox.supervisor.protocol import Answer, Failed, Forward, Wanted
from devbox.supervisor.service import Service
from tests.support.dialler import LocalDialler

PATIENCE = 20.0
Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Log]:
    with contextlib.closing(Log(str(tmp_path / "log"))) as found:
        yield found


def run(test: Awaitable[None]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(PATIENCE):
            await test
            await asyncio.sleep(0)

    asyncio.run(bounded())


@asynccontextmanager
async def serving(handler: Handler, host: str = "127.0.0.1") -> AsyncIterator[int]:
    server = await asyncio.start_server(handler, host, 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


@asynccontextmanager
async def serviced(log: Log, dialler: LocalDialler | None = None) -> AsyncIterator[Service]:
    service = Service(dialler or LocalDialler(), log)
    try:
        yield service
    finally:
        service.close()
        await settled()


@asynccontextmanager
async def relayed(log: Log, guest: int, dialler: LocalDialler | None = None, **more: str) -> AsyncIterator[Forward]:
    async with serviced(log, dialler) as service:
        (port,) = service.forward(Wanted(name="web", guest=guest, host=0, **more)).ports  # type: ignore[arg-type]
        yield port


async def settled() -> None:
    """Let what was cancelled end, and close what it had."""
    others = asyncio.all_tasks() - {asyncio.current_task()}
    await asyncio.gather(*others, return_exceptions=True)
    await asyncio.sleep(0)


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.write(b"!")  # after the end of the input: half-closed, not closed
    writer.close()
    await writer.wait_closed()


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_bytes_go_both_ways_and_the_end_of_one_way_is_not_that_of_the_other(log: Log, host: str) -> None:
    sent = os.urandom(3_000_000)

    async def test() -> None:
        async with serving(echo) as guest, relayed(log, guest) as port:
            reader, writer = await asyncio.open_connection(host, port.host)
            got = asyncio.ensure_future(reader.read(-1))
            writer.write(sent)
            await writer.drain()
            writer.write_eof()
            assert await got == sent + b"!"
            writer.close()
            await writer.wait_closed()

    run(test())


def test_the_guest_may_end_first(log: Log) -> None:
    heard: list[bytes] = []

    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"hello")
        writer.write_eof()
        heard.append(await reader.read(-1))
        writer.close()

    async def test() -> None:
        async with serving(greet) as guest, relayed(log, guest) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port.host)
            assert await reader.read(-1) == b"hello"
            writer.write(b"and good bye")
            writer.close()
            await writer.wait_closed()
            while not heard:
                await asyncio.sleep(0.01)
        assert heard == [b"and good bye"]

    run(test())


def test_nobody_inside_is_a_reset_and_not_an_empty_answer(log: Log) -> None:
    async def test() -> None:
        async with relayed(log, _nobodys_port()) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port.host)
            with pytest.raises(ConnectionResetError):
                await reader.read(1)
            writer.close()

    run(test())


def test_without_an_agent_the_port_stays_and_connections_are_reset(log: Log) -> None:
    async def test() -> None:
        dialler = LocalDialler()
        async with serving(echo) as guest, relayed(log, guest, dialler) as port:
            dialler.down = True
            reader, _ = await asyncio.open_connection("127.0.0.1", port.host)
            with pytest.raises(ConnectionResetError):
                await reader.read(1)
            dialler.down = False
            reader, writer = await asyncio.open_connection("127.0.0.1", port.host)
            writer.write_eof()
            assert await reader.read(-1) == b"!"
            writer.close()

    run(test())


def test_a_lost_agent_ends_the_connections_that_there_are(log: Log) -> None:
    async def test() -> None:
        service = Service(LocalDialler(), log)
        async with serving(echo) as guest:
            (port,) = service.forward(Wanted(name="web", guest=guest, host=0)).ports
            reader, writer = await asyncio.open_connection("127.0.0.1", port.host)
            writer.write(b"x")
            assert await reader.read(1) == b"x"
            service.drop()
            with pytest.raises(ConnectionResetError):
                await reader.read(1)
            writer.close()
            service.close()
            await settled()

    run(test())


async def _one(port: int, number: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"%d" % number)
    writer.write_eof()
    assert await reader.read(-1) == b"%d!" % number
    writer.close()
    await writer.wait_closed()


def test_a_hundred_at_once(log: Log) -> None:
    async def test() -> None:
        async with serving(echo) as guest, relayed(log, guest) as port:
            await asyncio.gather(*(_one(port.host, number) for number in range(100)))

    run(test())


class _Echo(asyncio.DatagramProtocol):
    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: object) -> None:
        self.transport.sendto(data[::-1], addr)


@asynccontextmanager
async def answering(host: str) -> AsyncIterator[int]:
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(_Echo, local_addr=(host, 0))
    try:
        yield transport.get_extra_info("sockname")[1]
    finally:
        transport.close()


async def _asked(port: int, data: bytes, host: str = "127.0.0.1") -> bytes:
    loop = asyncio.get_running_loop()
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as client:
        client.settimeout(0)
        client.connect((host, port))
        await loop.sock_sendall(client, data)
        return await loop.sock_recv(client, 70_000)


@pytest.mark.parametrize("inside", ["127.0.0.1", "::1"])
@pytest.mark.parametrize("outside", ["127.0.0.1", "::1"])
def test_each_datagram_stays_one_and_each_client_gets_its_own_answers(log: Log, inside: str, outside: str) -> None:
    async def test() -> None:
        async with answering(inside) as guest, relayed(log, guest, protocol="udp") as port:
            asked = [b"%d-" % number * 1000 for number in range(20)]
            answers = await asyncio.gather(*(_asked(port.host, data, outside) for data in asked))
            assert answers == [data[::-1] for data in asked]

    run(test())


def _nobodys_port() -> int:
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        return int(trial.getsockname()[1])


def test_a_taken_port_becomes_the_next_and_what_was_kept_comes_first(log: Log) -> None:
    async def test() -> None:
        async with serviced(log) as service:
            with socket.socket() as other:
                other.bind(("127.0.0.1", 0))
                other.listen()
                taken = int(other.getsockname()[1])
                (port,) = service.declare([Wanted(name="web", guest=1, host=taken)]).ports
                assert port.host > taken
                assert port.wanted == taken
                service.close()
            (again,) = service.declare([Wanted(name="web", guest=1, host=taken, kept=port.host)]).ports
            assert again.host == port.host
            service.close()
            (fresh,) = service.declare([Wanted(name="web", guest=1, host=taken)]).ports
            assert fresh.host == taken

    run(test())


def test_a_port_that_another_has_for_localhost_by_ipv6_alone_is_taken(log: Log) -> None:
    async def test() -> None:
        async with serviced(log) as service:
            with socket.socket(socket.AF_INET6) as other:
                other.bind(("::1", 0))
                other.listen()
                taken = int(other.getsockname()[1])
                (port,) = service.declare([Wanted(name="web", guest=1, host=taken)]).ports
                assert port.host != taken

    run(test())


def test_what_did_not_change_is_not_touched_and_what_is_not_declared_any_more_goes(log: Log) -> None:
    async def test() -> None:
        async with serviced(log) as service:
            first = service.declare([Wanted(name="a", guest=1, host=0), Wanted(name="b", guest=2, host=0)])
            extra = service.forward(Wanted(name="3", guest=3, host=0, declared=False))
            then = service.declare([Wanted(name="a", guest=1, host=0), Wanted(name="b", guest=9, host=0)])
            before, after = {port.name: port for port in extra.ports}, {port.name: port for port in then.ports}
            assert {port.name for port in first.ports} == {"a", "b"}
            assert after["a"] == before["a"]
            assert after["3"] == before["3"]
            assert after["b"].guest == 9
            assert [port.name for port in service.declare([]).ports] == ["3"]
            assert service.remove("3")
            assert not service.remove("3")

    run(test())


def test_ports_can_change_places(log: Log) -> None:
    async def test() -> None:
        async with serviced(log) as service:
            one, two = _nobodys_port(), _nobodys_port()
            service.declare([Wanted(name="a", guest=1, host=one), Wanted(name="b", guest=2, host=two)])
            answer = service.declare([Wanted(name="a", guest=1, host=two), Wanted(name="b", guest=2, host=one)])
            assert [(port.name, port.host) for port in answer.ports] == [("a", two), ("b", one)]

    run(test())


def test_an_address_of_another_host_is_refused_and_the_rest_goes_on(log: Log) -> None:
    async def test() -> None:
        async with serviced(log) as service:
            answer = service.declare(
                [Wanted(name="a", guest=1, host=0), Wanted(name="b", guest=2, host=0, address="192.0.2.1")]
            )
            assert [port.name for port in answer.ports] == ["a"]
            assert [(lost.name, lost.reason) for lost in answer.failed] == [("b", "refused")]

    run(test())


def test_the_last_port_is_the_end_of_the_search(log: Log) -> None:
    async def test() -> None:
        async with serviced(log) as service:
            with socket.socket() as other:
                other.bind(("127.0.0.1", 65535))
                other.listen()
                answer = service.declare([Wanted(name="a", guest=1, host=65535)])
            assert answer == Answer(ports=(), failed=(Failed(name="a", host=65535, reason="taken", detail=""),))

    run(test())
