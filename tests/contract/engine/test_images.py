"""Images: loading, naming, committing and removing them."""

from collections.abc import Iterator
from typing import Any

import pytest

from devbox.engine.base import ImageConfig
from devbox.errors import EngineError
from devbox.values import LABEL_NAME, LABEL_RECIPE, LABEL_ROLE, LABEL_SPEC, ROLE_LAYER
from tests.contract.engine.conftest import Bench
from tests.support.engine import labels, unique
from tests.support.images import TINY, TINY_ENV
from tests.support.skips import NOT_HERE

VALUES = (("PLAIN", "1"), ("SPACES", "a b  c"), ("QUOTES", 'it\'s "so"'), ("SIGNS", "$HOME \\ `x` = #"), ("EMPTY", ""))


def _config(bench: Bench, **options: object) -> ImageConfig:
    own = (*labels(ROLE_LAYER), (LABEL_NAME, bench.name), (LABEL_RECIPE, "0" * 64))
    found = {"env": bench.image.env, "command": ("sleep", "infinity"), "labels": own, **options}
    return ImageConfig(**found)  # type: ignore[arg-type]


def test_a_loaded_image_is_found_by_tag_and_by_id(bench: Bench) -> None:
    for reference in (TINY, bench.image.id):
        image = bench.engine.image(reference)
        assert image is not None
        assert image.id == bench.image.id
        assert TINY in image.tags
        assert len(image.layers) == 1


def test_an_archive_that_is_none_is_an_error(bench: Bench) -> None:
    with pytest.raises(EngineError, match="archive"):
        bench.engine.load([b"no archive" * 1000])


def test_a_commit_has_the_given_configuration_and_nothing_of_its_container(bench: Bench) -> None:
    env = (*bench.image.env, *VALUES)
    options: dict[str, Any] = {"env": env, "user": "0:0", "workdir": "/tmp", "stdin": True, "hostname": "leak"}
    options["labels"] = (*labels(), (LABEL_NAME, bench.name), (LABEL_SPEC, "of the container"))
    command = bench.sh("echo leak >/leak")
    with bench.container(command, **options) as container:
        bench.engine.wait(container)
        made = bench.engine.commit(container, config=_config(bench, env=env, workdir="/home"), message="test")
    image = bench.engine.image(made)
    assert image is not None
    assert dict(image.env) == {**TINY_ENV, **dict(VALUES)}
    assert (image.workdir, image.user, image.volumes) == ("/home", "0:0", ())
    assert image.labels[LABEL_ROLE] == ROLE_LAYER
    assert image.labels.get(LABEL_SPEC, "") == ""
    assert image.layers[:1] == bench.image.layers
    assert len(image.layers) == 2
    bench.engine.remove_image(made)
    assert bench.engine.image(made) is None


def test_a_variable_of_the_container_that_the_image_must_not_have_stops_the_commit(bench: Bench) -> None:
    options: dict[str, Any] = {"env": (*bench.image.env, ("LEAK", "1"))}
    with bench.container(bench.sh("true"), **options) as container:
        bench.engine.wait(container)
        with pytest.raises(EngineError, match="LEAK"):
            bench.engine.commit(container, config=_config(bench), message="test")


def test_layers_below_others_are_listed_and_outlive_them(bench: Bench) -> None:
    if bench.engine.info.name == "podman" and bench.engine.info.version.startswith("4."):
        pytest.skip(f"{NOT_HERE}Podman 4 does not know noprune: untagged images below a removed one go with it")
    with bench.container(bench.sh("echo 1 >/one")) as container:
        bench.engine.wait(container)
        lower = bench.engine.commit(container, config=_config(bench), message="lower")
    with bench.container(bench.sh("echo 2 >/two"), image=lower) as container:
        bench.engine.wait(container)
        upper = bench.engine.commit(container, config=_config(bench), message="upper")
    assert {image.id for image in bench.engine.images({LABEL_NAME: bench.name})} == {lower, upper}
    bench.engine.remove_image(upper)
    assert {image.id for image in bench.engine.images({LABEL_NAME: bench.name})} == {lower}
    bench.engine.remove_image(lower)


@pytest.fixture
def made(bench: Bench) -> Iterator[str]:
    with bench.container(bench.sh("true")) as container:
        bench.engine.wait(container)
        image = bench.engine.commit(container, config=_config(bench), message="test")
    yield image
    bench.engine.remove_image(image, force=True)


def test_a_tag_moves_and_goes_without_its_image(bench: Bench, made: str) -> None:
    first, second = f"{unique()}/x:1", f"{unique()}/x:2"
    bench.engine.tag(made, first)
    bench.engine.tag(made, second)
    image = bench.engine.image(first)
    assert image is not None
    assert set(image.tags) == {first, second}
    bench.engine.remove_image(first)
    assert bench.engine.image(first) is None
    image = bench.engine.image(second)
    assert image is not None
    assert image.id == made


def test_a_tag_can_be_given_with_the_commit(bench: Bench) -> None:
    name = f"{unique()}/x:1"
    with bench.container(bench.sh("true")) as container:
        bench.engine.wait(container)
        made = bench.engine.commit(container, config=_config(bench), message="test", reference=name)
    image = bench.engine.image(name)
    assert image is not None
    assert (image.id, image.tags) == (made, (name,))
    bench.engine.remove_image(name)
    assert bench.engine.image(made) is None


def test_an_image_in_use_stays(bench: Bench, made: str) -> None:
    with bench.container(image=made), pytest.raises(EngineError, match="did not remove"):
        bench.engine.remove_image(made)
    assert bench.engine.image(made) is not None
