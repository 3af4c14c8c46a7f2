"""Patterns as in .gitignore, read as git reads them.

Not by a library (a decision says why); a test compares with git itself. Everything is bytes, and no pattern, however
it was meant, goes back in a name.
"""

import re
from typing import Final, NamedTuple

_SPECIAL: Final = re.compile(rb"[*?\[\\]")
_CLASSES: Final = {
    b"alnum": b"0-9A-Za-z",
    b"alpha": b"A-Za-z",
    b"blank": rb" \t",
    b"cntrl": rb"\x00-\x1f\x7f",
    b"digit": b"0-9",
    b"graph": rb"\x21-\x7e",
    b"lower": b"a-z",
    b"print": rb"\x20-\x7e",
    b"punct": rb"\x21-\x2f\x3a-\x40\x5b-\x60\x7b-\x7e",
    b"space": rb" \t\n\r\f\v",
    b"upper": b"A-Z",
    b"xdigit": b"0-9A-Fa-f",
}


class PatternError(ValueError):
    """A line that git would never find a name for. `hint`: what to write instead."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


class Segment(NamedTuple):
    """A pattern for one name. What it is, is what is not None: a name, the end of a name (".pyc"), an expression.

    None of them: any number of names, as `**` between slashes has it.
    """

    literal: bytes | None = None
    ending: bytes | None = None
    regex: re.Pattern[bytes] | None = None

    def matches(self, name: bytes) -> bool:
        """Whether the name has this pattern."""
        if self.literal is not None:
            return name == self.literal
        if self.ending is not None:
            return name.endswith(self.ending)
        return self.regex is None or self.regex.match(name) is not None


ANY: Final = Segment()


class Pattern(NamedTuple):
    """One line. `floating`: for a name in any directory, else for the path that the segments make.

    `negative`: what it finds is not ignored. `directory`: it finds nothing but directories.
    """

    segments: tuple[Segment, ...]
    floating: bool
    negative: bool
    directory: bool


def pattern(line: bytes) -> Pattern | None:
    """Read a line without its end; None if it is empty or a comment. PatternError if it means nothing."""
    text = _without_spaces(line)
    if not text or text.startswith(b"#"):
        return None
    negative = text.startswith(b"!")
    text = text[negative:]
    directory = text.endswith(b"/")
    text = text[: len(text) - directory]
    if not text:
        return None
    floating = b"/" not in text
    names = text.removeprefix(b"/").split(b"/")
    if names[0] == b"**" and len(names) == 2 and names[1] != b"**":
        floating, names = True, names[1:]
    several = not floating
    segments = tuple(ANY if several and name == b"**" else segment(name) for name in names)
    return Pattern(segments, floating, negative, directory)


def _without_spaces(line: bytes) -> bytes:
    """The line without the spaces at its end, save one that is escaped."""
    kept = line.rstrip(b" ")
    behind = len(kept) - len(kept.rstrip(b"\\"))
    return kept + b" " if behind % 2 and len(kept) < len(line) else kept


def segment(glob: bytes) -> Segment:
    """Read what stands between two slashes."""
    if not _SPECIAL.search(glob):
        return Segment(literal=glob)
    if glob.startswith(b"*.") and not _SPECIAL.search(glob, 1) and glob.count(b".") == 1:
        return Segment(ending=glob[1:])
    return Segment(regex=_expression(glob))


def _expression(glob: bytes) -> re.Pattern[bytes]:
    """The glob as an expression that never goes back: each star ends at the first place where what follows it fits."""
    runs: list[bytes] = [b""]
    at = 0
    while at < len(glob):
        if glob[at : at + 1] == b"*":
            if runs[-1] or len(runs) == 1:
                runs.append(b"")
            at += 1
            continue
        one, at = _one(glob, at)
        runs[-1] += one
    if len(runs) == 1:
        return re.compile(runs[0] + rb"\Z", re.DOTALL)
    *middle, last = runs[1:]
    text = runs[0] + b"".join(b"(?>.*?" + run + b")" for run in middle) + b".*" + last + rb"\Z"
    return re.compile(text, re.DOTALL)


def _one(glob: bytes, at: int) -> tuple[bytes, int]:
    """The expression for one byte of a name, and where what follows begins."""
    match glob[at : at + 1]:
        case b"?":
            return b".", at + 1
        case b"[":
            return _bracket(glob, at)
        case b"\\":
            if at + 1 == len(glob):
                raise PatternError("a backslash at its end escapes nothing", "leave it out, or write \\\\")
            return re.escape(glob[at + 1 : at + 2]), at + 2
        case other:
            return re.escape(other), at + 1


def _bracket(glob: bytes, at: int) -> tuple[bytes, int]:
    """The expression for a set in brackets."""
    at += 1
    inverted = glob[at : at + 1] in (b"!", b"^")
    at += inverted
    items: list[bytes] = []
    first = True
    while first or glob[at : at + 1] != b"]":
        first = False
        item, at = _item(glob, at)
        items.append(item)
    return b"[" + b"^" * inverted + b"".join(items) + b"]", at + 1


def _item(glob: bytes, at: int) -> tuple[bytes, int]:
    """One part of a set: a class, a range, a byte."""
    if glob[at : at + 2] == b"[:":
        end = glob.find(b"]", at + 2)
        if end > at + 2 and glob[end - 1 : end] == b":":
            return _class(glob[at + 2 : end - 1]), end + 1
    low, at = _byte(glob, at)
    if glob[at : at + 1] != b"-" or glob[at + 1 : at + 2] in (b"]", b""):
        return _escaped(low), at
    high, at = _byte(glob, at + 1)
    return (_escaped(low) + b"-" + _escaped(high) if low <= high else _escaped(low)), at


def _class(name: bytes) -> bytes:
    if name not in _CLASSES:
        raise PatternError("[: begins no class of characters", "write one as in [[:digit:]], or \\[: for itself")
    return _CLASSES[name]


def _byte(glob: bytes, at: int) -> tuple[int, int]:
    if glob[at : at + 1] == b"\\":
        at += 1
    if at >= len(glob):
        raise PatternError("a bracket has no end", "write ] where it ends, or \\[ for itself")
    return glob[at], at + 1


def _escaped(byte: int) -> bytes:
    return b"\\x%02x" % byte
