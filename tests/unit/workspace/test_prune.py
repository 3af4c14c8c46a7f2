from dataclasses import replace
from pathlib import Path

from devbox.engine.base import ImageInfo
from devbox.runtimes.vm import snapshots
from devbox.runtimes.vm.shelf import About, shelf_of
from devbox.workspace.destroy import destroy
from devbox.workspace.prune import own_bytes, prune, unneeded
from devbox.workspace.up import up
from tests.fakes.engine import FakeEngine
from tests.support.desk import Desk


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


def test_the_image_of_a_snapshot_stays_as_long_as_there_is_one(tmp_path: Path) -> None:
    """The same profile would make another one, and a machine of that one has no use for the snapshot."""
    desk = Desk(directory=tmp_path / "shop").write()
    image = up(desk.host, desk.workspace).image
    destroy(desk.host, desk.workspace)
    shelf = shelf_of(desk.workspace.hash)
    with shelf.draft() as making:
        shelf.put(making, About(name="old", saved=0, pushed=False, mark="", image=image, content="", spec=""))
    prune(desk.host)
    assert desk.engine.image(image) is not None
    snapshots.clear(desk.workspace.hash)
    prune(desk.host)
    assert desk.engine.image(image) is None
