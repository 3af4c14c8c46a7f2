"""Which packages of a graph are wanted, and under which environment markers. Pure."""

from collections import deque
from collections.abc import Callable, Hashable, Iterable
from typing import TypeVar

Node = TypeVar("Node", bound=Hashable)
_LIMIT = 64  # alternatives for one package; a graph with more of them is taken without its markers


def reached(roots: Iterable[tuple[Node, str]], edges: Callable[[Node], Iterable[tuple[Node, str]]]) -> dict[Node, str]:
    """Return every node that `roots` lead to, with the marker under which they do; "" for always.

    A way through the graph holds under all markers along it; a node is wanted if one of the ways to it holds.
    """
    found: dict[Node, set[frozenset[str]]] = {}
    work = deque((node, _all(frozenset(), marker)) for node, marker in roots)
    while work:
        node, condition = work.popleft()
        known = found.setdefault(node, set())
        if any(other <= condition for other in known):
            continue
        if len(known) >= _LIMIT:
            condition = frozenset()
        known -= {other for other in known if condition < other}
        known.add(condition)
        work.extend((other, _all(condition, marker)) for other, marker in edges(node))
    return {node: _written(known) for node, known in found.items()}


def _all(condition: frozenset[str], marker: str) -> frozenset[str]:
    return condition | {marker.strip()} if marker.strip() else condition


def _written(known: set[frozenset[str]]) -> str:
    if frozenset() in known:
        return ""
    ways = sorted(" and ".join(f"({marker})" for marker in sorted(way)) for way in known)
    return " or ".join(ways)
