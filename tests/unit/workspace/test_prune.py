from dataclasses import replace

from devbox.engine.base import ImageInfo
from devbox.workspace.prune import own_bytes, unneeded
from tests.fakes.engine import FakeEngine


def _image(name: str, *layers: str, size: int) -> ImageInfo:
    info = FakeEngine().add_image(name)
    return replace(info, id=name, layers=layers, size=size)


BASE = _image("base", "a", size=100)
ONE = _image("one", "a", "b", size=110)
TWO = _image("two", "a", "b", "c", size=150)
OTHER = _image("other", "a", "d", size=101)


def test_an_image_frees_what_it_has_beyond_the_one_below() -> None:
    everything = [BASE, ONE, TWO, OTHER]
    assert own_bytes([TWO], everything) == 40
    assert own_bytes([TWO, ONE], everything) == 50
    assert own_bytes([OTHER], everything) == 1
    assert own_bytes([], everything) == 0


def test_two_names_of_the_same_layers_count_once() -> None:
    assert own_bytes([TWO, replace(TWO, id="again")], [BASE, ONE]) == 40


def test_an_image_whose_base_nobody_knows_counts_whole() -> None:
    assert own_bytes([TWO], []) == 150


def test_everything_below_a_kept_image_stays_and_the_rest_goes_from_the_top() -> None:
    engine = FakeEngine()
    engine.image_store = {image.id: image for image in (BASE, ONE, TWO, OTHER)}
    assert unneeded([BASE, ONE, TWO, OTHER], ["one"], engine) == [TWO, OTHER]
    assert unneeded([BASE, ONE, TWO], ["gone"], engine) == [TWO, ONE, BASE]
