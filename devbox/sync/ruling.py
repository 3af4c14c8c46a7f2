"""What the host's ignore files say, also while one of them is being written.

If its rules fell away for a moment, what was kept from the guest would be sent to it. So what a file said holds until
it is read anew, or was empty or absent for a while. Where nobody knows what it said, nothing in its directory is looked
at until somebody does.
"""

import os
from collections.abc import Iterable
from stat import S_ISREG
from typing import Final

from devbox.sync.core.entry import Kind, Side, Stamp
from devbox.sync.core.ignore import FILES, LONGEST
from devbox.sync.endpoint import Answer, Code, Read
from devbox.sync.pump import Ask, Work
from devbox.sync.rows import Node
from devbox.sync.scene import Scene
from devbox.sync.troubles import CHANGING

PATIENCE: Final = 1.5  # seconds after which a file that had rules is believed to be empty, or gone


class Ruling:
    """Keeps `scene.ignore` as these files say."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._known: dict[bytes, Stamp | None] = {}  # what each was when it was read; None if it was no file
        self._unknown: set[bytes] = set()  # those of which nobody knows what they say, nor what they said
        self._listed: set[bytes] = set()  # those that were there with content a moment ago

    def unread(self, node: Node, answer: Answer) -> list[bytes]:
        """Return which ignore files have to be read before the names in a directory of the host are taken."""
        there = {name: stamp for name, stamp, _ in answer.found if name in FILES and S_ISREG(stamp.mode)}
        prefix = node.path + b"/" if node.parent else b""
        found = []
        for name in FILES:
            path = prefix + name
            stamp = there.get(name) or (_had(node, name) if name in answer.same else None)
            if self._is_unread(path, stamp, _had(node, name)):
                found.append(path)
                if stamp is not None and stamp.size:
                    self._listed.add(path)
        return found

    def _is_unread(self, path: bytes, stamp: Stamp | None, had: Stamp | None) -> bool:
        if path in self._unknown:
            return True
        if path not in self._known:
            return stamp is not None or had is not None
        return self._known[path] != stamp and self._scene.troubles.doubted(path) < 0

    def sealed(self, directory: bytes) -> bool:
        """Whether nobody knows what is ignored in a directory."""
        for path in self._unknown:
            top = path.rpartition(b"/")[0]
            if not top or directory == top or directory.startswith(top + b"/"):
                return True
        return False

    def read(self, paths: Iterable[bytes]) -> Work[list[bytes]]:
        """Read ignore files of the host; returns those of which it is known by now what they say."""
        paths = list(paths)
        answers = yield [Ask(Side.HOST, Read(path, None, 0, LONGEST + 1)) for path in paths]
        files = {}
        for path, answer in zip(paths, answers, strict=True):
            if why := self._doubtful(path, answer):
                self._doubt(path, why)
                continue
            is_file = answer.code is Code.DONE
            files[path] = answer.data if is_file else None
            self._known[path] = answer.stamp if is_file else None
            self._unknown.discard(path)
            self._listed.discard(path)
            self._scene.troubles.sure(path)
        if files:
            self._scene.ignore = self._scene.ignore.replaced(files)
        return list(files)

    def _doubtful(self, path: bytes, answer: Answer) -> str:
        """Say why this is likely not what the file says; "" if it is."""
        code, stamp = answer.code, answer.stamp
        if code is Code.DONE and answer.data:
            return ""
        if code is Code.FAILED or code is Code.REFUSED:
            return f"its rules cannot be read: {os.strerror(answer.errno) if answer.errno else 'refused'}"
        if code is Code.CHANGED and stamp is not None and S_ISREG(stamp.mode):
            return CHANGING
        doubted = self._scene.troubles.doubted(path)  # it is empty, or no file
        return CHANGING if (self._spoke(path) if doubted < 0 else doubted < PATIENCE) else ""

    def _spoke(self, path: bytes) -> bool:
        """Whether it had rules when somebody looked last."""
        if path in self._listed or self._scene.ignore.tells(path):
            return True
        if path in self._known:
            return False
        above, _, name = path.rpartition(b"/")
        node = self._scene.rows.find(above)
        had = _had(node, name) if node is not None else None
        return had is not None and had.size > 0

    def _doubt(self, path: bytes, why: str) -> None:
        self._scene.troubles.doubt(path, why)
        if path not in self._known:
            self._unknown.add(path)


def _had(node: Node, name: bytes) -> Stamp | None:
    """Return the stamp of a file that the host had in a directory when somebody looked last."""
    child = (node.children or {}).get(name)
    entry = child.host if child is not None else None
    return child.stamp_on(Side.HOST) if child is not None and entry is not None and entry.kind is Kind.FILE else None
