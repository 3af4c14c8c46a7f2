"""The Lock: what exactly an environment is made of, by platform. Pure values; `lock_file` reads and writes them."""

from collections.abc import Mapping
from dataclasses import dataclass, field

SCHEMA = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedBase:
    """Where the root file system starts.

    `digest`: of the image's content: "sha256:..." of its one layer for a base made from the archive, else the digest
    by which a registry knows it, else the engine's id. `epoch`: of the archive, in seconds; 0 if it is none.
    """

    reference: str
    digest: str
    epoch: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedPackage:
    """One system package. `file`: its path in the archive; `archive`: which one ("debian", "debian-security")."""

    name: str
    version: str
    architecture: str
    sha256: str
    file: str
    archive: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """System packages that were added together. `asked`: as the profile has them; `packages`: all that came with them.

    `epoch`: day of the archive that has them, in seconds. `removed`: what was taken away again; such a group has no
    packages. `after`: the steps that stood before it when it was added, so that adding costs only what is added
    (`Platform.steps`). `stale`: names of packages that are to be looked up again, the others keep their versions; never
    in the file.
    """

    asked: tuple[str, ...] = ()
    packages: tuple[LockedPackage, ...] = ()
    epoch: int = 0
    removed: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    stale: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a container said to a `Question`. `asked`: digest of the question; `lines`: the answer."""

    asked: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Platform:
    """The Lock for one architecture.

    `answers`: by the key of the `Question`. `steps`: what was built after the first group, each step by the start of
    its own digest. `content`: digest of the content manifest of what was built from it, if it was taken.
    """

    base: LockedBase | None = None
    groups: tuple[Group, ...] = ()
    answers: Mapping[str, Answer] = field(default_factory=dict)
    steps: tuple[str, ...] = ()
    content: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lock:
    """A whole `devbox.lock`.

    `profile`: digest of all values of the profile that a build depends on. `inputs`: SHA-256 of what is read from each
    of the repo's manifests and lock files, by path. `machines`: the Locks of those of several machines, by name, that
    are made of something else than the project's own environment; none has a machine in turn.
    """

    profile: str = ""
    inputs: Mapping[str, str] = field(default_factory=dict)
    platforms: Mapping[str, Platform] = field(default_factory=dict)  # by architecture as Debian names it: "amd64"
    machines: "Mapping[str, Lock]" = field(default_factory=dict)
