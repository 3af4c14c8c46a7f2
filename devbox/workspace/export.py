"""`export containerfile`: the Recipe as a build context, for builders that know nothing of devbox."""

import gzip
import shutil
import tarfile
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from devbox.build.bootstrap import is_ours
from devbox.build.ca import read_bundle
from devbox.build.containerfile import BASE, CERTIFICATES, FILE, MARK, containerfile
from devbox.build.context import Delivery, stream
from devbox.errors import DevboxError, UsageError
from devbox.parity.capture import without_engine
from devbox.workspace.base_disk import require_image
from devbox.workspace.build import Made, Wish, make_image
from devbox.workspace.checked import checked
from devbox.workspace.context import Host, Workspace
from devbox.workspace.exported import exported
from devbox.workspace.located import located
from devbox.workspace.state import locked

DEFAULT = "containerfile"
_LEVEL = 6  # of gzip: half the size of 1, a third of the time of 9
_TAR = ".tar"


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """What was written. `path`: None for a stream. `base`: the reference that it starts from, None for an archive."""

    path: Path | None
    base: str | None
    files: tuple[str, ...]
    secrets: tuple[str, ...]


def export_containerfile(
    host: Host,
    workspace: Workspace,
    output: str,
    *,
    sink: Callable[[bytes], object],
    flags: Mapping[str, object] | None = None,
) -> Exported:
    """Write the build context of the Workspace's Image, which is built if it is not there.

    `output`: a directory, a file that ends with .tar, or "-" for a tar that `sink` takes. `UsageError`, before anything
    is made, for one that would lose what is there already.
    """
    target = None if output == "-" else _target(host, output)
    ready = checked(host, workspace, flags=flags)
    require_image(ready.loaded, "export")
    with located(ready.loaded), locked(host, workspace, "devbox export"):
        made = make_image(host, workspace, ready, Wish())
        with _written(output), _place(target) as place:
            base = _fill(host, workspace, made, place)
            files = tuple(sorted(str(path.relative_to(place)) for path in place.rglob("*") if path.is_file()))
            if target is None:
                _archive(place, files, made.recipe.epoch, sink)
            elif target.suffix == _TAR:
                with (packed := place.parent / target.name).open("wb") as file:
                    _archive(place, files, made.recipe.epoch, file.write)
                packed.replace(target)
            else:
                _replace(place, target)
    secrets = sorted({name for step in made.recipe.steps for name in step.secrets})
    return Exported(path=target, base=base, files=files, secrets=tuple(secrets))


def _target(host: Host, output: str) -> Path:
    target = host.cwd / output
    if not target.parent.is_dir():
        raise UsageError(f"{output} lies in a directory that is not there", hint="make it first")
    if target.suffix == _TAR and not target.is_dir():
        return target
    if target.is_dir() and any(target.iterdir()) and not _is_ours(target):
        raise UsageError(
            f"{output} is not empty, and not from an export before", hint="name a directory that is not there yet"
        )
    if target.exists() and not target.is_dir():
        raise UsageError(f"{output} is a file", hint='name a directory, a file that ends with .tar, or "-"')
    return target


def _is_ours(directory: Path) -> bool:
    try:
        with (directory / FILE).open(encoding="utf-8", errors="replace") as file:
            return file.readline().startswith(MARK)
    except OSError:
        return False


@contextmanager
def _place(target: Path | None) -> Iterator[Path]:
    """Give an empty directory to put the files together in, next to where they go; it is gone afterwards."""
    parent = None if target is None else target.parent
    with tempfile.TemporaryDirectory(prefix=".devbox-export-", dir=parent) as around:
        place = Path(around, DEFAULT)
        place.mkdir()
        place.chmod(0o755)  # whatever the umask
        yield place


def _fill(host: Host, workspace: Workspace, made: Made, place: Path) -> str | None:
    """Write the files; return the reference of the base, None if its root file system is one of them."""
    base = _reference(host, made.recipe.base)
    bundle = read_bundle(made.bundle)
    rendered = containerfile(made.recipe, base=base, certificates=bundle is not None)
    for name, text in rendered.files.items():
        _write(place / name, iter([text.encode("utf-8", "surrogateescape")]))
    for name, step in rendered.archives.items():
        delivery = Delivery(files=step.context, texts=step.texts, epoch=made.recipe.epoch)
        _write(place / name, stream(delivery, made.inputs))
    if bundle is not None:
        _write(place / CERTIFICATES, iter([bundle]))
    if base is None:
        with (
            host.reporter.step("pack the base"),
            (place / BASE).open("wb") as file,
            gzip.GzipFile(filename="", fileobj=file, mode="wb", compresslevel=_LEVEL, mtime=0) as packed,
            exported(host, workspace, made.recipe.base) as root,
        ):
            for piece in without_engine(root, epoch=made.recipe.epoch):
                packed.write(piece)
        (place / BASE).chmod(0o644)
    return base


def _reference(host: Host, image: str) -> str | None:
    """Return a reference by which any builder can pull the image, None if no registry is known to have it."""
    info = host.engine.image(image)
    return None if info is None or is_ours(info) or not info.digests else info.digests[0]


def _write(path: Path, pieces: Iterator[bytes]) -> None:
    path.parent.mkdir(exist_ok=True)
    path.parent.chmod(0o755)
    with path.open("wb") as file:
        for piece in pieces:
            file.write(piece)
    path.chmod(0o644)


def _archive(place: Path, files: tuple[str, ...], epoch: int, sink: Callable[[bytes], object]) -> None:
    """Send the files as a tar: the same bytes for the same content."""
    for name in files:
        info = tarfile.TarInfo(name)
        info.size, info.mode, info.mtime = (place / name).stat().st_size, 0o644, epoch
        sink(info.tobuf(tarfile.GNU_FORMAT))
        with (place / name).open("rb") as file:
            while piece := file.read(1024**2):
                sink(piece)
        sink(bytes(-info.size % tarfile.BLOCKSIZE))
    sink(bytes(2 * tarfile.BLOCKSIZE))


def _replace(place: Path, target: Path) -> None:
    """Put the directory where it belongs; an older export there goes, at the very end."""
    old = place.parent / "old"
    if target.exists():
        target.rename(old)
    place.rename(target)
    shutil.rmtree(old, ignore_errors=True)


@contextmanager
def _written(output: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise DevboxError(
            f"{output} cannot be written: {(error.strerror or str(error)).lower()}", hint="name another place: -o DIR"
        ) from error
