"""What a lock file comes to: lines for an installer that takes them as they are. Pure."""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import tomli

from devbox.build.requirements import UnusableError

_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?\Z")
_VERSION = re.compile(r"[A-Za-z0-9.+!_-]+\Z")
_HASH = re.compile(r"sha(?:256|384|512):[0-9a-f]{64,128}\Z")
_WORD = re.compile(r"[^\s#'\"\\]+\Z")
_MARKER = re.compile(r"[^\r\n#\\]+\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Locked:
    """The packages of a lock file.

    `lines`: requirements with exact versions and hashes; one from a version control system has a commit and no hash.
    `indexes`: addresses of package indexes beyond the usual one. `local`: directories of the repo that are needed too.
    """

    lines: tuple[str, ...]
    indexes: tuple[str, ...] = ()
    local: tuple[str, ...] = ()


def exact(name: str, version: str, hashes: Iterable[str], marker: str = "") -> str:
    """Return the line for one package from an index; `UnusableError` if it is not what such a line can hold."""
    found = sorted(set(hashes))
    if not _NAME.match(name) or not _VERSION.match(version) or not all(_HASH.match(each) for each in found):
        raise UnusableError(f"the package {name!r} {version!r} is not written as a lock file has it")
    if not found:
        raise UnusableError(f"there is no hash for {name} {version}", hint="write the lock file anew")
    return " ".join([f"{name}=={version}", *_condition(marker), *(f"--hash={each}" for each in found)])


def direct(name: str, address: str, marker: str = "", hashes: Iterable[str] = ()) -> str:
    """Return the line for a package from an address, as "git+https://example.org/x@COMMIT"."""
    found = sorted(set(hashes))
    if not _NAME.match(name) or not _WORD.match(address) or not all(_HASH.match(each) for each in found):
        raise UnusableError(f"the package {name!r} from {address!r} is not written as a lock file has it")
    return " ".join([f"{name} @ {address}", *_condition(marker), *(f"--hash={each}" for each in found)])


def git(address: str, commit: str, subdirectory: str = "") -> str:
    """Return the address of a commit."""
    scheme = address if address.startswith("git+") else f"git+{address}"
    return f"{scheme}@{commit}" + (f"#subdirectory={subdirectory}" if subdirectory else "")


def toml(text: str) -> Mapping[str, Any]:
    """Return the tree of a TOML file; `UnusableError` if it is none."""
    try:
        return tomli.loads(text)
    except (ValueError, RecursionError) as error:
        raise UnusableError(f"is not valid TOML: {error}") from error


def tree(text: str) -> Mapping[str, Any]:
    """Return the tree of a JSON file; `UnusableError` if it is no object."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UnusableError(f"is not valid JSON: {error}") from error
    if not isinstance(found, dict):
        raise UnusableError("is not a JSON object")
    return found


def table(value: object) -> Mapping[str, Any]:
    """Return `value` if it is a table, else an empty one."""
    return value if isinstance(value, dict) else {}


def rows(value: object) -> list[Mapping[str, Any]]:
    """Return the tables of a list."""
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def text(value: object) -> str:
    """Return `value` if it is a string, else an empty one."""
    return value if isinstance(value, str) else ""


def texts(value: object) -> tuple[str, ...]:
    """Return the strings of a list."""
    return tuple(each for each in value if isinstance(each, str)) if isinstance(value, list) else ()


def normal(name: str) -> str:
    """Return a package's name as indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _condition(marker: str) -> list[str]:
    if not marker.strip():
        return []
    if not _MARKER.match(marker):
        raise UnusableError(f"the environment marker {marker!r} is not written as a lock file has it")
    return [";", marker.strip()]
