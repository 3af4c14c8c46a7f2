"""The tables of a profile that a later version carries out: accepted and checked now, refused by `gate`."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from devbox.profile.grammar import (
    Command,
    ImageReference,
    RepoPath,
    SshHost,
    SystemPackage,
    Unstrict,
    incomplete,
)
from devbox.profile.parts import Part, exactly_one


class Service(Part):
    """A service beside the environment: an `image`, or a command on the profile's own base."""

    image: Annotated[ImageReference | None, Field(examples=["postgres:16"])] = None
    """The image that it runs from."""
    packages: Annotated[tuple[SystemPackage, ...], Unstrict] = ()
    """System packages that `run` needs."""
    run: Command | None = None
    """The command, on the profile's own base."""
    health: Annotated[Command | None, Field(examples=["pg_isready"])] = None
    """A command that succeeds when the service is ready."""

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        exactly_one(self, "image", "run")
        if self.packages and self.image is not None:
            raise incomplete("packages go with run, not with an image; remove one of them")
        return self


class Vm(Part):
    """The virtual machine (runtime vm)."""

    init: Literal["full", "trimmed", "minimal"] = "full"
    """How much of a system starts."""
    sshd: bool = False
    """Whether `devbox ssh-config` leads to a real sshd inside."""
    ready: bool = True
    """Whether a new machine goes on from where one of the same image has booted to, which is kept; else it boots."""


class Prod(Part):
    """What `devbox diff` compares with. Exactly one of `image`, `dockerfile`, `ssh`."""

    image: ImageReference | None = None
    """The image that runs in production."""
    dockerfile: RepoPath | None = None
    """The Dockerfile that it is built from."""
    ssh: SshHost | None = None
    """The machine that it runs on."""

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        exactly_one(self, "image", "dockerfile", "ssh")
        return self
