"""`shell` and `exec` by the Record: a process inside, as if it ran here."""

from __future__ import annotations

import os

from devbox.agent import wire
from devbox.agent.relay import relay
from devbox.hot import place
from devbox.record import unpack

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from devbox.hot.door import Door
    from devbox.hot.words import Words

_LOST = "sync does not answer any more; devbox sync status"
_TERMINAL = ("TERM", "COLORTERM")  # what is told of a terminal; see devbox.workspace.guest_env
_WHO = ("HOME", "USER", "LOGNAME")  # another user than the usual one gets these from the agent


def enter(words: Words, entry: Mapping[str, str], environ: Mapping[str, str], cwd: str, door: Door) -> int | None:
    """Run what `words` ask for and return its exit code; None if the container is not as `up` left it.

    `client.AgentError` as from `relay`.
    """
    if words.verb == "shell" and door.greeting.answer().boot != entry["boot"]:  # another one than `up` spoke to
        return None
    terminal = not words.detach and _isatty(0) and _isatty(1)
    message = wire.ExecMessage(
        _argv(words, entry),
        user=words.user or entry["user"],
        cwd=words.workdir or place.inside(cwd, entry["project"], guest=entry["guest"], default=entry["workdir"]),
        env=_env(words, entry, environ, terminal=terminal),
        flags=wire.FLAG_DETACH if words.detach else wire.FLAG_STDIN | (wire.FLAG_TERMINAL if terminal else 0),
    )
    if door.sync and not door.sync.is_soon():
        door.greeting.answer()  # an agent does not let those stay for long who say nothing
    said = door.sync.said() if door.sync else ""
    if said is None:
        return None
    _warn(words, said)
    status = relay(door.greeting, request=message, terminal=terminal)
    if door.sync and not words.detach:
        after = door.sync.both(door.greeting.told)
        _warn(words, _LOST if after is None else after if after != said else "")
    return status


def _warn(words: Words, said: str | None) -> None:
    if said and not words.quiet:
        _say(f"warning: {said}\n")


def _say(text: str) -> None:
    try:
        os.write(2, text.encode())
    except OSError:
        return  # nobody is left to hear it


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
