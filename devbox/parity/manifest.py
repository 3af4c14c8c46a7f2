"""The content manifest: what a root file system holds, as text of one line per path. Pure.

docs/reference/manifest.md has the format. The same content gives the same text, byte for byte.
"""

import hashlib
import re
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Final

from devbox.errors import ManifestError, Problem

VERSION: Final = 1
HEAD: Final = "devbox-manifest"
SIZE_LIMIT: Final = 1024**3  # bytes of a file of somebody else's
NOISE_CONTENT: Final = "noise"
USER: Final = "user"  # stands for the uid and gid of whoever works inside
_NONE: Final = "-"
_KINDS: Final = ("file", "dir", "link", "char", "block", "pipe")
_PLAIN = re.compile(rb"[^\x21-\x5b\x5d-\x7e]")
_ESCAPE = re.compile(r"\\x([0-9a-f]{2})")
_FIELDS: Final = (
    ("path", re.compile(r"/[\x21-\x7e]*")),
    ("type", re.compile("|".join(_KINDS))),
    ("mode", re.compile(r"[0-7]{4}|-")),
    ("owner", re.compile(rf"{USER}|(?:{USER}|[0-9]+):[0-9]+")),
    ("size", re.compile(r"[0-9]+|-")),
    ("content", re.compile(rf"sha256:[0-9a-f]{{64}}|{NOISE_CONTENT}|-")),
    ("target", re.compile(r"[\x21-\x7e]+")),
    ("capabilities", re.compile(r"[0-9a-f]+|-")),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One path. `mode`: four octal digits, "-" for a link. `owner`: "user" or "uid:gid"."""

    path: str
    kind: str
    mode: str
    owner: str
    size: int | None = None  # bytes; None where there is none, or it is not compared
    content: str = _NONE  # "sha256:<64 hex>", "noise" or "-"
    target: str = ""  # of a link; "major:minor" of a device
    capabilities: str = _NONE  # the file's capabilities as the kernel keeps them, in hex

    @property
    def line(self) -> str:
        """The entry as it is written, without its line end."""
        size = _NONE if self.size is None else str(self.size)
        words = (escape(self.path), self.kind, self.mode, self.owner, size, self.content)
        return " ".join((*words, escape(self.target, alone=True), self.capabilities))


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """The entries, sorted by the bytes of their paths, each path once."""

    entries: tuple[Entry, ...]

    @cached_property
    def text(self) -> str:
        """The manifest as it is written to a file; ASCII alone."""
        return "".join(f"{line}\n" for line in (f"{HEAD} {VERSION}", *(entry.line for entry in self.entries)))

    @cached_property
    def digest(self) -> str:
        """The SHA-256 of the text, "sha256:<64 hex>"."""
        return "sha256:" + hashlib.sha256(self.text.encode("ascii")).hexdigest()


def sort_key(path: str) -> bytes:
    """Return what paths are sorted by."""
    return path.encode("utf-8", "surrogateescape")


def escape(text: str, *, alone: bool = False) -> str:
    r"""Return `text` in printable ASCII without spaces: every other byte, and the backslash, is `\xNN`.

    `alone`: nothing is written as "-", and so a real "-" has to be escaped.
    """
    if alone and text in ("", _NONE):
        return r"\x2d" if text else _NONE
    data = text.encode("utf-8", "surrogateescape")
    return _PLAIN.sub(lambda match: b"\\x%02x" % match[0][0], data).decode("ascii")


def unescape(text: str) -> str:
    r"""Return what `escape` was given; `ValueError` for a backslash that begins no `\xNN`."""
    if "\\" not in text:
        return text
    if "\\" in _ESCAPE.sub("", text):
        raise ValueError(r"has a backslash that begins no \xNN")
    data = _ESCAPE.sub(lambda match: chr(int(match[1], 16)), text).encode("latin-1")
    return data.decode("utf-8", "surrogateescape")


def parse(data: bytes, *, file: str) -> Manifest:
    """Return the manifest that a file holds; `file`: its name, for messages.

    `ManifestError` with the line if it is none, was damaged, or is of a version that is not known here.
    """
    try:
        head, *lines = data.decode("ascii").split("\n")
    except UnicodeDecodeError as error:
        raise _unusable(file, data.count(b"\n", 0, error.start) + 1, "not a manifest: it is not plain ASCII") from error
    word, _, version = head.partition(" ")
    if word != HEAD:
        raise _unusable(file, 1, f'not a manifest: its first line is not "{HEAD} {VERSION}"')
    if version != str(VERSION):
        raise _unusable(file, 1, f"of version {version[:20]}, which this devbox does not read; it reads {VERSION}")
    if lines[-1:] != [""]:
        raise _unusable(file, len(lines) + 1, "breaks off in the midst of a line")
    entries = tuple(_entry(line, file, number) for number, line in enumerate(lines[:-1], start=2))
    for number, (one, other) in enumerate(pairwise(entries), start=3):
        if sort_key(one.path) >= sort_key(other.path):
            raise _unusable(file, number, "not in order: its path does not come after the one before")
    return Manifest(entries=entries)


def _entry(line: str, file: str, number: int) -> Entry:
    words = line.split(" ")
    if len(words) != len(_FIELDS):
        raise _unusable(file, number, f"has {len(words)} fields, not {len(_FIELDS)}")
    for (name, pattern), word in zip(_FIELDS, words, strict=True):
        if not pattern.fullmatch(word):
            raise _unusable(file, number, f"its {name} is none that a manifest has")
    path, kind, mode, owner, size, content, target, capabilities = words
    try:
        return Entry(
            path=unescape(path),
            kind=kind,
            mode=mode,
            owner=owner,
            size=None if size == _NONE else int(size),
            content=content,
            target="" if target == _NONE else unescape(target),
            capabilities=capabilities,
        )
    except ValueError as error:
        raise _unusable(file, number, str(error)) from error


def _unusable(file: str, line: int, message: str) -> ManifestError:
    problem = Problem(message=message, file=file, line=line)
    hint = "have it written again: devbox verify --write FILE"
    return ManifestError(f"{file} cannot be used as a manifest", hint=hint, problems=[problem])
