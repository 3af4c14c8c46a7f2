"""The text that OpenSSH's client reads: a Host entry, and the one line of ~/.ssh/config that includes it. Pure.

ssh takes a file's lines apart by its own rules (quotes, backslash), expands %-tokens in some values, and gives
ProxyCommand to the user's shell as it stands: each value here is written for all that will be done to it.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

_MADE: Final = "# made by devbox ssh-config; it writes this file anew"
_PROJECT: Final = "# project: "
_INCLUDE_NOTE: Final = "# by devbox ssh-config --write; devbox ssh-config --remove takes it out"
_ALIAS: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}\Z")
_PLAIN: Final = re.compile(r"[A-Za-z0-9_@%+=:,./-]+\Z")  # nothing in it for any shell
_APART: Final = re.compile(r"(['\\!])")
_CIPHERS: Final = "aes128-gcm@openssh.com,aes256-gcm@openssh.com,chacha20-poly1305@openssh.com,aes128-ctr"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One Host of the client's configuration."""

    host: str  # what the user types
    key_alias: str  # the name under which the host key is pinned
    user: str
    proxy: tuple[str, ...]  # the command that speaks SSH on its standard streams
    known_hosts: str  # absolute path
    identity: str | None = None  # absolute path of a key; None: whoever runs `proxy` needs none


def check_alias(name: str) -> str:
    """Return `name` if it can be the Host of an entry, else raise `ValueError`."""
    if not _ALIAS.match(name):
        raise ValueError("not a name for a host: letters, digits, dot, _ and -, a letter or digit first")
    return name


def render(entry: Entry) -> str:
    """Return the entry; `ValueError` if a path has a line break or another control character, which none can hold."""
    options = (
        ("User", entry.user),
        ("ProxyCommand", proxy_command(entry.proxy)),
        ("HostKeyAlias", entry.key_alias),
        ("UserKnownHostsFile", file_value(entry.known_hosts)),
        ("GlobalKnownHostsFile", "/dev/null"),
        ("StrictHostKeyChecking", "yes"),
        ("HostKeyAlgorithms", "ssh-ed25519"),
        ("CheckHostIP", "no"),
        ("UpdateHostKeys", "no"),
        ("IdentityFile", file_value(entry.identity) if entry.identity else "none"),
        *((("IdentityAgent", "none"),) if entry.identity else ()),
        ("IdentitiesOnly", "yes"),
        ("PubkeyAuthentication", "yes" if entry.identity else "no"),
        ("PasswordAuthentication", "no"),
        ("KbdInteractiveAuthentication", "no"),
        ("ForwardAgent", "no"),
        ("ForwardX11", "no"),
        ("PermitLocalCommand", "no"),
        ("CanonicalizeHostname", "no"),
        ("Compression", "no"),
        ("Ciphers", _CIPHERS),
    )
    lines = [f"Host {check_alias(entry.host)}", *(f"  {name} {value}" for name, value in options)]
    return "\n".join(lines) + "\n"


def entry_file(entry: Entry, directory: str) -> str:
    """Return the whole file that holds the entry; `directory` is the project's."""
    return f"{_MADE}\n{_PROJECT}{_single_line(directory)}\n{render(entry)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What a file that `entry_file` wrote says of itself."""

    host: str
    directory: str
    proxy: str  # as it stands there


def parse(text: str) -> Written | None:
    """Return what such a file says; None if it is none."""
    lines = text.split("\n")
    if lines[0] != _MADE:
        return None
    found = {word: rest for word, _, rest in (line.strip().partition(" ") for line in lines[2:])}
    directory = lines[1].removeprefix(_PROJECT) if len(lines) > 1 else ""
    return Written(host=found.get("Host", ""), directory=directory, proxy=found.get("ProxyCommand", ""))


def proxy_command(argv: Sequence[str]) -> str:
    """Return `argv` as ProxyCommand takes it: for a shell, and with every % doubled."""
    return " ".join(_quoted(_single_line(word)) for word in argv).replace("%", "%%")


def _quoted(word: str) -> str:
    """Return `word` as one word of whatever shell the user has.

    In single quotes a backslash is itself for sh but not for fish, and a directory's name, which a repository's author
    chooses, could end them there. Before a quote, a backslash or a ! that stands outside, all shells agree on it.
    """
    if _PLAIN.match(word):
        return word
    pieces = _APART.split(word)  # every second one is such a character
    quoted = ("\\" + piece if number % 2 else piece and f"'{piece}'" for number, piece in enumerate(pieces))
    return "".join(quoted) or "''"


def file_value(path: str) -> str:
    """Return a path as the value of an option that takes files: in quotes, and with every % doubled."""
    escaped = _single_line(path).replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{escaped}"'


def include_line(pattern: str) -> str:
    """Return the line that includes the files which fit `pattern`."""
    escaped = _single_line(pattern).replace("\\", "\\\\").replace('"', '\\"')
    return f'Include "{escaped}"'


def with_include(text: str, pattern: str) -> str:
    """Return a ~/.ssh/config with the Include as its first lines; unchanged if it has it on a line of its own there.

    First, since below a Host it would hold for that alone, and since the first value that ssh finds counts.
    """
    if has_include(text, pattern):
        return text
    rest = without_include(text, pattern)
    newline = "\r\n" if "\r\n" in text else "\n"
    return f"{_INCLUDE_NOTE}{newline}{include_line(pattern)}{newline}{rest}"


def without_include(text: str, pattern: str) -> str:
    """Return a ~/.ssh/config without the lines that `with_include` put into it; every other is as it was."""
    kept: list[str] = []
    for line in re.findall(r"[^\n]*\n|[^\n]+", text):
        if line.strip() != include_line(pattern):
            kept.append(line)
        elif kept and kept[-1].strip() == _INCLUDE_NOTE:
            kept.pop()
    return "".join(kept)


def has_include(text: str, pattern: str) -> bool:
    """Whether the Include stands above the first Host or Match."""
    for line in text.split("\n"):
        word = line.strip()
        if word == include_line(pattern):
            return True
        if re.match(r"(host|match)\b", word, re.IGNORECASE):
            return False
    return False


def _single_line(text: str) -> str:
    if any(ord(char) < 0x20 or ord(char) == 0x7F for char in text):
        raise ValueError("has a line break or another control character, which no ssh configuration can hold")
    return text
