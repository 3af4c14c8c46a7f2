"""Bases of the Debian family from the distribution's own archive, verified by its keyring, reproducible.

The root file system is made by mmdebstrap on this host, or in a container of an image that the engine has.
Two builds at once make it once: the second waits.
"""

import contextlib
import fcntl
import os
import platform
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from devbox import paths
from devbox.build.archive import RootImage, archive
from devbox.build.debian_maker import ContainerMaker, HostMaker, Maker
from devbox.build.mmdebstrap import MIRROR_VARIABLE, check_mirror, maker_digest
from devbox.build.probe import probe
from devbox.engine.base import Engine, ImageInfo, Labels
from devbox.errors import BaseImageError, CommandFailedError, DevboxError, EngineError, UsageError
from devbox.faults import fault
from devbox.process import Processes
from devbox.reporter import Progress, Reporter
from devbox.values import LABEL_BASE, LABEL_EPOCH, LABEL_MAKER, LABEL_ROLE, LABEL_SCHEMA, ROLE_BASE, SCHEMA

_SUITES = {"11": "bullseye", "12": "bookworm", "13": "trixie", "sid": "sid"}
_NAMES = {suite: version for version, suite in _SUITES.items()} | {"unstable": "sid"}
_REFERENCE = re.compile(r"(?:docker\.io/)?(?:library/)?debian:(?P<tag>[a-z0-9]+)(?:-slim)?\Z")
_DPKG_ARCHITECTURES = {
    "x86_64": "amd64",
    "amd64": "amd64",
    "aarch64": "arm64",
    "arm64": "arm64",
    "armv7l": "armhf",
    "arm": "armhf",
    "i686": "i386",
    "386": "i386",
}
REPOSITORY = "devbox/base"
_ATTEMPTS = 3  # how often the archive may move on while we read it
_MAKERS_LIMIT = 8  # images that are looked into for one that can run mmdebstrap


def suite_of(reference: str) -> str | None:
    """Return the suite ("bookworm") that `reference` stands for, or None if the archive does not have it."""
    match = _REFERENCE.match(reference)
    if match is None:
        return None
    version = _NAMES.get(match["tag"], match["tag"])
    return _SUITES.get(version)


@dataclass(frozen=True, kw_only=True)
class Bootstrap:
    """Makes bases for one engine."""

    engine: Engine
    processes: Processes
    reporter: Reporter
    environ: Mapping[str, str]
    labels: Labels

    def existing(self, suite: str) -> ImageInfo | None:
        """Return the newest base of `suite` that was made before."""
        wanted = {LABEL_BASE: canonical(suite), LABEL_ROLE: ROLE_BASE, LABEL_MAKER: maker_digest()}
        found = filter(is_ours, self.engine.images(wanted))
        return max(found, key=lambda image: image.labels.get(LABEL_EPOCH, ""), default=None)

    def as_locked(self, suite: str, *, digest: str, epoch: int) -> ImageInfo | None:
        """Return the base of `suite` whose layer has this `digest`, made anew if need be.

        None if the archive has moved on: then nobody can make these bytes any more.
        """
        held = self._with_layer(suite, digest)
        if held is not None or not epoch:
            return held
        title = f"bootstrap {canonical(suite)} as it was on {time.strftime('%Y-%m-%d', time.gmtime(epoch))}"
        with self.reporter.step(title) as progress, self._locked(suite, progress) as place:
            made = self._with_layer(suite, digest) or self._make(suite, place, self._mirror(), progress, epoch=epoch)
        return made if made.layers[-1:] == (digest,) else None

    def _with_layer(self, suite: str, digest: str) -> ImageInfo | None:
        """Return a base of `suite` that the engine holds, whoever made it, if its one layer has this digest."""
        held = filter(is_ours, self.engine.images({LABEL_BASE: canonical(suite), LABEL_ROLE: ROLE_BASE}))
        return next((image for image in held if image.layers[-1:] == (digest,)), None)

    def renew(self, suite: str) -> ImageInfo:
        """Return the base of `suite` as the archive has it now; made anew if the archive has moved on."""
        mirror = self._mirror()
        with self.reporter.step(f"look for a newer {canonical(suite)}") as progress:
            _, date = self._maker(suite, mirror, progress)
            made = self.existing(suite)
            if made is not None and made.labels.get(LABEL_EPOCH, "") >= str(date):
                return made
            with self._locked(suite, progress) as place:
                return self._make(suite, place, mirror, progress)

    def make(self, suite: str) -> ImageInfo:
        """Make the base of `suite`, or return the one that somebody else made while we waited."""
        mirror = self._mirror()
        with self.reporter.step(f"bootstrap {canonical(suite)}") as progress, self._locked(suite, progress) as place:
            made = self.existing(suite)
            return made or self._make(suite, place, mirror, progress)

    def _mirror(self) -> str | None:
        try:
            return check_mirror(self.environ.get(MIRROR_VARIABLE, ""))
        except ValueError as error:
            raise UsageError(
                str(error), hint=f"unset {MIRROR_VARIABLE} to use the distribution's own mirror"
            ) from error

    def _make(
        self, suite: str, place: Path, mirror: str | None, progress: Progress, *, epoch: int | None = None
    ) -> ImageInfo:
        for left in place.glob(f"{suite}.*.tar"):  # of a run that was killed
            left.unlink(missing_ok=True)
        # A name of our own: the mmdebstrap of a killed run may live on and open its file late.
        layer = place / f"{suite}.{os.getpid()}.tar"
        try:
            date = self._tar(suite, layer, mirror, progress, wanted=epoch)
            progress.update("giving it to the engine")
            return self._load(suite, layer, date)
        finally:
            layer.unlink(missing_ok=True)

    def _tar(self, suite: str, layer: Path, mirror: str | None, progress: Progress, *, wanted: int | None) -> int:
        """Make the tar and return its epoch; again if the archive moved on in between.

        `wanted`: the epoch that it is to have, whatever the archive says of itself.
        """
        maker, epoch = self._maker(suite, mirror, progress)
        if wanted is not None:
            maker.make(suite, layer, epoch=wanted)
            return wanted
        for _ in range(_ATTEMPTS):
            progress.update(f"installing {suite}")
            fault("write base tar")
            seen = maker.make(suite, layer, epoch=epoch)
            fault("wrote base tar")
            if seen == epoch:
                return epoch
            epoch = seen
        raise BaseImageError(
            f"the archive of {suite} changed each time that it was read", hint="try again in some minutes"
        )

    def _maker(self, suite: str, mirror: str | None, progress: Progress) -> tuple[Maker, int]:
        """Return the first maker that can read the archive (this host, then a container), and what date it found."""
        architecture = _DPKG_ARCHITECTURES.get(self.engine.info.architecture, self.engine.info.architecture)
        host = HostMaker(processes=self.processes, progress=progress, architecture=architecture, mirror=mirror)
        reason: DevboxError | None = None
        if host.usable and _DPKG_ARCHITECTURES.get(platform.machine()) == architecture:
            try:
                return host, host.date(suite)
            except (CommandFailedError, BaseImageError) as error:
                reason = error
        image = self._debian_image()
        if image is None:
            raise _nothing_to_make_with(suite, reason) from reason
        self.reporter.note(f"mmdebstrap runs in a container of {(*image.tags, image.id)[0]}")
        container = ContainerMaker(
            engine=self.engine,
            image=image.id,
            progress=progress,
            labels=self.labels,
            architecture=architecture,
            mirror=mirror,
        )
        return container, container.date(suite)

    def _debian_image(self) -> ImageInfo | None:
        """Return an image that has apt: one of our own bases, else the first tagged one that says it has."""
        own = next(filter(is_ours, self.engine.images({LABEL_BASE: "", LABEL_ROLE: ROLE_BASE})), None)
        if own is not None:
            return own
        for image in [each for each in self.engine.images({}) if each.tags][:_MAKERS_LIMIT]:
            with contextlib.suppress(BaseImageError, EngineError):
                if probe(self.engine, image, reference=image.tags[0], labels=self.labels).family == "debian":
                    return image
        return None

    def _load(self, suite: str, layer: Path, epoch: int) -> ImageInfo:
        image = RootImage(
            layer=layer,
            epoch=epoch,
            architecture=_engine_architecture(self.engine.info.architecture),
            labels={
                LABEL_BASE: canonical(suite),
                LABEL_EPOCH: str(epoch),
                LABEL_MAKER: maker_digest(),
                LABEL_ROLE: ROLE_BASE,
                LABEL_SCHEMA: SCHEMA,
            },
            created_by=f"mmdebstrap {suite}",
        )
        config = image.config()
        name = sha256(config).hexdigest()
        tag = f"{REPOSITORY}:{suite}-{name[:12]}"
        self.engine.load(archive(image, config, tag=tag))
        info = self.engine.image(f"sha256:{name}")
        if info is None:
            raise BaseImageError(f"the engine took the archive of {suite} and has another image than it holds")
        return info

    @contextmanager
    def _locked(self, suite: str, progress: Progress) -> Iterator[Path]:
        place = Path(paths.bases_root())
        try:
            lock = (Path(paths.private_directory(str(place))) / f"{suite}.lock").open("w")
        except OSError as error:
            raise BaseImageError(
                f"{place}, where the base is put together, cannot be written: {(error.strerror or str(error)).lower()}",
                hint="set XDG_CACHE_HOME to a writable directory",
            ) from error
        with lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                progress.update("waiting for another devbox that makes the same base")
                fcntl.flock(lock, fcntl.LOCK_EX)
            yield place


def is_ours(image: ImageInfo) -> bool:
    """Whether devbox bootstrapped the image; one that somebody built on it has inherited its labels."""
    named = any(f"{REPOSITORY}:" in tag for tag in image.tags)
    return named and bool(image.labels.get(LABEL_BASE)) and image.labels.get(LABEL_ROLE) == ROLE_BASE


def canonical(suite: str) -> str:
    """Return the reference that a base of `suite` is labelled with: "debian:12"."""
    return f"debian:{_NAMES[suite]}"


def _engine_architecture(machine: str) -> str:
    name = _DPKG_ARCHITECTURES.get(machine, machine)
    return {"armhf": "arm", "i386": "386"}.get(name, name)


def _nothing_to_make_with(suite: str, reason: DevboxError | None) -> BaseImageError:
    if reason is not None:
        return BaseImageError(
            f"{suite} cannot be made from the archive: {reason.message}",
            detail=reason.detail,
            hint=reason.hint or "check that the archive can be reached from here: mmdebstrap --simulate " + suite,
        )
    who = "sudo " if os.geteuid() else ""
    return BaseImageError(
        f"no registry answers, and nothing here can make {suite} from the archive",
        detail="mmdebstrap is missing on this host, or is for another architecture than the engine; "
        "and the engine has no Debian image to run it in",
        hint=f"install it: {who}apt-get install mmdebstrap debian-archive-keyring",
    )
