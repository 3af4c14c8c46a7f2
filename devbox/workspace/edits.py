"""Which files `add` and `remove` change, and how. Nothing is written here."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path

from devbox import paths
from devbox.build.requirements import read_requirements
from devbox.errors import Problem, UsageError
from devbox.profile.edit import items_at, with_items, with_value, without_items
from devbox.profile.grammar import check_package
from devbox.profile.load import Loaded
from devbox.workspace.context import Workspace

GROUPS = ("system", "python")
_SYSTEM = ("packages", "system")
_PYTHON = ("packages", "python", "requirements")
_DEFAULT_REQUIREMENTS = "requirements.txt"
_OWN_TOOLS = {  # the repo's own lock files are changed by the tools that write them
    "uv.lock": "uv add",
    "poetry.lock": "poetry add",
    "pdm.lock": "pdm add",
    "Pipfile.lock": "pipenv install",
}
_ELSEWHERE = {
    "node": "npm install",
    "go": "go get",
    "rust": "cargo add",
    "ruby": "bundle add",
    "php": "composer require",
}
_REQUIREMENT = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?(?:\[[A-Za-z0-9,._ -]+\])?\s*(?:[<>=!~;@ ].*)?\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """New texts of files by path, and the names that this changes something for."""

    names: tuple[str, ...] = ()
    texts: Mapping[Path, str] = field(default_factory=dict)


Edits = Callable[[Workspace, Loaded, Sequence[str], str], Edit]


def added(workspace: Workspace, loaded: Loaded, names: Sequence[str], group: str) -> Edit:
    """Return the edit after which the profile asks for `names` of `group`; `UsageError` for what cannot be."""
    _require_group(group, names, verb="add")
    if group == "python":
        return _python(workspace, loaded, names, remove=False)
    _check(names)
    new = tuple(name for name in dict.fromkeys(names) if name not in loaded.profile.packages.system)
    return _profile_edit(workspace, new, lambda text: with_items(text, _SYSTEM, new))


def removed(workspace: Workspace, loaded: Loaded, names: Sequence[str], group: str) -> Edit:
    """Return the edit after which it does not ask for `names` any more; `UsageError` for what it does not ask for."""
    _require_group(group, names, verb="remove")
    if group == "python":
        return _python(workspace, loaded, names, remove=True)
    path = workspace.directory / paths.PROFILE
    own = items_at(path.read_text(encoding="utf-8"), _SYSTEM)
    for name in names:
        if name not in own:
            raise _not_there(name, own, loaded)
    return _profile_edit(workspace, tuple(dict.fromkeys(names)), lambda text: without_items(text, _SYSTEM, names))


def _profile_edit(workspace: Workspace, names: tuple[str, ...], change: Callable[[str], str]) -> Edit:
    if not names:
        return Edit()
    path = workspace.directory / paths.PROFILE
    return Edit(names=names, texts={path: change(path.read_text(encoding="utf-8"))})


def _require_group(group: str, names: Sequence[str], *, verb: str) -> None:
    if group in GROUPS:
        return
    if group in _ELSEWHERE:
        tool = f"{_ELSEWHERE[group]} {' '.join(names)}" if verb == "add" else "with the language's own tool"
        hint = f"devbox exec -- {tool}, then devbox up" if verb == "add" else f"do it {tool}, inside; then devbox up"
        raise UsageError(f"packages of {group} are those of the project's own manifest", hint=hint)
    near = get_close_matches(group, [*GROUPS, *_ELSEWHERE], n=1)
    hint = f"did you mean {near[0]}?" if near else f"one of: {', '.join(GROUPS)}"
    raise UsageError(f"there is no group {group!r}", hint=hint)


def _check(names: Sequence[str]) -> None:
    problems = []
    for name in names:
        try:
            check_package(name)
        except ValueError as error:
            problems.append(Problem(key=name, message=str(error)))
    if problems:
        raise UsageError(
            "not the name of a package", problems=problems, hint='write "name", "name=version" or "name:arch"'
        )


def _not_there(name: str, own: Sequence[str], loaded: Loaded) -> UsageError:
    for key, origin in loaded.origins.items():
        if key.startswith("packages.system[") and origin.value == name:
            place = f"{origin.file}:{origin.line}" if origin.file else origin.source
            return UsageError(f"{name} is not from {paths.PROFILE}, but from {place}", hint="take it out there")
    near = get_close_matches(name, own, n=1)
    hint = f"did you mean {near[0]}?" if near else f"it lists: {', '.join(own)}" if own else None
    return UsageError(f"{paths.PROFILE} does not ask for {name}", hint=hint)


def _python(workspace: Workspace, loaded: Loaded, names: Sequence[str], *, remove: bool) -> Edit:
    directory = workspace.directory
    tool = next((command for lock, command in _OWN_TOOLS.items() if (directory / lock).exists()), None)
    if tool is not None:
        raise UsageError(
            "the project has a lock file of its own for Python, which its own tool writes",
            hint=f"devbox exec -- {tool} {' '.join(names)}, then devbox up",
        )
    bad = [name for name in names if not _REQUIREMENT.match(name)]
    if bad:
        raise UsageError(
            f"{bad[0]!r} is no requirement", hint='write it as in a requirements file, as "requests>=2.31"'
        )
    profile = directory / paths.PROFILE
    python = loaded.profile.packages.python
    listed = [name for name in (python.requirements if python else ()) if name.endswith((".txt", ".in"))]
    if not listed and python is not None and python.requirements:
        raise UsageError(
            f"the packages of Python are listed in {python.requirements[0]}",
            hint=f"write {', '.join(names)} there, then devbox up",
        )
    file = directory / (listed[0] if listed else _DEFAULT_REQUIREMENTS)
    text = file.read_text(encoding="utf-8") if file.exists() else ""
    if read_requirements(text).hashed:
        raise UsageError(
            f"{file.name} has hashes, so a tool has written it", hint="change what it was made from, and make it anew"
        )
    changed = _without_requirements(text, names) if remove else _with_requirements(text, names)
    texts = {file: changed[1]} if changed[0] else {}
    if texts and not listed:
        texts[profile] = with_value(
            profile.read_text(encoding="utf-8"), _PYTHON, [*(python.requirements if python else ()), file.name]
        )
    return Edit(names=changed[0], texts=texts)


def _with_requirements(text: str, names: Sequence[str]) -> tuple[tuple[str, ...], str]:
    have = {_normal(line) for line in text.splitlines()}
    new = tuple(name for name in dict.fromkeys(names) if _normal(name) not in have)
    body = text if not text or text.endswith("\n") else text + "\n"
    return new, body + "".join(f"{name}\n" for name in new)


def _without_requirements(text: str, names: Sequence[str]) -> tuple[tuple[str, ...], str]:
    wanted = {_normal(name): name for name in names}
    lines = text.splitlines(keepends=True)
    missing = [name for key, name in wanted.items() if key not in {_normal(line) for line in lines}]
    if missing:
        raise UsageError(f"no requirement file lists {missing[0]}", hint="see what packages.python.requirements names")
    return tuple(names), "".join(line for line in lines if _normal(line) not in wanted)


def _normal(line: str) -> str:
    match = re.match(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)", line)
    return re.sub(r"[-_.]+", "-", match[1]).lower() if match else line
