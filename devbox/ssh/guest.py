"""What the client asked for, as the agent is to be told: environment, terminal modes, command. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

# What a client may set (S-31); TERM comes with its terminal. GIT_PROTOCOL is how git asks for its newer protocol.
_ACCEPTED: Final = frozenset({"LANG", "LANGUAGE", "TZ", "COLORTERM", "NO_COLOR", "GIT_PROTOCOL"})
_LONGEST: Final = 4096
# bash reads ~/.bashrc for a command that comes by ssh, and prompts say where one is: both look for these.
_HERE: Final = {"SSH_CLIENT": "127.0.0.1 0 22", "SSH_CONNECTION": "127.0.0.1 0 127.0.0.1 22"}
_UNDEFINED: Final = 255

# RFC 4254, section 8: number, stty's name, what a new terminal of the agent's has.
_CHARACTERS: Final = {
    1: ("intr", 0x03),
    2: ("quit", 0x1C),
    3: ("erase", 0x7F),
    4: ("kill", 0x15),
    5: ("eof", 0x04),
    8: ("start", 0x11),
    9: ("stop", 0x13),
    10: ("susp", 0x1A),
    13: ("werase", 0x17),
    14: ("lnext", 0x16),
}
_SWITCHES: Final = {
    36: ("icrnl", True),
    38: ("ixon", True),
    39: ("ixany", False),
    42: ("iutf8", True),
    50: ("isig", True),
    51: ("icanon", True),
    53: ("echo", True),
    54: ("echoe", True),
    55: ("echok", True),
    58: ("tostop", False),
    72: ("onlcr", True),
}
_WITH_MODES: Final = 'stty $0 >/dev/null 2>&1; exec "$@"'  # an image without stty has the modes of a new terminal


@dataclass(frozen=True, slots=True, kw_only=True)
class Front:
    """All that one connection needs to know. `env` is laid under what the client sets."""

    socket: str  # of the agent
    identity: str  # that the agent must have
    host_key: Path
    name: str  # of the user inside, whom the client asks for
    run_as: str  # the same, as EXEC wants it: "uid:gid"
    workdir: str
    shell: tuple[str, ...]  # the command that is an interactive shell
    command: tuple[str, ...]  # the command that runs the text which is put behind it
    env: tuple[tuple[str, str], ...] = ()  # for that user
    env_of_others: tuple[tuple[str, str], ...] = ()  # for another one, of whom the agent knows HOME and the like


def environment(
    front: Front, username: str, sent: Mapping[bytes, bytes], *, terminal: str | None, agent: str | None
) -> tuple[str, ...]:
    """Return "K=V" for a process. `sent`: what the client sets; `terminal`: its TERM; `agent`: a forwarded socket."""
    values = dict(front.env if username == front.name else front.env_of_others) | _HERE
    values |= {name: value for name, value in map(_decoded, sent.items()) if _acceptable(name, value)}
    if terminal:
        values["TERM"] = terminal
    if agent:
        values["SSH_AUTH_SOCK"] = agent
    return tuple(f"{name}={value}" for name, value in values.items())


def _decoded(pair: tuple[bytes, bytes]) -> tuple[str, str]:
    name, value = pair
    return name.decode("ascii", "replace"), value.decode("utf-8", "surrogateescape")


def _acceptable(name: str, value: str) -> bool:
    known = name in _ACCEPTED or (name.startswith("LC_") and name[3:].isalnum())
    return known and len(value) <= _LONGEST and "\0" not in value


def with_modes(argv: tuple[str, ...], modes: Mapping[int, int]) -> tuple[str, ...]:
    """Return `argv` so that its terminal has the client's `modes`, as far as they are not what it has anyway."""
    words = stty(modes)
    return ("/bin/sh", "-c", _WITH_MODES, " ".join(words), *argv) if words else argv


def stty(modes: Mapping[int, int]) -> list[str]:
    """Return the words for stty that make a new terminal's modes those of the client."""
    words: list[str] = []
    for number, (name, usual) in _CHARACTERS.items():
        value = modes.get(number, usual)
        if value != usual and 0 <= value <= _UNDEFINED:
            words += [name, "undef" if value == _UNDEFINED else f"0x{value:02x}"]
    for number, (name, usually) in _SWITCHES.items():
        wanted = bool(modes.get(number, usually))
        if wanted != usually:
            words.append(name if wanted else f"-{name}")
    return words
