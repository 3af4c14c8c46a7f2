"""From `git clone` to passing tests: devbox with no profile, a README typed by hand, the Dev Containers command.

    python -m benchmarks.onboard [--quick]

Three real projects, which tests/real/projects.toml pins. Each run clones a bare repository on this machine, makes what
the tests need, runs them, and counts how many passed.

*cold*: no image and no layer of the project. devbox builds with --no-cache and the Dev Containers command with
--build-no-cache; the base image is there. The download caches stay as each way has them: devbox keeps what it
fetched, a fresh container and a Dockerfile's layer keep nothing.
*shared*: what a teammate gets where the layers are there already. By hand nothing is shared, so it is the same again.

The Dev Containers command is left out where it is not installed (npm: @devcontainers/cli; `DEVCONTAINER` names it if it
is not on PATH), and from --quick, which looks at one project.
"""

import contextlib
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.common import Comparison, Way, command, docker_command, measure, options, report
from benchmarks.onboard_peers import Newcomer, by_hand, devcontainer, newcomer, tagged_base
from tests.support.account import invoker
from tests.support.command import Devbox
from tests.support.project import project
from tests.support.real_sources import pinned

PROJECTS = ("pflag", "itsdangerous", "reusify")  # --quick looks at the first
COLD_PAIRS, SHARED_PAIRS = 3, 5


def devbox_way(devbox: Devbox, who: Newcomer, *, cold: bool) -> Way:
    def run() -> None:
        who.clone(who.plain, devbox.directory)
        if cold:
            devbox("build", "--no-cache")
        who.require_passed(devbox("shell", "--", *who.source.command).stdout)

    return Way(name="devbox shell", run=run, clean_up=lambda: devbox("destroy", "-f"))


def compare(devbox: Devbox, who: Newcomer, peer: Way, *, cold: bool, pairs: int) -> Comparison:
    name = f"{who.source.name}, {'cold' if cold else 'shared'} / {peer.name}"
    return measure(name, devbox_way(devbox, who, cold=cold), peer, pairs=pairs, target=None)


def compare_all(who: Newcomer, docker: str, program: str | None, *, quick: bool) -> Iterator[Comparison]:
    """Measure one project; `program`: the Dev Containers command."""
    with project(invoker()) as devbox, contextlib.ExitStack() as stack:
        for cold, pairs in ((True, 1 if quick else COLD_PAIRS), (False, 1 if quick else SHARED_PAIRS)):
            peers = [by_hand(who, docker)]
            if program:
                peers.append(stack.enter_context(devcontainer(who, docker, program, cold=cold)))
            for peer in peers:  # the cold runs leave the layers that the others find
                yield compare(devbox, who, peer, cold=cold, pairs=pairs)


def main() -> int:
    quick = options(__doc__).quick
    docker = docker_command()
    program, left_out = dev_containers(quick=quick)
    sources = {source.name: source for source in pinned()}
    compared: list[Comparison] = []
    with tempfile.TemporaryDirectory(prefix="devbox-onboard-") as place, tagged_base(docker):
        for name in PROJECTS[: 1 if quick else None]:
            who = newcomer(sources[name], Path(place) / name)
            compared.extend(compare_all(who, docker, program, quick=quick))
    return 0 if report("onboard", compared, left_out) or quick else 1


def dev_containers(*, quick: bool) -> tuple[str | None, Sequence[str]]:
    """Return the Dev Containers command, or why it is left out."""
    program = os.environ.get("DEVCONTAINER") or shutil.which("devcontainer")
    if not program:
        return None, ["devcontainer up: @devcontainers/cli is not installed"]
    if quick:
        return None, ["devcontainer up: takes long"]
    command(program, "--version")
    return program, []


if __name__ == "__main__":
    sys.exit(main())
