"""From `packages.node`, the manifests and the lock file to the package manager and its commands. Pure."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from posixpath import dirname
from typing import Any

from devbox.build.inputs import Inputs
from devbox.build.manifests import NODE
from devbox.build.manifests.node import FOREIGN_LOCKS, NODE_LOCKS, PACKAGE_JSON
from devbox.build.recipe import BaseImage
from devbox.build.toolchains import held
from devbox.errors import Problem, ProfileError
from devbox.profile.model import Node

_MANAGER = re.compile(r"(?P<name>npm|yarn|pnpm)@(?P<version>[0-9]+(?:\.[0-9A-Za-z-]+)*)(?:\+[0-9A-Za-z.]+)?\Z")
_OWNER = {"package-lock.json": "npm", "npm-shrinkwrap.json": "npm", "pnpm-lock.yaml": "pnpm", "yarn.lock": "yarn"}
_BERRY = re.compile(r"^__metadata:\s*\n\s+version:\s*(?P<version>\d+)", re.MULTILINE)
_PNPM_LOCK = re.compile(r"""^lockfileVersion:\s*['"]?(?P<version>\d+(?:\.\d+)?)""", re.MULTILINE)
_RELEASE = re.compile(r"\.yarn/releases/yarn-(?P<version>[0-9][0-9A-Za-z.-]*)\.cjs\Z")
_LINKER = re.compile(r"""^nodeLinker:\s*['"]?(?P<linker>[a-z-]+)""", re.MULTILINE)
_CLASSIC = "1.22.22"
# The last release of each line that reads a format of lock file, where package.json does not say which one wrote it.
_PNPM_OF_LOCK = {"5": "7.33.7", "6": "8.15.9"}
_PNPM_NEWEST = "9.15.9"
_PNPM_OF_NODE = {"12": "6.35.1", "14": "7.33.7", "16": "8.15.9"}  # the newest that runs on a major of Node.js
_BERRY_OF_LOCK = {"4": "2.4.2", "5": "3.1.1", "6": "3.8.7", "8": "4.12.0", "9": "4.14.1"}
_BERRY_NEWEST = "4.18.1"
_DEPENDENCIES = ("dependencies", "devDependencies", "optionalDependencies", "peerDependencies")


@dataclass(frozen=True, slots=True, kw_only=True)
class Manager:
    """A package manager. `package`: what npm has to install first, as "pnpm@9.15.9"; empty for npm itself.

    `install`: the command that installs what `lock` names. `resolve`: the one that only writes `lock`. `mark`: how a
    line begins that every lock file of this manager has.
    """

    package: str
    lock: str
    install: str
    resolve: str
    mark: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is installed. `manager`: None for Node.js alone. `locked`: the repo holds the manager's lock file.

    `members`: directories of a workspace. `empty`: no package is asked for.
    """

    manager: Manager | None = None
    command: str = ""  # of the profile, in place of the manager's
    locked: bool = False
    members: tuple[str, ...] = ()
    empty: bool = False


def plan_node(wanted: Node, base: BaseImage, inputs: Inputs) -> Wanted:
    """Return what `wanted` comes to; `ProfileError` for lock files that contradict each other or cannot be used."""
    names = {file.path for file in inputs.group(NODE)}
    if PACKAGE_JSON not in names:
        return Wanted()
    manifest = json.loads(inputs.text(NODE, PACKAGE_JSON) or "{}")
    locks = [name for name in NODE_LOCKS if name in names]
    declared = _MANAGER.match(str(manifest.get("packageManager", "")))
    if wanted.install is None:
        _check(locks, sorted(names & set(FOREIGN_LOCKS)), declared["name"] if declared else None)
    owner = declared["name"] if declared else _OWNER[locks[0]] if locks else "npm"
    lock = next((name for name in locks if _OWNER[name] == owner), None)
    manager = _manager(owner, lock, declared["version"] if declared else "", base, inputs)
    if wanted.install is None:
        _check_linker(manager, inputs)
    members = tuple(sorted(dirname(name) for name in names if name.endswith(f"/{PACKAGE_JSON}")))
    return Wanted(
        manager=manager,
        command=wanted.install or "",
        locked=lock is not None,
        members=_with_modules(members, lock, inputs),
        empty=lock is None and not members and not any(manifest.get(key) for key in _DEPENDENCIES),
    )


def _check(locks: list[str], foreign: list[str], declared: str | None) -> None:
    owners = list(dict.fromkeys(_OWNER[name] for name in locks))
    if foreign and not locks:
        raise _error(
            f"{foreign[0]} is of Bun, which this version of devbox cannot install by itself",
            "say how in packages.node.install, or keep a package-lock.json",
        )
    if declared is None and len(owners) > 1:
        raise _error(
            f"there are {' and '.join(locks)}, and they may contradict each other",
            'say in package.json which one counts, as "packageManager": "npm@10.8.2", or remove the other',
        )
    if declared is not None and locks and declared not in owners:
        raise _error(
            f"package.json asks for {declared} in packageManager, and the lock file is {locks[0]}",
            f"write {declared}'s own lock file, or take packageManager out",
        )


def _error(message: str, hint: str) -> ProfileError:
    return ProfileError(message, hint=hint, problems=[Problem(message=message, key="packages.node", hint=hint)])


def _manager(owner: str, lock: str | None, version: str, base: BaseImage, inputs: Inputs) -> Manager:
    if owner == "pnpm":
        return Manager(
            package=f"pnpm@{version or _pnpm_version(lock, base, inputs)}",
            lock="pnpm-lock.yaml",
            install="pnpm install --frozen-lockfile",
            resolve="pnpm install --lockfile-only --ignore-scripts",
            mark="lockfileVersion",
        )
    if owner == "yarn":
        return _yarn(version, lock, inputs)
    return Manager(
        package="",
        lock=lock or "package-lock.json",
        install="npm ci",
        resolve="npm install --package-lock-only --ignore-scripts",
        mark="{",
    )


def _pnpm_version(lock: str | None, base: BaseImage, inputs: Inputs) -> str:
    node = (held(base, "node") or "").split(".")[0]
    if node in _PNPM_OF_NODE:
        return _PNPM_OF_NODE[node]
    found = _PNPM_LOCK.search((inputs.text(NODE, lock) if lock else None) or "")
    return _PNPM_OF_LOCK.get(found["version"].split(".")[0], _PNPM_NEWEST) if found else _PNPM_NEWEST


def _yarn(version: str, lock: str | None, inputs: Inputs) -> Manager:
    berry = _BERRY.search((inputs.text(NODE, lock) if lock else None) or "")
    releases = [found["version"] for file in inputs.group(NODE) if (found := _RELEASE.search(file.path))]
    version = version or (releases[-1] if releases else "")
    if not version:
        version = _BERRY_OF_LOCK.get(berry["version"], _BERRY_NEWEST) if berry else _CLASSIC
    if version.split(".")[0] == "1":
        return Manager(
            package=f"yarn@{_CLASSIC if version == '1' else version}",
            lock="yarn.lock",
            install="yarn install --frozen-lockfile --non-interactive",
            resolve="yarn install --ignore-scripts --non-interactive",
            mark="# yarn lockfile v1",
        )
    return Manager(
        package=f"@yarnpkg/cli-dist@{version}",
        lock="yarn.lock",
        install="yarn install --immutable",
        resolve="yarn install --mode=update-lockfile",
        mark="__metadata:",
    )


def _check_linker(manager: Manager, inputs: Inputs) -> None:
    """Yarn 2 and newer leave no node_modules unless they are told to."""
    if not manager.package.startswith("@yarnpkg/"):
        return
    linker = _LINKER.search(inputs.text(NODE, ".yarnrc.yml") or "")
    if linker is None or linker["linker"] == "pnp":
        raise _error(
            "this Yarn would use Plug'n'Play, whose files lie beside the sources and not in node_modules",
            "write nodeLinker: node-modules into .yarnrc.yml, or say how to install in packages.node.install",
        )


def _with_modules(members: tuple[str, ...], lock: str | None, inputs: Inputs) -> tuple[str, ...]:
    """Return the members that have a node_modules of their own: of npm's lock file it is known, else it may be any."""
    if lock is None or _OWNER[lock] != "npm":
        return members
    packages = _tree(inputs.text(NODE, lock)).get("packages")
    if not isinstance(packages, dict):
        return members
    return tuple(name for name in members if any(str(path).startswith(f"{name}/node_modules/") for path in packages))


def _tree(text: str | None) -> Mapping[str, Any]:
    try:
        found = json.loads(text or "{}")
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
