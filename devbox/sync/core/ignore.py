"""What is not synced: by the host's .gitignore and .devboxignore files, the profile, and a few defaults."""

from collections.abc import Mapping, Sequence

from devbox.errors import Problem
from devbox.sync.core.modes import Git

FILES = (b".gitignore", b".devboxignore")  # names that hold rules; the later is stronger


class Here:
    """What is ignored in one directory. Ask for each name in it."""

    def ignores(self, name: bytes, *, directory: bool) -> bool:
        """Whether the name is not synced; an ignored directory with all that is in it."""
        raise NotImplementedError


class Ignore:
    """All the rules of a session, a value: it never changes.

    `files`: content of each ignore file of the host by its path. `profile`: patterns of `[sync] ignore`. `volumes`:
    directories of `[sync] volumes`. A path is ignored if a directory above it is, whatever the rules say of itself.
    """

    def __init__(
        self,
        files: Mapping[bytes, bytes] | None = None,
        *,
        profile: Sequence[str] = (),
        volumes: Sequence[str] = (),
        git: Git = Git.HOST_TO_GUEST,
    ) -> None:
        raise NotImplementedError

    def replaced(self, files: Mapping[bytes, bytes | None]) -> "Ignore":
        """The same with these files instead (None: without). Cheap, whatever is in it already."""
        raise NotImplementedError

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Lines that cannot be read, which hence ignore nothing."""
        raise NotImplementedError

    def here(self, directory: bytes) -> Here:
        """What holds in a directory that is not ignored itself. Cheap; keep it while asking for its names."""
        raise NotImplementedError

    def ignores(self, path: bytes, *, directory: bool) -> bool:
        """Whether a path is not synced, be it for itself or for a directory above it."""
        raise NotImplementedError
