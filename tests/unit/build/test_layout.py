"""Where groups of system packages stand, so that a change costs what changed."""

from dataclasses import replace

from devbox.build.layout import Layout, Storeys, asked_for, folded, lay_out, renewed, settle
from devbox.build.recipe import Question, Step
from devbox.profile.lock import Group, LockedPackage, Platform
from tests.support.build import DEBIAN

USER = Step(name="user", key="user", script="user")


def step(name: str) -> Step:
    return Step(name=name, key="", script=name)


def package(name: str) -> LockedPackage:
    return LockedPackage(
        name=name, version="1", architecture="amd64", sha256="a" * 64, file=f"pool/{name}_1_amd64.deb", archive="debian"
    )


def group(*names: str, after: tuple[str, ...] = ()) -> Group:
    return Group(asked=names, packages=tuple(map(package, names)), after=after)


def laid(*links: str, wanted: set[str], lock: Platform) -> Layout:
    made = tuple(Question(key="q", name="?", asked="", script="") if name == "?" else step(name) for name in links)
    return lay_out(DEBIAN, Storeys(bottom=(), user=USER, links=made, names=links), wanted=wanted, lock=lock)


def names(layout: Layout) -> list[str]:
    return [step.name for step in layout.steps]


def test_at_first_everything_is_asked_for_at_once_and_nothing_comes_before() -> None:
    layout = laid("python", wanted={"git", "jq"}, lock=Platform())
    assert names(layout) == []
    assert layout.pending == Group(asked=("git", "jq"))
    lock = settle(layout.lock, layout.pending, ["0"])
    assert names(laid("python", wanted={"git", "jq"}, lock=lock)) == ["system packages", "user", "python"]


def test_what_is_added_stands_after_all_that_has_not_changed() -> None:
    lock = Platform(groups=(group("git"),), steps=("python", "node"))
    layout = laid("python", "node", wanted={"git", "jq"}, lock=lock)
    assert names(layout) == ["system packages", "user", "python", "node"]
    assert layout.pending == Group(asked=("jq",), after=("python", "node"))
    lock = settle(layout.lock, layout.pending, ["0"])
    assert names(laid("python", "node", wanted={"git", "jq"}, lock=lock))[-1] == "also jq"


def test_what_is_added_with_a_changed_step_stands_before_it() -> None:
    lock = Platform(groups=(group("git"),), steps=("python", "node"))
    layout = laid("python 2", "node", wanted={"git", "libpq-dev"}, lock=lock)
    assert names(layout) == ["system packages", "user"]
    assert layout.pending == Group(asked=("libpq-dev",))


def test_a_later_change_moves_a_group_before_what_changed() -> None:
    lock = Platform(groups=(group("git"), group("jq", after=("python", "node"))), steps=("python", "node"))
    assert names(laid("python", "node", wanted={"git", "jq"}, lock=lock))[-1] == "also jq"
    moved = names(laid("python", "node 2", wanted={"git", "jq"}, lock=lock))
    assert moved == ["system packages", "user", "python", "also jq", "node 2"]


def test_no_group_stands_before_one_that_was_added_earlier() -> None:
    lock = Platform(groups=(group("git"), group("a", after=("x", "y")), group("b", after=("x",))), steps=("x", "y"))
    assert names(laid("x", "y", wanted={"git", "a", "b"}, lock=lock)) == [
        "system packages",
        "user",
        "x",
        "also a",
        "also b",
        "y",
    ]


def test_taking_the_newest_away_takes_its_layer_away() -> None:
    lock = Platform(groups=(group("git"), group("jq", after=("x",))), steps=("x",))
    layout = laid("x", wanted={"git"}, lock=lock)
    assert layout.lock.groups == lock.groups[:1]
    assert names(layout) == ["system packages", "user", "x"]


def test_taking_an_older_one_away_is_a_step_of_its_own() -> None:
    lock = Platform(groups=(group("git", "less"),), steps=("x",))
    layout = laid("x", wanted={"git"}, lock=lock)
    assert names(layout)[-1] == "without less"
    assert asked_for(layout.lock.groups) == {"git"}
    assert layout.open is None


def test_what_the_base_brought_is_never_removed() -> None:
    lock = Platform(groups=(Group(asked=("git", "tar"), packages=(package("git"),)),), steps=("x",))
    assert names(laid("x", wanted={"git"}, lock=lock)) == ["system packages", "user", "x"]


def test_nothing_is_known_after_an_open_question() -> None:
    lock = Platform(groups=(group("git"), group("jq", after=("x", "y"))), steps=("x", "y"))
    layout = laid("x", "?", "y", wanted={"git", "jq"}, lock=lock)
    assert names(layout) == ["system packages", "user", "x", "also jq"]
    assert layout.open is not None
    assert layout.pending is None


def test_a_group_with_something_to_renew_is_asked_again_in_its_place() -> None:
    lock = Platform(groups=(group("git"), replace(group("jq", after=("x",)), stale=("jq",))), steps=("x",))
    layout = laid("x", wanted={"git", "jq"}, lock=lock)
    assert names(layout) == ["system packages", "user", "x"]
    assert layout.pending == lock.groups[1]
    renewed = settle(layout.lock, layout.pending, ["5"])
    assert renewed.groups[1] == Group(asked=("jq",), epoch=5, after=("x",))


def test_folding_keeps_every_version() -> None:
    whole = folded((group("git"), group("jq", after=("x",))))
    assert whole == (Group(asked=("git", "jq"), packages=(package("git"), package("jq"))),)
    assert folded(whole) == whole


def test_folding_keeps_what_was_taken_away_as_a_group_of_its_own_and_asks_nothing() -> None:
    before = (group("git"), group("jq", "vim"), Group(removed=("jq", "vim")), replace(group("jq"), epoch=9))
    whole = folded(before)
    assert whole == (
        Group(asked=("git", "jq", "vim"), packages=tuple(map(package, ("git", "jq", "vim"))), epoch=9),
        Group(removed=("vim",)),
    )
    assert asked_for(whole) == asked_for(before) == {"git", "jq"}
    assert folded(whole) == whole
    layout = laid("x", wanted={"git", "jq"}, lock=Platform(groups=whole))
    assert (names(layout), layout.open) == (["system packages", "user", "without vim", "x"], None)


def test_looking_up_again_concerns_the_groups_that_have_it() -> None:
    groups = renewed((group("git"), group("jq:amd64"), Group(removed=("vim",))), {"jq", "vim"})
    assert [one.stale for one in groups] == [(), ("jq",), ()]
    assert renewed(groups, {"git"})[1].stale == ("jq",)
