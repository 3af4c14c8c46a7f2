"""Layers: trees of values that know where they come from, and how a later one changes an earlier one.

Tables merge key by key. Lists append: what a later layer lists comes after, and what is there already is not
repeated; a mount with the target of an earlier one, and a provision step with its name, take its place. All
else is replaced. `base` and each secret are replaced whole when the later layer says where they come from, and each
task when it says what the task runs.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from devbox.profile.linemap import child, join

Path = tuple[str | int, ...]

_CHOICES: Final[Mapping[str, frozenset[str]]] = {
    "base": frozenset({"image", "dockerfile", "disk"}),
    "secrets": frozenset({"env", "file"}),
    "tasks": frozenset({"run"}),
}
_IDENTITY: Final[Mapping[str, str]] = {"mounts": "target", "provision": "name"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where a value was set. `key`: as the file has it, which for a list item may differ from the merged key."""

    value: object
    source: str  # "devbox.toml", "base profile python", "DEVBOX_RUNTIME", "flag", "built-in"
    file: str | None = None  # as the user would type it
    line: int | None = None
    key: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """One layer before merging. `lines` is empty where there is no file."""

    source: str
    tree: Mapping[str, object]
    file: str | None = None
    lines: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Node:
    """A value with its origin: a table, a list or a leaf, whichever of the two is not None."""

    origin: Origin
    table: Mapping[str, "Node"] | None = None
    items: tuple["Node", ...] | None = None


def plant(layer: Layer) -> Node:
    """Return the layer as a tree of nodes, shorthands written out (a port's number, a task's command)."""
    return _plant(layer, layer.tree, (), "")


def _plant(layer: Layer, value: object, path: Path, key: str) -> Node:
    origin = Origin(value=value, source=layer.source, file=layer.file, line=layer.lines.get(key), key=key)
    long = _written_out(value, path)
    if long is not None:
        return Node(origin, table={name: Node(origin) for name in long})
    if isinstance(value, Mapping):
        return Node(
            origin, table={name: _plant(layer, inner, (*path, name), child(key, name)) for name, inner in value.items()}
        )
    if isinstance(value, list | tuple):
        return Node(
            origin,
            items=tuple(_plant(layer, inner, (*path, n), child(key, n)) for n, inner in enumerate(value)),
        )
    return Node(origin)


def _written_out(value: object, path: Path) -> tuple[str] | None:
    if path[:1] == ("machines",):
        path = path[2:]
    if len(path) != 2:
        return None
    if path[0] == "ports" and isinstance(value, int) and not isinstance(value, bool):
        return ("guest",)
    return ("run",) if path[0] == "tasks" and isinstance(value, str) else None


def plain(node: Node) -> object:
    """Return the values alone: dicts, lists and leaves."""
    if node.table is not None:
        return {name: plain(inner) for name, inner in node.table.items()}
    if node.items is not None:
        return [plain(inner) for inner in node.items]
    return node.origin.value


def merge(earlier: Node, later: Node, path: Path = ()) -> Node:
    """Return `earlier` as `later` changes it; see the module's text for how."""
    if earlier.table is not None and later.table is not None and not _chooses_anew(later, path):
        table = dict(earlier.table)
        for name, inner in later.table.items():
            table[name] = merge(table[name], inner, (*path, name)) if name in table else inner
        return Node(later.origin, table=table)
    if earlier.items is not None and later.items is not None:
        return Node(later.origin, items=_append(earlier.items, later.items, _IDENTITY.get(_field(path))))
    return later


def _field(path: Path) -> str:
    """Return the profile's field that `path` names, for the profile and for one of its machines."""
    rest = path[2:] if path[:1] == ("machines",) else path
    return str(rest[0]) if len(rest) == 1 else ""


def _chooses_anew(later: Node, path: Path) -> bool:
    rest = path[2:] if path[:1] == ("machines",) else path
    wanted = {"base": 1, "secrets": 2, "tasks": 2}.get(str(rest[0])) if rest else None
    return wanted == len(rest) and bool(_CHOICES[str(rest[0])] & set(later.table or {}))


def _append(earlier: tuple[Node, ...], later: tuple[Node, ...], identity: str | None) -> tuple[Node, ...]:
    items = list(earlier)
    for item in later:
        value = plain(item)
        twins = (n for n, old in enumerate(items[: len(earlier)]) if _same(plain(old), value, identity))
        place = next(twins, None)
        if place is None:
            items.append(item)
        elif plain(items[place]) != value:
            items[place] = item
    return tuple(items)


def _same(old: object, new: object, identity: str | None) -> bool:
    if identity is None or not isinstance(old, Mapping) or not isinstance(new, Mapping):
        return old == new and type(old) is type(new)
    name = new.get(identity)
    return old == new if name is None else old.get(identity) == name


def origins(node: Node) -> dict[str, Origin]:
    """Return the origin of every key of the tree, tables and lists included, by merged key.

    A table or list that several layers make has the origin of the last and the value of all.
    """
    return {join(path): replace(inner.origin, value=plain(inner)) for path, inner in _walk(node, ()) if path}


def _walk(node: Node, path: Path) -> Iterator[tuple[Path, Node]]:
    yield path, node
    for name, inner in (node.table or {}).items():
        yield from _walk(inner, (*path, name))
    for index, inner in enumerate(node.items or ()):
        yield from _walk(inner, (*path, index))


def locate(node: Node, path: Path) -> tuple[Origin, str]:
    """Return the origin of `path`, or of the nearest that contains it, and the key as that origin's file has it."""
    for depth, part in enumerate(path):
        inner = _step(node, part)
        if inner is None:
            return node.origin, _below(node.origin.key, path[depth:])
        if inner.origin is node.origin and node.table is not None and depth:
            return inner.origin, inner.origin.key  # written out from a shorthand
        node = inner
    return node.origin, node.origin.key


def _step(node: Node, part: str | int) -> Node | None:
    if isinstance(part, str):
        return (node.table or {}).get(part)
    items = node.items or ()
    return items[part] if part < len(items) else None


def _below(key: str, rest: Path) -> str:
    for part in rest:
        key = child(key, part)
    return key
