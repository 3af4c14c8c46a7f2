"""Whether a machine holds what the container of the same profile holds: its disk is read back, and compared.

What makes it a machine (kernel, init, the agent's unit) is what the last steps of its Image change. That is told apart
by the Images' own manifests; all else on the disk has to be as in the container.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from devbox import paths
from devbox.errors import MachineError
from devbox.parity.capture import View, capture
from devbox.parity.compare import ABSENT, Difference, compare
from devbox.parity.manifest import Manifest
from devbox.runtimes.vm.boot import Bench, machine_image
from devbox.tarstream import TarStreamError
from devbox.values import LABEL_OWNER, LABEL_WORKSPACE, GuestUser
from devbox.vm.disk import to_raw
from devbox.vm.ext4 import Ext4Error
from devbox.vm.ext4_tree import as_tar
from devbox.vm.scratch import scratch
from devbox.workspace.build import Made, Wish, make_image
from devbox.workspace.checked import checked
from devbox.workspace.context import Host, Workspace
from devbox.workspace.exported import manifest_of

CONTAINER: Final = "the container of this profile"
_FILE_SYSTEM: Final = frozenset(("/lost+found",))  # what every ext4 has


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineOwn:
    """What makes it a machine: paths that the container lacks, or has otherwise, and those that the machine lacks."""

    added: tuple[str, ...]
    changed: tuple[str, ...]
    removed: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SameBits:
    """The machine's disk beside the container. `differences`: what is neither the same nor the machine's own."""

    digest: str  # of the container's manifest
    differences: tuple[Difference, ...]
    own: MachineOwn


def same_bits(
    host: Host, workspace: Workspace, made: Made, ours: Manifest, *, flags: Mapping[str, object] | None
) -> SameBits:
    """Compare the disk of the machine Image `made`, whose manifest is `ours`, with the container of the same profile.

    The caller holds the Workspace's lock. Raises what `make_image` raises, and `MachineError` for a disk that cannot be
    read.
    """
    ready = checked(host, workspace, flags={**(flags or {}), "runtime": "container"})
    plain = make_image(host, workspace, ready, Wish(editing=True))
    container = manifest_of(host, workspace, plain.built.image, made.user, title=CONTAINER)
    disk = _on_disk(host, workspace, made.built.image, made.user)
    mine = compare(ours, container)
    return SameBits(digest=container.digest, differences=judged(disk, ours, container), own=_own(mine))


def judged(disk: Manifest, image: Manifest, container: Manifest) -> tuple[Difference, ...]:
    """Return what on the `disk` is neither as in the `container` nor, where the `image` differs from that, as there."""
    apart = {one.path for one in compare(image, container)} | _FILE_SYSTEM
    from_image = (one for one in compare(disk, image) if one.path in apart - _FILE_SYSTEM)
    from_container = (one for one in compare(disk, container) if one.path not in apart)
    return (*from_container, *from_image)


def _own(differences: tuple[Difference, ...]) -> MachineOwn:
    there = {one.path: one for one in differences if one.field == "presence"}
    return MachineOwn(
        added=tuple(path for path, one in there.items() if one.theirs == ABSENT),
        removed=tuple(path for path, one in there.items() if one.ours == ABSENT),
        changed=tuple(dict.fromkeys(one.path for one in differences if one.path not in there)),
    )


def _on_disk(host: Host, workspace: Workspace, image: str, user: GuestUser) -> Manifest:
    """Return the manifest of what the machines of an image have as their disk, read from its blocks."""
    labels = {LABEL_WORKSPACE: workspace.hash, LABEL_OWNER: host.owner}
    bench = Bench(engine=host.engine, processes=host.processes, reporter=host.reporter)
    files = machine_image(image, labels, bench)
    view = View(directory=workspace.guest_directory, user=user.name, uid=user.uid, gid=user.gid)
    try:
        with host.reporter.step("read the machine's disk"), scratch(Path(paths.machine_images())) as place:
            raw = place / "raw"
            to_raw(files.disk, raw, host.processes)
            return capture(as_tar(raw), view)
    except (Ext4Error, TarStreamError) as error:
        hint = "have it made anew: devbox prune, then this again"
        raise MachineError(f"the machine's disk {files.disk} cannot be read: {error}", hint=hint) from error
