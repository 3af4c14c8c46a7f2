"""Load a profile: read all layers, merge them, and report everything wrong in any of them at once.

Layers, later wins: built-in defaults (the model's), base profiles, the user's own layer, `devbox.toml`,
`devbox.local.toml`, DEVBOX_* variables, flags. Where none of them sets `base`, it is chosen by the versions asked for.
Runs nothing and writes nothing.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import reduce
from pathlib import Path

from pydantic import ValidationError

from devbox import paths
from devbox.errors import Problem, ProfileError
from devbox.profile import several, tasks
from devbox.profile.confine import is_inside, real
from devbox.profile.extends import Bases
from devbox.profile.layers import Layer, Node, Origin, locate, merge, origins, plain, plant
from devbox.profile.layers import Path as KeyPath
from devbox.profile.model import Profile
from devbox.profile.outside import flag_layer, user_problems, variable_layers, variable_problems
from devbox.profile.source import Refused, decode, parse, read_file
from devbox.profile.suspect import secrets_in_env
from devbox.profile.toolchains.choose import choose
from devbox.profile.translate import problems as translated
from devbox.profile.translate import quote
from devbox.values import printable, slug

__all__ = ["Loaded", "Origin", "load"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """A profile and where it comes from.

    `origins`: every key that a layer set, by its key in the merged profile; what is not there is built-in.
    `files`: every file that was read. `warnings`: what the user should know though the profile can be used.
    `machine`: NAME of the [machines.NAME] that it is of; empty for the project's own, whose `members` are the profiles
    of its machines by name.
    """

    profile: Profile
    origins: Mapping[str, Origin]
    files: tuple[Path, ...]
    layers: tuple[str, ...]
    warnings: tuple[Problem, ...] = ()
    machine: str = ""
    members: "Mapping[str, Loaded]" = field(default_factory=dict)


def load(
    directory: Path,
    *,
    environ: Mapping[str, str],
    flags: Mapping[str, object] | None = None,
    fallback: str | None = None,
    personal: bool = True,
) -> Loaded:
    """Return the profile of the project `directory`, all layers merged, and those of its machines.

    `flags`: values from the command line by key ("base.image"). `fallback`: the text that stands in for a
    missing devbox.toml. `personal`: False leaves out what somebody sets for
    himself. Raises `ProfileError` with every problem of every layer and machine.
    """
    project = directory.resolve()
    reading = _Reading(project)
    layers = reading.layers(fallback, personal=personal)
    outer = [*variable_layers(environ if personal else {}, layers), flag_layer(flags or {})]
    found = [*reading.problems, *variable_problems(environ)]
    inner, outermost = [plant(layer) for layer in layers], [plant(layer) for layer in outer]
    for node in (*inner, *outermost):
        found += _alone(node)
    first = plant(_built_in(project))
    root = reduce(merge, [*inner, *outermost], first)
    made = _Made(project, (*layers, *outer), tuple(reading.files))
    whole = made.loaded(root, found)
    trees = several.trees(root, inner=[first, *inner], outer=outermost)
    members = {name: made.loaded(tree, found, machine=name) for name, tree in trees.items()}
    if whole is None or found:
        raise _error(found)
    return replace(whole, members={name: one for name, one in members.items() if one is not None})


class _Made:
    """What the profiles of one `load` have in common."""

    def __init__(self, project: Path, layers: tuple[Layer, ...], files: tuple[Path, ...]) -> None:
        self._project = project
        self._layers = layers
        self._files = files

    def loaded(self, root: Node, found: list[Problem], *, machine: str = "") -> Loaded | None:
        """Return the profile that the merged tree `root` is, None if it is none; `found` gets what is wrong with it."""
        profile, more = _together(root)
        found += more
        chosen = _chosen_base(root, profile)
        if chosen is not None:
            root = merge(root, plant(chosen))
            profile, _ = _together(root)
        if profile is None:
            return None
        found += [*_escapes(self._project, profile, root), *_tasks(profile, root)]
        return Loaded(
            profile=profile,
            origins=origins(root),
            files=self._files,
            layers=("built-in", *(one.source for one in (*self._layers, chosen) if one is not None and one.tree)),
            warnings=tuple(secrets_in_env(profile, root)),
            machine=machine,
        )


class _Reading:
    """The files of one `load`: what they hold and what is wrong with them."""

    def __init__(self, project: Path) -> None:
        self.problems: list[Problem] = []
        self.files: list[Path] = []
        self._project = project

    def layers(self, fallback: str | None, *, personal: bool) -> list[Layer]:
        """Return base profiles, the user's layer, devbox.toml and devbox.local.toml, as far as they are there."""
        repo = self._repo(fallback)
        bases = Bases(project=self._project)
        if repo is not None:
            bases.gather(repo, path=self._project / paths.PROFILE)
        self.problems += bases.problems
        self.files += bases.files
        if not personal:
            return [layer for layer in (*bases.layers, repo) if layer is not None]
        user = self._file(Path(paths.user_profile()), source="user", shown=_short(paths.user_profile()))
        local = self._file(self._project / paths.LOCAL_PROFILE, source=paths.LOCAL_PROFILE, shown=paths.LOCAL_PROFILE)
        if user is not None:
            self.problems += user_problems(user)
        if local is not None and "extends" in local.tree:
            message = "extends cannot be set here"
            self.problems.append(_at(local, "extends", message, f"write it in {paths.PROFILE}"))
        return [layer for layer in (*bases.layers, user, repo, local) if layer is not None]

    def _repo(self, fallback: str | None) -> Layer | None:
        path = self._project / paths.PROFILE
        if fallback is None or path.is_symlink() or path.exists():
            return self._file(path, source=paths.PROFILE, shown=paths.PROFILE, must_exist=True)
        document = parse(fallback, shown=paths.PROFILE)
        return Layer(source="detected", tree=document.tree)

    def _file(self, path: Path, *, source: str, shown: str, must_exist: bool = False) -> Layer | None:
        if not must_exist and not path.is_symlink() and not path.exists():
            return None
        confine = None if source == "user" else self._project
        try:
            document = parse(decode(read_file(path, shown=shown, below=confine), shown=shown), shown=shown)
        except Refused as refused:
            self.problems.append(refused.problem)
            return None
        self.files.append(path)
        return Layer(source=source, tree=document.tree, file=shown, lines=document.lines)


def _built_in(project: Path) -> Layer:
    return Layer(source="built-in", tree={"name": slug(project.name)})


def _chosen_base(root: Node, profile: Profile | None) -> Layer | None:
    """Return the layer that sets the base where no other does and the built-in one lacks a version asked for."""
    if profile is None or (root.table is not None and "base" in root.table):
        return None
    choice = choose(profile.packages)
    return None if choice is None else Layer(source=f"chosen for {choice.why}", tree={"base": {"image": choice.image}})


def _alone(node: Node) -> Iterator[Problem]:
    """Yield what one layer does wrong by itself."""
    env = node.table.get("env") if node.table else None
    values = env.table.get("values") if env and env.table else None
    if values is not None and values.table is not None:  # the model's own form of the table, not the file's
        origin = values.origin
        message, hint = "must be text, not a table", 'write NAME = "value" below [env]'
        yield Problem(message=message, key="env.values", file=origin.file, line=origin.line, hint=hint)
        return
    try:
        Profile.model_validate(plain(node))
    except ValidationError as error:
        yield from translated(error, node, merged=False)


def _together(root: Node) -> tuple[Profile | None, list[Problem]]:
    """Return the merged profile, or None and what only the merging shows."""
    try:
        return Profile.model_validate(plain(root)), []
    except ValidationError as error:
        return None, list(translated(error, root, merged=True))


def _escapes(project: Path, profile: Profile, root: Node) -> Iterator[Problem]:
    """Yield a problem for each path in the project that a link leads out of it."""
    for key, written in _project_paths(profile):
        try:
            if is_inside(project, real(project, written)):
                continue
            message = f"{quote(written)} is a link that leads out of the project"
        except ValueError as error:
            message = f"{quote(written)} {error}"
        origin, own_key = locate(root, key)
        yield Problem(message=message, key=printable(own_key), file=origin.file, line=origin.line)


def _tasks(profile: Profile, root: Node) -> Iterator[Problem]:
    """Yield a problem for each need of a task that is no task, and for each circle."""
    for key, message, hint in tasks.wrong(profile.tasks):
        origin, own_key = locate(root, key)
        where = "" if origin.file else f" (from {origin.source})"
        yield Problem(message=message + where, key=printable(own_key), file=origin.file, line=origin.line, hint=hint)


def _project_paths(profile: Profile) -> Iterator[tuple[KeyPath, str]]:
    if profile.base.dockerfile is not None:
        yield ("base", "dockerfile"), profile.base.dockerfile
    if profile.packages.python is not None:
        for index, name in enumerate(profile.packages.python.requirements):
            yield ("packages", "python", "requirements", index), name
    for index, step in enumerate(profile.provision):
        if step.script is not None:
            yield ("provision", index, "script"), step.script
        if step.copy_ is not None:
            yield ("provision", index, "copy", "from"), step.copy_.source


def _at(layer: Layer, key: str, message: str, hint: str) -> Problem:
    return Problem(message=message, key=key, file=layer.file, line=layer.lines.get(key), hint=hint)


def _short(path: str) -> str:
    home = paths.home()
    return f"~{path[len(home) :]}" if path.startswith(home + "/") else path


def _error(found: list[Problem]) -> ProfileError:
    unique = list(dict.fromkeys(found))
    unique.sort(key=lambda problem: (problem.file or "~", problem.line or 0))
    count = "one problem" if len(unique) == 1 else f"{len(unique)} problems"
    missing = len(unique) == 1 and unique[0].file == paths.PROFILE and "no such file" in unique[0].message
    hint = "write a profile: devbox init" if missing else "mend the profile, then look at it: devbox config"
    return ProfileError(f"the profile cannot be used: {count}", problems=unique, hint=hint)
