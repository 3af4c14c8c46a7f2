"""What a task needs runs before it: the order, and what is wrong with it. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches

from devbox.profile.layers import Path
from devbox.profile.model import Task
from devbox.profile.translate import quote

Wrong = tuple[Path, str, str | None]  # where, what, and what to write instead


def ordered(tasks: Mapping[str, Task], name: str) -> tuple[str, ...]:
    """Return `name` behind all that it needs, each once, needs in the order in which they are written.

    `tasks` has no circle and names no task that is not there: `wrong` has said so when the profile was loaded.
    """
    order, _ = _walk({task: entry.needs for task, entry in tasks.items()}, (name,))
    return order


def wrong(tasks: Mapping[str, Task]) -> Iterator[Wrong]:
    """Yield what keeps tasks from being run: every need that is no task, and every circle once."""
    for name, task in tasks.items():
        for index, need in enumerate(task.needs):
            if need not in tasks:
                yield ("tasks", name, "needs", index), f"there is no task {quote(need)}", _instead(need, tasks)
    _, circles = _walk({name: task.needs for name, task in tasks.items()}, tasks)
    for circle in circles:
        first, second = circle[0], circle[1 % len(circle)]
        way = " needs ".join((*circle, first))
        yield ("tasks", first, "needs", tasks[first].needs.index(second)), f"a circle: {way}", "take one of them out"


def near(name: str, names: Iterable[str]) -> str | None:
    """Return the task that somebody who wrote `name` most likely meant."""
    return next(iter(get_close_matches(name, tuple(names), n=1, cutoff=0.6)), None)


def _instead(need: str, names: Iterable[str]) -> str:
    meant = near(need, names)
    return f'did you mean "{meant}"?' if meant else f"there are: {', '.join(names)}"


def _walk(
    needs: Mapping[str, Sequence[str]], names: Iterable[str]
) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
    """Return `names` with all that they need, each behind its needs, and the circles met on the way.

    A loop and no recursion: a chain of tasks may be longer than Python recurses.
    """
    order: dict[str, None] = {}
    circles: list[tuple[str, ...]] = []
    for name in names:
        way: dict[str, Iterator[str]] = {} if name in order else {name: iter(needs[name])}
        while way:
            current = next(reversed(way))
            need = next((one for one in way[current] if one in needs and one not in order), None)
            if need is None:
                way.popitem()
                order[current] = None
            elif need in way:
                circles.append(tuple(way)[tuple(way).index(need) :])
            else:
                way[need] = iter(needs[need])
    return tuple(order), tuple(circles)
