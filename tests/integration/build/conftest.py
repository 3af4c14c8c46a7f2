"""Builds on the real engine: each test has an owner of its own, and all that carries it goes with the test."""

import contextlib
import fcntl
import os
import tempfile
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import docker
import pytest

from devbox.build import ca
from devbox.build.base import BaseImage, Resolver
from devbox.build.compose import compose
from devbox.build.inputs import Inputs
from devbox.build.manifests import read_inputs
from devbox.build.recipe import Recipe
from devbox.build.run import Builder, BuildOrder, Built
from devbox.engine.sdk import SdkEngine
from devbox.process import HostProcesses
from devbox.profile.lock import Platform
from devbox.profile.model import Base
from devbox.values import LABEL_OWNER, GuestUser
from tests.fakes.reporter import RecordingReporter
from tests.support.build import DEV, answered, labels, profile
from tests.support.engine import LABEL_TEST, RUN, sweep
from tests.support.images import TINY, tiny_image


@dataclass
class Room:
    """A project, and everything to build it with."""

    engine: SdkEngine
    directory: Path
    owner: str = field(default_factory=lambda: f"test-{uuid.uuid4().hex[:8]}")
    reporter: RecordingReporter = field(default_factory=RecordingReporter)
    known: Platform = field(default_factory=Platform)

    @property
    def labels(self) -> dict[str, str]:
        return labels(self.owner.removeprefix("test-"), self.owner) | {LABEL_TEST: RUN}

    @property
    def repository(self) -> str:
        return f"devbox/{self.owner}"

    @property
    def logs(self) -> Path:
        return self.directory.parent / "logs"

    @property
    def resolver(self) -> Resolver:
        return Resolver(
            engine=self.engine,
            processes=HostProcesses(self.reporter),
            reporter=self.reporter,
            environ=os.environ,
            labels=self.labels,
        )

    def base(self, **base: str) -> BaseImage:
        return self.resolver.resolve(Base.model_validate(base), directory=self.directory, repository=self.repository)

    def build(
        self,
        base: BaseImage,
        *,
        user: GuestUser = DEV,
        given: Mapping[str, str] = {},
        no_cache: bool = False,
        environ: Mapping[str, str] = {},
        **values: Any,
    ) -> Built:
        """Build a profile of the keys `values` with the secrets `given`, and keep the answers to what was asked.

        `environ`: more variables for the questions.
        """
        inputs = read_inputs(profile(**values), self.directory)
        builder = Builder(self.engine, self.reporter)
        while True:
            recipe = self.recipe(base, user=user, **values)
            order = self.order(recipe, inputs)
            order = replace(order, secrets=given, no_cache=no_cache, environ={**order.environ, **environ})
            if recipe.open is None:
                self.known = recipe.lock
                return builder.build(order)
            self.known = answered(recipe, *builder.ask(order))

    def recipe(self, base: BaseImage, *, user: GuestUser = DEV, **values: Any) -> Recipe:
        """Return the recipe of a profile of these keys, as far as what is known by now answers."""
        asked = profile(**values)
        inputs = read_inputs(asked, self.directory)
        return compose(asked, base=base, inputs=inputs, user=user, project_name=self.directory.name, lock=self.known)

    def order(self, recipe: Recipe, inputs: Inputs) -> BuildOrder:
        bundle = ca.find_bundle("host", directory=self.directory, environ=os.environ)
        return BuildOrder(
            recipe=recipe,
            inputs=inputs,
            labels=self.labels,
            repository=self.repository,
            log_directory=self.logs,
            secrets={},
            ca_bundle=ca.read_bundle(bundle),
        )

    def inside(self, image: str, *argv: str, user: str = "0:0") -> str:
        """Return what a command prints in a container of `image`."""
        options = {"network_mode": "none", "labels": {LABEL_TEST: RUN, LABEL_OWNER: self.owner}}
        with _client(self.engine) as client:
            container = client.containers.create(image, list(argv), user=user, **options)
            try:
                container.start()
                status = container.wait()["StatusCode"]
                # Following the log of a container that ends at once can miss all of it.
                said, complained = container.logs(stderr=False), container.logs(stdout=False)
            finally:
                container.remove(force=True)
        assert status == 0, complained
        return str(said.decode())

    def saved(self, image: str) -> bytes:
        """Return the image as `docker save` gives it."""
        with _client(self.engine) as client:
            return b"".join(client.images.get(image).save())


class _client:
    def __init__(self, engine: SdkEngine) -> None:
        self._client = docker.DockerClient(base_url=engine.endpoint.url)

    def __enter__(self) -> docker.DockerClient:
        return self._client

    def __exit__(self, *_: object) -> None:
        self._client.close()


@pytest.fixture
def room(docker_engine: SdkEngine, tmp_path: Path) -> Iterator[Room]:
    """A room with an empty project in a directory with a space in its name."""
    directory = tmp_path / "a shop"
    directory.mkdir()
    made = Room(engine=docker_engine, directory=directory)
    yield made
    with _client(docker_engine) as client:
        below = _parents(client, made.owner)
        sweep(docker_engine, {LABEL_OWNER: made.owner})
        for image in below:  # what the classic builder left between its steps carries no label
            with contextlib.suppress(docker.errors.APIError):
                client.api.remove_image(image)


def _parents(client: docker.DockerClient, owner: str) -> list[str]:
    """Return the untagged images without labels of ours that the owner's images were made from, the youngest first."""
    found: dict[str, None] = {}
    for image in client.images.list(filters={"label": f"{LABEL_OWNER}={owner}"}, all=True):
        parent = str(image.attrs["Parent"])
        while parent:
            details = client.api.inspect_image(parent)
            if details["RepoTags"] or LABEL_OWNER in (details["Config"]["Labels"] or {}):
                break
            found[parent] = None
            parent = str(details["Parent"])
    return list(found)


@pytest.fixture
def tiny(room: Room) -> BaseImage:
    """A base of a few megabytes with nothing but busybox."""
    tiny_image(room.engine)
    return room.base(image=TINY)


@pytest.fixture
def debian(room: Room) -> BaseImage:
    """Debian 12, bootstrapped once per machine: the tests' homes are many, so their own lock would not do."""
    with Path(tempfile.gettempdir(), f"devbox-test-base-{os.getuid()}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return room.base(image="debian:12")


@pytest.fixture
def client(docker_engine: SdkEngine) -> Iterator[docker.DockerClient]:
    """The docker SDK's own client, for what devbox never asks of an engine."""
    with _client(docker_engine) as made:
        yield made
