"""What has only got another name: a file that goes and one of the same content that comes on the same side."""

from collections.abc import Iterator
from typing import NamedTuple

from devbox.sync.core.entry import Entry, Kind, Side
from devbox.sync.rows import Node
from devbox.sync.transfer import Task


class Move(NamedTuple):
    """What is at `old` is what `new` wants."""

    new: Task
    old: Task


def to_hash(tasks: list[Task]) -> Iterator[tuple[Side, Node]]:
    """Go through the new files that may be old ones by their size, and whose digest is not known."""
    sizes = {(task.side, task.expected.size) for task in tasks if _goes(task) and task.expected}
    if not sizes:
        return
    for task in tasks:
        if _comes(task) and task.action.want and not task.action.want.digest and (task.side, task.size) in sizes:
            yield task.side.other, task.node


def paired(tasks: list[Task]) -> tuple[list[Move], list[Task]]:
    """Split into what is moved, and what is not and stays in its order."""
    going: dict[tuple[Side, bytes], list[Task]] = {}
    for task in tasks:
        was = task.action.was
        if _goes(task) and was is not None and was.digest:
            going.setdefault((task.side, was.digest), []).append(task)
    moves: list[Move] = []
    moved: set[int] = set()
    if going:
        coming = {id(task.node) for task in tasks if task.action.want is not None}
        for task in tasks:
            olds = going.get((task.side, _digest(task)), []) if _comes(task) else []
            old = olds.pop() if olds else None
            if old is not None and id(old.node) not in coming:
                moves.append(Move(task, old))
                moved |= {id(task), id(old)}
    return moves, [task for task in tasks if id(task) not in moved]


def _goes(task: Task) -> bool:
    was = task.action.was
    return task.action.want is None and was is not None and was.kind is Kind.FILE


def _comes(task: Task) -> bool:
    want = task.action.want
    return task.action.was is None and want is not None and want.kind is Kind.FILE and task.size > 0


def _digest(task: Task) -> bytes:
    """Return the digest that is wanted, also if it has become known only after the plan was made."""
    want: Entry | None = task.action.want
    now = task.node.on(task.side.other)
    return (want.digest if want is not None else b"") or (now.digest if now is not None else b"")
