"""`verify`: whether the Image holds what other builds from the same Lock hold."""

import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from devbox import paths
from devbox.errors import BuildFailedError, DevboxError, UsageError
from devbox.parity.compare import Difference, compare
from devbox.parity.manifest import SIZE_LIMIT, Manifest, parse
from devbox.values import LABEL_OWNER, LABEL_WORKSPACE
from devbox.workspace.base_disk import require_image
from devbox.workspace.build import BuildResult, Made, Wish, make_image
from devbox.workspace.checked import Checked, checked
from devbox.workspace.context import Host, Workspace
from devbox.workspace.exported import manifest_of
from devbox.workspace.located import located
from devbox.workspace.lock_content import record, recorded
from devbox.workspace.locks import architecture, lock_book
from devbox.workspace.prune import remove_images
from devbox.workspace.same_bits import CONTAINER, MachineOwn, same_bits
from devbox.workspace.state import locked

AGAIN = "a second build"


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyOrder:
    """What to compare with, and where to write the manifest; paths as the user typed them.

    `record`: put the digest into the Lock, instead of comparing with the one that is there.
    """

    against: str | None = None
    write: str | None = None
    rebuild: bool = False
    record: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """With what was compared, for a person; the digest of its manifest, and what differs.

    Of the Lock the digest alone is known, so there `differences` is None where it is another.
    """

    name: str
    digest: str
    differences: tuple[Difference, ...] | None = ()

    @property
    def identical(self) -> bool:
        """Whether the two hold the same."""
        return self.differences == ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """The Image's manifest, by its digest, and the comparisons. A machine is compared with the container too.

    `written`: the file that has it now. `recorded`: the Lock has the digest now, and had not before.
    """

    built: BuildResult
    digest: str
    paths: int
    comparisons: tuple[Comparison, ...]
    written: Path | None = None
    recorded: bool = False
    own: MachineOwn | None = None  # of a machine: what it has beyond the container

    @property
    def identical(self) -> bool | None:
        """Whether all that it was compared with holds the same; None if there was nothing to compare with."""
        return all(one.identical for one in self.comparisons) if self.comparisons else None


def verify(
    host: Host, workspace: Workspace, order: VerifyOrder, *, flags: Mapping[str, object] | None = None
) -> Verified:
    """Take the manifest of the Workspace's Image, which is built if it is not there, and compare it.

    `ManifestError` and `UsageError` for files that cannot be used, before anything is made.
    """
    theirs = None if order.against is None else _read(host, order.against)
    target = None if order.write is None else _writable(host, order.write)
    ready = checked(host, workspace, flags=flags)
    require_image(ready.loaded, "verify")
    with located(ready.loaded), locked(host, workspace, "devbox verify"):
        made = make_image(host, workspace, ready, Wish())
        ours = manifest_of(host, workspace, made.built.image, made.user, title=made.built.reference)
        if target is not None:
            _write(target, ours)
        book, machine = lock_book(host, workspace, ready.loaded), architecture(host.engine.info.architecture)
        changed = order.record and record(book, machine, ours.digest)
        comparisons = [] if order.record else _with_lock(recorded(book, machine), ours)
        if order.against is not None and theirs is not None:
            comparisons.append(_compared(order.against, ours, theirs))
        own = None
        if ready.loaded.profile.runtime == "vm":
            same = same_bits(host, workspace, made, ours, flags=flags)
            comparisons.append(Comparison(name=CONTAINER, digest=same.digest, differences=same.differences))
            own = same.own
        if order.rebuild:
            comparisons.append(_compared(AGAIN, ours, _second(host, workspace, ready, made)))
    return Verified(
        built=made.built,
        digest=ours.digest,
        paths=len(ours.entries),
        comparisons=tuple(comparisons),
        written=target,
        recorded=changed,
        own=own,
    )


def _with_lock(known: str, ours: Manifest) -> list[Comparison]:
    if not known:
        return []
    return [Comparison(name=paths.LOCK, digest=known, differences=() if known == ours.digest else None)]


def _compared(name: str, ours: Manifest, theirs: Manifest) -> Comparison:
    return Comparison(name=name, digest=theirs.digest, differences=compare(ours, theirs))


def _second(host: Host, workspace: Workspace, ready: Checked, first: Made) -> Manifest:
    """Build once more, every step anew and under another name; return what came out, and remove it."""
    labels = {LABEL_WORKSPACE: workspace.hash, LABEL_OWNER: host.owner}
    before = {image.id for image in host.engine.images(labels)}
    try:
        wish = Wish(no_cache=True, repository=f"{workspace.image_repository}-verify")
        again = make_image(host, workspace, ready, wish)
        return manifest_of(host, workspace, again.built.image, first.user, title=AGAIN)
    except BuildFailedError as error:  # the state in which it failed goes with the rest
        error.hint = "read what its steps wrote: devbox logs --build"
        raise
    finally:
        with host.reporter.step("remove the second build"):
            remove_images(host.engine, [image for image in host.engine.images(labels) if image.id not in before])


def _read(host: Host, name: str) -> Manifest:
    try:
        with (host.cwd / name).open("rb") as file:
            data = file.read(SIZE_LIMIT + 1)
    except OSError as error:
        raise UsageError(
            f"{name} cannot be read: {(error.strerror or str(error)).lower()}",
            hint="name a file that devbox verify --write made",
        ) from error
    if len(data) > SIZE_LIMIT:
        raise UsageError(f"{name} is larger than any manifest", hint="name a file that devbox verify --write made")
    return parse(data, file=name)


def _writable(host: Host, name: str) -> Path:
    path = host.cwd / name
    if path.is_dir() or not path.parent.is_dir():
        why = "is a directory" if path.is_dir() else "lies in a directory that is not there"
        raise UsageError(f"{name} {why}", hint="name a file to write, as --write shop.manifest")
    return path


def _write(path: Path, manifest: Manifest) -> None:
    """Write it at once or not at all, with the rights that a new file gets from the user's umask."""
    try:
        with tempfile.TemporaryDirectory(prefix=f".{path.name}.", dir=path.parent) as place:
            made = Path(place, path.name)
            made.write_text(manifest.text, encoding="ascii")
            os.replace(made, path)  # noqa: PTH105 (one call, whatever is there)
    except OSError as error:
        raise DevboxError(
            f"{path} cannot be written: {(error.strerror or str(error)).lower()}", hint="name another file"
        ) from error
