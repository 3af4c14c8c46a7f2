"""A build by devbox, against a hand-written Dockerfile of the same packages built by the engine.

    python -m benchmarks.build [--quick]

Both start from the same base image, keep no layer of the run before, and fetch every package anew: your download
caches of devbox are removed before each run (they fill again by themselves), since a hand-written Dockerfile has none.
The Dockerfile is built by BuildKit where the docker command can, and by the classic builder.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.common import Comparison, Way, base_image, command, docker_command, measure, options, report
from devbox.values import LABEL_OWNER, LABEL_ROLE, ROLE_CACHE
from tests.support.account import invoker
from tests.support.command import Devbox, engine, remove_quietly, sweep
from tests.support.project import project
from tests.support.tree import ROOT

BASE = "debian:12"
TARGET = 1.15
TAG = "devbox-bench-peer"
SYSTEM = ("curl", "jq", "less")
REQUIREMENTS = ROOT / "examples" / "python-flask" / "requirements.txt"
PROFILE = f"""
[base]
image = "{BASE}"
[packages]
system = [{", ".join(f'"{name}"' for name in SYSTEM)}]
python = {{ requirements = ["requirements.txt"] }}
"""
DOCKERFILE = f"""
FROM {TAG}-base
RUN apt-get update \\
 && apt-get install -y --no-install-recommends {" ".join(SYSTEM)} \\
 && rm -rf /var/lib/apt/lists/*
RUN apt-get update \\
 && apt-get install -y --no-install-recommends python3 python3-venv \\
 && rm -rf /var/lib/apt/lists/*
ARG PIP_CERT
COPY requirements.txt ca.pem /tmp/
RUN python3 -m venv /opt/venv && /opt/venv/bin/pip install --no-cache-dir -r /tmp/requirements.txt
CMD ["sleep", "infinity"]
"""


def devbox_way(devbox: Devbox) -> Way:
    def fresh() -> None:
        sweep(devbox.hash)
        with engine() as client:
            for volume in client.volumes.list(filters={"label": f"{LABEL_ROLE}={ROLE_CACHE}"}):
                if volume.attrs["Labels"].get(LABEL_OWNER, "").startswith(f"{devbox.account.uid}-"):
                    remove_quietly(volume.remove)

    return Way(name="devbox build", prepare=fresh, run=lambda: devbox("build"))


def dockerfile_way(docker: str, context: Path, *, buildkit: bool) -> Way:
    argv = [docker, "build", "--no-cache", "-q", "--force-rm", "-t", TAG, "--build-arg", "PIP_CERT=/tmp/ca.pem"]
    environment = {"DOCKER_BUILDKIT": "1" if buildkit else "0"}
    return Way(
        name="BuildKit" if buildkit else "classic builder",
        run=lambda: command(*argv, context, env=environment),
        clean_up=lambda: command(docker, "rmi", "-f", TAG),
    )


def buildkit_command() -> str | None:
    """Return the first docker command on PATH that can use BuildKit: a newer one needs the buildx plugin for it."""
    for directory in os.environ["PATH"].split(os.pathsep):
        docker = shutil.which("docker", path=directory)
        if docker and _has_buildkit(docker):
            return docker
    return None


def _has_buildkit(docker: str) -> bool:
    tried = subprocess.run(
        [docker, "build", "-q", "-"],
        check=False,
        input=b"FROM scratch\nLABEL devbox-bench=probe\n",
        env={**os.environ, "DOCKER_BUILDKIT": "1"},
        capture_output=True,
    )
    if tried.returncode == 0:
        command(docker, "rmi", "-f", tried.stdout.decode().strip())
    return tried.returncode == 0


@contextmanager
def dockerfile(devbox: Devbox, docker: str) -> Iterator[Path]:
    """Write the Dockerfile and its context, and tag the base that both start from."""
    context = devbox.home / "context"
    context.mkdir()
    (context / "Dockerfile").write_text(DOCKERFILE, encoding="utf-8")
    shutil.copy(REQUIREMENTS, context / "requirements.txt")
    shutil.copy(os.environ.get("SSL_CERT_FILE", "/etc/ssl/certs/ca-certificates.crt"), context / "ca.pem")
    with engine() as client:
        command(docker, "tag", base_image(client, BASE), f"{TAG}-base")
    try:
        yield context
    finally:
        command(docker, "rmi", f"{TAG}-base")


def main() -> int:
    quick = options(__doc__).quick
    pairs = 1 if quick else 5
    docker = docker_command()
    compared: list[Comparison] = []
    left_out: list[str] = []
    with project(invoker()) as devbox:
        (devbox.directory / "devbox.toml").write_text(f'[base]\nimage = "{BASE}"\n', encoding="utf-8")
        devbox("build")  # the base is there for both
        (devbox.directory / "devbox.toml").write_text(PROFILE, encoding="utf-8")
        shutil.copy(REQUIREMENTS, devbox.directory / "requirements.txt")
        ours = devbox_way(devbox)
        with dockerfile(devbox, docker) as context:
            if with_buildkit := buildkit_command():
                peer = dockerfile_way(with_buildkit, context, buildkit=True)
                compared.append(measure("build / Dockerfile, BuildKit", ours, peer, pairs=pairs, target=TARGET))
            else:
                left_out.append("BuildKit: no docker command here can use it")
            peer = dockerfile_way(docker, context, buildkit=False)
            compared.append(measure("build / Dockerfile, classic", ours, peer, pairs=pairs, target=TARGET))
    return 0 if report("build", compared, left_out) or quick else 1


if __name__ == "__main__":
    sys.exit(main())
