"""A running Environment that is brought to another Lock while its new Image is being built."""

import threading
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from devbox.build.live import LiveScript, live_scripts
from devbox.build.steps.script import shell_argv
from devbox.errors import DevboxError
from devbox.profile.lock import Platform
from devbox.runtimes.base import ExecSpec, Instance
from devbox.values import GuestUser
from devbox.workspace.capture import stream_lines
from devbox.workspace.context import Host

_TAIL = 20  # lines of a failure that are shown


class Live:
    """One change of one running Instance.

    `edited`: the project's files as they were edited for it, by path. `done`: it holds now what the new Image holds.
    """

    def __init__(self, host: Host, edited: Mapping[str, str]) -> None:
        self.edited = edited
        self.done = False
        self._host = host
        self._failure: str | None = None
        self._tail: deque[str] = deque(maxlen=_TAIL)

    @contextmanager
    def beside(self, instance: Instance, user: GuestUser, before: Platform, after: Platform) -> Iterator[None]:
        """Within, the scripts that lead from `before` to `after` run inside; it is left when they have ended.

        A failure is told as a warning, since the new Image has what was wanted: the Environment is then made anew.
        """
        scripts = live_scripts(before, after, user)
        # Its own thread: the main one builds the Image, and is the one that hears signals. If that one ends, the
        # connection does, and the agent ends what it started.
        worker = threading.Thread(target=self._run, args=(instance, scripts), daemon=True)
        worker.start()
        yield
        with self._host.reporter.step("install into the running environment"):
            worker.join()
        self.done = self._failure is None
        if self._failure is not None:
            self._host.reporter.warn(f"{self._failure}, so the environment is made anew")

    def _run(self, instance: Instance, scripts: Sequence[LiveScript]) -> None:
        try:
            for one in scripts:
                spec = ExecSpec(argv=shell_argv(one.script), user=one.user, workdir="/", stdin=False)
                status = stream_lines(instance, spec, self._tail.append)
                if status:
                    last = next((line for line in reversed(self._tail) if line.strip()), "")
                    self._failure = f"it did not go into what runs (exit code {status}: {last})"
                    return
        except DevboxError as error:
            self._failure = f"it did not go into what runs ({error.message})"
