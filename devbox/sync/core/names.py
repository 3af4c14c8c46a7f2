"""What may come from a guest as a name, and what a guest may not change on the host."""

import re
import unicodedata
from collections.abc import Iterable
from typing import Final

from devbox.sync.core.entry import Entry, Kind
from devbox.sync.core.here import EMPTY, Here, Layer, Rule
from devbox.sync.core.modes import Git, Way
from devbox.sync.core.patterns import pattern

OURS: Final = b".devbox"  # of a root: never synced
TEMPORARY: Final = b".devbox-tmp-"  # in any directory: never synced
UPLOAD: Final = re.compile(re.escape(TEMPORARY) + rb"[0-9a-f]{32}")  # of these, what was never at its place
LONGEST_NAME: Final = 255  # bytes
LONGEST_PATH: Final = 4095

# What a program of the host runs, or takes its orders from, when somebody merely enters the directory, opens it or says
# git. What is run when somebody says so (Makefile, package.json) is not here: it is the project. In lower case.
PROTECTED: Final = (
    "devbox.toml",
    "devbox.local.toml",
    "devbox.lock",
    ".devboxignore",  # else a guest could ask for what was kept from it
    ".envrc",
    ".mise.toml",
    "mise.toml",
    ".mise.local.toml",
    "mise.local.toml",
    "**/.vscode/tasks.json",
    "**/.vscode/settings.json",
    "**/.vscode/mcp.json",
    "*.code-workspace",
    ".devcontainer.json",
    ".devcontainer/",
    "**/.idea/startup.xml",
    "**/.idea/watchertasks.xml",
    ".exrc",
    ".vimrc",
    ".nvimrc",
    ".nvim.lua",
    ".lvimrc",
    ".mcp.json",
    "**/.cursor/mcp.json",
    "**/.claude/settings*.json",
    ".husky/",
    ".githooks/",
    "**/.hg/hgrc*",
    "**/.jj/repo/config*",
)
# A link in the place of one of these would bring along whatever it leads to.
_DIRECTORIES: Final = frozenset(
    {b".git", b".vscode", b".devcontainer", b".idea", b".cursor", b".claude", b".husky", b".githooks", b".hg", b".jj"}
)
# Where git finds what to run, in `.git` and in what submodules and work trees have of it.
_ORDERS: Final = frozenset(
    {b"hooks", b"config", b"config.worktree", b"commondir", b"gitdir", b"rebase-merge", b"rebase-apply"}
)
_NAMES_OF_OTHERS: Final = frozenset({b"refs", b"logs"})  # of `.git`: a branch may have any name
_ALTERNATES: Final = ([b"objects", b"info", b"alternates"], [b"objects", b"info", b"http-alternates"])
_SUSPECT: Final = re.compile(
    rb"devbox|envrc|mise\.|\.vscode|code-workspace|devcontainer|\.idea|vimrc|\.exrc|\.nvim|mcp\.json|\.claude|husky|git|\.hg|\.jj|[^\x00-\x7f]",
    re.IGNORECASE,
)
# What the file system of a Mac does not see in a name.
_UNSEEN: Final = re.compile("[\u200c-\u200f\u202a-\u202e\u206a-\u206f\ufeff]")


def is_name(name: bytes) -> bool:
    """Whether a side may say that a directory has this name. If not, it is not an honest one."""
    return 0 < len(name) <= LONGEST_NAME and name not in (b".", b"..") and b"/" not in name and b"\0" not in name


def is_path(path: bytes) -> bool:
    """Whether it is a path of names, relative and not the root."""
    return len(path) <= LONGEST_PATH and all(map(is_name, path.split(b"/")))


def unfit(name: bytes, *, unicode: bool) -> str | None:
    """Why a host whose names must be `unicode` cannot have this name; None if it can."""
    if unicode and not name.isascii():
        try:
            name.decode()
        except UnicodeDecodeError:
            return "the name is no UTF-8, and this host can have no other"
    return None


def fold(name: bytes) -> bytes:
    """The same for two names that some host takes for one: case, and how letters are composed."""
    if name.isascii():
        return name.lower()
    text = unicodedata.normalize("NFD", name.decode("utf-8", "surrogateescape")).casefold()
    return unicodedata.normalize("NFC", text).encode("utf-8", "surrogateescape")


def _plainest(name: bytes) -> bytes:
    """The name that some file system may take this for: without what it does not see, and what it cuts off."""
    seen = _UNSEEN.sub("", name.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")
    found = fold(seen).split(b":")[0].rstrip(b". ")
    return b".git" if found == b"git~1" else found


def escapes(path: bytes, target: bytes) -> bool:
    """Whether a link at `path` may lead out of the root, by the text of it alone.

    What comes after a name may be anywhere, for the name may be another link: `..` is harmless in front alone.
    """
    if target.startswith(b"/"):
        return True
    depth = path.count(b"/")
    names = [name for name in target.split(b"/") if name not in (b"", b".")]
    up = next((at for at, name in enumerate(names) if name != b".."), len(names))
    return up > depth or b".." in names[up:]


def holds_git(path: bytes) -> bool:
    """Whether this is the lock by which git says that it works on the tree: the session waits while one is there."""
    return path == b".git/index.lock" or path.endswith(b"/.git/index.lock")


class Guard:
    """Which paths have a rule of their own.

    `allow`: patterns as in .gitignore of what the guest may write all the same (PatternError if one means nothing).
    `more`: paths that are protected as well, with what is in them (files that the profile includes).
    """

    def __init__(self, git: Git = Git.HOST_TO_GUEST, allow: Iterable[str] = (), more: Iterable[bytes] = ()) -> None:
        self._git = git
        self._allowed = _rules(allow)
        self._protected = _rules(PROTECTED)
        self._more = tuple(fold(path) for path in more)

    def way(self, path: bytes, guest: Entry | None) -> Way:
        """The rule for a path; `guest`: what the guest has or wants there.

        A link of the guest that leads out of the root is protected, wherever it is.
        """
        link = guest is not None and guest.kind is Kind.LINK
        if not (link or _SUSPECT.search(path) or self._is_more(path)):
            return Way.MODE
        found = self._found(path, guest)
        if found is Way.MODE and guest is not None and link and escapes(path, guest.target):
            found = Way.PROTECTED
        if found is Way.MODE:
            return found
        directory = guest is not None and guest.kind is Kind.DIRECTORY
        return Way.MODE if self._allowed.finds(path.split(b"/"), directory=directory) else found

    def _found(self, path: bytes, guest: Entry | None) -> Way:
        names = list(map(_plainest, path.split(b"/")))
        if b".git" in names:
            return self._of_git(names[names.index(b".git") + 1 :], guest)
        kind = guest.kind if guest is not None else None
        if kind is Kind.LINK and names[-1] in _DIRECTORIES:
            return Way.PROTECTED
        if self._protected.finds(names, directory=kind is Kind.DIRECTORY) or self._is_more(path):
            return Way.PROTECTED
        return Way.MODE

    def _is_more(self, path: bytes) -> bool:
        if not self._more:
            return False
        folded = fold(path)
        return any(folded == more or folded.startswith(more + b"/") for more in self._more)

    def _of_git(self, names: list[bytes], guest: Entry | None) -> Way:
        """The rule for these names in a `.git`; none of them: for itself, which may be a file that leads elsewhere."""
        if self._git is not Git.FULL:
            return Way.HOST_TO_GUEST
        plain = guest is None or guest.kind is Kind.DIRECTORY
        if not plain and (not names or (guest is not None and guest.kind is Kind.LINK)):
            return Way.PROTECTED
        if names and names[0] in _NAMES_OF_OTHERS:
            return Way.MODE
        return Way.PROTECTED if names in _ALTERNATES or not _ORDERS.isdisjoint(names) else Way.MODE


def _rules(lines: Iterable[str]) -> Here:
    read = (pattern(line.encode("utf-8", "surrogateescape")) for line in lines)
    return EMPTY.with_rules(Rule((Layer.ALWAYS, 0, number), one) for number, one in enumerate(read) if one)
