"""Processes of an engine as `engine.base` has them: foreign exceptions explained, exit codes waited for."""

import time
from typing import Final

import docker.errors

from devbox.engine.attached import EngineStream
from devbox.engine.client import PolicedClient
from devbox.engine.endpoint import Endpoint
from devbox.engine.failures import explained, is_status
from devbox.engine.streams import HijackedStream

_KILLED: Final = 137
_STATUS_GONE: Final = 404
_LONGEST_PAUSE: Final = 0.1  # seconds between two looks at a process whose output has ended


class SdkExecSession(EngineStream):
    """A process started in a running container."""

    def __init__(
        self, stream: HijackedStream, endpoint: Endpoint, *, client: PolicedClient, exec_id: str, terminal: bool
    ) -> None:
        super().__init__(stream, endpoint)
        self._client = client
        self._id = exec_id
        self._terminal = terminal

    def resize(self, rows: int, columns: int) -> None:
        """Tell the process's terminal its size; no-op without one, or when the process has gone."""
        if not self._terminal:
            return
        with explained(self._endpoint, "resize the terminal"):
            try:
                self._client.exec_resize(self._id, height=rows, width=columns)
            except docker.errors.APIError:
                if self._inspect()[0]:
                    raise

    def exit_code(self) -> int:
        """Wait for the end and return the exit code; 137 if the container was removed meanwhile."""
        pause = 0.002
        with explained(self._endpoint, "tell the exit code"):
            while True:
                running, code = self._inspect()
                if not running:
                    return code
                time.sleep(pause)
                pause = min(pause * 2, _LONGEST_PAUSE)

    def _inspect(self) -> tuple[bool, int]:
        try:
            answer = self._client.exec_inspect(self._id)
        except docker.errors.APIError as error:
            if is_status(error, _STATUS_GONE):
                return False, _KILLED
            raise
        code = answer.get("ExitCode")
        return bool(answer.get("Running")) or code is None, int(code or 0)
