"""Several machines of one project: what each one's profile is made of, and which there are. Pure.

A machine is the project's profile with what `[machines.NAME]` says on top, merged as a later layer is. Only the ports
are not handed on: each of them leads to one machine. Variables and flags have the last word on every machine.
"""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from functools import reduce
from typing import Final

from devbox.errors import UsageError
from devbox.profile.layers import Node, merge
from devbox.values import printable

DEFAULT: Final = "default"  # what the profile itself is called among its machines
TABLE: Final = "machines"
_OWN: Final = ("ports",)  # what a machine has of itself alone


def trees(root: Node, *, inner: Sequence[Node], outer: Sequence[Node]) -> dict[str, Node]:
    """Return the merged tree of each machine: the layers `inner`, what `root` says of the machine, the layers `outer`.

    `root`: all layers merged. What is no table there is no machine; that is a problem of the layer that has it.
    """
    table = (root.table or {}).get(TABLE)
    machines = (table.table if table else None) or {}
    before = _without(reduce(merge, inner), _OWN) if machines else root
    return {
        name: _without(reduce(merge, outer, merge(before, machine)), (TABLE,))
        for name, machine in machines.items()
        if machine.table is not None
    }


def _without(node: Node, keys: Iterable[str]) -> Node:
    return Node(node.origin, table={key: inner for key, inner in (node.table or {}).items() if key not in keys})


def require_name(name: str, known: Iterable[str]) -> None:
    """Raise `UsageError`, with what was probably meant, if there is no machine of this name."""
    names = tuple(known)
    if name in names:
        return
    near = get_close_matches(name, names, n=1)
    there = f"there are: {', '.join((DEFAULT, *names))}" if names else "the profile has no [machines.NAME]"
    hint = f"did you mean: -m {near[0]}" if near else there
    raise UsageError(f"no machine of this project is called {printable(name)}", hint=hint)
