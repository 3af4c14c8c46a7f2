"""The images of a FakeEngine."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from devbox.engine.base import EngineInfo, ImageInfo, Labels
from devbox.errors import EngineError, RegistryUnreachableError
from tests.fakes.engine_archive import read_archive
from tests.fakes.engine_calls import CREATED, FakeCalls, carries
from tests.fakes.engine_container import FakeContainer


class FakeImages(FakeCalls):
    """`registry` is what can be pulled, None: the registry does not answer."""

    def __init__(self, info: EngineInfo) -> None:
        super().__init__(info)
        self.registry: dict[str, ImageInfo] | None = {}
        self.image_store: dict[str, ImageInfo] = {}
        self.container_store: dict[str, FakeContainer] = {}  # which use them

    def add_image(
        self,
        reference: str,
        *,
        labels: Labels = {},  # noqa: B006 (never changed)
        env: Mapping[str, str] = {},
        workdir: str = "",
        user: str = "",
        volumes: tuple[str, ...] = (),
    ) -> ImageInfo:
        """Put an image there, as if it had been pulled or loaded long ago."""
        image = ImageInfo(
            id=self._id("image"),
            tags=(reference,) if reference else (),
            digests=(),
            labels=dict(labels),
            env=tuple(env.items()),
            workdir=workdir,
            user=user,
            architecture=self.info.architecture,
            size=100_000_000,
            created=CREATED,
            layers=(self._id("layer"),),
            volumes=volumes,
        )
        if reference:
            self._untag(reference)
        self.image_store[image.id] = image
        return image

    def image(self, reference: str) -> ImageInfo | None:
        self._alive("image")
        if reference in self.image_store:
            return self.image_store[reference]
        name = _with_tag(reference)
        return next((image for image in self.image_store.values() if name in image.tags + image.digests), None)

    def images(self, labels: Labels) -> list[ImageInfo]:
        self._alive("images")
        return [image for image in self.image_store.values() if carries(image.labels, labels)]

    def pull(self, reference: str) -> Iterator[str]:
        self._changes("pull", reference)
        if self.registry is None:
            raise RegistryUnreachableError(f"no answer from the registry for {reference}")
        image = self.registry.get(reference)
        if image is None:
            raise EngineError(f"the registry has no image {reference}")
        yield f"pulling {reference}"
        self._untag(_with_tag(reference))
        self.image_store[image.id] = replace(image, tags=(_with_tag(reference),))

    def build_classic(
        self, context: Iterable[bytes], *, dockerfile: str, target: str | None, tag: str, labels: Labels
    ) -> Iterator[str]:
        self._changes("build_classic", tag)
        b"".join(context)
        yield f"building {dockerfile}"
        self.add_image(tag, labels=labels)

    def load(self, archive: Iterable[bytes]) -> None:
        self._changes("load", "")
        for image in read_archive(b"".join(archive)):
            for tag in image.tags:
                self._untag(tag)
            self.image_store[image.id] = image

    def tag(self, image_id: str, reference: str) -> None:
        self._changes("tag", reference)
        image = self.image(image_id)
        if image is None:
            raise EngineError(f"the engine did not tag {reference}", detail=f"No such image: {image_id}")
        self._untag(_with_tag(reference))
        image = self.image_store[image.id]
        self.image_store[image.id] = replace(image, tags=(*image.tags, _with_tag(reference)))

    def remove_image(self, reference: str, *, force: bool = False) -> None:
        self._changes("remove_image", reference)
        image = self.image(reference)
        if image is None:
            return
        by_tag = reference != image.id
        if by_tag and len(image.tags) > 1:
            self._untag(_with_tag(reference))
            return
        users = [box for box in self.container_store.values() if box.image == image.id]
        if users and (not force or any(box.status == "running" for box in users)):
            raise EngineError(f"the engine did not remove the image {reference}", detail="image is being used")
        if len(image.tags) > 1 and not force:
            raise EngineError(f"the engine did not remove the image {reference}", detail="image has several tags")
        del self.image_store[image.id]

    def _untag(self, reference: str) -> None:
        for image in list(self.image_store.values()):
            if reference in image.tags:
                self.image_store[image.id] = replace(image, tags=tuple(tag for tag in image.tags if tag != reference))


def _with_tag(reference: str) -> str:
    last = reference.rpartition("/")[2]
    return reference if ":" in last or "@" in last else f"{reference}:latest"
