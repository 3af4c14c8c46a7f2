"""A base by digest from a real registry: Debian's own, in a container of an image that devbox built."""

import contextlib
import hashlib
import json
import time
import urllib.error
import urllib.request
from collections.abc import Iterator

import docker
import pytest
from testcontainers.core.container import DockerContainer

from devbox.build.base import BaseImage
from devbox.errors import EngineError, RegistryUnreachableError
from tests.integration.build.conftest import Room
from tests.support.engine import LABEL_TEST, RUN
from tests.support.images import tiny_image

pytestmark = [pytest.mark.docker, pytest.mark.network]
_CONFIG = "/etc/docker/registry/config.yml"


@pytest.fixture
def registry(room: Room, debian: BaseImage) -> Iterator[str]:
    """The address of an empty registry."""
    built = room.build(debian, packages={"system": ["docker-registry"]})
    # Its configuration asks for passwords; one of the environment's variables cannot take that away again.
    serve = f"sed -i '/^auth:/,/^[a-z]*: *$/{{/^auth:/d;/^ /d}}' {_CONFIG}; exec docker-registry serve {_CONFIG}"
    container = DockerContainer(built.image, labels={LABEL_TEST: RUN}).with_exposed_ports(5000)
    container.with_command(["sh", "-c", serve])
    with container:
        address = f"127.0.0.1:{container.get_exposed_port(5000)}"
        _until_it_answers(address, container)
        yield address


@pytest.fixture
def pushed(room: Room, registry: str, client: docker.DockerClient) -> Iterator[str]:
    """The reference, by digest, of a base that only the registry has."""
    repository = f"{registry}/base"
    image = client.images.get(tiny_image(room.engine).id)
    image.tag(repository, "1")
    try:
        answer = [json.loads(line) for line in client.images.push(repository, tag="1").splitlines()]
        digest = next(event["aux"]["Digest"] for event in answer if "aux" in event)
        client.images.remove(f"{repository}:1")
        yield f"{repository}@{digest}"
    finally:
        for reference in (f"{repository}:1", f"{repository}@{digest}"):
            with contextlib.suppress(docker.errors.ImageNotFound):
                client.images.remove(reference)


def test_a_base_is_pulled_by_digest_and_built_on(room: Room, pushed: str) -> None:
    assert room.engine.image(pushed) is None
    base = room.base(image=pushed)
    assert base.said == f"{pushed}, pulled"
    assert any(title == f"pull {pushed}" for title in room.reporter.titles)
    assert base.distribution == "devbox-test"
    assert room.base(image=pushed).said == f"{pushed}, as the engine holds it"
    unknown = pushed.rpartition(":")[0] + ":" + hashlib.sha256(b"other").hexdigest()
    with pytest.raises(EngineError):
        room.base(image=unknown)


def test_a_registry_that_is_not_there_is_said_so(room: Room) -> None:
    with pytest.raises(RegistryUnreachableError, match=r"127\.0\.0\.1:9/base:1") as caught:
        room.base(image="127.0.0.1:9/base:1")
    assert caught.value.exit_status == 3


def _until_it_answers(address: str, container: DockerContainer) -> None:
    end = time.monotonic() + 30
    while time.monotonic() < end:
        with contextlib.suppress(urllib.error.URLError, OSError), urllib.request.urlopen(f"http://{address}/v2/"):
            return
        time.sleep(0.1)
    pytest.fail(f"the registry does not answer: {container.get_logs()}")
