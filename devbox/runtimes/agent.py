"""What is said to an agent, whatever the runtime, and what its refusals mean in words."""

import contextlib
import errno
import os
from collections.abc import Callable, Iterator
from typing import Final

from devbox.agent import client, wire
from devbox.agent.transport import Transport
from devbox.errors import AgentError, CannotStartError, EngineError, UsageError
from devbox.runtimes.base import AgentState, ExecSpec
from devbox.values import printable

AGAIN: Final = "run: devbox up"


@contextlib.contextmanager
def explained(name: str, spec: ExecSpec | None = None) -> Iterator[None]:
    """Turn what goes wrong with the agent of `name` into an error in words.

    `spec`: what was to be started.
    """
    try:
        yield
    except client.StartError as error:
        raise cannot_start(error, spec) from error
    except client.AgentLost as error:
        raise AgentError(f"{name} ended in the middle: {error}", hint="devbox status, then devbox up") from error
    except client.AgentBusy as error:
        hint = "wait until something that you started inside has ended"
        raise AgentError(f"{name} takes nobody in: {error}", hint=hint) from error
    except client.AgentError as error:
        raise AgentError(f"the agent of {name} cannot be used: {error}", hint=AGAIN) from error
    except ValueError as error:
        raise UsageError(str(error), hint="say it with less, or from a file") from error
    except wire.WireError as error:
        raise AgentError(f"the agent of {name} says what no agent says: {error}", hint=AGAIN) from error


def cannot_start(error: client.StartError, spec: ExecSpec | None) -> CannotStartError:
    """Return in words why a process was not started, with the exit code that a shell has for it."""
    argv0 = printable(spec.argv[0]) if spec and spec.argv else "the command"
    why = os.strerror(error.errno).lower()
    match error.stage:
        case wire.STAGE_USER:
            who = printable(spec.user) if spec else ""
            return CannotStartError(
                f"there is no user {who!r} inside", status=126, hint='name one of /etc/passwd inside, or "uid:gid"'
            )
        case wire.STAGE_CWD:
            where = printable(spec.workdir) if spec else ""
            what = "does not exist" if error.errno == errno.ENOENT else f"cannot be entered: {why}"
            return CannotStartError(
                f"the working directory {where} {what}", status=126, hint="name another one with -w, or make it inside"
            )
        case wire.STAGE_EXEC if error.errno == errno.ENOENT:
            return CannotStartError(
                f"{argv0}: not found inside", status=127, hint="look at the name, and at PATH inside"
            )
        case wire.STAGE_EXEC:
            return CannotStartError(f"{argv0} cannot be run: {why}", status=126, hint="look at its mode and its kind")
        case _:
            return CannotStartError(
                f"{argv0} cannot be started: {why}", status=126, hint="give the environment more with resources.pids"
            )


def exec_message(spec: ExecSpec) -> wire.ExecMessage:
    """Return the message that starts `spec`."""
    flags = wire.FLAG_TERMINAL if spec.terminal else 0
    flags |= wire.FLAG_STDIN if spec.stdin else 0
    return wire.ExecMessage(
        spec.argv,
        user=spec.user,
        cwd=spec.workdir,
        env=[f"{name}={value}" for name, value in spec.env],
        flags=wire.FLAG_DETACH if spec.detach else flags,
        size=(spec.rows, spec.columns),
    )


def heard(connect: Callable[[], Transport], identity: str) -> tuple[AgentState, str]:
    """Return how the agent `identity` answers, now, and its boot id (32 hex); that is empty if it does not."""
    try:
        with contextlib.closing(connect()) as transport:
            answer, _ = client.hello(transport, identity, wire.Decoder())
    except client.OtherAgent:
        return AgentState.OTHER, ""
    except client.AgentBusy:  # to start it again would end all that it is busy with
        return AgentState.ANSWERS, ""
    except (client.AgentError, AgentError, EngineError, OSError):
        return AgentState.SILENT, ""
    return AgentState.ANSWERS, answer.boot
