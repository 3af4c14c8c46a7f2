"""An Environment by its name, from anywhere: its directory may be gone."""

import difflib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from devbox.engine.base import Engine
from devbox.errors import Problem, UsageError
from devbox.values import LABEL_OWNER, LABEL_WORKSPACE, printable
from devbox.workspace.context import Host, Workspace
from devbox.workspace.listing import Listed, environments

_HASH: Final = re.compile(r"[0-9a-f]{8}")
_NOWHERE: Final = Path("/dev/null")  # a directory that is not known: nothing can lie below it


@dataclass(frozen=True, kw_only=True)
class NamedWorkspace(Workspace):
    """A Workspace that is known by what the engine has of it."""

    known_hash: str
    known_name: str
    known_group: str

    @property
    def hash(self) -> str:
        """The hash that its labels carry."""
        return self.known_hash

    @property
    def project_hash(self) -> str:
        """The hash that the project's machines have in common."""
        return self.known_group

    @property
    def container_name(self) -> str:
        """The name that its Instance has."""
        return self.known_name


def named(host: Host, word: str) -> tuple[Host, Workspace]:
    """Return the Workspace of the Environment called `word`, and the Host on whose engine it is.

    `word` is a container's name, a Workspace's 8-hex hash or the name that `list` shows. Raises `UsageError` if
    there is none, or more than one with that name.
    """
    engines = host.engines()
    found = environments(host, engines)
    exact = [one for one in found if word in (one.container, one.hash)]
    fitting = exact or [one for one in found if one.name == word]
    if len({(one.engine, one.hash) for one in fitting}) > 1:
        raise _ambiguous(word, fitting)
    if fitting:
        one = fitting[0]
        engine = next((engine for engine in engines if engine.info.url == one.engine), None)
        return host if engine is None else _on(host, engine), _workspace(one)  # a machine is on no engine
    for engine in _with_leftovers(host, engines, word):
        left = NamedWorkspace(directory=_NOWHERE, name=word, known_hash=word, known_name=word, known_group=word)
        return _on(host, engine), left
    names = [name for one in found for name in (one.name, one.container)]
    close = difflib.get_close_matches(word, names, n=1)
    hint = f"did you mean: {close[0]}" if close else "devbox list shows the names"
    raise UsageError(f"no environment of yours is called {printable(word)}", hint=hint)


def _on(host: Host, engine: Engine) -> Host:
    return replace(host, connect=lambda: engine, reachable=None)


def _workspace(one: Listed) -> Workspace:
    directory = Path(one.workspace) if one.workspace else _NOWHERE
    name = directory.name if one.workspace else one.name
    return NamedWorkspace(
        directory=directory,
        name=name,
        machine=one.machine,
        known_hash=one.hash,
        known_name=one.container,
        known_group=one.group,
    )


def _with_leftovers(host: Host, engines: Sequence[Engine], word: str) -> Iterator[Engine]:
    """Yield the engines on which a `destroy` that was killed left volumes or networks of the hash `word`."""
    labels = {LABEL_OWNER: host.owner, LABEL_WORKSPACE: word}
    if _HASH.fullmatch(word):
        yield from (engine for engine in engines if engine.volumes(labels) or engine.networks(labels))


def _ambiguous(word: str, fitting: Sequence[Listed]) -> UsageError:
    problems = [
        Problem(key=one.container, message=f"{one.workspace or 'somewhere'} on {one.engine}") for one in fitting
    ]
    return UsageError(
        f"{len(fitting)} environments are called {printable(word)}",
        problems=problems,
        hint=f"say which by its container's name, as {fitting[0].container}",
    )
