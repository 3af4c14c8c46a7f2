"""Fault 16: the network goes away in the middle; bounded retries, the host and the step named, no half layer kept."""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import docker
import pytest

from devbox.build.base import BaseImage
from devbox.build.steps.apt import FRESH_VARIABLE
from devbox.errors import BuildFailedError, DevboxError
from devbox.values import LABEL_OWNER, LABEL_ROLE, ROLE_FAILED, ROLE_LAYER
from tests.integration.build.conftest import Room
from tests.support.engine import LABEL_TEST, RUN

pytestmark = pytest.mark.docker

DEAD = "127.0.0.1:9"  # the discard port, at which nobody listens inside a fresh container
APT = f"""\
for scheme in http https; do echo "Acquire::$scheme::Proxy \\"http://{DEAD}\\";"; done >/etc/apt/apt.conf.d/99proxy
"""
PIP = f"printf '[global]\\nindex-url = http://{DEAD}/simple\\ntimeout = 2\\n' >/etc/pip.conf"


def _prepared(room: Room, client: docker.DockerClient, base: BaseImage, script: str) -> BaseImage:
    """Return `base` after `script`, as an image of its own."""
    labels = {LABEL_TEST: RUN, LABEL_OWNER: room.owner}
    made = client.containers.create(base.id, ["/bin/sh", "-c", script], network_mode="none", labels=labels)
    try:
        made.start()
        assert made.wait()["StatusCode"] == 0
        made.commit(repository=room.repository, tag="cut-off")
    finally:
        made.remove(force=True)
    return room.base(image=f"{room.repository}:cut-off")


def _roles(room: Room) -> list[str]:
    return [image.labels.get(LABEL_ROLE, "") for image in room.engine.images({LABEL_OWNER: room.owner})]


def test_a_mirror_that_is_gone_is_named_with_its_step(
    room: Room, client: docker.DockerClient, debian: BaseImage
) -> None:
    base = _prepared(room, client, debian, APT)
    with pytest.raises(BuildFailedError) as caught:
        room.build(base, packages={"system": ["jq"]})
    assert caught.value.message == f"step 'look up system packages' failed with exit code 100: no answer from {DEAD}"
    assert caught.value.hint is not None
    assert "the same command again" in caught.value.hint
    assert _roles(room).count(ROLE_LAYER) <= 1  # what came before the step
    assert _roles(room).count(ROLE_FAILED) == 1


@pytest.mark.network
@pytest.mark.nightly
def test_an_old_package_list_is_no_substitute_for_the_mirror(
    room: Room, client: docker.DockerClient, debian: BaseImage
) -> None:
    nothing = room.known
    room.build(debian, packages={"system": ["jq"]})  # lists and packages are in the cache now
    room.known = nothing  # as if the lock file were gone; with one nobody needs the mirror
    base = _prepared(room, client, debian, APT)
    with pytest.raises(BuildFailedError) as caught:
        room.build(base, packages={"system": ["jq"]}, environ={FRESH_VARIABLE: "1"})  # the list is young as yet
    assert f"no answer from {DEAD}" in caught.value.message


@pytest.mark.network
@pytest.mark.nightly
def test_an_index_of_python_that_is_gone_is_named_with_its_step(
    room: Room, client: docker.DockerClient, debian: BaseImage
) -> None:
    (room.directory / "requirements.txt").write_text("flask\n")
    base = _prepared(room, client, debian, PIP)
    with pytest.raises(BuildFailedError) as caught:
        room.build(base, packages={"python": {"requirements": ["requirements.txt"]}})
    assert caught.value.message == f"step 'resolve python packages' failed with exit code 1: no answer from {DEAD}"


class _Cut(BaseHTTPRequestHandler):
    """A registry that sends half of its only layer and hangs up."""

    layer = bytes(200_000)
    config = json.dumps({"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": []}}).encode()
    asked: list[str]

    def do_GET(self) -> None:
        name = self.path.rpartition("/")[2]
        if name == _digest(self.layer):
            type(self).asked.append(self.path)
            self._answer("application/octet-stream", self.layer[: len(self.layer) // 2], size=len(self.layer))
            self.close_connection = True
        elif name == _digest(self.config):
            self._answer("application/octet-stream", self.config)
        elif "/manifests/" in self.path:
            self._answer("application/vnd.docker.distribution.manifest.v2+json", self._manifest())
        else:
            self._answer("application/json", b"{}")

    do_HEAD = do_GET

    def _manifest(self) -> bytes:
        kind = "application/vnd.docker.%s"
        parts: dict[str, Any] = {
            "schemaVersion": 2,
            "mediaType": kind % "distribution.manifest.v2+json",
            "config": _part(kind % "container.image.v1+json", self.config),
            "layers": [_part(kind % "image.rootfs.diff.tar.gzip", self.layer)],
        }
        return json.dumps(parts).encode()

    def _answer(self, kind: str, body: bytes, *, size: int | None = None) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Docker-Content-Digest", _digest(body))
        self.send_header("Content-Length", str(len(body) if size is None else size))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        return


def _digest(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


def _part(kind: str, data: bytes) -> dict[str, Any]:
    return {"mediaType": kind, "size": len(data), "digest": _digest(data)}


@contextmanager
def _registry() -> Iterator[tuple[str, list[str]]]:
    asked: list[str] = []
    handler = type("Cut", (_Cut,), {"asked": asked})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_port}", asked
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.nightly  # an engine waits longer and longer between its attempts
def test_a_registry_that_hangs_up_in_the_middle_of_a_layer_is_named_and_leaves_no_image(room: Room) -> None:
    with _registry() as (address, asked), pytest.raises(DevboxError) as caught:
        room.base(image=f"{address}/cut:1")
    assert address in str(caught.value)
    assert 1 <= len(asked) <= 20
    assert room.engine.image(f"{address}/cut:1") is None
