"""What must come of three trees, said once more and in another way than the code says it."""

from devbox.sync.core.entry import Side
from devbox.sync.core.modes import Mode
from devbox.sync.core.plan import Plan
from devbox.sync.core.reconcile import Rules
from tests.support.sync_trees import Tree, Value, World, at, synced


def paths(tree: Tree, above: str = "") -> list[tuple[str, Tree | str]]:
    """Everything in it, with its path."""
    found: list[tuple[str, Tree | str]] = []
    for name, child in tree.items():
        found.append((above + name, child))
        if isinstance(child, dict):
            found += paths(child, above + name + "/")
    return found


def has_own(tree: Value, ancestor: Value) -> bool:
    """Whether something is in it that the ancestor has not."""
    if isinstance(tree, dict):
        known = ancestor if isinstance(ancestor, dict) else {}
        return not isinstance(ancestor, dict) or any(has_own(tree[name], known.get(name)) for name in tree)
    return tree is not None and tree != ancestor


def two_way(a: Value, h: Value, g: Value) -> tuple[Value, Value]:  # noqa: PLR0911
    """Both sides afterwards, where nothing is ignored, protected or executable."""
    if h == g or a == g:
        return h, h
    if a == h:
        return g, g
    if h is None or g is None:
        there = g if h is None else h
        if not (isinstance(a, dict) and isinstance(there, dict)):
            return there, there
        host, guest = _each(a, h or {}, g or {})
        return (host, guest) if host or guest else (None, None)
    if isinstance(h, dict) and isinstance(g, dict):
        return _each(a if isinstance(a, dict) else {}, h, g)
    if isinstance(a, dict) and isinstance(h, dict) != isinstance(g, dict):
        leaf, directory = (g, h) if isinstance(h, dict) else (h, g)
        if not has_own(directory, a):
            return leaf, leaf
    return h, g


def _each(a: Tree, h: Value, g: Value) -> tuple[Tree, Tree]:
    assert isinstance(h, dict)
    assert isinstance(g, dict)
    host: Tree = {}
    guest: Tree = {}
    for name in {**h, **g}:
        on_host, on_guest = two_way(a.get(name), h.get(name), g.get(name))
        if on_host is not None:
            host[name] = on_host
        if on_guest is not None:
            guest[name] = on_guest
    return host, guest


def assert_nothing_is_lost(before: World, after: World) -> None:
    """I1: what somebody wrote stays reachable; what nobody changed goes only where the other side gave it up."""
    for side, tree in before.trees.items():
        for path, was in paths(tree):
            if not isinstance(was, str) or path.endswith("~"):
                continue
            word = was.rstrip("*")
            places = [at(one, path) for one in after.trees.values()]
            reachable = word in [place.rstrip("*") for place in places if isinstance(place, str)]
            given_up = was == at(before.ancestor, path) != at(before.trees[side.other], path)
            assert reachable or given_up or (side, path, word) in after.trash, f"{was} at {path} of the {side.value}"


def assert_what_is_not_ours_stays(before: World, after: World) -> None:
    """I7, and what is neither file, directory nor link."""
    for side, tree in before.trees.items():
        for path, was in paths(tree):
            if was == "!" or path.endswith("~"):
                assert at(after.trees[side], path) == was, f"{path} of the {side.value}"


def assert_it_holds(before: World, after: World, plan: Plan, rules: Rules) -> None:
    mode = rules.mode
    assert_nothing_is_lost(before, after)
    assert_what_is_not_ours_stays(before, after)
    if not (plan.conflicts or plan.kept):
        assert synced(after.host) == synced(after.guest) == after.ancestor  # I3, I4
    if mode in (Mode.ONE_WAY, Mode.ONE_WAY_REPLICA):
        assert after.host == before.host
        assert not any(action.side is Side.HOST for action in plan.actions)
    if mode is Mode.ONE_WAY and not rules.new_guest:
        for path, was in paths(before.guest):
            if was != at(before.ancestor, path) and isinstance(was, str):
                assert at(after.guest, path) in (was, was + "*", was.rstrip("*"))
    if mode is Mode.ONE_WAY_REPLICA and not plan.kept and not plan.conflicts:
        assert synced(after.guest) == synced(after.host)
