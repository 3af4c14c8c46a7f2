import itertools
from collections.abc import Iterator

import pytest

from devbox.sync.core.modes import Mode
from devbox.sync.core.reconcile import Rules, reconcile
from tests.support.sync_oracle import assert_it_holds, two_way
from tests.support.sync_trees import MODES, Tree, Value, World

LEAVES: tuple[Value, ...] = (None, "a", "b", "->x")
NAMES = ("p", "q")


def directories(*columns: tuple[Value, ...]) -> list[Tree]:
    return [
        {name: child for name, child in zip(NAMES, children, strict=False) if child is not None}
        for children in itertools.product(*columns)
    ]


CHAIN: tuple[Value, ...] = (*LEAVES, *directories((*LEAVES, {}, *directories((None, "a", "b")))))  # one name per level
PAIR: tuple[Value, ...] = (None, "a", "b", *directories((None, "a", "b", {}), (None, "a", "b")))
WIDE: tuple[Value, ...] = (*LEAVES, *directories((*LEAVES, {}), (*LEAVES, {})))
NOT_OURS: tuple[Value, ...] = (None, "a", "!", {}, {"~": ""}, {"p": "a"}, {"p": "!"}, {"p": "a", "~": ""}, {"p": "b"})


def worlds(ancestors: tuple[Value, ...], sides: tuple[Value, ...]) -> Iterator[World]:
    for three in itertools.product(ancestors, sides, sides):
        yield World(*({"x": one} if one is not None else {} for one in three))


def check(before: World, rules: Rules) -> World:
    after = World(before.ancestor, before.host, before.guest)
    plan = reconcile(after.node(), rules)
    after.apply(plan)
    again = reconcile(after.node(), rules)
    told = f"{before.ancestor} {before.host} {before.guest} -> {after.host} {after.guest} by {plan}"
    assert not again.actions, told
    assert not again.ancestor, told
    try:
        assert_it_holds(before, after, plan, rules)
    except AssertionError as error:
        error.add_note(told)
        raise
    return after


def check_with_oracle(before: World, mode: Mode) -> None:
    after = check(before, Rules(mode=mode))
    if mode is Mode.TWO_WAY:
        assert (after.host, after.guest) == two_way(before.ancestor, before.host, before.guest), before.__dict__


@pytest.mark.parametrize("mode", MODES)
def test_every_three_trees_of_one_name_a_level(mode: Mode) -> None:
    for before in worlds(CHAIN, CHAIN):
        check_with_oracle(before, mode)


@pytest.mark.long
@pytest.mark.parametrize("mode", Mode)
def test_every_three_trees_of_two_names(mode: Mode) -> None:
    for before in worlds(PAIR, PAIR):
        check_with_oracle(before, mode)


@pytest.mark.nightly
@pytest.mark.parametrize("mode", Mode)
def test_every_three_trees_of_two_names_of_every_kind(mode: Mode) -> None:
    for before in worlds(WIDE, WIDE):
        check_with_oracle(before, mode)


@pytest.mark.parametrize("mode", Mode)
def test_every_three_trees_with_what_is_not_synced(mode: Mode) -> None:
    ours = tuple(one for one in NOT_OURS if one != "!" and not (isinstance(one, dict) and "~" in one))
    ours = tuple(one for one in ours if not (isinstance(one, dict) and "!" in one.values()))
    for before in worlds(ours, NOT_OURS):
        check(before, Rules(mode=mode))


@pytest.mark.parametrize("mode", Mode)
def test_a_new_guest_costs_the_host_nothing(mode: Mode) -> None:
    for before in worlds((None,), (*CHAIN, *NOT_OURS)):
        after = check(before, Rules(mode=mode, new_guest=True))
        assert after.host == before.host
