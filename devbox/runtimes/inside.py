"""What an Instance does through its agent, whatever the runtime."""

import contextlib
from collections.abc import Sequence
from typing import Final

from devbox.agent import session
from devbox.agent.protocol import GuestSession
from devbox.agent.transport import Transport
from devbox.errors import AgentError
from devbox.runtimes.agent import exec_message, explained
from devbox.runtimes.base import ExecSpec, Session
from devbox.values import GuestUser, printable

AGENT: Final = "/run/devbox/agent"  # the agent's program inside


class Inside:
    """The part of `runtimes.base.Instance` that needs nothing but a way to the agent."""

    @property
    def name(self) -> str:
        """The name from the spec."""
        raise NotImplementedError

    @property
    def spec_digest(self) -> str:
        """`InstanceSpec.digest` of what it was made from, by which its agent knows itself."""
        raise NotImplementedError

    def connect(self) -> Transport:
        """Open a connection to its agent."""
        raise NotImplementedError

    def exec(self, spec: ExecSpec) -> Session:
        """Start a process inside; `EngineError` if it does not run, `CannotStartError` if it cannot be started."""
        return self._exec(spec)

    def own(self, directories: Sequence[str], user: GuestUser) -> None:
        """Give those directories inside that are root's to `user`; `AgentError` if one cannot be given."""
        argv = (AGENT, "own", f"{user.uid}:{user.gid}", *directories)
        self.run_as_root(
            argv,
            failure="the directories of its mounts cannot be given to the user inside",
            hint="look at what stands there: devbox exec -u root -- ls -la /workspaces",
        )

    def run_as_root(self, argv: Sequence[str], *, failure: str, hint: str, given: bytes = b"") -> None:
        """Run a program inside to its end; `AgentError` with `failure` and what it said if it fails."""
        words = b""
        started = self._exec(ExecSpec(argv=tuple(argv), user="0:0", workdir="/", stdin=bool(given)), given)
        with contextlib.closing(started), explained(self.name):
            while (frame := started.receive()) is not None:
                words += frame[1]
            status = started.exit_code()
        if status:
            said = printable(words.decode("utf-8", "replace").strip())
            raise AgentError(f"{self.name}: {failure}", detail=said or None, hint=hint)

    def _exec(self, spec: ExecSpec, given: bytes = b"") -> Session:
        with explained(self.name, spec):
            return session.start(self.connect(), self.spec_digest, exec_message(spec), given=given)

    def sessions(self) -> tuple[GuestSession, ...]:
        """Return the processes that were started inside and have not ended."""
        with explained(self.name):
            return session.ask_sessions(self.connect(), self.spec_digest)
