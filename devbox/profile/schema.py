"""The JSON Schema (2020-12) of a profile, made from the model; `devbox/data/schema.json` is the shipped copy."""

import json
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, Final

from devbox.profile.described import describe
from devbox.profile.linemap import child
from devbox.profile.model import Profile

SCHEMA_ID: Final = "https://devbox.example/schema/1.json"
SCHEMA_LINE: Final = f"#:schema {SCHEMA_ID}"  # the first line of a written profile; editors complete by it

Path = tuple[str | int, ...]


@cache
def schema() -> Mapping[str, Any]:
    """Return the schema as plain values; do not change it."""
    body = Profile.model_json_schema(by_alias=True, mode="validation")
    describe(body, Profile)
    del body["description"]
    tidy = _tidy(body)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": SCHEMA_ID,
        "title": "devbox.toml",
        "description": "The profile of a devbox environment: what is installed, how it runs, what reaches the host.",
        **{key: value for key, value in tidy.items() if key != "title"},
    }


def schema_text() -> str:
    """Return the schema as `devbox schema` prints it, with a line end."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


def known_keys(path: Path) -> tuple[str, ...]:
    """Return the keys that the table at `path` can have; empty where any name goes, or where no table goes."""
    node = next(_tables(schema()), None)
    for part in path:
        node = None if node is None else next(_tables(_below(node, part)), None)
    return tuple((node or {}).get("properties", ()))


def rows() -> Iterator[tuple[str, str, str, str]]:
    """Yield (key, form, default, meaning) of every key, in the model's order; `NAME` and `[]` stand for any."""
    yield from _rows(schema(), "")


def _rows(node: Mapping[str, Any], path: str) -> Iterator[tuple[str, str, str, str]]:
    for name, inner in node.get("properties", {}).items():
        key = child(path, name)
        yield key, _form(inner), _default(inner), str(_resolved(inner).get("description", ""))
        yield from _inside(inner, key)
    if path == "env":
        yield "env.NAME", "text", "", "The variable NAME inside."


def _inside(node: Mapping[str, Any], key: str) -> Iterator[tuple[str, str, str, str]]:
    if key == "machines":  # a machine has the keys of the profile itself
        return
    items = _resolved(node).get("items")
    names = _resolved(node).get("additionalProperties")
    for table in _tables(node):
        yield from _rows(table, key)
    if items is not None:
        for table in _tables(items):
            yield from _rows(table, f"{key}[]")
    if isinstance(names, Mapping):
        for table in _tables(names):
            yield from _rows(table, f"{key}.NAME")


def _form(node: Mapping[str, Any]) -> str:
    node = _resolved(node)
    if "anyOf" in node:
        return " or ".join(dict.fromkeys(_form(choice) for choice in node["anyOf"]))
    if "enum" in node or "const" in node:
        return ", ".join(json.dumps(value) for value in node.get("enum", [node.get("const")]))
    if node.get("type") == "array":
        return f"list of {_form(node.get('items', {}))}"
    words = {"string": "text", "integer": "whole number", "number": "number", "boolean": "true or false"}
    return words.get(str(node.get("type")), "table")


def _default(node: Mapping[str, Any]) -> str:
    value = node.get("default")
    return "" if value is None or isinstance(value, dict | list) else json.dumps(value)


def _tables(node: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield the tables that can stand at `node`: itself, or those among its choices."""
    node = _resolved(node)
    if node.get("type") == "object":
        yield node
    for choice in node.get("anyOf", ()):
        yield from _tables(choice)


def _below(node: Mapping[str, Any], part: str | int) -> Mapping[str, Any]:
    if isinstance(part, int):  # the step to the list's name led to its items already
        return node
    found = node.get("properties", {}).get(part, node.get("additionalProperties"))
    if not isinstance(found, Mapping):
        return {}
    resolved = _resolved(found)
    return resolved.get("items", resolved) if resolved.get("type") == "array" else found


def _resolved(node: Mapping[str, Any]) -> Mapping[str, Any]:
    if "$ref" not in node:
        return node
    target: Mapping[str, Any] = schema()["$defs"][node["$ref"].rsplit("/", 1)[1]]
    return {**target, **{key: value for key, value in node.items() if key != "$ref"}}


def _tidy(node: Any) -> Any:  # noqa: ANN401 (JSON is anything)
    """Drop what TOML has no word for (null) and titles that only repeat a key."""
    if isinstance(node, list):
        return [_tidy(inner) for inner in node]
    if not isinstance(node, dict):
        return node
    kept = {key: _tidy(value) for key, value in node.items() if not (key == "title" and isinstance(value, str))}
    if kept.get("default", 0) is None:
        del kept["default"]
    choices = kept.get("anyOf")
    if isinstance(choices, list) and {"type": "null"} in choices:
        rest = [choice for choice in choices if choice != {"type": "null"}]
        del kept["anyOf"]
        kept = {**(rest[0] if len(rest) == 1 else {"anyOf": rest}), **kept}
    return kept
