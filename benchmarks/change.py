"""Changes of an environment of 200 packages and more: they cost what changed.

    python -m benchmarks.change [--quick]

One more system package, until what runs has it, against bare `apt-get install` of it in the same container, where the
package lists are there already; and the same until the image has it too, which is made behind. A changed variable,
against `docker run -d` of the same image. An edited source, which nothing is built for.
Then all of that against `devcontainer up` after the same change, where the Dev Containers command is installed
(npm: @devcontainers/cli; `DEVCONTAINER` names it if it is not on PATH).
"""

import json
import os
import shlex
import shutil
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path

import docker

from benchmarks.common import Comparison, Way, base_image, command, docker_command, measure, options, report
from devbox.paths import LOCK
from devbox.profile.lock_file import parse
from devbox.values import LABEL_OWNER, LABEL_ROLE, LABEL_WORKSPACE, ROLE_CACHE
from tests.support.account import invoker
from tests.support.command import Devbox, engine, remove_quietly
from tests.support.project import project

PACKAGES = ("build-essential", "git", "python3-dev", "libpq-dev", "curl", "vim-nox", "nodejs")
LEAST = 200  # packages that the environment has to have, all told
VARIABLE_TARGET = 2.0
NAME = "devbox-bench-peer"
LABEL = "devbox-bench=change"
PROFILE = '[base]\nimage = "debian:12"\n\n[packages]\nsystem = [{packages}]\n\n[env]\nWORD = "{word}"\n'


@dataclass(frozen=True, kw_only=True)
class Added:
    """A package to add."""

    name: str
    target: float | None


ADDED = (
    Added(name="postgresql-client", target=1.3),
    Added(name="jq", target=None),
    Added(name="imagemagick", target=None),
)


@dataclass(frozen=True, kw_only=True)
class Bench:
    """The environment, its container and image, and the docker command."""

    devbox: Devbox
    docker: str
    container: str
    image: str
    cache: str  # the volume with the packages that were fetched
    words: Iterator[int] = field(default_factory=count)

    def write(self) -> None:
        """Change the variable, and nothing else."""
        packages = ", ".join(f'"{name}"' for name in PACKAGES)
        text = PROFILE.format(packages=packages, word=f"w{next(self.words)}")
        (self.devbox.directory / "devbox.toml").write_text(text, encoding="utf-8")

    def edit(self) -> None:
        """Change a source, and nothing else."""
        (self.devbox.directory / "main.py").write_text(f"print({next(self.words)})\n", encoding="utf-8")

    def inside(self, script: str) -> str:
        """Run a script as root in the container, by the engine itself."""
        return command(self.docker, "exec", "-e", "DEBIAN_FRONTEND=noninteractive", self.container, "sh", "-ec", script)

    def layers(self, client: docker.DockerClient) -> set[str]:
        """Return the ids of all images of this environment."""
        wanted = {"label": f"{LABEL_WORKSPACE}={self.devbox.hash}"}
        return {str(image.id) for image in client.images.list(all=True, filters=wanted)}

    def forget(self, files: Iterable[str]) -> None:
        """Have the package cache without `files`."""
        volume = ("--mount", f"type=volume,source={self.cache},target=/cache")
        names = shlex.join(f"/cache/debs/{name}" for name in files)
        command(self.docker, "run", "--rm", "--network", "none", *volume, self.image, "sh", "-ec", f"rm -f {names}")


@dataclass(frozen=True, kw_only=True)
class Peer:
    """The same environment by the Dev Containers command, from a Dockerfile beside the same sources."""

    made: Bench
    program: str
    numbers: Iterator[int] = field(default_factory=count)

    @property
    def place(self) -> Path:
        """Where its files are."""
        return self.made.devbox.directory / ".devcontainer"

    def write(self, *more: str) -> None:
        """Change the variable; add the packages `more`, in a layer that nobody has had."""
        number = next(self.numbers)
        install = "apt-get update && apt-get install -y --no-install-recommends"
        lines = [f"FROM {base_image_id()}", f"RUN {install} {' '.join(PACKAGES)}"]
        lines += [f"RUN : {os.getpid()}.{number}; {install} {' '.join(more)}"] if more else []
        (self.place / "Dockerfile").write_text("\n".join(lines) + "\n", encoding="utf-8")
        configuration = {"build": {"dockerfile": "Dockerfile"}, "containerEnv": {"WORD": str(number)}}
        (self.place / "devcontainer.json").write_text(json.dumps(configuration), encoding="utf-8")

    def up(self, *more: str) -> None:
        """Bring it up."""
        where = ("--workspace-folder", self.made.devbox.directory, "--id-label", LABEL)
        command(self.program, "up", *where, "--docker-path", self.made.docker, *more)

    def clean_up(self) -> None:
        """Remove its container and its images."""
        program = self.made.docker
        ids = command(program, "ps", "-aq", "--filter", f"label={LABEL}").split()
        images = {command(program, "inspect", "-f", "{{.Config.Image}}", one).strip() for one in ids}
        for one in ids:
            command(program, "rm", "-f", one)
        for name in images:
            command(program, "rmi", "-f", name)


@contextmanager
def bench(devbox: Devbox) -> Iterator[Bench]:
    """Bring the environment up; fail if it has fewer packages than promised."""
    made = Bench(devbox=devbox, docker=docker_command(), container="", image="", cache="")
    made.write()
    up = devbox.json("up")
    made = replace(made, container=up["instance"], image=up["image"], cache=_cache(up["instance"]))
    have = int(made.inside("dpkg-query -W | wc -l"))
    if have < LEAST:
        raise SystemExit(f"the environment has {have} packages, not {LEAST}")
    print(f"an environment of {have} packages")
    yield made


def _cache(container: str) -> str:
    """Return the name of the volume with the packages that were fetched for whoever has `container`."""
    with engine() as client:
        owner = client.containers.get(container).labels[LABEL_OWNER]
        wanted = {"label": [f"{LABEL_OWNER}={owner}", f"{LABEL_ROLE}={ROLE_CACHE}"]}
        [name] = [one.name for one in client.volumes.list(filters=wanted) if "-apt-debian-12-" in one.name]
    return str(name)


def adding(made: Bench, added: Added, pairs: int, *, whole: bool = False) -> Comparison:
    """Compare `devbox add`, which does it in lock and profile as well, with apt-get in the same container.

    `whole`: until the image holds it too.
    """
    name = added.name
    bare = f"apt-get install -y -q --no-install-recommends {name}"
    theirs = Way(
        name="apt-get install",
        prepare=lambda: made.inside("apt-get update -q"),  # whatever devbox installs, it leaves no list behind
        run=lambda: made.inside(bare),
        clean_up=lambda: made.inside(f"apt-get autoremove --purge -y -q {name}; apt-get clean"),
    )
    ours = _add(made, added)
    if not whole:
        return measure(f"add {name} / apt-get install", ours, theirs, pairs=pairs, target=added.target)

    def run() -> None:
        ours.run()
        made.devbox("build")  # it waits for what makes the image

    both = replace(ours, name="devbox add, build", run=run)
    return measure(f"add {name}, and its image / apt-get install", both, theirs, pairs=pairs, target=None)


def _add(made: Bench, added: Added) -> Way:
    """Add a package that nobody has had here: the layer of the time before goes, and the files that it was made of."""

    def clean_up() -> None:
        images.add(made.devbox.json("build")["image"])
        made.devbox("remove", added.name)
        with engine() as client:
            for image in (made.layers(client) - before) | images:
                remove_quietly(client.images.remove, image, force=True)  # one takes the other with it
        images.clear()
        made.forget(files)

    def run() -> None:
        made.devbox("add", added.name)
        lock = parse((made.devbox.directory / LOCK).read_text(encoding="utf-8"))
        [platform] = lock.platforms.values()
        files.update(one.file.rpartition("/")[2] for one in platform.groups[-1].packages)

    files: set[str] = set()
    images: set[str] = set()
    with engine() as client:
        before = made.layers(client)
    run()  # once before: the image may be that of another project on this machine, and would only be found
    clean_up()
    return Way(name="devbox add", run=run, clean_up=clean_up)


def variable(made: Bench, pairs: int) -> Comparison:
    """Compare an `up` after a variable has changed, which recreates the container, with a `docker run -d`."""
    devbox = made.devbox
    mount = f"type=bind,source={devbox.directory},target=/workspaces/project"
    words = ("run", "-d", "--init", "--name", NAME, "--mount", mount, "-e", "WORD=x", made.image, "sleep", "infinity")
    ours = Way(name="devbox up", prepare=made.write, run=lambda: devbox("up"))
    theirs = Way(
        name="docker run -d",
        run=lambda: command(made.docker, *words),
        clean_up=lambda: command(made.docker, "rm", "-f", NAME),
    )
    return measure("up after another variable / docker run -d", ours, theirs, pairs=pairs, target=VARIABLE_TARGET)


def source_edit(made: Bench, client: docker.DockerClient) -> None:
    """Fail if an edited source has anything built or made anew."""
    made.devbox("up")
    images = {image.id for image in client.images.list(all=True)}
    made.edit()
    if made.devbox.json("up")["changed"] or {image.id for image in client.images.list(all=True)} - images:
        raise SystemExit("an edited source was built for")
    print("an edited source: nothing to do, no new image")


def devcontainer(made: Bench, program: str, pairs: int) -> Iterator[Comparison]:
    """Compare with the Dev Containers command after the same changes: a package in its Dockerfile, a variable."""
    peer = Peer(made=made, program=program)
    peer.place.mkdir()
    try:
        peer.write()
        peer.up("--remove-existing-container")
        yield from _compared(made, peer, pairs)
    finally:
        peer.clean_up()


def _compared(made: Bench, peer: Peer, pairs: int) -> Iterator[Comparison]:
    devbox, added = made.devbox, ADDED[0]
    anew = Way(name="devcontainer up", prepare=peer.write, run=lambda: peer.up("--remove-existing-container"))
    more = replace(anew, prepare=lambda: peer.write(added.name), clean_up=peer.write)
    yield measure(f"add {added.name} / devcontainer up", _add(made, added), more, pairs=pairs, target=None)
    up = Way(name="devbox up", prepare=made.write, run=lambda: devbox("up"))
    yield measure("up after another variable / devcontainer up", up, anew, pairs=pairs, target=None)
    edited = Way(name="devcontainer up", prepare=made.edit, run=peer.up)
    nothing = Way(name="devbox up", prepare=made.edit, run=lambda: devbox("up"))
    yield measure("up after a source edit / devcontainer up", nothing, edited, pairs=pairs, target=None)


def base_image_id() -> str:
    """Return the id of the base that the environment stands on."""
    with engine() as client:
        return base_image(client, "debian:12")


def main() -> int:
    quick = options(__doc__).quick
    pairs = 1 if quick else 5
    left_out: list[str] = []
    with project(invoker()) as devbox, engine() as client, bench(devbox) as made:
        compared = [adding(made, added, pairs) for added in ADDED[: 1 if quick else None]]
        compared += [] if quick else [adding(made, ADDED[0], pairs, whole=True)]
        compared.append(variable(made, max(3, pairs)))
        source_edit(made, client)
        program = os.environ.get("DEVCONTAINER") or shutil.which("devcontainer")
        if program and not quick:
            compared += devcontainer(made, program, pairs)
        else:
            left_out.append("devcontainer up: " + ("--quick" if program else "@devcontainers/cli is not installed"))
    return 0 if report("change", compared, left_out) or quick else 1


if __name__ == "__main__":
    sys.exit(main())
