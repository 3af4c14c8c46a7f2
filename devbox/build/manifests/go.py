"""Go's manifests: go.mod and go.sum, of a workspace's modules and of replacements inside of the project too."""

import re
from posixpath import dirname, join, normpath

from devbox.build.inputs import Collector

GO = "packages.go"
_COMMENT = re.compile(r"(?:^|\s)//.*")
_LOCAL = re.compile(r"=>\s*(\.{1,2}(?:/\S*)?)\s*$")
VENDORED = "vendor/modules.txt"  # the modules are in the repo, and Go takes them from there


def read_go(collector: Collector) -> None:
    """Take the project's module, or its workspace. Modules that lie in the repo (`vendor`) need none of it."""
    if collector.exists("go.work"):
        work = _normalized(collector, "go.work")
        _beside(collector, "go.work.sum")
        for directory in _used(work):
            _module(collector, normpath(directory), "go.work")
        _replacements(collector, work, "go.work")
    elif collector.exists("go.mod") and not collector.exists(VENDORED):
        _module(collector, ".", "go.mod")


def _module(collector: Collector, directory: str, needed_by: str) -> None:
    path = normpath(join(directory, "go.mod"))
    if path.startswith(("../", "/")):
        collector.complain(f"{needed_by} needs {directory}, which lies outside of the project", key=GO)
        return
    if collector.has(GO, path):
        return
    text = _normalized(collector, path)
    _beside(collector, normpath(join(directory, "go.sum")))
    _replacements(collector, text, path)


def _replacements(collector: Collector, text: str, path: str) -> None:
    for line in text.splitlines():
        if local := _LOCAL.search(line):
            _module(collector, normpath(join(dirname(path), local[1])), path)


def _normalized(collector: Collector, path: str) -> str:
    """Take `path` without its comments, which decide nothing."""
    content = collector.manifest(GO, path, key=GO)
    if content is None:
        return ""
    lines = [_COMMENT.sub("", line).rstrip() for line in content.decode("utf-8", "replace").splitlines()]
    text = "\n".join(line for line in lines if line) + "\n"
    collector.put(GO, path, text.encode())
    return text


def _beside(collector: Collector, path: str) -> None:
    if collector.exists(path):
        collector.manifest(GO, path, key=GO)


def _used(work: str) -> list[str]:
    """Return the directories of a workspace: `use ./a`, and the lines of `use ( ... )`."""
    found: list[str] = []
    inside = False
    for line in work.splitlines():
        words = line.split()
        if words[:1] == ["use"] and words[1:] == ["("]:
            inside = True
        elif words == [")"]:
            inside = False
        elif words[:1] == ["use"] or inside:
            found.append(words[-1].strip('"`'))
    return found
