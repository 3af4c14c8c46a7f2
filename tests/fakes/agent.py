"""FakeAgent: the agent's protocol over a unix socket, in a thread of this process.

What a process does is a Python function: `on_exec(message, stdin)` returns an Outcome after all of its input, and
`program(process)` is the process. A `StartError` that `refuse(message)` raises is answered by FAILED. Connections
into the Environment are made to this host; what listens (`listeners`) is what the test says.
"""

import asyncio
import contextlib
import os
import socket
import threading
from collections.abc import Callable
from pathlib import Path

from devbox.agent import wire
from devbox.agent.client import StartError
from devbox.agent.protocol import FileState, GuestSession, Listener
from devbox.agent.wire import ExecMessage, WireError
from tests.fakes import agent_messages as says
from tests.fakes.agent_process import FakeProcess, Program
from tests.fakes.agent_relay import FakeConnection, datagram_connection, stream_connection
from tests.fakes.engine_streams import Outcome

OnExec = Callable[[ExecMessage, bytes], Outcome]
_STARTED = 1_700_000_000
_TURNS = 5  # of asyncio's loop


def _nothing(message: ExecMessage, stdin: bytes) -> Outcome:
    return Outcome()


class FakeAgent:
    """An agent of `identity` that listens at `path` from `start` to `stop`."""

    def __init__(
        self,
        path: str | Path,
        identity: str,
        on_exec: OnExec = _nothing,
        *,
        program: Program | None = None,
        refuse: Callable[[ExecMessage], None] = lambda _: None,
        version: int = wire.VERSION,
    ) -> None:
        self.path = str(path)
        self.identity = identity
        self.on_exec = on_exec
        self.program = program
        self.refuse = refuse
        self.version = version
        self.boot = os.urandom(16)
        self.listeners: list[Listener] = []
        self.processes: list[FakeProcess] = []  # all that were ever started
        self.clients: set[_Client] = set()
        self._running: dict[int, FakeProcess] = {}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="fake agent", daemon=True)
        self._ready = threading.Event()
        self._stopping: asyncio.Event | None = None

    def start(self) -> None:
        self._thread.start()
        assert self._ready.wait(10), "the fake agent does not start"

    def stop(self) -> None:
        """End it and all that it runs, as a killed agent would; idempotent."""
        if self._thread.ident is None or not self._thread.is_alive():
            return
        with contextlib.suppress(RuntimeError):  # it has just ended
            self._loop.call_soon_threadsafe(self._stop)
        self._thread.join(30)
        assert not self._thread.is_alive(), "the fake agent does not end"
        for process in self.processes:
            process.join()

    def __enter__(self) -> "FakeAgent":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def sessions(self) -> list[GuestSession]:
        """What runs."""
        return [
            GuestSession(
                pid=process.pid,
                uid=0,
                started=_STARTED,
                terminal=bool(process.message.flags & wire.FLAG_TERMINAL),
                detached=bool(process.message.flags & wire.FLAG_DETACH),
                argv=process.message.argv[:16],
            )
            for process in list(self._running.values())
        ]

    def run(self, process: FakeProcess) -> None:
        """Start a process; `StartError` if the test says so before it has begun."""
        self.processes.append(process)
        self._running[process.pid] = process
        process.run(self._program, self._ended)

    def _ended(self, process: FakeProcess) -> None:
        self._running.pop(process.pid, None)

    def next_pid(self) -> int:
        return 100 + len(self.processes)

    def _program(self, process: FakeProcess) -> int:
        if self.program:
            return self.program(process)
        outcome = self.on_exec(process.message, process.read_all())
        for number, data in outcome.frames():
            process.say(data, number)
        return outcome.exit_code

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._serve())
        finally:
            self._loop.close()

    async def _serve(self) -> None:
        self._stopping = asyncio.Event()
        server = await asyncio.start_unix_server(self._welcome, sock=listening(self.path))
        self._ready.set()
        await self._stopping.wait()
        for listener in server.sockets:  # nobody more is let in; a server that is closed loses whoever has just been
            self._loop.remove_reader(listener.fileno())
        for _ in range(_TURNS):  # so that they are greeted, to be sent away again
            await asyncio.sleep(0)
        server.close()
        for process in self.processes:
            process.hang_up()
        for client in list(self.clients):
            client.end()
        while self.clients:
            await asyncio.sleep(0.005)
        for _ in range(_TURNS):  # and transports take more than one to close
            await asyncio.sleep(0)
        with contextlib.suppress(OSError):
            Path(self.path).unlink()

    def _stop(self) -> None:
        if self._stopping:
            self._stopping.set()

    async def _welcome(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        client = _Client(self, reader, writer)
        self.clients.add(client)
        try:
            await client.serve()
        finally:
            self.clients.discard(client)


def listening(path: str) -> socket.socket:
    """Return a socket that listens at `path`, however long that is."""
    made = socket.socket(socket.AF_UNIX)
    directory = os.open(Path(path).parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with contextlib.suppress(FileNotFoundError):
            Path(path).unlink()
        made.bind(f"/proc/self/fd/{directory}/{Path(path).name}")
        Path(path).chmod(0o600)
        made.listen(1024)
    finally:
        os.close(directory)
    return made


class _Client:
    """One connection."""

    def __init__(self, agent: FakeAgent, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._agent = agent
        self._reader = reader
        self._writer = writer
        self._loop = asyncio.get_running_loop()
        self._greeted = False
        self._processes: dict[int, FakeProcess] = {}
        self._connections: dict[int, FakeConnection] = {}
        self._over = False

    def end(self) -> None:
        self._over = True
        self._writer.transport.abort()

    async def serve(self) -> None:
        decoder = wire.Decoder(known=wire.FROM_CLIENT)
        try:
            while not self._over and (data := await self._reader.read(65536)):
                for frame in decoder.feed(data):
                    self._take(*frame)
        except WireError as error:
            self._send(says.error(str(error)))
        except ConnectionError:
            pass
        finally:
            self._leave()
            self._writer.close()
            with contextlib.suppress(ConnectionError, BrokenPipeError):
                await self._writer.wait_closed()

    def _leave(self) -> None:
        self._over = True
        for process in self._processes.values():
            if not process.message.flags & wire.FLAG_DETACH:
                process.hang_up()
        for connection in list(self._connections.values()):
            connection.close()

    def _send(self, data: bytes) -> None:
        if not self._writer.is_closing():
            self._writer.write(data)

    def _send_threadsafe(self, data: bytes) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(self._send, data)

    def _take(self, kind: int, channel: int, payload: memoryview) -> None:
        if self._over:
            return
        if not self._greeted:
            self._greet(kind, channel, payload)
        elif kind in (wire.EXEC, wire.CONNECT, wire.LISTENERS, wire.SESSIONS, wire.STAT):
            if not 0 < channel < wire.ACCEPTED_FIRST or self._in_use(channel):
                raise WireError(f"channel {channel} cannot be used")
            self._open(kind, channel, payload)
        elif kind in (wire.HELLO, wire.LISTEN) or channel == 0:
            raise WireError(f"type {kind:#x} at this time")
        else:
            self._pass(kind, channel, payload)

    def _in_use(self, channel: int) -> bool:
        process = self._processes.get(channel)
        return channel in self._connections or (process is not None and not process.ended)

    def _greet(self, kind: int, channel: int, payload: memoryview) -> None:
        if kind != wire.HELLO or channel:
            raise WireError("no HELLO")
        version, identity = says.parse_hello(payload)
        agent = self._agent
        accepted = version == agent.version and identity in ("", agent.identity)
        self._send(says.hello(agent.identity, version=agent.version, accepted=accepted, boot=agent.boot))
        self._greeted = True
        self._over = not accepted

    def _open(self, kind: int, channel: int, payload: memoryview) -> None:
        if kind == wire.EXEC:
            self._exec(channel, payload)
        elif kind == wire.CONNECT:
            self._connect(channel, payload)
        elif kind == wire.STAT:
            follow, path = says.parse_stat(payload)
            self._send(_stat(channel, path, follow=follow))
        elif payload:
            raise WireError("a question that is too long")
        elif kind == wire.SESSIONS:
            self._send(says.sessions(channel, self._agent.sessions))
        else:
            self._send(says.listeners(channel, self._agent.listeners))

    def _exec(self, channel: int, payload: memoryview) -> None:
        message, window = says.parse_exec(payload)
        pid = self._agent.next_pid()
        process = FakeProcess(message, channel, window, pid=pid, send=self._send_threadsafe)
        try:
            self._agent.refuse(message)
        except StartError as error:
            self._send(says.failed(channel, error.errno, error.stage, error.text))
            return
        if not message.flags & wire.FLAG_DETACH:
            self._processes[channel] = process
        self._agent.run(process)  # what it says comes from its thread to this one, and so after the next line
        self._send(says.started(channel, pid))

    def _connect(self, channel: int, payload: memoryview) -> None:
        window, kind, host, port = says.parse_connect(payload)
        make = datagram_connection if kind == wire.UDP else stream_connection
        self._connections[channel] = make(channel, window, kind, host, port, self._send, self._forget)

    def _forget(self, channel: int) -> None:
        self._connections.pop(channel, None)

    def _pass(self, kind: int, channel: int, payload: memoryview) -> None:
        """Hand a frame to its channel; one that has ended drops it."""
        target = self._connections.get(channel) or self._processes.get(channel) or _Nobody()
        if kind == wire.WINDOW:
            target.give(wire.parse_window(payload))
        elif kind == wire.DATA:
            if not target.feed(payload):
                raise WireError("more DATA than there is room for")
        elif kind == wire.SIGNAL:
            target.signal(says.parse_signal(payload))
        elif kind == wire.RESIZE:
            target.resize(*says.parse_resize(payload))
        elif payload:
            raise WireError("a message that is too long")
        elif kind == wire.EOF:
            target.end_input()
        else:
            target.close()


class _Nobody(FakeConnection):
    """What is on a channel that has ended: it drops all."""

    def __init__(self) -> None:
        super().__init__(0, 0, _drop, _drop)

    def feed(self, data: memoryview) -> bool:
        return True


def _drop(_: object) -> None:
    """Take what nobody wants."""


def _stat(channel: int, path: str, *, follow: bool) -> bytes:
    try:
        found = Path(path).stat(follow_symlinks=follow)
    except OSError as error:
        return says.stat(channel, error.errno or 5, None)
    state = FileState(
        mode=found.st_mode, uid=found.st_uid, gid=found.st_gid, size=found.st_size, mtime=found.st_mtime_ns
    )
    return says.stat(channel, 0, state)
