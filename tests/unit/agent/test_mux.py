import asyncio
import contextlib
import errno
import signal
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from devbox.agent import channels, wire
from devbox.agent.client import NoAgent, OtherAgent, StartError
from devbox.agent.mux import AgentMux, MuxListener
from devbox.agent.protocol import Listener
from devbox.agent.wire import ExecMessage
from tests.fakes import agent_messages as says
from tests.fakes.agent import FakeAgent
from tests.fakes.agent_process import FakeProcess
from tests.fakes.programs import cat

Test = Callable[[FakeAgent, AgentMux], Awaitable[None]]


def run(tmp_path: Path, test: Test) -> None:
    async def main(agent: FakeAgent) -> None:
        mux = await AgentMux.open(agent.path, "it")
        try:
            async with asyncio.timeout(30):
                await test(agent, mux)
        finally:
            await mux.close()

    with FakeAgent(tmp_path / "agent.sock", "it") as agent:
        asyncio.run(main(agent))


def chatter(process: FakeProcess) -> int:
    while not process.closed:
        process.say(b"x" * 65536)
    return 0


async def until(condition: Callable[[], bool]) -> None:
    while not condition():
        await asyncio.sleep(0.002)


@contextlib.asynccontextmanager
async def echo_server() -> AsyncIterator[int]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, backlog=1024)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


def test_a_process_with_all_that_it_has(tmp_path: Path) -> None:
    def program(process: FakeProcess) -> int:
        process.say(b"err", 2)
        data = b""
        while piece := process.read():
            data += piece
        process.say(data.upper())
        return 9

    async def test(agent: FakeAgent, mux: AgentMux) -> None:
        agent.program = program
        process = await mux.execute(ExecMessage(["x"]))
        process.write(b"text")
        await process.drain()
        process.eof()
        assert [item async for item in process] == [(2, b"err"), (1, b"TEXT")]
        assert (await process.wait(), process.ended_by) == (9, 0)

    run(tmp_path, test)


def test_signals_and_sizes_come_through(tmp_path: Path) -> None:
    def program(process: FakeProcess) -> int:
        process.wait_until(lambda: len(process.sizes) == 2)
        return process.wait_for_signal()

    async def test(agent: FakeAgent, mux: AgentMux) -> None:
        agent.program = program
        process = await mux.execute(ExecMessage(["x"], flags=wire.FLAG_TERMINAL | wire.FLAG_STDIN, size=(5, 6)))
        process.resize(50, 60)
        process.signal(signal.SIGTERM)
        assert await process.wait() == signal.SIGTERM
        assert agent.processes[0].sizes == [(5, 6), (50, 60)]

    run(tmp_path, test)


def test_a_slow_reader_holds_up_nobody_and_holds_little(tmp_path: Path) -> None:
    async def test(agent: FakeAgent, mux: AgentMux) -> None:
        agent.program = chatter
        slow = await mux.execute(ExecMessage(["x"]))
        await until(lambda: slow._window <= 0)
        agent.program = cat
        quick = await mux.execute(ExecMessage(["x"]))
        seen = 0
        for _ in range(64):
            quick.write(b"y" * 16384)
            await quick.drain()
            found = await anext(aiter(quick))
            seen += len(found[1])
        assert seen > 0
        assert sum(len(data) for _, data in slow._incoming) <= channels.WINDOW

    run(tmp_path, test)


def test_a_process_that_reads_nothing_makes_its_writer_wait_alone(tmp_path: Path) -> None:
    def deaf(process: FakeProcess) -> int:
        process.wait_for_signal()
        return 0

    async def test(agent: FakeAgent, mux: AgentMux) -> None:
        agent.program = deaf
        process = await mux.execute(ExecMessage(["x"]))
        process.write(b"x" * 1024 * 1024)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(process.drain(), 0.05)
        agent.program = cat
        other = await mux.execute(ExecMessage(["x"]))
        other.write(b"here")
        assert await anext(aiter(other)) == (1, b"here")

    run(tmp_path, test)


def test_a_thousand_connections_at_once_each_with_its_own_bytes(tmp_path: Path) -> None:
    async def one(mux: AgentMux, port: int, number: int) -> bool:
        channel = await mux.connect(wire.TCP, "127.0.0.1", port)
        sent = b"%d " % number * 5000
        channel.write(sent)
        channel.eof()
        found = b""
        while data := await channel.read():
            found += data
        channel.close()
        return found == sent

    async def test(agent: FakeAgent, mux: AgentMux) -> None:
        async with echo_server() as port:
            found = await asyncio.gather(*(one(mux, port, number) for number in range(1000)))
        assert all(found)
        await until(lambda: not mux._channels)

    run(tmp_path, test)


def test_what_cannot_be_reached_says_so(tmp_path: Path) -> None:
    async def test(agent: FakeAgent, mux: AgentMux) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            with pytest.raises(StartError) as caught:
                await mux.connect(wire.TCP, "127.0.0.1", free.getsockname()[1])
        assert (caught.value.errno, caught.value.stage) == (errno.ECONNREFUSED, wire.STAGE_CONNECT)
        assert not mux._channels

    run(tmp_path, test)


def test_whoever_is_cancelled_leaves_nothing(tmp_path: Path) -> None:
    async def test(agent: FakeAgent, mux: AgentMux) -> None:
        agent.program = chatter
        starting = asyncio.create_task(mux.execute(ExecMessage(["x"])))
        await asyncio.sleep(0)
        starting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await starting
        await until(lambda: not mux._channels)
        process = await mux.execute(ExecMessage(["x"]))
        reading = asyncio.create_task(anext(aiter(process)))
        await asyncio.sleep(0)
        reading.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await reading
        assert await anext(aiter(process))
        process.close()
        await until(lambda: not mux._channels)
        assert agent.processes[-1].closed

    run(tmp_path, test)


def test_an_agent_that_dies_ends_all(tmp_path: Path) -> None:
    async def test(agent: FakeAgent, mux: AgentMux) -> None:
        agent.program = cat
        async with echo_server() as port:
            process = await mux.execute(ExecMessage(["x"]))
            channel = await mux.connect(wire.TCP, "localhost", port)
            waiting = [asyncio.create_task(job) for job in (process.wait(), channel.read(), anext(aiter(process)))]
            await asyncio.sleep(0.01)
            await asyncio.to_thread(agent.stop)
            ends = await asyncio.gather(*waiting, return_exceptions=True)
            assert [type(end) for end in ends] == [ConnectionError] * 3
            assert mux.closed.is_set()
            with pytest.raises(ConnectionError):
                await mux.execute(ExecMessage(["x"]))
            with pytest.raises(ConnectionError):
                await channel.drain()

    run(tmp_path, test)


def test_questions(tmp_path: Path) -> None:
    async def test(agent: FakeAgent, mux: AgentMux) -> None:
        agent.program = chatter
        agent.listeners = [Listener(protocol="udp", address="::1", port=53, uid=0)]
        process = await mux.execute(ExecMessage(["a", "b"]))
        assert await mux.listeners() == tuple(agent.listeners)
        assert [session.argv for session in await mux.sessions()] == [("a", "b")]
        process.close()

    run(tmp_path, test)


def test_a_detached_process_is_left_at_once(tmp_path: Path) -> None:
    async def test(agent: FakeAgent, mux: AgentMux) -> None:
        agent.program = chatter
        process = await mux.execute(ExecMessage(["x"], flags=wire.FLAG_DETACH))
        assert (await process.wait(), process.pid) == (0, 100)
        assert not mux._channels

    run(tmp_path, test)


def test_no_agent_or_another_one(tmp_path: Path) -> None:
    async def refused(path: Path, kind: type[Exception]) -> None:
        with pytest.raises(kind):
            await AgentMux.open(str(path), "it")

    asyncio.run(refused(tmp_path / "none", NoAgent))
    with FakeAgent(tmp_path / "agent.sock", "other"):
        asyncio.run(refused(tmp_path / "agent.sock", OtherAgent))
    with FakeAgent(tmp_path / "agent.sock", "it", version=999):
        asyncio.run(refused(tmp_path / "agent.sock", OtherAgent))


def test_an_agent_that_misbehaves_ends_the_connection(tmp_path: Path) -> None:
    def program(process: FakeProcess) -> int:
        process._send(b"\xff" * 12)
        process.wait_for_signal()
        return 0

    async def test(agent: FakeAgent, mux: AgentMux) -> None:
        agent.program = program
        process = await mux.execute(ExecMessage(["x"]))
        with pytest.raises(ConnectionError, match="unknown type"):
            await process.wait()

    run(tmp_path, test)


async def _take_all(listener: MuxListener) -> None:
    async for _ in listener:
        continue


def test_an_agent_that_opens_connections_without_end_is_left(tmp_path: Path) -> None:
    """Nothing of it is asked for: no credit bounds it, and each costs memory here."""

    async def lie(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(65536)
        writer.write(says.hello("it"))
        await reader.read(65536)
        writer.write(says.started(1))
        with contextlib.suppress(ConnectionError):
            for number in range(100_000):
                writer.write(says.accepted(wire.ACCEPTED_FIRST + number, 1, 0, ""))
                await writer.drain()
        writer.close()

    async def test() -> None:
        server = await asyncio.start_unix_server(lie, tmp_path / "agent.sock")
        mux = await AgentMux.open(str(tmp_path / "agent.sock"), "it")
        listener = await mux.listen(wire.UNIX, "/x", 0, user="")
        with pytest.raises(ConnectionError, match="more connections than anybody has"):
            await _take_all(listener)
        await mux.close()
        server.close()

    asyncio.run(asyncio.wait_for(test(), 60))
