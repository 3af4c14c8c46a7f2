"""`logs`: what the Environment's first process wrote, or what the last build said."""

from collections.abc import Iterator

from devbox.workspace.context import Host, Workspace


def logs(
    host: Host, workspace: Workspace, *, follow: bool = False, tail: int | None = None, build: bool = False
) -> Iterator[tuple[int, bytes]]:
    """Yield `(1 stdout | 2 stderr, bytes)`; of the step logs of the last build with `build`.

    An absent Environment (or build) yields nothing.
    """
    raise NotImplementedError
