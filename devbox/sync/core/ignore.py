"""What is not synced: by the host's .gitignore and .devboxignore files, the profile, and a few defaults."""

import re
from collections.abc import Iterable, Mapping, Sequence
from copy import copy
from typing import Final, NamedTuple

from devbox.errors import Problem
from devbox.sync.core.here import EMPTY, Here, Layer, Rule
from devbox.sync.core.modes import Git
from devbox.sync.core.patterns import PatternError, pattern

FILES: Final = (b".gitignore", b".devboxignore")  # names that hold rules; the later is stronger
LONGEST: Final = 256 * 1024 - 1  # bytes of such a file that are taken: one more can be read in one piece
MOST: Final = 5000  # lines

DEFAULTS: Final = (
    # What is made anew, and is of one machine: of another system, or with its paths inside.
    "node_modules/",
    ".venv/",
    "venv/",
    "__pycache__/",
    "*.py[co]",
    ".mypy_cache/",
    ".pytest_cache/",
    ".ruff_cache/",
    ".tox/",
    ".nox/",
    ".gradle/",
    ".direnv/",
    # What desktops and editors leave for themselves.
    ".DS_Store",
    ".*.sw[a-p]",
    ".#*",
)
# Files of `.git` that are there while one git works. `*.lock` may be a directory: of a submodule with such a name.
_IN_GIT: Final = (
    "*.lock",
    "!*.lock/",
    "tmp_obj_*",
    "tmp_pack_*",
    "tmp_idx_*",
    ".tmp-*",
    "/gc.pid",
    "/fsmonitor--daemon*",
)
_OURS: Final = ("/.devbox", ".devbox-tmp-*")

_CACHED: Final = 4096  # directories whose rules are remembered


class _Read(NamedTuple):
    """A list of patterns, and what is wrong with it."""

    rules: tuple[Rule, ...]
    problems: tuple[Problem, ...]


class Ignore:
    """All the rules of a session, a value: it never changes.

    `files`: content of each ignore file of the host by its path. `profile`: patterns of `[sync] ignore`. `volumes`:
    directories of `[sync] volumes`. A path is ignored if a directory above it is, whatever the rules say of itself.
    `.git` and what is in it are ignored by no .gitignore and no default, as git has it.
    """

    def __init__(
        self,
        files: Mapping[bytes, bytes] | None = None,
        *,
        profile: Sequence[str] = (),
        volumes: Sequence[str] = (),
        git: Git = Git.HOST_TO_GUEST,
    ) -> None:
        listed = _profile(profile)
        self._problems = listed.problems
        always = (*_OURS, *map(_of_volume, volumes), *([".git"] if git is Git.EXCLUDE else []))
        self._root = EMPTY.with_rules(
            (*_built_in(DEFAULTS, Layer.DEFAULT), *listed.rules, *_built_in(always, Layer.ALWAYS))
        )
        self._of_git = _built_in(_IN_GIT, Layer.OF_GIT)
        self._files = {path: _file(path, text) for path, text in (files or {}).items()}
        self._cache: dict[bytes, Here] = {}

    def replaced(self, files: Mapping[bytes, bytes | None]) -> "Ignore":
        """The same with these files instead (None: without). Cheap, whatever is in it already."""
        other = copy(self)
        other._files = {path: read for path, read in self._files.items() if path not in files}
        other._files |= {path: _file(path, text) for path, text in files.items() if text is not None}
        other._cache = {}
        return other

    def tells(self, path: bytes) -> bool:
        """Whether the ignore file at `path` has a rule, as it is known."""
        return path in self._files and bool(self._files[path].rules)

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Lines that mean nothing, and hence ignore nothing."""
        return (*self._problems, *(problem for read in self._files.values() for problem in read.problems))

    def here(self, directory: bytes) -> Here:
        """What holds in a directory that is not ignored itself. Cheap; keep it while asking for its names."""
        found = self._cache.get(directory)
        if found is not None:
            return found
        if len(self._cache) > _CACHED:
            self._cache.clear()
        unknown, at = [], directory
        while at not in self._cache:
            unknown.append(at)
            if not at:
                break
            at = at.rpartition(b"/")[0]
        above = self._cache.get(at, self._root)
        for path in reversed(unknown):
            above = self._cache[path] = self._entered(above, path)
        return above

    def _entered(self, above: Here, path: bytes) -> Here:
        name = path.rpartition(b"/")[2]
        found = above.beneath(name) if path else above
        if name == b".git":
            found = found.of_layer(Layer.DEVBOXIGNORE).with_rules(self._of_git)
        if b".git" in path.split(b"/"):
            return found
        own = [self._files.get(path + b"/" + name if path else name) for name in FILES]
        return found.with_rules(rule for read in own if read is not None for rule in read.rules)

    def ignores(self, path: bytes, *, directory: bool) -> bool:
        """Whether a path is not synced, be it for itself or for a directory above it."""
        end = path.find(b"/")
        while end >= 0:
            if self._ignores(path[:end], directory=True):
                return True
            end = path.find(b"/", end + 1)
        return self._ignores(path, directory=directory)

    def _ignores(self, path: bytes, *, directory: bool) -> bool:
        above, _, name = path.rpartition(b"/")
        return self.here(above).ignores(name, directory=directory)


def _of_volume(path: str) -> str:
    """The pattern for a directory of the profile."""
    names = (name for name in path.split("/") if name not in ("", "."))
    return "/" + re.sub(r"([*?\[\\ ])", r"\\\1", "/".join(names))


def _built_in(lines: Iterable[str], layer: Layer) -> tuple[Rule, ...]:
    encoded = (line.encode("utf-8", "surrogateescape") for line in lines)
    return tuple(rule for number, line in enumerate(encoded) for rule in _rule(line, (layer, 0, number)))


def _profile(lines: Sequence[str]) -> _Read:
    rules: list[Rule] = []
    problems: list[Problem] = []
    for number, line in enumerate(lines):
        try:
            rules += _rule(line.encode("utf-8", "surrogateescape"), (Layer.PROFILE, 0, number))
        except PatternError as error:
            problems.append(Problem(message=str(error), key=f"sync.ignore[{number}]", hint=error.hint))
    return _Read(tuple(rules), tuple(problems))


def _rule(line: bytes, weight: tuple[Layer, int, int]) -> tuple[Rule, ...]:
    found = pattern(line)
    return (Rule(weight, found),) if found else ()


def _file(path: bytes, text: bytes) -> _Read:
    """Read an ignore file, as git does: with or without a mark of byte order, lines ending as they may."""
    directory, _, name = path.rpartition(b"/")
    layer = Layer.DEVBOXIGNORE if name == FILES[1] else Layer.GITIGNORE
    depth = directory.count(b"/") + 1 if directory else 0
    shown = path.decode("utf-8", "backslashreplace")
    rules: list[Rule] = []
    problems: list[Problem] = []
    lines = text[:LONGEST].removeprefix(b"\xef\xbb\xbf").split(b"\n")
    if len(text) > LONGEST or len(lines) > MOST:
        problems.append(Problem(message=f"only the first {MOST} lines and 256 KiB are read", file=shown))
        lines = lines[:-1][:MOST]
    for number, line in enumerate(lines, start=1):
        try:
            rules += _rule(line.removesuffix(b"\r"), (layer, depth, number))
        except PatternError as error:
            problems.append(Problem(message=str(error), file=shown, line=number, hint=error.hint))
    return _Read(tuple(rules), tuple(problems))
