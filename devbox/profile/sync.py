"""The table `[sync]` of a profile: how the project's files get inside, and what of them stays on which side."""

from posixpath import normpath
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from devbox.profile.grammar import KeyName, RepoPath, Text, Unstrict, incomplete
from devbox.profile.parts import Part, exactly_one


class OnChange(Part):
    """What happens when files of the host change: exactly one of `do` and `run`."""

    paths: Annotated[tuple[Text, ...], Unstrict, Field(examples=[["requirements.txt"]])]
    """The files, as patterns of a .gitignore."""
    do: Literal["rebuild", "restart"] | None = None
    """What devbox does: rebuild (what devbox up does), or restart (that, after devbox halt)."""
    run: Annotated[KeyName | None, Field(examples=["migrate"])] = None
    """The task that runs inside."""

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        exactly_one(self, "do", "run")
        if not self.paths:
            raise incomplete('names no files; write patterns, as ["requirements.txt"]', at=("paths",))
        return self


class Sync(Part):
    """How the project's files get inside."""

    mode: Literal["auto", "mount", "two-way", "two-way-resolved", "one-way", "one-way-replica"] = "auto"
    """auto: mounted where the engine sees them, else two-way; mount: the files (vm: virtiofs); else: copies in sync."""
    ignore: Annotated[tuple[Text, ...], Unstrict, Field(examples=[["/dist"]])] = ()
    """What is not synced, as patterns of a .gitignore, beside what .gitignore and .devboxignore say."""
    volumes: Annotated[tuple[RepoPath, ...], Unstrict, Field(examples=[["node_modules"]])] = ()
    """Directories of the project whose content stays inside; under a mount too."""
    git: Literal["exclude", "host-to-guest", "full"] = "host-to-guest"
    """What of .git is synced: nothing, to the inside alone, or both ways; its hooks and config never come back."""
    allow: Annotated[tuple[Text, ...], Unstrict, Field(examples=[[".vscode/tasks.json"]])] = ()
    """Patterns of files that run something on the host, and may be changed from inside all the same; needs trust."""
    on_change: Annotated[tuple[OnChange, ...], Unstrict] = ()
    """What happens when files change on the host; not under a mount."""

    @model_validator(mode="after")
    def _volumes_are_below(self) -> Self:
        for number, volume in enumerate(self.volumes):
            first = normpath(volume).split("/", 1)[0]
            if first in (".", ".git", ".devbox"):
                raise incomplete(f'"{volume}" cannot stay inside; name a directory below it', at=("volumes", number))
        return self
