"""What the scripts of all steps share. Pure."""

import shlex
from collections.abc import Iterable, Sequence
from typing import Final

from devbox.build.recipe import CACHE_DIRECTORY, REFUSAL, STATUS_TOOLCHAIN

_WORD: Final = 30_000  # characters: at most 120,000 bytes, and the kernel takes 131,071 in one word
_JOINED: Final = 'script=; for part; do script=$script$part; done; set --; eval "$script"'


def shell_argv(text: str) -> tuple[str, ...]:
    """Return the command that runs the script `text`, which may be longer than the kernel takes in one word."""
    if len(text) <= _WORD:
        return ("/bin/sh", "-c", text)
    parts = (text[start : start + _WORD] for start in range(0, len(text), _WORD))
    return ("/bin/sh", "-c", _JOINED, "sh", *parts)


def quoted(words: Iterable[str]) -> str:
    """Return `words` for a shell's command line."""
    return " ".join(shlex.quote(word) for word in words)


def always_quoted(word: str) -> str:
    """Return `word` for a shell's command line, in quotes whether it needs them or not.

    For files that stay: what is quoted must not depend on the name of somebody's directory.
    """
    return "'" + word.replace("'", "'\"'\"'") + "'"


def script(epoch: int, lines: Sequence[str], *, strict: bool = True) -> str:
    """Return a step's script: stop at the first failure, a fixed umask and date, then `lines`.

    `strict`: an unset variable is a failure; commands of the profile run without that.
    """
    head = ["set -eu" if strict else "set -e", "umask 022", f"export SOURCE_DATE_EPOCH={epoch}"]
    return "\n".join([*head, *lines]) + "\n"


def refuse(message: str, *, status: int = STATUS_TOOLCHAIN) -> str:
    """Return the command that ends a step with a reason. `message` may hold `$variables` of the script."""
    return f'{{ echo "{REFUSAL}{message}" >&2; exit {status}; }}'


def locked_cache(name: str) -> list[str]:
    """Return lines that take the lock of a cache mount, waiting for another build that holds it; sets `$cache`."""
    return [
        f"cache={CACHE_DIRECTORY}/{name}",
        "if command -v flock >/dev/null; then",
        '  exec 9>"$cache/devbox.lock"',
        '  flock -n 9 || { echo "waiting for another build that uses the same package cache"; flock 9; }',
        "fi",
    ]


def retried(command: str, *, attempts: int = 3) -> list[str]:
    """Return lines that run `command` up to `attempts` times, for tools that do not retry by themselves."""
    return [
        "attempt=1",
        f"until {command}; do",
        f'  [ "$attempt" -lt {attempts} ] || exit 1',
        '  echo "attempt $attempt failed, trying again"',
        '  sleep "$((attempt * 2))"',
        "  attempt=$((attempt + 1))",
        "done",
    ]
