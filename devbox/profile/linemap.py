"""Key to line: a small scan of a TOML document that only finds out where each key stands.

The scan trusts that tomli has parsed the document already and that it is not deeply nested; it is no parser
of its own. A key path is written `packages.system[2]`; a part that is no bare key is quoted as in TOML.
"""

import json
import re
from typing import Final

import tomli

_BARE: Final = re.compile(r"[A-Za-z0-9_-]+")
_SPACE: Final = re.compile(r"[ \t]*")
_GAP: Final = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_SCALAR: Final = re.compile(r"[^,\]}#\r\n]*")
_STRING: Final = re.compile(
    r'"""(?:[^\\"]|\\.|"{1,2}(?!"))*"{3,5}'  # up to two quotes can stand before the closing three
    r"|'''(?:[^']|'{1,2}(?!'))*'{3,5}"
    r'|"(?:[^"\\\n]|\\.)*"'
    r"|'[^'\n]*'",
    re.DOTALL,
)


def child(path: str, key: str | int) -> str:
    """Return the path of `key` (a table's key or a list's index) below `path`."""
    if isinstance(key, int):
        return f"{path}[{key}]"
    part = key if _BARE.fullmatch(key) else json.dumps(key, ensure_ascii=False)
    return f"{path}.{part}" if path else part


def join(parts: tuple[str | int, ...]) -> str:
    """Return the path that `parts` lead along."""
    path = ""
    for part in parts:
        path = child(path, part)
    return path


def linemap(text: str) -> dict[str, int]:
    """Return the line (from 1) of every key path of the TOML document `text`, tables and list items included.

    A table that is opened more than once has the line where it is named first.
    """
    scan = _Scan(text)
    scan.document()
    return scan.lines


class _Scan:
    """A position in a document, and what has been found before it."""

    def __init__(self, text: str) -> None:
        self.lines: dict[str, int] = {}
        self._text = text
        self._at = 0
        self._line = 1
        self._counts: dict[str, int] = {}  # arrays of tables: path to number of elements

    def document(self) -> None:
        """Scan to the end."""
        table = ""
        self._take(_GAP)
        while self._at < len(self._text):
            if self._text.startswith("[", self._at):
                table = self._header()
            else:
                self._pair(table)
            self._take(_GAP)

    def _take(self, pattern: re.Pattern[str]) -> str:
        match = pattern.match(self._text, self._at)
        taken = match.group() if match else ""
        self._at += len(taken)
        self._line += taken.count("\n")
        return taken

    def _skip(self, character: str) -> bool:
        if not self._text.startswith(character, self._at):
            return False
        self._at += len(character)
        return True

    def _header(self) -> str:
        is_array = self._skip("[[") or not self._skip("[")
        line = self._line
        *parents, last = self._key()
        self._skip("]]" if is_array else "]")
        path = ""
        for part in parents:
            path = self._element(self._note(child(path, part), line))
        path = self._note(child(path, last), line)
        if not is_array:
            return self._element(path)
        self._counts[path] = self._counts.get(path, 0) + 1
        return self._note(self._element(path), line)

    def _element(self, path: str) -> str:
        """Return the path of the array of tables' newest element, or `path` itself if it is none."""
        count = self._counts.get(path)
        return path if count is None else child(path, count - 1)

    def _note(self, path: str, line: int) -> str:
        self.lines.setdefault(path, line)
        return path

    def _pair(self, table: str) -> None:
        line = self._line
        path = table
        for part in self._key():
            path = self._note(child(path, part), line)
        self._skip("=")
        self._take(_SPACE)
        self._value(path)

    def _key(self) -> list[str]:
        parts: list[str] = []
        while True:
            self._take(_SPACE)
            bare = self._take(_BARE)
            parts.append(bare or _unquote(self._take(_STRING)))
            self._take(_SPACE)
            if not self._skip("."):
                return parts

    def _value(self, path: str) -> None:
        if self._skip("["):
            self._array(path)
        elif self._skip("{"):
            self._inline_table(path)
        elif not self._take(_STRING):
            self._take(_SCALAR)

    def _array(self, path: str) -> None:
        index = 0
        self._take(_GAP)
        while self._at < len(self._text) and not self._skip("]"):
            self._value(self._note(child(path, index), self._line))
            index += 1
            self._take(_GAP)
            self._skip(",")
            self._take(_GAP)

    def _inline_table(self, path: str) -> None:
        self._take(_GAP)
        while self._at < len(self._text) and not self._skip("}"):
            self._pair(path)
            self._take(_GAP)
            self._skip(",")
            self._take(_GAP)


def _unquote(raw: str) -> str:
    """Return what the quoted key `raw` says, by tomli itself."""
    value = tomli.loads(f"k={raw}")["k"]
    return str(value)
