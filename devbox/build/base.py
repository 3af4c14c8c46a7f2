"""Where a Recipe's base comes from: the engine, a registry, the distribution's archive, or the project's Dockerfile."""

import contextlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from devbox.build.bootstrap import Bootstrap, is_ours, suite_of
from devbox.build.dockerfile import DockerfileBases
from devbox.build.probe import Facts, probe
from devbox.build.recipe import BaseImage
from devbox.engine.base import Engine, ImageInfo, Labels
from devbox.errors import (
    BaseImageError,
    CommandFailedError,
    EngineError,
    Problem,
    ProfileError,
    RegistryUnreachableError,
)
from devbox.process import Processes
from devbox.profile.lock import LockedBase
from devbox.profile.model import Base
from devbox.reporter import Reporter
from devbox.values import (
    LABEL_BASE,
    LABEL_EPOCH,
    LABEL_ROLE,
    ROLE_LAYER,
    check_guest_path,
    printable,
)

__all__ = ["BaseImage", "Resolver"]

_NO_ANSWER = re.compile(
    r"no such host|no route to host|connection refused|i/o timeout|network is unreachable|server misbehaving"
    r"|temporary failure in name resolution|TLS handshake timeout|Client\.Timeout|proxyconnect|context deadline",
    re.IGNORECASE,
)
_USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*(:[A-Za-z0-9_][A-Za-z0-9_.-]*)?\Z")
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm", "i686": "386"}
_EARLIEST = 315532800  # 1980-01-01; zip files, and so wheels, know no earlier date


@dataclass(frozen=True, kw_only=True)
class Resolver:
    """Finds or makes bases on one engine. `labels` (workspace, owner, schema) go on what is made in between."""

    engine: Engine
    processes: Processes
    reporter: Reporter
    environ: Mapping[str, str]
    labels: Labels

    def resolve(
        self, base: Base, *, directory: Path, repository: str, locked: LockedBase | None = None, fresh: bool = False
    ) -> BaseImage:
        """Return the base of a profile, pulled, bootstrapped or built if the engine does not hold it.

        `directory`: the project. `repository`: name for the image of its Dockerfile. `locked`: which one it is to be;
        if it cannot be had, it is another one, whose `digest` tells. `fresh`: the newest one there is.

        Raises `BaseImageError` for an image that can carry no environment, `ProfileError` for one of another
        architecture, `RegistryUnreachableError` if no registry answers and the archive does not have it either.
        """
        if base.dockerfile is not None:
            bases = DockerfileBases(
                engine=self.engine,
                processes=self.processes,
                reporter=self.reporter,
                environ=self.environ,
                labels=self.labels,
            )
            info = bases.build(directory, base.dockerfile, base.target, repository=repository)
            stage = f", stage {base.target}" if base.target else ""
            described = self._described(info, base.dockerfile, said=f"{base.dockerfile}{stage}")
            return replace(described, digest="")  # built anew it is another image
        assert base.image is not None, "a disk is nothing that anything is built on"
        if fresh:
            self._renew(base.image)
        return self._locked(base.image, locked) or self._image(base.image)

    def _renew(self, reference: str) -> None:
        """Let the engine have the newest image of `reference`; where nobody can be asked, what it has will do."""
        suite = suite_of(reference)
        local = self.engine.image(reference)
        if "@" in reference or (local is not None and not local.digests):
            return  # no name of something that is published
        try:
            self._pull(reference)
        except (RegistryUnreachableError, EngineError) as error:
            if local is None and suite is not None:
                self._bootstrap().renew(suite)
            else:
                self.reporter.debug(f"no newer {reference}: {error.message}")

    def _locked(self, reference: str, locked: LockedBase | None) -> BaseImage | None:
        """Return the very image of the Lock, if it can be had."""
        if locked is None or locked.reference != reference or not locked.digest:
            return None
        suite = suite_of(reference)
        exact = f"{_repository(reference)}@{locked.digest}"
        image = self.engine.image(reference)
        if image is None or _digest(image) != locked.digest:
            image = self.engine.image(exact)
        if image is None and suite is not None:
            with contextlib.suppress(BaseImageError, CommandFailedError):  # the archive has moved on
                image = self._bootstrap().as_locked(suite, digest=locked.digest, epoch=locked.epoch)
        if image is None and not locked.epoch:
            with contextlib.suppress(EngineError, RegistryUnreachableError):
                image = self._pull(exact)
        return None if image is None else self._described(image, reference, said=f"{reference}, as locked")

    def _image(self, reference: str) -> BaseImage:
        local = self.engine.image(reference)
        if local is not None:
            return self._described(local, reference, said=f"{reference}, as the engine holds it")
        suite = suite_of(reference)
        if suite is not None:
            made = self._bootstrap().existing(suite)
            if made is not None:
                return self._described(made, reference, said=f"{reference}, made from the archive before")
        try:
            pulled = self._pull(reference)
        except RegistryUnreachableError as error:
            if suite is None:
                raise _with_hint(error) from error
            self.reporter.note(f"no registry answers, so {reference} is made from the Debian archive")
            return self._described(self._bootstrap().make(suite), reference, said=f"{reference}, from the archive")
        return self._described(pulled, reference, said=f"{reference}, pulled")

    def _pull(self, reference: str) -> ImageInfo:
        with self.reporter.step(f"pull {reference}") as progress:
            try:
                for line in self.engine.pull(reference):
                    progress.output(line)
            except EngineError as error:
                if _NO_ANSWER.search(f"{error.message} {error.detail or ''}"):
                    raise RegistryUnreachableError(
                        f"no registry answers for {reference}", detail=error.detail, hint=error.hint
                    ) from error
                raise
        info = self.engine.image(reference)
        if info is None:
            raise BaseImageError(f"the engine pulled {reference} and does not have it")
        _check_digest(reference, info)
        return info

    def _bootstrap(self) -> Bootstrap:
        return Bootstrap(
            engine=self.engine,
            processes=self.processes,
            reporter=self.reporter,
            environ=self.environ,
            labels=self.labels,
        )

    def _described(self, info: ImageInfo, reference: str, *, said: str) -> BaseImage:
        check_image(info, reference=reference, architecture=self.engine.info.architecture)
        hidden = [path for path in info.volumes if path.startswith("/workspaces")]
        if hidden:
            self.reporter.note(f"{reference} declares {', '.join(map(printable, hidden))} as a volume; it stays empty")
        own = is_ours(info)
        facts = _own_facts(info) if own else probe(self.engine, info, reference=reference, labels=self.labels)
        if facts.sh and not facts.tar:
            raise BaseImageError(
                f"the image {reference} has no tar, with which steps get their files",
                hint="choose another base, or install tar in its Dockerfile",
            )
        self.reporter.debug(f"base: {said} ({info.id})")
        return BaseImage(
            id=info.id,
            reference=reference,
            family=facts.family,
            distribution=facts.distribution,
            version=facts.version,
            env=info.env,
            workdir=info.workdir,
            epoch=_epoch(info),
            architecture=info.architecture,
            layers=len(info.layers),
            prepared=own or info.labels.get(LABEL_ROLE) == ROLE_LAYER,
            said=said,
            shell=facts.sh,
            digest=_digest(info),
        )


def check_image(info: ImageInfo, *, reference: str, architecture: str) -> None:
    """Raise unless what the image declares may be used (S-11) and its architecture is the engine's."""
    ours, theirs = (_ARCHITECTURES.get(name, name) for name in (architecture, info.architecture))
    if theirs and ours and theirs != ours:
        message = f"the image {reference} is for {theirs}, this engine runs {ours}"
        hint = "name an image for several architectures, or one for this"
        raise ProfileError(message, hint=hint, problems=[Problem(message=message, key="base.image", hint=hint)])
    try:
        if info.workdir:
            check_guest_path(info.workdir, may_be_system=True)
    except ValueError as error:
        raise BaseImageError(
            f"the image {reference} has the working directory {printable(info.workdir)}, which is refused",
            detail=str(error),
            hint="choose another base; no honest image starts there",
        ) from error
    if info.user and not _USER.match(info.user):
        raise BaseImageError(
            f"the image {reference} has the user {printable(info.user)}, which is no user's name or number"
        )


def _digest(info: ImageInfo) -> str:
    """Return the digest by which the Lock knows an image: that of its content, wherever it was made."""
    if is_ours(info):
        return info.layers[-1] if info.layers else ""
    return info.digests[0].partition("@")[2] if info.digests else info.id


def _repository(reference: str) -> str:
    name = reference.partition("@")[0]
    before, colon, tag = name.rpartition(":")
    return before if colon and "/" not in tag else name


def _own_facts(info: ImageInfo) -> Facts:
    distribution, _, version = info.labels[LABEL_BASE].partition(":")
    return Facts(
        family="debian", distribution=distribution, version="" if version == "sid" else version, tar=True, sh=True
    )


def _epoch(info: ImageInfo) -> int:
    label = info.labels.get(LABEL_EPOCH, "")
    if label.isdigit():
        return int(label)
    try:
        text = re.sub(r"\.[0-9]+", "", info.created).replace("Z", "+00:00")
        return max(_EARLIEST, int(datetime.fromisoformat(text).timestamp()))
    except ValueError:
        return _EARLIEST


def _check_digest(reference: str, info: ImageInfo) -> None:
    _, at, digest = reference.partition("@")
    if at and not any(known.endswith("@" + digest) for known in info.digests):
        raise BaseImageError(
            f"the registry gave another image than {reference}",
            detail="\n".join(info.digests) or None,
            hint="do not use it; ask whoever runs the registry",
        )


def _with_hint(error: RegistryUnreachableError) -> RegistryUnreachableError:
    return RegistryUnreachableError(
        error.message,
        detail=error.detail,
        hint="connect to the network, load the image (docker load), or use debian:12, which needs no registry",
    )
