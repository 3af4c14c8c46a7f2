"""One file of a profile, read as a stranger's: bounded, never blocking, every surprise a `Problem`."""

import os
import re
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import tomli

from devbox.errors import Problem
from devbox.profile.linemap import child, linemap
from devbox.values import printable

SIZE_MAX: Final = 1_000_000  # bytes
DEPTH_MAX: Final = 16  # tables and lists within each other; the schema needs 6
_INTEGER_MAX: Final = 2**63
_BOM: Final = b"\xef\xbb\xbf"
_LONG_NUMBER: Final = re.compile(r"[0-9][0-9_]{4000,}")
_POSITION: Final = re.compile(r" \(at (?:line (?P<line>\d+), column \d+|end of document)\)\Z")

_QUOTED: Final = re.compile(r"['\"]((?:[^'\"\\]|\\.)*)['\"]")
_TWICE: Final = re.compile(r"Cannot declare \((?P<names>.*)\) twice")
_PLAINER: Final[Mapping[str, str]] = {  # tomli's words that a person would not find the mistake by
    "Cannot overwrite a value": "this key has been set before",
    "Illegal character '\\n'": "the quotes are not closed on this line",
}


class Refused(Exception):
    """A file or document that cannot be used; `problem` says why."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A parsed TOML document and the line of each of its keys."""

    tree: dict[str, object]
    lines: Mapping[str, int]


def read_file(
    path: Path, *, shown: str, below: Path | None = None, kind: str = "profile", limit: int = SIZE_MAX
) -> bytes:
    """Return the content of the regular file `path`, at most `limit` bytes; `Refused` for anything else.

    Never waits for a FIFO's writer. A file of another ordinary user is refused (S-08), and a link that leads
    out of the real path `below`. `shown` names it, `kind` what it should be.
    """
    try:
        if below is not None and not path.resolve().is_relative_to(below):
            raise _refuse(shown, "is a link that leads out of the project")
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError, RuntimeError) as error:  # RuntimeError: a circle of links
        raise _refuse(shown, f"cannot be read: {_reason(error)}") from error
    try:
        facts = os.fstat(descriptor)
        if not stat.S_ISREG(facts.st_mode):
            raise _refuse(shown, "is no regular file")
        if not may_own(facts.st_uid, user=os.geteuid()):
            raise _refuse(shown, f"belongs to another user (uid {facts.st_uid}), who could make devbox do things")
        content = _up_to(descriptor, limit + 1)
    except OSError as error:
        raise _refuse(shown, f"cannot be read: {_reason(error)}") from error
    finally:
        os.close(descriptor)
    if len(content) > limit:
        raise _refuse(shown, f"is larger than {limit // 1_000_000} MB, which no {kind} is")
    return content


def _up_to(descriptor: int, size: int) -> bytes:
    """Return what can be read, at most `size` bytes."""
    content = b""
    while len(content) < size and (more := os.read(descriptor, size - len(content))):
        content += more
    return content


def may_own(owner: int, *, user: int) -> bool:
    """Whether `user` may use a file of `owner`: it is the user's own or root's, or the user is root."""
    return owner in (user, 0) or user == 0


def decode(content: bytes, *, shown: str) -> str:
    """Return `content` as text without a byte-order mark; `Refused` names the line of a byte that is no UTF-8."""
    content = content.removeprefix(_BOM)
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
            raise _refuse(shown, "is UTF-16; save it as UTF-8", line=1) from error
        before = content[: error.start]
        line = before.count(b"\n") + 1
        column = error.start - (before.rfind(b"\n") + 1) + 1
        raise _refuse(
            shown, f"byte 0x{content[error.start]:02x} in column {column} is not UTF-8; save the file as UTF-8", line
        ) from error


def parse(text: str, *, shown: str, deep: int = DEPTH_MAX) -> Document:
    """Return the TOML document `text`; `Refused` for what is no TOML, deeper than `deep` or too large a number."""
    try:
        tree = tomli.loads(text)
    except tomli.TOMLDecodeError as error:
        raise _syntax(shown, str(error), text) from error
    except RecursionError as error:
        raise _refuse(shown, f"is nested deeper than {deep} levels, which no profile is") from error
    except ValueError as error:  # an integer beyond Python's limit of digits
        match = _LONG_NUMBER.search(text)
        line = text.count("\n", 0, match.start()) + 1 if match else None
        raise _refuse(shown, "a number is too large", line) from error
    if too_deep(tree, deep):
        raise _refuse(shown, f"is nested deeper than {deep} levels, which no profile is")
    lines = linemap(text)
    for path in _huge_integers(tree):
        raise _refuse(shown, "the number is too large", lines.get(path), key=path)
    return Document(tree=tree, lines=lines)


def too_deep(tree: object, deep: int = DEPTH_MAX) -> bool:
    """Whether tables and lists lie within each other more than `deep` times; does not recurse."""
    level: list[object] = [tree]
    for _ in range(deep + 1):
        level = [inner for outer in level for inner in _inner(outer)]
        if not level:
            return False
    return True


def _inner(value: object) -> list[object]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []


def _huge_integers(value: object, path: str = "") -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _huge_integers(inner, child(path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _huge_integers(inner, child(path, index))
    elif isinstance(value, int) and not -_INTEGER_MAX <= value < _INTEGER_MAX:
        yield path


def _syntax(shown: str, words: str, text: str) -> Refused:
    match = _POSITION.search(words)
    line = int(match["line"]) if match and match["line"] else text.rstrip("\n").count("\n") + 1
    what = words[: match.start()] if match else words
    if twice := _TWICE.fullmatch(what):
        what = f"[{'.'.join(re.findall(_QUOTED, twice['names']))}] stands here a second time"
    plainer = _PLAINER.get(what) or printable(what[:1].lower() + what[1:])
    return _refuse(shown, f"not TOML: {plainer}", line)


def _reason(error: Exception) -> str:
    text = getattr(error, "strerror", None) or str(error)
    return str(text).lower()


def _refuse(shown: str, message: str, line: int | None = None, *, key: str | None = None) -> Refused:
    return Refused(Problem(message=message, file=shown, line=line, key=key))
