"""The streams of FakeEngine: all input is collected, and the outcome comes when somebody asks for it."""

import socket
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a command did."""

    exit_code: int = 0
    stdout: bytes = b""
    stderr: bytes = b""
    oom_killed: bool = False

    def frames(self) -> list[tuple[int, bytes]]:
        return [(number, data) for number, data in ((1, self.stdout), (2, self.stderr)) if data]


Frame = tuple[int, bytes]


class FakeStream:
    """The two-way byte stream of a process. `run` gets all of its input and returns its output."""

    def __init__(
        self, run: Callable[[bytes], list[tuple[int, bytes]]], note: Callable[[bytes], None] | None = None
    ) -> None:
        self._run = run
        self._note = note
        self._frames: list[tuple[int, bytes]] | None = None
        self._ready, self._other = socket.socketpair()
        self._other.send(b"!")  # never read: there is always something to receive, if only the end
        self.stdin = b""
        self.stdin_closed = False

    def fileno(self) -> int:
        return self._ready.fileno()

    def receive(self) -> tuple[int, bytes] | None:
        if self._frames is None:
            self._frames = list(self._run(self.stdin))
        return self._frames.pop(0) if self._frames else None

    def send(self, data: bytes) -> None:
        self.stdin += data
        if self._note:
            self._note(self.stdin)

    def close_stdin(self) -> None:
        self.stdin_closed = True

    def close(self) -> None:
        self._ready.close()
        self._other.close()


class FakeExecSession(FakeStream):
    """A process started by `exec`; `sizes` has each size that its terminal was given."""

    def __init__(self, run: Callable[[bytes], Outcome], *, terminal: bool) -> None:
        super().__init__(self._output)
        self._outcome: Outcome | None = None
        self._decide = run
        self._terminal = terminal
        self.sizes: list[tuple[int, int]] = []

    def resize(self, rows: int, columns: int) -> None:
        if self._terminal:
            self.sizes.append((rows, columns))

    def exit_code(self) -> int:
        return self._ended().exit_code

    def _output(self, stdin: bytes) -> list[tuple[int, bytes]]:
        frames = self._ended().frames()
        return [(1, data) for _, data in frames] if self._terminal else frames

    def _ended(self) -> Outcome:
        if self._outcome is None:
            self._outcome = self._decide(self.stdin)
        return self._outcome
