"""`destroy`: take away everything that an Environment consists of, but its images."""

from dataclasses import dataclass

from devbox.workspace.context import Host, Workspace


@dataclass(frozen=True, slots=True, kw_only=True)
class Destroyed:
    """What is (to be) removed, by name."""

    containers: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()
    networks: tuple[str, ...] = ()

    @property
    def empty(self) -> bool:
        """Whether there is nothing to remove."""
        return not (self.containers or self.volumes or self.networks)


def survey(host: Host, workspace: Workspace) -> Destroyed:
    """Return what `destroy` would remove now; removes nothing."""
    raise NotImplementedError


def destroy(host: Host, workspace: Workspace) -> Destroyed:
    """Remove it all and return what was removed; repeatable, nothing there is no error. Asks nobody."""
    raise NotImplementedError
