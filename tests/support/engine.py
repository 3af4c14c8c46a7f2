"""Real engines for the tests, and the sweep after them."""

import contextlib
import os
import shutil
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from devbox.engine.base import Engine
from devbox.engine.endpoint import Endpoint, knock
from devbox.engine.sdk import SdkEngine
from devbox.errors import EngineError
from devbox.reporter import SilentReporter
from devbox.values import LABEL_OWNER, LABEL_ROLE, LABEL_SCHEMA, ROLE_STEP, SCHEMA
from tests.support.skips import NOT_HERE

LABEL_TEST = "devbox.test"  # on everything that a test makes with its own hands
# One id for all workers of a run: they inherit it from the process that starts them.
RUN = os.environ.setdefault("DEVBOX_TEST_RUN", uuid.uuid4().hex[:12])
STRICT = os.environ.get("DEVBOX_TEST_STRICT") == "1"  # nobody else uses this engine: whatever is left is ours
DOCKER_SOCKET = "/var/run/docker.sock"

# Podman 4.3 as root with a hybrid cgroup hierarchy and a low limit of open files wants these.
_PODMAN_CONF = """\
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
"""


def labels(role: str = ROLE_STEP) -> tuple[tuple[str, str], ...]:
    """Return the labels of a thing that a test makes."""
    return ((LABEL_ROLE, role), (LABEL_OWNER, "test"), (LABEL_SCHEMA, SCHEMA), (LABEL_TEST, RUN))


def unique(prefix: str = "devbox-test") -> str:
    """Return a name that no other test has."""
    return f"{prefix}-{uuid.uuid4().hex[:10]}"


def docker_endpoint() -> Endpoint | None:
    """Return where the tests' Docker listens; None if nobody does."""
    url = os.environ.get("DOCKER_HOST") or f"unix://{DOCKER_SOCKET}"
    endpoint = Endpoint(url=url, source="test", address=url)
    try:
        knock(endpoint)
    except OSError:
        return None
    return endpoint


@pytest.fixture(scope="session")
def docker_engine() -> Iterator[SdkEngine]:
    """Docker, as it runs on this machine."""
    endpoint = docker_endpoint()
    if endpoint is None:
        pytest.skip(f"needs a running Docker: nobody listens at {DOCKER_SOCKET}")
    with contextlib.closing(SdkEngine(endpoint, SilentReporter())) as engine:
        yield engine


@pytest.fixture(scope="session")
def podman_engine() -> Iterator[SdkEngine]:
    """Podman's service with a storage of its own, gone after the run."""
    require_podman()
    directory = Path(tempfile.mkdtemp(prefix="dbx-", dir="/tmp"))  # Podman takes no more than 50 characters
    with _podman_service(directory) as endpoint, contextlib.closing(SdkEngine(endpoint, SilentReporter())) as engine:
        yield engine
        sweep(engine, {LABEL_TEST: RUN})


def require_podman() -> None:
    """Skip the test where Podman is not installed, or where this machine does not let it work."""
    if shutil.which("podman") is None:
        pytest.skip("needs podman: apt-get install podman runc catatonit")
    namespaces = "--mount" if os.getuid() == 0 else "--user"
    if subprocess.run(["unshare", namespaces, "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip(f"{NOT_HERE}podman may not make namespaces, as in a container without privileges")


@contextlib.contextmanager
def _podman_service(directory: Path) -> Iterator[Endpoint]:
    (directory / "containers.conf").write_text(_PODMAN_CONF)
    storage = [f"--root={directory}/root", f"--runroot={directory}/runroot", f"--tmpdir={directory}/tmp"]
    address = f"unix://{directory}/api.sock"
    endpoint = Endpoint(url=address, source="test", address=address)
    environ = {**os.environ, "CONTAINERS_CONF": str(directory / "containers.conf")}
    with (directory / "log").open("wb") as log:
        service = subprocess.Popen(
            ["podman", *storage, "system", "service", "--time=0", address], env=environ, stdout=log, stderr=log
        )
    try:
        _until_it_listens(endpoint, service, directory / "log")
        yield endpoint
    finally:
        service.terminate()  # by its id; it leaves nothing running once its containers are gone
        service.wait(timeout=30)
        subprocess.run(["umount", "-q", f"{directory}/root/overlay"], check=False)
        shutil.rmtree(directory, ignore_errors=True)


def _until_it_listens(endpoint: Endpoint, service: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(300):
        with contextlib.suppress(OSError):
            return knock(endpoint)
        if service.poll() is not None:
            break
        time.sleep(0.1)
    pytest.fail(f"podman's service does not start: {log.read_text(errors='replace')}")


def sweep(engine: Engine, labels: dict[str, str], *, images: bool = True) -> list[str]:
    """Remove what carries `labels`; return what that was."""
    found = []
    for container in engine.containers(labels):
        found.append(f"container {container.name}")
        engine.remove(container.id)
    for volume in engine.volumes(labels):
        found.append(f"volume {volume.name}")
        engine.remove_volume(volume.name)
    for network in engine.networks(labels):
        found.append(f"network {network}")
        engine.remove_network(network)
    # Newest first: an image that another is made from cannot go before that.
    for image in sorted(engine.images(labels), key=lambda item: item.created, reverse=True) if images else ():
        found.append(f"image {image.tags or image.id}")
        with contextlib.suppress(EngineError):
            engine.remove_image(image.id, force=True)
    return found


def leftovers(before: frozenset[str]) -> list[str]:
    """Remove what the run has left on Docker, and return what that was. `before`: see `present`."""
    endpoint = docker_endpoint()
    if endpoint is None:
        return []
    with contextlib.closing(SdkEngine(endpoint, SilentReporter())) as engine:
        found = sweep(engine, {LABEL_TEST: RUN})
        return found + sorted(present(engine) - before) if STRICT else found


def present(engine: Engine) -> frozenset[str]:
    """Return the containers, volumes and networks of any devbox."""
    return frozenset(
        [
            *(f"container {item.name}" for item in engine.containers({LABEL_OWNER: ""})),
            *(f"volume {item.name}" for item in engine.volumes({LABEL_OWNER: ""})),
            *(f"network {name}" for name in engine.networks({LABEL_OWNER: ""})),
        ]
    )


def present_now() -> frozenset[str]:
    """Return what is present on Docker, if it matters and there is one."""
    endpoint = docker_endpoint() if STRICT else None
    if endpoint is None:
        return frozenset()
    with contextlib.closing(SdkEngine(endpoint, SilentReporter())) as engine:
        return present(engine)
