"""A fresh `devbox up` with its image cached, against plain Docker and against the Dev Containers command.

    python -m benchmarks.up [--quick]

Plain Docker: `docker run -d` with the project mounted, then one `docker exec`. The Dev Containers command is left
out where it is not installed (npm: @devcontainers/cli; `DEVCONTAINER` names it if it is not on PATH).
"""

import json
import os
import shutil
import sys
from pathlib import Path

from benchmarks.common import Comparison, Way, base_image, command, docker_command, measure, options, report
from tests.support.account import invoker
from tests.support.command import Devbox, engine
from tests.support.project import project

BASE = "debian:12"
DOCKER_TARGET = 2.0
DEVCONTAINER_TARGET = 0.5
NAME = "devbox-bench-peer"
LABEL = "devbox-bench=up"


def devbox_way(devbox: Devbox) -> Way:
    return Way(name="devbox up", run=lambda: devbox("up"), clean_up=lambda: devbox("destroy", "-f"))


def docker_way(docker: str, image: str, directory: Path) -> Way:
    mount = f"type=bind,source={directory},target=/workspaces/project"

    def run() -> None:
        command(docker, "run", "-d", "--init", "--name", NAME, "--mount", mount, image, "sleep", "infinity")
        command(docker, "exec", NAME, "true")

    return Way(name="docker run + exec", run=run, clean_up=lambda: command(docker, "rm", "-f", NAME))


def devcontainer_way(program: str, docker: str, image: str, directory: Path) -> Way:
    configuration = directory / ".devcontainer" / "devcontainer.json"
    configuration.parent.mkdir()
    configuration.write_text(json.dumps({"image": image}), encoding="utf-8")
    argv = (program, "up", "--workspace-folder", directory, "--docker-path", docker, "--id-label", LABEL)

    def clean_up() -> None:
        if ids := command(docker, "ps", "-aq", "--filter", f"label={LABEL}").split():
            command(docker, "rm", "-f", *ids)

    return Way(name="devcontainer up", run=lambda: command(*argv), clean_up=clean_up)


def main() -> int:
    quick = options(__doc__).quick
    docker = docker_command()
    compared: list[Comparison] = []
    left_out: list[str] = []
    with project(invoker()) as devbox, engine() as client:
        (devbox.directory / "devbox.toml").write_text(f'[base]\nimage = "{BASE}"\n', encoding="utf-8")
        devbox("build")
        image = base_image(client, BASE)
        pairs = 3 if quick else 15
        theirs = docker_way(docker, image, devbox.directory)
        compared.append(
            measure("up / docker run + exec", devbox_way(devbox), theirs, pairs=pairs, target=DOCKER_TARGET)
        )
        program = os.environ.get("DEVCONTAINER") or shutil.which("devcontainer")
        if program:
            peer = devcontainer_way(program, docker, image, devbox.directory)
            compared.append(
                measure("up / devcontainer up", devbox_way(devbox), peer, pairs=pairs, target=DEVCONTAINER_TARGET)
            )
        else:
            left_out.append("devcontainer up: @devcontainers/cli is not installed")
    return 0 if report("up", compared, left_out) or quick else 1


if __name__ == "__main__":
    sys.exit(main())
