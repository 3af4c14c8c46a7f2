"""`shell` and `exec` by the Record: a process inside, as if it ran here."""

from __future__ import annotations

import os

from devbox import paths
from devbox.agent import client, wire
from devbox.agent.relay import relay
from devbox.hot import place
from devbox.hot.inputs import workspace_hash
from devbox.record import unpack
from devbox.supervisor.probe import flush

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from devbox.hot.words import Words

_TERMINAL = ("TERM", "COLORTERM")  # what is told of a terminal; see devbox.workspace.guest_env
_WHO = ("HOME", "USER", "LOGNAME")  # another user than the usual one gets these from the agent


def enter(words: Words, entry: Mapping[str, str], environ: Mapping[str, str], cwd: str) -> int | None:
    """Run what `words` ask for and return its exit code; None if the container is not as `up` left it.

    `client.AgentError` as from `relay`.
    """
    if words.verb == "shell" and not is_as_up_left_it(entry):
        return None
    terminal = not words.detach and _isatty(0) and _isatty(1)
    message = wire.ExecMessage(
        _argv(words, entry),
        user=words.user or entry["user"],
        cwd=words.workdir or place.inside(cwd, entry["project"], guest=entry["guest"], default=entry["workdir"]),
        env=_env(words, entry, environ, terminal=terminal),
        flags=wire.FLAG_DETACH if words.detach else wire.FLAG_STDIN | (wire.FLAG_TERMINAL if terminal else 0),
    )
    said = _synced(words, entry)
    if said is None:
        return None
    transport = client.dial(entry["socket"])
    status = relay(transport, identity=entry["spec"], request=message, terminal=terminal)
    if not words.detach:
        _synced(words, entry, after=said)
    return status


def _synced(words: Words, entry: Mapping[str, str], *, after: str | None = None) -> str | None:
    """Have what was changed here inside before a command; None if nobody can. With no sync there is nothing to do.

    `after`: what was said then, of a command that has ended: both sides are to be equal. Returns what is said of it.
    """
    if not entry["sync"]:
        return ""
    said = flush(paths.supervisor_socket(workspace_hash(entry["project"], words.machine)), inward=after is None)
    if said and said != (after or "") and not words.quiet:
        _say(f"warning: {said}\n")
    return said


def _say(text: str) -> None:
    try:
        os.write(2, text.encode())
    except OSError:
        return  # nobody is left to hear it


def is_as_up_left_it(entry: Mapping[str, str]) -> bool:
    """Whether the agent that answers is the very one that `up` spoke to; `client.AgentError` if none does."""
    transport = client.dial(entry["socket"])
    try:
        answer, _ = client.hello(transport, entry["spec"], wire.Decoder())
    finally:
        transport.close()
    return answer.boot == entry["boot"]


def _argv(words: Words, entry: Mapping[str, str]) -> list[str]:
    if words.verb == "exec":
        return words.argv
    return [*unpack(entry["command"]), *words.argv] if words.argv else unpack(entry["login"])


def _env(words: Words, entry: Mapping[str, str], environ: Mapping[str, str], *, terminal: bool) -> list[str]:
    known = [pair.partition("=") for pair in unpack(entry["env"])]
    env = {name: value for name, _, value in known if not (words.user and name in _WHO)}
    if terminal:
        env.update((name, environ[name]) for name in _TERMINAL if environ.get(name))
    env.update((name, environ[name]) for name in unpack(entry["from_host"]) if name in environ)
    env.update((name, value) for name, _, value in (pair.partition("=") for pair in words.env))
    return [f"{name}={value}" for name, value in env.items()]


def _isatty(descriptor: int) -> bool:
    try:
        return os.isatty(descriptor)
    except OSError:
        return False
