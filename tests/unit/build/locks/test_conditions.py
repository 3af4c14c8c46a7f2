"""Which packages of a graph are wanted, against a walk through the graph for each way that the markers can hold."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from devbox.build.locks.conditions import reached

MARKERS = ("", "a", "b", "c")
EDGE = st.tuples(st.integers(0, 5), st.integers(0, 5), st.sampled_from(MARKERS))


def holds(marker: str, true: set[str]) -> bool:
    return not marker or any(
        all(part.strip("() ") in true for part in way.split(" and ")) for way in marker.split(" or ")
    )


@given(st.lists(EDGE, max_size=14), st.sampled_from(MARKERS))
def test_a_package_is_wanted_exactly_where_some_way_to_it_holds(edges: list[tuple[int, int, str]], root: str) -> None:
    found = reached([(0, root)], lambda node: [(end, marker) for start, end, marker in edges if start == node])
    for size in range(4):
        for chosen in itertools.combinations("abc", size):
            true = set(chosen)
            walked, work = set(), [0] if holds(root, true) else []
            while work:
                node = work.pop()
                if node not in walked:
                    walked.add(node)
                    work += [end for start, end, marker in edges if start == node and holds(marker, true)]
            assert {node for node, marker in found.items() if holds(marker, true)} == walked


def test_more_ways_than_anybody_reads_count_as_always() -> None:
    ways = [(f"m{one}", f"n{other}") for one in range(9) for other in range(9)]
    edges = {"start": [(f"{one}-{other}", one) for one, other in ways]}
    edges |= {f"{one}-{other}": [("end", other)] for one, other in ways}
    assert reached([("start", "")], lambda node: edges.get(node, []))["end"] == ""
