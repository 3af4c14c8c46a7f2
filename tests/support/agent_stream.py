"""`agent stream`, run on this host, as the stream of a program that an engine runs."""

import os
import subprocess


class StreamProgram:
    """Copies to and from the agent at a socket; the methods of `agent.transport.ProgramStream`."""

    def __init__(self, program: str, path: str) -> None:
        words = [program, "stream", "--socket", path]
        self._process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self._process.stdin
        assert self._process.stdout
        self._stdin, self._stdout = self._process.stdin, self._process.stdout

    def fileno(self) -> int:
        return self._stdout.fileno()

    def receive(self) -> tuple[int, bytes] | None:
        data = os.read(self._stdout.fileno(), 65536)
        return (1, data) if data else None

    def send(self, data: bytes) -> None:
        try:
            self._stdin.write(data)
            self._stdin.flush()
        except BrokenPipeError:  # as an engine's stream: what ended is seen by who receives
            return

    def close(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        for stream in (self._stdin, self._stdout):
            try:
                stream.close()
            except OSError:  # what could not be written any more
                continue
