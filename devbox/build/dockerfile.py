"""The project's own Dockerfile as a base: built by whatever can do all of it, on the very engine that devbox uses.

In this order: `docker buildx`, BuildKit through the docker command, `podman build`, the engine's classic builder.
A build with the same Dockerfile, stage and context is not repeated.
"""

import hashlib
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from devbox.build import confined
from devbox.build.inputs import digest_of
from devbox.engine.base import Engine, ImageInfo, Labels
from devbox.engine.classic import context_archive, context_files
from devbox.errors import BaseImageError, CommandFailedError, DevboxError, EngineError, Problem, ProfileError
from devbox.process import Processes
from devbox.reporter import Reporter
from devbox.values import LABEL_BASE, LABEL_EPOCH, LABEL_RECIPE, LABEL_ROLE, ROLE_BASE

_TIMEOUT = 20.0
_LAST_WITH_BUILDKIT_INSIDE = 22  # from 23 on, the docker command needs the buildx plug-in for BuildKit

# What the classic builder cannot do; source: the Dockerfile reference ("requires BuildKit").
_BEYOND_CLASSIC = (
    (re.compile(r"RUN\s+(?:--\w+(?:=\S+)?\s+)*--(?P<what>mount|network|security)\b", re.IGNORECASE), "RUN --{}"),
    (re.compile(r"COPY\s+(?:--\w+(?:=\S+)?\s+)*--(?P<what>link|chmod|parents|exclude)\b", re.IGNORECASE), "COPY --{}"),
    (re.compile(r"ADD\s+(?:--\w+(?:=\S+)?\s+)*--(?P<what>checksum|link|chmod)\b", re.IGNORECASE), "ADD --{}"),
    (re.compile(r"(?:RUN|COPY)\s.*<<-?[\"']?(?P<what>[A-Za-z_]\w*)", re.IGNORECASE), "a here-document ({})"),
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildJob:
    """What is to be built, in values."""

    directory: Path
    dockerfile: str
    target: str | None
    tag: str
    labels: tuple[tuple[str, str], ...]

    def arguments(self) -> list[str]:
        """Return the arguments that all the builders have in common; the context comes last."""
        return [
            f"--file={self.directory / self.dockerfile}",
            f"--tag={self.tag}",
            *([f"--target={self.target}"] if self.target else []),
            *(f"--label={name}={value}" for name, value in self.labels),
            str(self.directory),
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Builder:
    """A command that builds Dockerfiles. `env` points it at the engine."""

    title: str
    argv: tuple[str, ...]
    env: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class DockerfileBases:
    """Builds Dockerfiles for one engine. `labels` go on the images."""

    engine: Engine
    processes: Processes
    reporter: Reporter
    environ: Mapping[str, str]
    labels: Labels

    def build(self, directory: Path, dockerfile: str, target: str | None, *, repository: str) -> ImageInfo:
        """Return the image of the target, built if the engine does not hold it.

        Raises `BaseImageError` with the builder's own words, or with the lines that no builder here can do.
        """
        digest = _digest(directory, dockerfile, target)
        wanted = {LABEL_ROLE: ROLE_BASE, LABEL_RECIPE: digest}
        if found := self.engine.images(wanted):
            return found[0]
        job = BuildJob(
            directory=directory,
            dockerfile=dockerfile,
            target=target,
            tag=f"{repository}:base-{digest[:12]}",
            # What the Dockerfile builds on may be a base of ours; what comes of it is none.
            labels=tuple(sorted({**self.labels, **wanted, LABEL_BASE: "", LABEL_EPOCH: ""}.items())),
        )
        self._run(job)
        found = self.engine.images(wanted)
        if not found:
            raise BaseImageError(
                f"{dockerfile} was built, and this engine does not have the image",
                hint=f"check which engine the command uses: DOCKER_HOST={self.engine.info.url}",
            )
        return found[0]

    def _run(self, job: BuildJob) -> None:
        builder = find_builder(self.engine, self.processes, self.environ)
        with self.reporter.step(f"build {job.dockerfile}") as progress:
            try:
                for line in _lines(self.engine, self.processes, builder, job):
                    progress.output(line)
            except (CommandFailedError, EngineError) as error:
                raise _failed(job, builder, error) from error


def find_builder(engine: Engine, processes: Processes, environ: Mapping[str, str]) -> Builder | None:
    """Return the first command on PATH that can build for this engine with BuildKit or Buildah, or None."""
    if engine.info.name == "podman":
        if processes.which("podman") is None:
            return None
        return Builder(title="podman build", argv=("podman", "--url", engine.info.url, "build"), env={})
    env = {"DOCKER_HOST": engine.info.url, "DOCKER_CONTEXT": ""}
    for docker in _dockers(environ):
        if _works(processes, [docker, "buildx", "version"]):
            return Builder(title="docker buildx", argv=(docker, "buildx", "build", "--load"), env=env)
    for docker in _dockers(environ):
        if _has_buildkit(processes, docker, env):
            return Builder(title="BuildKit", argv=(docker, "build"), env={**env, "DOCKER_BUILDKIT": "1"})
    return None


def beyond_classic(text: str, *, file: str) -> list[Problem]:
    """Return a Problem for each line of a Dockerfile that the classic builder cannot do. Pure."""
    problems: list[Problem] = []
    for number, line in enumerate(text.splitlines(), start=1):
        for pattern, title in _BEYOND_CLASSIC:
            if match := pattern.match(line.strip()):
                message = f"the engine's classic builder cannot do {title.format(match['what'])}"
                problems.append(Problem(message=message, key="base.dockerfile", file=file, line=number))
    return problems


def _lines(engine: Engine, processes: Processes, builder: Builder | None, job: BuildJob) -> Iterator[str]:
    if builder is not None:
        yield from processes.lines([*builder.argv, *job.arguments()], env=builder.env, cwd=job.directory)
        return
    with confined.opened(job.directory, job.dockerfile) as file:
        text = file.read().decode("utf-8", "replace")
    problems = beyond_classic(text, file=job.dockerfile)
    if problems:
        raise BaseImageError(
            f"{job.dockerfile} needs a newer builder than there is here",
            problems=problems,
            hint="install docker-buildx (or docker-buildx-plugin), or podman",
        )
    yield from engine.build_classic(
        context_archive(job.directory, job.dockerfile),
        dockerfile=job.dockerfile,
        target=job.target,
        tag=job.tag,
        labels=dict(job.labels),
    )


def _digest(directory: Path, dockerfile: str, target: str | None) -> str:
    """Return the digest of everything that the build can see."""
    try:
        confined.resolve(directory, dockerfile)
        total = hashlib.sha256(f"devbox-dockerfile-1\0{dockerfile}\0{target or ''}\0".encode())
        for path in context_files(directory, dockerfile):
            total.update(f"{path}\0{_file_digest(directory, path)}\0".encode("utf-8", "surrogateescape"))
    except OSError as error:
        missing = f"there is no {dockerfile} in the project"
        message = missing if isinstance(error, FileNotFoundError) else f"{dockerfile} cannot be used: {error}"
        raise ProfileError(message, problems=[Problem(message=message, key="base.dockerfile")]) from error
    return total.hexdigest()


def _file_digest(directory: Path, path: str) -> str:
    full = directory / path
    if full.is_symlink():
        return f"link {full.readlink()}"
    if not full.is_file():
        return "directory" if full.is_dir() else "special"
    with full.open("rb") as file:
        executable = os.fstat(file.fileno()).st_mode & 0o111
        return f"{digest_of(file)[0]} {executable}"


def _dockers(environ: Mapping[str, str]) -> list[str]:
    """Return every docker command on PATH: the first one may lack what a later one has."""
    places = [Path(place, "docker") for place in environ.get("PATH", "").split(":") if place.startswith("/")]
    return list(dict.fromkeys(str(place) for place in places if os.access(place, os.X_OK)))


def _works(processes: Processes, argv: list[str]) -> bool:
    try:
        return processes.run(argv, timeout=_TIMEOUT, check=False).status == 0
    except CommandFailedError:
        return False


def _has_buildkit(processes: Processes, docker: str, env: Mapping[str, str]) -> bool:
    argv = [docker, "version", "--format", "{{.Client.Version}} {{.Server.Version}}"]
    try:
        answer = processes.run(argv, env=env, timeout=_TIMEOUT, check=False)
    except CommandFailedError:
        return False
    major = answer.stdout.split(".", 1)[0]
    return answer.status == 0 and major.isdigit() and 19 <= int(major) <= _LAST_WITH_BUILDKIT_INSIDE


def _failed(job: BuildJob, builder: Builder | None, error: DevboxError) -> BaseImageError:
    return BaseImageError(
        f"{job.dockerfile} could not be built by {builder.title if builder else 'the classic builder'}",
        detail=error.detail or error.message,
        hint=f"mend {job.dockerfile}, then run: devbox up",
    )
