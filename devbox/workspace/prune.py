"""`prune`: take away what carries our labels and belongs to no Environment of this owner."""

from dataclasses import dataclass

from devbox.workspace.context import Host


@dataclass(frozen=True, slots=True, kw_only=True)
class Pruned:
    """What is (to be) removed, by name or short id; `bytes` is what the images' own layers take, at most."""

    images: tuple[str, ...] = ()
    containers: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()
    networks: tuple[str, ...] = ()
    bytes: int = 0


def prune(host: Host, *, dry_run: bool = False) -> Pruned:
    """Remove it, or with `dry_run` only say what would be removed."""
    raise NotImplementedError
