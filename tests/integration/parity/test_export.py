"""The examples, exported and built by every builder that is here: the same content as devbox's own build."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from devbox.build.dockerfile import find_builder
from devbox.engine.base import ContainerRequest
from devbox.engine.sdk import SdkEngine
from devbox.parity.capture import View, capture
from devbox.parity.compare import compare
from devbox.parity.manifest import Manifest, parse
from devbox.process import HostProcesses
from devbox.reporter import SilentReporter
from tests.support.account import ordinary
from tests.support.command import Devbox
from tests.support.engine import LABEL_TEST, RUN, labels, require_podman, unique
from tests.support.project import project
from tests.support.tree import ROOT

pytestmark = [pytest.mark.docker, pytest.mark.timeout(3600)]  # whole builds of the examples, one after another
_PIECE = 1024**2


@dataclass(frozen=True, kw_only=True)
class Export:
    """An exported project, and what devbox's own build of it holds."""

    devbox: Devbox
    context: Path
    ours: Manifest

    @property
    def view(self) -> View:
        account = self.devbox.account
        return View(directory=f"/workspaces/{self.devbox.directory.name}", user="dev", uid=account.uid, gid=account.gid)

    def differences(self, theirs: Manifest) -> list[str]:
        return [f"{one.path}: {one.field}: {one.ours}, {one.theirs}" for one in compare(self.ours, theirs)]


@pytest.fixture(scope="module", params=["python-flask", pytest.param("node-express", marks=pytest.mark.nightly)])
def export(request: pytest.FixtureRequest) -> Iterator[Export]:
    with project(ordinary(), source=ROOT / "examples" / request.param) as devbox:
        devbox("export", "containerfile")
        devbox("verify", "--write", "ours")
        ours = parse((devbox.directory / "ours").read_bytes(), file="ours")
        yield Export(devbox=devbox, context=devbox.directory / "containerfile", ours=ours)


def run(*argv: str, **variables: str) -> None:
    done = subprocess.run(argv, env={**os.environ, **variables}, capture_output=True, text=True)
    assert done.returncode == 0, f"{' '.join(argv)}\n{done.stdout[-5000:]}\n{done.stderr[-5000:]}"


@contextmanager
def built(*argv: str, context: Path, **variables: str) -> Iterator[str]:
    """Build an image by `argv`, and remove it with all that stands below it alone."""
    name = f"devbox-test/{unique()}"
    run(
        *argv,
        f"--label={LABEL_TEST}={RUN}",
        f"--tag={name}",
        f"--file={context}/Containerfile",
        str(context),
        **variables,
    )
    try:
        yield name
    finally:
        run("docker", "rmi", name)


def manifest(engine: SdkEngine, image: str, view: View) -> Manifest:
    request = ContainerRequest(name=None, image=image, command=("true",), labels=labels(), network="none")
    container = engine.create(request)
    try:
        return capture(engine.export(container), view)
    finally:
        engine.remove(container)


@pytest.mark.nightly  # by day BuildKit does it
def test_the_classic_builder(export: Export, docker_engine: SdkEngine) -> None:
    if shutil.which("docker") is None:
        pytest.skip("needs the docker command: apt-get install docker.io")
    with built("docker", "build", "--quiet", context=export.context, DOCKER_BUILDKIT="0") as image:
        assert export.differences(manifest(docker_engine, image, export.view)) == []


def test_buildkit(export: Export, docker_engine: SdkEngine) -> None:
    builder = find_builder(docker_engine, HostProcesses(SilentReporter()), os.environ)
    if builder is None:
        pytest.skip("needs BuildKit: apt-get install docker.io, or docker-buildx")
    with built(*builder.argv, context=export.context, **builder.env) as image:
        assert export.differences(manifest(docker_engine, image, export.view)) == []


@pytest.mark.nightly  # by day another builder does it
@pytest.mark.podman
def test_podman(export: Export) -> None:
    require_podman()
    directory = Path(tempfile.mkdtemp(prefix="dbx-", dir="/tmp"))
    podman = ("podman", f"--root={directory}/root", f"--runroot={directory}/run", "--cgroup-manager=cgroupfs")
    if os.getuid() == 0:
        podman = (*podman, "--runtime=runc")
    try:
        limits = ("--ulimit=nofile=1024:1024", "--ulimit=nproc=1024:1024", "--network=host")
        run(*podman, "build", *limits, "--tag=exported", str(export.context))
        run(*podman, "create", "--network=host", "--name=exported", "exported", "true")
        run(*podman, "export", f"--output={directory}/exported.tar", "exported")
        with (directory / "exported.tar").open("rb") as file:
            theirs = capture(iter(lambda: file.read(_PIECE), b""), export.view)
        assert export.differences(theirs) == []
    finally:
        subprocess.run([*podman, "rm", "--force", "exported"], capture_output=True)
        subprocess.run(["umount", "-q", f"{directory}/root/overlay"], check=False)
        shutil.rmtree(directory, ignore_errors=True)
