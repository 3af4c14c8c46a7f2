"""Base profiles: what `extends` names, found, read and put in order. Nothing outside the project is read."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path

from devbox.errors import Problem
from devbox.profile import catalogue
from devbox.profile.layers import Layer
from devbox.profile.linemap import child
from devbox.profile.source import Refused, decode, parse, read_file
from devbox.profile.translate import quote
from devbox.values import printable


@dataclass(slots=True, kw_only=True)
class Bases:
    """What has been gathered: the layers, the files read, and everything wrong on the way."""

    project: Path  # real path
    layers: list[Layer] = field(default_factory=list)
    files: list[Path] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    _done: set[Path] = field(default_factory=set)

    def gather(self, layer: Layer, *, path: Path, chain: tuple[Path, ...] = ()) -> None:
        """Add the base profiles that `layer`, the document at `path`, extends; those they extend come first.

        One that is reached by two ways counts once, where it is first needed.
        """
        chain = (*chain, path)
        for index, name in _entries(layer):
            try:
                target = self._find(name, path)
                if target in chain:
                    names = " -> ".join(self.shown(link) for link in (*chain[chain.index(target) :], target))
                    raise _refuse(f"extends itself in a circle: {names}", "remove one of the links")
                if target not in self._done:
                    self._done.add(target)
                    self._add(name, target, chain)
            except Refused as refused:
                self.problems.append(_at(refused.problem, layer, index))

    def shown(self, path: Path) -> str:
        """Return `path` as the user would type it in the project."""
        return str(path.relative_to(self.project)) if path.is_relative_to(self.project) else str(path)

    def _add(self, name: str, target: Path, chain: tuple[Path, ...]) -> None:
        shown = self.shown(target)
        document = parse(decode(read_file(target, shown=shown), shown=shown), shown=shown)
        self.files.append(target)
        layer = Layer(source=f"base profile {printable(name)}", tree=document.tree, file=shown, lines=document.lines)
        self.gather(layer, path=target, chain=chain)
        own = {key: value for key, value in document.tree.items() if key != "extends"}
        self.layers.append(Layer(source=layer.source, tree=own, file=shown, lines=document.lines))

    def _find(self, name: str, path: Path) -> Path:
        if "://" in name:
            raise _refuse(f"{quote(name)} is a URL, which is not followed", "copy the file into the project")
        if "/" not in name and not name.endswith(".toml"):
            return _find_in_catalogue(name)
        if name.startswith(("/", "~")):
            raise _refuse(f"{quote(name)} lies outside the project", 'write a path in the project, as "./team.toml"')
        try:
            target = (path.parent / name).resolve()
        except (OSError, RuntimeError) as error:
            raise _refuse(f"{quote(name)} is a link that leads nowhere", None) from error
        if not target.is_relative_to(self.project):
            raise _refuse(f"{quote(name)} leads out of the project", "copy the file into the project")
        if target.is_dir():
            target = target / "devbox.toml"
        if not target.exists():
            raise _refuse(f"there is no {quote(name)} in the project", None)
        return target


def _find_in_catalogue(name: str) -> Path:
    found = catalogue.path(name)
    if found is not None:
        return found.resolve()
    known = catalogue.names()
    near = get_close_matches(name, known, n=1)
    hint = f'did you mean "{near[0]}"?' if near else f"known: {', '.join(known)}; a path begins with ./"
    raise _refuse(f"there is no base profile {quote(name)}", hint)


def _entries(layer: Layer) -> Iterator[tuple[int, str]]:
    """Yield the entries that can be names; the model complains of the others."""
    given = layer.tree.get("extends", ())
    for index, name in enumerate(given if isinstance(given, list | tuple) else ()):
        if isinstance(name, str) and "\0" not in name:
            yield index, name


def _at(problem: Problem, layer: Layer, index: int) -> Problem:
    """Tie what has no place of its own to the entry that led there."""
    if problem.file is not None:
        return problem
    key = child("extends", index)
    return Problem(
        message=problem.message, key=key, file=layer.file, line=layer.lines.get(key, None), hint=problem.hint
    )


def _refuse(message: str, hint: str | None) -> Refused:
    return Refused(Problem(message=message, hint=hint))
