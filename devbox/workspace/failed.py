"""The state in which the last build failed, to look around in."""

from collections.abc import Iterator
from contextlib import contextmanager

from devbox.build.failed import failed_image
from devbox.errors import UsageError
from devbox.runtimes.base import Instance, InstanceSpec
from devbox.values import ROLE_FAILED, GuestUser
from devbox.workspace.agent import agent_spec
from devbox.workspace.context import Host, Workspace
from devbox.workspace.find import backend
from devbox.workspace.locate import require_usable
from devbox.workspace.spec import workspace_labels

_HOSTNAME = "failed"


@contextmanager
def failed_instance(host: Host, workspace: Workspace) -> Iterator[Instance]:
    """Run a container of the failed state, without the project's files; it goes when the block is left."""
    require_usable(workspace, host)
    image = failed_image(host.engine, workspace.image_repository, workspace.hash)
    if image is None:
        raise UsageError("no failed build is kept for this project", hint="devbox build")
    runtime = backend(host)
    spec = InstanceSpec(
        name=f"{workspace.container_name}-failed",
        image=image.id,
        hostname=_HOSTNAME,
        user=GuestUser(name="root", uid=0, gid=0, home="/root"),
        workdir="/",
        agent=agent_spec(host, workspace, failed=True),
        labels=tuple(sorted(workspace_labels(workspace, host.owner, role=ROLE_FAILED).items())),
    )
    before = runtime.find(spec.name)
    if before is not None:
        before.remove()
    instance = runtime.create(spec)
    try:
        instance.start()
        yield instance
    finally:
        instance.remove()
