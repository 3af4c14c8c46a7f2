"""Connections into the Environment, and questions about it."""

import asyncio
import contextlib
import errno
import os
import socket
import stat
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from devbox.agent import wire
from devbox.agent.client import StartError
from devbox.agent.mux import AgentMux
from devbox.agent.session import ask_listeners, ask_stat
from tests.contract.agent.conftest import Target

pytestmark = [pytest.mark.timeout(60), pytest.mark.long]

HAS_IPV6 = Path("/proc/net/if_inet6").exists() and "lo" in Path("/proc/net/if_inet6").read_text()
needs_ipv6 = pytest.mark.skipif(not HAS_IPV6, reason="not possible here: no IPv6 on loopback")


def run(target: Target, test: Callable[[AgentMux], Awaitable[None]]) -> None:
    async def main() -> None:
        mux = await AgentMux.open(target.path, target.identity)
        try:
            async with asyncio.timeout(50):
                await test(mux)
        finally:
            await mux.close()

    asyncio.run(main())


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Send everything back, and the end of it."""
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()


@contextlib.asynccontextmanager
async def serving(
    serve: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]] = echo, host: str = "127.0.0.1"
) -> AsyncIterator[int]:
    writers: list[asyncio.StreamWriter] = []

    async def begin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        await serve(reader, writer)

    server = await asyncio.start_server(begin, host, 0, backlog=2048)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for writer in writers:  # one that waits for its peer to read would do so for ever
            writer.transport.abort()


async def exchange(mux: AgentMux, kind: int, host: str, port: int, data: bytes) -> bytes:
    """Send `data` and its end; return all that comes back."""
    channel = await mux.connect(kind, host, port)

    async def send() -> None:
        for at in range(0, len(data), 50_000):
            channel.write(data[at : at + 50_000])
            await channel.drain()
        channel.eof()

    sending = asyncio.create_task(send())
    found = bytearray()
    while piece := await channel.read():
        found += piece
    await sending
    channel.close()
    return bytes(found)


@pytest.mark.parametrize(
    ("listen", "host"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("127.0.0.1", "localhost"),
        pytest.param("::1", "::1", marks=needs_ipv6),
        pytest.param("::1", "localhost", marks=needs_ipv6),
    ],
)
def test_a_port_byte_for_byte_both_ways(local: Target, listen: str, host: str) -> None:
    data = b"".join(number.to_bytes(4, "little") for number in range(1024 * 1024))

    async def test(mux: AgentMux) -> None:
        async with serving(host=listen) as port:
            assert await exchange(mux, wire.TCP, host, port, data) == data

    run(local, test)


def test_a_unix_socket(local: Target, tmp_path: Path) -> None:
    async def test(mux: AgentMux) -> None:
        server = await asyncio.start_unix_server(echo, tmp_path / "echo.sock")
        assert await exchange(mux, wire.UNIX, str(tmp_path / "echo.sock"), 0, b"text") == b"text"
        server.close()

    run(local, test)


def test_the_end_of_one_direction_leaves_the_other(local: Target) -> None:
    async def answer_after_the_end(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        data = await reader.read()
        writer.write(b"got %d" % len(data))
        writer.close()

    async def speak_first(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"bye")
        writer.write_eof()
        said.append(await reader.read())
        writer.close()

    said: list[bytes] = []

    async def test(mux: AgentMux) -> None:
        async with serving(answer_after_the_end) as port:
            assert await exchange(mux, wire.TCP, "127.0.0.1", port, b"x" * 1000) == b"got 1000"
        async with serving(speak_first) as port:
            channel = await mux.connect(wire.TCP, "127.0.0.1", port)
            assert (await channel.read(), await channel.read()) == (b"bye", b"")
            channel.write(b"heard")
            channel.eof()
            while not said:
                await asyncio.sleep(0.002)
            assert said == [b"heard"]
            while mux._channels:  # both directions are closed, so the agent ends it by itself
                await asyncio.sleep(0.002)

    run(local, test)


@pytest.mark.parametrize(
    ("kind", "host", "number"),
    [
        (wire.TCP, "127.0.0.1", errno.ECONNREFUSED),
        (wire.TCP, "localhost", errno.ECONNREFUSED),
        (wire.UNIX, "/nowhere/at.sock", errno.ENOENT),
    ],
)
def test_nobody_there(local: Target, kind: int, host: str, number: int) -> None:
    async def test(mux: AgentMux) -> None:
        with socket.socket() as bound:
            bound.bind(("127.0.0.1", 0))
            port = bound.getsockname()[1]
            with pytest.raises(StartError) as caught:
                await mux.connect(kind, host, port if kind == wire.TCP else 0)
        assert (caught.value.errno, caught.value.stage) == (number, wire.STAGE_CONNECT)

    run(local, test)


def test_what_is_no_address_is_looked_up_by_nobody(local: Target) -> None:
    async def test(mux: AgentMux) -> None:
        with pytest.raises(StartError):
            await mux.connect(wire.TCP, "no-address.invalid", 80)

    run(local, test)


@pytest.mark.parametrize("host", ["127.0.0.1", pytest.param("::1", marks=needs_ipv6)])
def test_datagrams_stay_apart(local: Target, host: str) -> None:
    async def test(mux: AgentMux) -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.socket(family, socket.SOCK_DGRAM) as server:
            server.bind((host, 0))
            server.setblocking(False)
            loop = asyncio.get_running_loop()
            channel = await mux.connect(wire.UDP, host, server.getsockname()[1])
            for data in (b"one", b"two" * 100, b"x" * 60_000):
                channel.write(data)
                found, address = await loop.sock_recvfrom(server, 65536)
                assert found == data
                await loop.sock_sendto(server, data[::-1], address)
                assert await channel.read() == data[::-1]
            channel.close()

    run(local, test)


@pytest.mark.parametrize("host", ["127.0.0.1", pytest.param("::1", marks=needs_ipv6)])
def test_a_datagram_that_finds_nobody_ends_its_channel(local: Target, host: str) -> None:
    async def test(mux: AgentMux) -> None:
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM) as bound:
            bound.bind((host, 0))
            port = bound.getsockname()[1]
        channel = await mux.connect(wire.UDP, host, port)
        channel.write(b"is anybody there?")
        with pytest.raises(ConnectionRefusedError):
            await channel.read()

    run(local, test)


def test_a_connection_that_we_leave_is_closed_inside(local: Target) -> None:
    ended: list[bool] = []

    async def wait_for_end(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            await reader.read()
        ended.append(True)
        writer.close()

    async def test(mux: AgentMux) -> None:
        async with serving(wait_for_end) as port:
            channel = await mux.connect(wire.TCP, "127.0.0.1", port)
            channel.close()
            while not ended or mux._channels:
                await asyncio.sleep(0.002)

    run(local, test)


def test_a_thousand_at_once(local: Target) -> None:
    async def one(mux: AgentMux, port: int, number: int) -> bool:
        data = b"%d " % number * 2000
        return await exchange(mux, wire.TCP, "127.0.0.1", port, data) == data

    async def test(mux: AgentMux) -> None:
        async with serving() as port:
            assert all(await asyncio.gather(*(one(mux, port, number) for number in range(1000))))

    run(local, test)


def test_one_that_does_not_read_holds_up_nobody(local: Target) -> None:
    async def pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while True:
                writer.write(b"x" * 65536)
                await writer.drain()
        writer.close()

    async def test(mux: AgentMux) -> None:
        async with serving(pour) as pouring, serving() as port:
            slow = [await mux.connect(wire.TCP, "127.0.0.1", pouring) for _ in range(20)]
            while any(channel._window > 0 for channel in slow):
                await asyncio.sleep(0.002)
            assert await exchange(mux, wire.TCP, "127.0.0.1", port, b"here" * 100_000) == b"here" * 100_000
            for channel in slow:
                channel.close()
            while mux._channels:
                await asyncio.sleep(0.002)

    run(local, test)


def test_what_is_at_a_path(target: Target, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"12345")
    path.chmod(0o640)
    os.utime(path, ns=(1, 1_234_567_890_123_456_789))
    (tmp_path / "link").symlink_to(path)
    found = ask_stat(target.dial(), target.identity, str(path))
    assert found
    assert (found.mode, found.uid, found.gid) == (stat.S_IFREG | 0o640, os.getuid(), os.getgid())
    assert (found.size, found.mtime) == (5, 1_234_567_890_123_456_789)
    assert ask_stat(target.dial(), target.identity, str(tmp_path / "link")) == found
    link = ask_stat(target.dial(), target.identity, str(tmp_path / "link"), follow=False)
    assert link
    assert stat.S_ISLNK(link.mode)
    assert ask_stat(target.dial(), target.identity, str(tmp_path / "nothing")) is None
    assert ask_stat(target.dial(), target.identity, str(path / "below")) is None


def test_what_listens_is_listed(real: Target) -> None:
    with contextlib.ExitStack() as stack:
        expected = set()
        for family, kind, host in (
            (socket.AF_INET, socket.SOCK_STREAM, "127.0.0.1"),
            (socket.AF_INET, socket.SOCK_DGRAM, "127.0.0.1"),
            *([(socket.AF_INET6, socket.SOCK_STREAM, "::1")] if HAS_IPV6 else []),
        ):
            listening = stack.enter_context(socket.socket(family, kind))
            listening.bind((host, 0))
            if kind == socket.SOCK_STREAM:
                listening.listen()
            name = "tcp" if kind == socket.SOCK_STREAM else "udp"
            expected.add((name, host, listening.getsockname()[1], os.getuid()))
        quiet = stack.enter_context(socket.socket())
        quiet.bind(("127.0.0.1", 0))  # does not listen
        found = {
            (item.protocol, item.address, item.port, item.uid) for item in ask_listeners(real.dial(), real.identity)
        }
        assert expected <= found
        assert quiet.getsockname()[1] not in {port for _, _, port, _ in found}
