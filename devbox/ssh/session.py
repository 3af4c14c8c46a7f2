"""One session of the client: a shell, a command or sftp, run by the agent."""

import asyncio
import contextlib
import errno
import signal
from typing import Final

from devbox.agent.client import AgentError, StartError
from devbox.agent.mux import AgentMux, MuxProcess
from devbox.agent.wire import FLAG_SFTP, FLAG_STDIN, FLAG_TERMINAL, STAGE_EXEC, STAGE_USER, ExecMessage
from devbox.ssh.flow import Flow
from devbox.ssh.guest import Front, environment, with_modes
from devbox.ssh.library import asyncssh
from devbox.ssh.remote import AgentForwarding
from devbox.values import printable

_STDERR: Final = 2
_LARGEST: Final = 0xFFFF
_ROWS, _COLUMNS = 24, 80


class GuestSession(Flow, asyncssh.SSHServerSession[bytes]):
    """What asyncssh tells of one session, made into one process inside."""

    def __init__(self, front: Front, username: str, mux: AgentMux, agent: AgentForwarding) -> None:
        super().__init__()
        self._front = front
        self._username = username
        self._mux = mux
        self._agent = agent
        self._terminal: str | None = None
        self._modes: dict[int, int] = {}
        self._size = (_ROWS, _COLUMNS)
        self._argv: tuple[str, ...] = ()
        self._sftp = False
        self._process: MuxProcess | None = None
        self._signals: list[int] = []  # that came before the process was there

    def pty_requested(self, term_type: str, term_size: tuple[int, int, int, int], term_modes: object) -> bool:
        """Remember the client's terminal."""
        self._terminal = term_type or "dumb"
        self._modes = dict(term_modes) if isinstance(term_modes, dict) else {}
        self._size = _size(*term_size[:2])
        return True

    def shell_requested(self) -> bool:
        """Have an interactive shell."""
        self._argv = self._front.shell
        return True

    def exec_requested(self, command: str) -> bool:
        """Have the user's shell run `command`, as sshd does."""
        if "\0" in command:
            return False
        self._argv = (*self._front.command, command)
        return True

    def subsystem_requested(self, subsystem: str) -> bool:
        """Have sftp, which the agent itself serves; there is nothing else."""
        self._sftp = subsystem == "sftp"
        return self._sftp

    def terminal_size_changed(self, width: int, height: int, pixwidth: int, pixheight: int) -> None:  # noqa: ARG002
        """Tell the terminal inside."""
        self._size = _size(width, height)
        if self._process:
            self._process.resize(*self._size)

    def signal_received(self, signal: str) -> None:
        """Send the signal called TERM, INT, ... to the process."""
        number = _numbers().get(signal)
        if number is None:
            return
        if self._process:
            self._process.signal(number)
        else:
            self._signals.append(number)

    async def _run(self) -> None:
        channel = self._channel
        assert isinstance(channel, asyncssh.SSHServerChannel)
        try:
            process = self._process = await self._mux.execute(self._message(channel))
        except StartError as error:
            channel.write_stderr(_why(error, self._front, self._username).encode())
            channel.exit(127 if error.stage == STAGE_EXEC and error.errno == errno.ENOENT else 126)
            return
        except (AgentError, OSError, ValueError) as error:
            channel.write_stderr(f"devbox: {error}\n".encode())
            channel.exit(255)
            return
        try:
            await self._relay(process, channel)
        except (AgentError, OSError):  # the environment has gone, or the client has
            channel.abort()
        finally:
            self._process = None
            process.close()

    async def _relay(self, process: MuxProcess, channel: asyncssh.SSHServerChannel[bytes]) -> None:
        if self._terminal:
            process.resize(*self._size)  # it may have changed meanwhile
        for number in self._signals:
            process.signal(number)
        feeding = asyncio.create_task(self._feed(process))
        try:
            async for stream, data in process:
                is_error = stream == _STDERR and not self._terminal
                await self._pass_out(data, asyncssh.EXTENDED_DATA_STDERR if is_error else None)
            status, number = await process.wait(), process.ended_by
        finally:
            feeding.cancel()
        _end(channel, status, number)

    async def _feed(self, process: MuxProcess) -> None:
        with contextlib.suppress(AgentError, OSError):  # a process that ends may leave input over
            await self._pass_in(process)

    def _message(self, channel: asyncssh.SSHServerChannel[bytes]) -> ExecMessage:
        flags = FLAG_STDIN | (FLAG_SFTP if self._sftp else 0) | (FLAG_TERMINAL if self._terminal else 0)
        front = self._front
        sent = channel.get_environment_bytes()
        return ExecMessage(
            with_modes(self._argv, self._modes) if self._terminal else self._argv,
            user=front.run_as if self._username == front.name else self._username,
            cwd=front.workdir,
            env=environment(front, self._username, sent, terminal=self._terminal, agent=self._agent.path),
            flags=flags,
            size=self._size,
        )


def _size(columns: int, rows: int) -> tuple[int, int]:
    """Return rows and columns as the agent takes them; a client without a size sends 0."""
    return min(rows or _ROWS, _LARGEST), min(columns or _COLUMNS, _LARGEST)


def _numbers() -> dict[str, int]:
    return {one.name.removeprefix("SIG"): one.value for one in signal.Signals}


def _end(channel: asyncssh.SSHServerChannel[bytes], status: int, number: int) -> None:
    """Tell the client how the process ended."""
    if number:
        names = {value: name for name, value in _numbers().items()}
        channel.exit_with_signal(names.get(number, f"SIG{number}"))
    else:
        channel.exit(status)


def _why(error: StartError, front: Front, username: str) -> str:
    """Return what the client's user reads when nothing could be started."""
    if error.stage == STAGE_USER:
        return f"devbox: there is no user {printable(username)} inside; yours is {front.name}\n"
    if error.stage == STAGE_EXEC and error.errno == errno.ENOENT:
        return "devbox: the image has no /bin/sh; run its programs by devbox exec\n"
    return f"devbox: {error}\n"
