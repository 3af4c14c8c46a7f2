"""Recipe and Step: the ordered, backend-neutral build steps. Pure: no process, no file, no clock."""

import hashlib
import json
from dataclasses import asdict, dataclass

RUN_DIRECTORY = "/run/devbox"  # all that is temporary inside lies below it, on tmpfs
CONTEXT_DIRECTORY = RUN_DIRECTORY + "/context"  # where a step finds its `context` files
SECRET_DIRECTORY = RUN_DIRECTORY + "/secrets"  # where a step finds its secrets, a file each
CACHE_DIRECTORY = RUN_DIRECTORY + "/cache"  # where a step finds its cache mounts, a directory each


@dataclass(frozen=True, slots=True, kw_only=True)
class ContextFile:
    """A file of the repo that a step needs, by content. `path` is relative to the project and keeps no `..`."""

    path: str
    digest: str  # SHA-256 of the content, 64 hex
    executable: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One build step: a POSIX shell script, run as root in a container made from the state before it.

    `name` is for people and not part of the digest, nor is `key`, where the profile asks for the step.
    """

    name: str
    key: str
    script: str
    env: tuple[tuple[str, str], ...] = ()  # variables the image keeps from here on
    caches: tuple[str, ...] = ()  # names of cache mounts: "apt", "pip", "npm"
    context: tuple[ContextFile, ...] = ()
    secrets: tuple[str, ...] = ()
    network: bool = True

    def digest(self, previous: str) -> str:
        """Return the digest (64 hex) of this step and all before it, given theirs."""
        values = asdict(self)
        del values["name"], values["key"]
        text = json.dumps([previous, values], sort_keys=True)
        return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """The steps on top of one base, and the configuration of the image that they yield."""

    base: str  # image id
    steps: tuple[Step, ...]
    env: tuple[tuple[str, str], ...]  # the base's own, that the steps add to
    command: tuple[str, ...] = ("sleep", "infinity")

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
