"""What somebody does with a fresh clone and no devbox: types what a README says, or has a Dockerfile from others."""

import contextlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.common import Way, base_image, command
from devbox.build.ca import find_bundle, variables
from tests.support.account import invoker
from tests.support.command import Devbox, engine
from tests.support.project import project
from tests.support.real_sources import Source, clone

BASE = "debian:12"
TAG = "devbox-bench-onboard"
LABEL = "devbox-bench=onboard"
INSIDE = "/workspaces/project"
CA = "/usr/local/share/bench-ca.pem"


@dataclass(frozen=True, slots=True, kw_only=True)
class Readme:
    """What there is to do on Debian. `manifests` are what `image` needs, which a Dockerfile does ahead of the clone."""

    packages: tuple[str, ...]
    test: str
    manifests: tuple[str, ...] = ()
    image: str = "true"
    then: str = "true"  # in the clone


READMES: Mapping[str, Readme] = {
    "pflag": Readme(packages=("ca-certificates", "gcc", "git", "golang-go", "libc6-dev"), test="go test -v ./..."),
    "itsdangerous": Readme(
        packages=("python3", "python3-venv"),
        manifests=("requirements/tests.txt",),
        image="python3 -m venv /opt/venv && /opt/venv/bin/pip install -q -r requirements/tests.txt",
        then="/opt/venv/bin/pip install -q -e .",
        test="/opt/venv/bin/pytest",
    ),
    "reusify": Readme(packages=("nodejs", "npm"), then="npm install --no-audit --no-fund", test="npm test"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Newcomer:
    """Somebody who clones a project: `plain` as it is, `equipped` with a .devcontainer; both bare, in `place`."""

    source: Source
    readme: Readme
    place: Path
    plain: Path
    equipped: Path

    def clone(self, repository: Path, directory: Path) -> None:
        """Clone to `directory`; an earlier clone there goes."""
        shutil.rmtree(directory, ignore_errors=True)
        command("git", "clone", "-q", repository, directory)

    def require_passed(self, output: str) -> None:
        """Raise `SystemExit` unless the project's own tests ran, as many as are known."""
        if (ran := self.source.ran(output)) < self.source.tests:
            raise SystemExit(f"{self.source.name}: {ran} tests passed of {self.source.tests}\n{output[-2000:]}")


def newcomer(source: Source, place: Path) -> Newcomer:
    """Make the two repositories of `source`."""
    readme = READMES[source.name]
    tree = clone(source, place / "tree")
    command("git", "clone", "-q", "--bare", tree, place / "plain.git")
    _equip(tree / ".devcontainer", readme)
    git = ("git", "-C", tree, "-c", "user.name=bench", "-c", "user.email=bench@localhost")
    command(*git, "add", "-f", ".devcontainer")
    command(*git, "commit", "-q", "-m", "Add a dev container")
    command("git", "clone", "-q", "--bare", tree, place / "equipped.git")
    return Newcomer(
        source=source, readme=readme, place=place, plain=place / "plain.git", equipped=place / "equipped.git"
    )


def _equip(directory: Path, readme: Readme) -> None:
    """Write what a careful maintainer would: dependencies in layers of the image, from the manifests alone."""
    install = " ".join(readme.packages)
    directory.mkdir()
    lines = [f"FROM {TAG}-base", f"RUN apt-get update && apt-get install -y --no-install-recommends {install}"]
    if bundle := find_bundle("host", directory=directory, environ=os.environ):
        shutil.copy(bundle, directory / "ca.pem")
        lines += [f"COPY .devcontainer/ca.pem {CA}", *(f"ENV {name}={CA}" for name in variables(CA))]
    lines += ["WORKDIR /setup", *(f"COPY {name} {name}" for name in readme.manifests), f"RUN {readme.image}"]
    (directory / "Dockerfile").write_text("\n".join(lines) + "\n", encoding="utf-8")
    settings = {
        "build": {"dockerfile": "Dockerfile", "context": ".."},
        "workspaceFolder": INSIDE,
        "workspaceMount": f"source=${{localWorkspaceFolder}},target={INSIDE},type=bind",
        "postCreateCommand": readme.then,
    }
    (directory / "devcontainer.json").write_text(json.dumps(settings), encoding="utf-8")


@contextlib.contextmanager
def tagged_base(docker: str) -> Iterator[None]:
    """Have the base that devbox uses, made if need be, under a name that a Dockerfile can say."""
    with project(invoker()) as devbox:
        _make_base(devbox)
    with engine() as client:
        command(docker, "tag", base_image(client, BASE), f"{TAG}-base")
    try:
        yield
    finally:
        command(docker, "rmi", f"{TAG}-base")


def _make_base(devbox: Devbox) -> None:
    (devbox.directory / "devbox.toml").write_text(f'[base]\nimage = "{BASE}"\n', encoding="utf-8")
    devbox("build")


def by_hand(who: Newcomer, docker: str) -> Way:
    """Start a container of the base with the clone in it, and type what the README says."""
    readme, directory = who.readme, who.place / "by hand"
    settings = ["--mount", f"type=bind,source={directory},target={INSIDE}", "-w", INSIDE]
    if bundle := find_bundle("host", directory=who.place, environ=os.environ):
        settings += ["-v", f"{bundle}:{CA}:ro", *(word for name in variables(CA) for word in ("-e", f"{name}={CA}"))]
    install = f"apt-get update && apt-get install -y --no-install-recommends {' '.join(readme.packages)}"

    def run() -> None:
        who.clone(who.plain, directory)
        command(docker, "run", "-d", "--init", "--name", TAG, *settings, f"{TAG}-base", "sleep", "infinity")
        for line in (install, readme.image, readme.then):
            command(docker, "exec", "-e", "DEBIAN_FRONTEND=noninteractive", TAG, "sh", "-c", line)
        who.require_passed(command(docker, "exec", TAG, "sh", "-c", readme.test))

    return Way(name="by hand", run=run, clean_up=lambda: _remove(docker, TAG))


def _remove(docker: str, container: str) -> None:
    """Remove a container; what root made in the clone becomes its owner's before, who has to remove it."""
    command(docker, "exec", container, "chown", "-R", f"{os.getuid()}:{os.getgid()}", INSIDE)
    command(docker, "rm", "-f", "-v", container)


@contextlib.contextmanager
def devcontainer(who: Newcomer, docker: str, program: str, *, cold: bool) -> Iterator[Way]:
    """The Dev Containers command with the .devcontainer of the repository; its images go at the end."""
    directory = who.place / f"{TAG}-{who.source.name}"
    where = ("--workspace-folder", directory, "--docker-path", docker, "--id-label", LABEL)

    def bring_up(*more: str) -> None:
        who.clone(who.equipped, directory)
        command(program, "up", *where, *more)

    def run() -> None:
        bring_up(*(("--build-no-cache",) if cold else ()))
        who.require_passed(command(program, "exec", *where, "sh", "-c", who.readme.test))

    def clean_up() -> None:
        for container in command(docker, "ps", "-q", "--filter", f"label={LABEL}").split():
            _remove(docker, container)

    try:
        if not cold:  # somebody else had it built before
            bring_up()
            clean_up()
        yield Way(name="devcontainer up + exec", run=run, clean_up=clean_up)
    finally:
        clean_up()
        if ids := command(docker, "images", "-q", f"vsc-{directory.name}-*").split():
            command(docker, "rmi", "-f", *set(ids))
