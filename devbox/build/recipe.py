"""Recipe and Step: the ordered, backend-neutral build steps. Pure: no process, no file, no clock."""

import hashlib
import json
from dataclasses import asdict, dataclass, field

from devbox.profile.lock import Group, Platform

STATUS_TOOLCHAIN = 78  # a step's exit status: the base does not hold the version that the profile asks for
STATUS_BASE = 79  # a step's exit status: the base lacks something that every build needs
STATUS_GONE = 80  # a step's exit status: what the Lock names cannot be had any more
REFUSAL = "devbox: "  # how the line begins in which such a step says why
VENV = "/opt/venv"  # outside the repo and the same everywhere, so that a venv is the same bytes

RUN_DIRECTORY = "/run/devbox"  # all that is temporary inside lies below it, on tmpfs
CONTEXT_DIRECTORY = RUN_DIRECTORY + "/context"  # where a step finds its `context` files
SECRET_DIRECTORY = RUN_DIRECTORY + "/secrets"  # where a step finds its secrets, a file each
CACHE_DIRECTORY = RUN_DIRECTORY + "/cache"  # where a step finds its cache mounts, a directory each
UNTOUCHED = RUN_DIRECTORY + "/untouched"  # what a question makes if it changed nothing that would be committed


@dataclass(frozen=True, slots=True, kw_only=True)
class ContextFile:
    """A file of the repo that a step needs, by content. `path` is relative to the project and keeps no `..`."""

    path: str
    digest: str  # SHA-256 of the content, 64 hex
    executable: bool = False
    link: str | None = None  # target of a symbolic link; `digest` is then that of the target's text


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseImage:
    """What a Recipe stands on: an image that the engine holds, and what is known of its inside."""

    id: str
    reference: str  # as the profile has it
    family: str  # "debian", "alpine", "fedora" (by package manager) or "unknown"
    distribution: str  # "debian", "ubuntu", "alpine" ...; the ID of os-release
    version: str  # "12", "24.04"; empty for a rolling one
    env: tuple[tuple[str, str], ...]
    workdir: str
    epoch: int  # seconds: the state of the archive that it was made from, else when it was made
    architecture: str  # as the engine names it: "amd64"
    layers: int
    prepared: bool  # holds /run/devbox already
    said: str  # one line about where it came from
    shell: bool = True  # holds /bin/sh; without one there are no steps that run
    digest: str = ""  # by which the Lock knows it; empty if it is another one on every machine


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One build step: a POSIX shell script, run as root in a container made from the state before it.

    An empty script changes the image's variables alone. `name` is for people and not part of the digest, nor is
    `key`, where the profile asks for the step.
    """

    name: str
    key: str
    script: str
    env: tuple[tuple[str, str], ...] = ()  # variables the image keeps from here on
    caches: tuple[str, ...] = ()  # names of cache mounts: "apt", "pip", "npm"
    context: tuple[ContextFile, ...] = ()
    texts: tuple[tuple[str, str], ...] = ()  # files beside `context` that the plan wrote: path, text
    secrets: tuple[str, ...] = ()
    network: bool = True
    bare: bool = False  # runs without any mount, because it makes the place for them

    def digest(self, previous: str) -> str:
        """Return the digest (64 hex) of this step and all before it, given theirs."""
        values = asdict(self)
        del values["name"], values["key"]
        if not self.texts:
            del values["texts"]  # so that the layers of a devbox that knew none stay good
        text = json.dumps([previous, values], sort_keys=True)
        return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What has to be found out before the steps after it are known; the answer is kept in the Lock.

    A POSIX shell script, run as root in a container made from the state before, which is then thrown away. What it
    writes to stdout is the answer, line by line; everything else goes to stderr. `key`: where the answer stands in the
    Lock, as "node.toolchain". `asked`: digest (64 hex) of all that the answer depends on, so that an answer to an
    older question is known for one. `stays`: it may make `UNTOUCHED`; the step that the answer leads to then goes on in
    its container.
    """

    key: str
    name: str  # for a person: "resolve python packages"
    asked: str
    script: str
    env: tuple[tuple[str, str], ...] = ()
    caches: tuple[str, ...] = ()
    context: tuple[ContextFile, ...] = ()
    secrets: tuple[str, ...] = ()
    stays: bool = False


def asked(*values: object) -> str:
    """Return the digest (64 hex) of what a `Question` depends on. The values are such as JSON can hold."""
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode("utf-8", "surrogateescape")).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """The steps on top of one base, and the configuration of the image that they yield.

    `open`: the first question that the Lock does not answer; the steps are then those before it. `pending`: the group
    of packages that it is about, if it is. `lock`: the Lock as far as it is known. `volumes`: directories of the
    project whose content stays inside, each with the digest of the step that fills it. `variables`: those that whatever
    runs the image sets in it; they are no part of the image, hence of no digest.
    """

    base: str  # image id
    base_layers: int = 0
    epoch: int = 0  # seconds; the date of files that steps are given
    steps: tuple[Step, ...]
    env: tuple[tuple[str, str], ...]  # the base's own, that the steps add to
    command: tuple[str, ...] = ("sleep", "infinity")
    open: Question | None = None
    pending: Group | None = None
    lock: Platform = field(default_factory=Platform)
    volumes: tuple[tuple[str, str], ...] = ()
    variables: tuple[tuple[str, str], ...] = ()

    def digests(self) -> list[str]:
        """Return the digest of each step in order; each covers the base and all steps before it."""
        found: list[str] = []
        previous = hashlib.sha256(f"devbox-recipe-1 {self.base}".encode()).hexdigest()
        for step in self.steps:
            previous = step.digest(previous)
            found.append(previous)
        return found

    @property
    def digest(self) -> str:
        """The digest of the whole: the last step's, or one of the bare base."""
        digests = self.digests()
        return digests[-1] if digests else hashlib.sha256(f"devbox-recipe-1 {self.base}".encode()).hexdigest()
