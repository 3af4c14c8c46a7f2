"""The values of detection: what was seen, and what follows from it. Everything that is said has its place."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from devbox.errors import Problem
from devbox.profile.toolchains.constraint import Constraint


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Why something is thought to be so."""

    file: str  # relative to the project; the name of a variable, where `line` is None
    line: int | None
    what: str  # "Flask", "a lock file"

    @property
    def place(self) -> str:
        """Where it stands, as "package.json:3"."""
        return self.file if self.line is None else f"{self.file}:{self.line}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """One place that says which version it wants. `rank`: the lower goes first (docs/reference/detection.md)."""

    at: Evidence
    wanted: Constraint
    rank: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A command with a name: test, start, lint, build."""

    name: str
    run: str
    at: Evidence


@dataclass(frozen=True, slots=True, kw_only=True)
class Port:
    """A port on which the project listens when it is started."""

    number: int
    name: str  # of the framework, "flask"
    at: Evidence


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """A system package, a service, or whatever else is needed by its name."""

    name: str
    at: Evidence


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What has to run when the environment is made, since no key of the profile says it."""

    name: str
    run: str
    at: Evidence


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """One language of a project.

    `profile`: the base profile that suits it, "" where there is none. `key`: what of [packages] it sets, "" for
    nothing; `settings`: keys of that table beside the version, as TOML. `version`: what all places together ask for,
    None without any. `image`: the base that it needs, where no key of the profile can say so.
    """

    name: str
    profile: str
    evidence: tuple[Evidence, ...]
    key: str = ""
    claims: tuple[Claim, ...] = ()
    version: str | None = None
    settings: Mapping[str, str] = field(default_factory=dict)
    system: tuple[Named, ...] = ()
    tasks: tuple[Task, ...] = ()
    ports: tuple[Port, ...] = ()
    services: tuple[Named, ...] = ()
    steps: tuple[Step, ...] = ()
    image: Named | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Detection:
    """What a project is made of.

    `name`: the slug of its directory. `stacks`: what an environment can be made for. `others`: what says something of
    the environment that is not used. `problems`: what cannot be read, or excludes each other.
    """

    name: str
    stacks: tuple[Stack, ...] = ()
    others: tuple[Evidence, ...] = ()
    problems: tuple[Problem, ...] = ()

    @property
    def evidence(self) -> tuple[Evidence, ...]:
        """All that was found, in order."""
        return (*(evidence for stack in self.stacks for evidence in stack.evidence), *self.others)
