"""Edits of a profile's text that keep everything else as its author wrote it: comments, order, spacing. Pure."""

from collections.abc import Iterable, Sequence
from typing import Any

import tomlkit
from tomlkit.items import Array


def with_items(text: str, path: Sequence[str], names: Iterable[str]) -> str:
    """Return `text` with `names` at the end of the list at `path` ("packages", "system"), made if it is not there."""
    document = tomlkit.parse(text)
    table = _table(document, path[:-1])
    items = table.get(path[-1])
    if not isinstance(items, Array):
        items = tomlkit.array()
        table[path[-1]] = items
    for name in names:
        if name not in items:
            items.append(name)
    return tomlkit.dumps(document)


def without_items(text: str, path: Sequence[str], names: Iterable[str]) -> str:
    """Return `text` with `names` taken out of the list at `path`; what is not in it is none of this text's."""
    document = tomlkit.parse(text)
    items: Any = document
    for key in path:
        items = items.get(key) if hasattr(items, "get") else None
    if isinstance(items, Array):
        for name in names:
            if name in items:
                items.remove(name)
    return tomlkit.dumps(document)


def items_at(text: str, path: Sequence[str]) -> tuple[str, ...]:
    """Return the list at `path` as `text` itself has it; empty if it has none."""
    items: Any = tomlkit.parse(text).unwrap()
    for key in path:
        items = items.get(key) if isinstance(items, dict) else None
    return tuple(map(str, items)) if isinstance(items, list) else ()


def with_value(text: str, path: Sequence[str], value: object) -> str:
    """Return `text` with the key at `path` set to `value`."""
    document = tomlkit.parse(text)
    _table(document, path[:-1])[path[-1]] = value
    return tomlkit.dumps(document)


def _table(document: tomlkit.TOMLDocument, path: Sequence[str]) -> Any:  # noqa: ANN401 (tomlkit has many kinds of table)
    table: Any = document
    for depth, key in enumerate(path):
        if key not in table:
            table[key] = tomlkit.table() if depth == 0 else tomlkit.inline_table()
        table = table[key]
    return table
