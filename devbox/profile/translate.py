"""What pydantic finds wrong, in plain words and tied to file, line and key."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, time
from difflib import get_close_matches
from typing import Any, Final

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from devbox.errors import Problem
from devbox.profile.grammar import INCOMPLETE
from devbox.profile.layers import Node, Path, locate
from devbox.profile.linemap import child
from devbox.profile.schema import known_keys
from devbox.values import printable

_MERGED_ONLY: Final = frozenset({INCOMPLETE, "missing"})  # what one layer lacks another may have
_QUOTE_MAX: Final = 60
_SIZES: Final = (("memory",), ("disk",))


def problems(error: ValidationError, root: Node, *, merged: bool) -> Iterator[Problem]:
    """Yield a problem for each thing that `error` finds in `root`.

    `merged`: yield only what shows when all layers are together; otherwise only what one layer does wrong alone.
    """
    for details in error.errors(include_url=False):
        if (details["type"] in _MERGED_ONLY) == merged:
            yield _problem(details, root)


def unknown_key(key: str, known: tuple[str, ...]) -> tuple[str, str | None]:
    """Return message and hint for a key that does not exist where `known` ones do."""
    near = get_close_matches(key, known, n=1, cutoff=0.6)
    if near:
        return f"unknown key {quote(key)}", f'did you mean "{near[0]}"?'
    return f"unknown key {quote(key)}", f"known here: {', '.join(known)}" if known else None


def quote(value: object) -> str:
    """Return a value of the user's for a message: in one line, with nothing that a terminal obeys, not too long."""
    if isinstance(value, str):
        text = printable(value)
        return f'"{text[:_QUOTE_MAX]}..."' if len(text) > _QUOTE_MAX else f'"{text}"'
    if isinstance(value, bool):
        return "true" if value else "false"
    return kind(value) if isinstance(value, Mapping | list | tuple) else printable(str(value))[:_QUOTE_MAX]


def kind(value: object) -> str:
    """Return what sort of TOML value this is, with its article."""
    kinds: list[tuple[type | tuple[type, ...], str]] = [
        (bool, "true or false"),
        (str, "text"),
        (int, "a whole number"),
        (float, "a number with a point"),
        (Mapping, "a table"),
        ((list, tuple), "a list"),
        ((date, time), "a date or time"),
    ]
    return next((name for types, name in kinds if isinstance(value, types)), "something else")


def _problem(details: ErrorDetails, root: Node) -> Problem:
    context: Mapping[str, Any] = details.get("ctx", {})
    path = _as_written(details["loc"]) + tuple(context.get("at", ()))
    wrong = _Wrong(type=details["type"], path=path, given=details["input"], context=context)
    message, hint = _WORDS.get(wrong.type, _other)(wrong)
    origin, key = locate(root, path)
    if origin.file is None and origin.source:
        message = f"{message} (from {origin.source})"
    return Problem(message=message, key=printable(key) or None, file=origin.file, line=origin.line, hint=hint)


def _as_written(loc: Path) -> Path:
    """Drop from a pydantic location what is no key of the file."""
    parts = [part for part in loc if part != "[key]"]
    for place in (0, 2):  # the profile's env, a machine's env
        if parts[place : place + 2] == ["env", "values"] and len(parts) > place + 2:
            del parts[place + 1]
    return tuple(parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wrong:
    """One thing that pydantic complains of: where, what was given, and what it adds."""

    type: str
    path: Path
    given: object
    context: Mapping[str, Any]


_Said = tuple[str, str | None]  # message and hint


def _unknown(wrong: _Wrong) -> _Said:
    return unknown_key(str(wrong.path[-1]), known_keys(wrong.path[:-1]))


def _own_words(wrong: _Wrong) -> _Said:
    """Split what a check of ours says into what is wrong and what to write instead."""
    text = str(wrong.context.get("why") or wrong.context.get("error"))
    what, separator, instead = text.rpartition("; ")
    if wrong.type == "value_error" and not isinstance(wrong.given, Mapping | list):
        return f"{quote(wrong.given)}: {what or instead}", instead if separator else None
    return what or instead, instead if separator else None


def _choice(wrong: _Wrong) -> _Said:
    expected = str(wrong.context.get("expected", "")).replace("'", '"')
    words = [word.strip('"') for word in expected.replace(" or ", ", ").split(", ")]
    near = get_close_matches(str(wrong.given), words, n=1)
    hint = f'did you mean "{near[0]}"?' if near else f"write {expected}"
    return f"{quote(wrong.given)} is not one of {expected}", hint


def _wanted(what: str, hint: str | None) -> Callable[[_Wrong], _Said]:
    def words(wrong: _Wrong) -> _Said:
        given = wrong.given
        if what == "text":
            return f"must be text, not {kind(given)}", _as_text(wrong, hint)
        if what in ("a number", "a whole number") and not isinstance(given, str | float):
            return f"must be {what}, not {kind(given)}", None
        if what == "a list" and isinstance(given, Mapping):
            return f"must be a list, not {kind(given)}", f"write [[{_table_name(wrong.path)}]]"
        if what == "a list" and isinstance(given, str):
            return f"must be a list, not {kind(given)}", f"put it in brackets: [{quote(given)}]"
        if what == "a table" and wrong.path:
            return f"must be a table, not {kind(given)}", f"write [{_table_name(wrong.path)}] and the keys below it"
        return f"must be {what}, not {kind(given)}", hint

    return words


def _as_text(wrong: _Wrong, hint: str | None) -> str | None:
    """Return how to write as text what was given as something else."""
    if isinstance(wrong.given, Mapping | list | tuple):
        return None
    if isinstance(wrong.given, bool) or not isinstance(wrong.given, int | float):
        return hint
    if wrong.path[-1:] in _SIZES:
        return 'write a number and a unit in quotes, as "2 GiB"'
    return f"put it in quotes: {json.dumps(str(wrong.given))}"


def _table_name(path: Path) -> str:
    name = ""
    for part in path:
        name = name if isinstance(part, int) else child(name, part)
    return printable(name)


def _other(wrong: _Wrong) -> _Said:
    return f"{quote(wrong.given)} is not allowed here", None


_WORDS: Final[Mapping[str, Callable[[_Wrong], _Said]]] = {
    "extra_forbidden": _unknown,
    "missing": lambda _: ("is missing and must be set", None),
    "value_error": _own_words,
    INCOMPLETE: _own_words,
    "literal_error": _choice,
    "string_type": _wanted("text", "put it in quotes"),
    "string_too_short": lambda _: ("is empty", "write something, or remove the key"),
    "string_unicode": lambda _: ("has characters that are no text", "write it as UTF-8"),
    "int_type": _wanted("a whole number", "write it without quotes and point"),
    "float_type": _wanted("a number", "write it without quotes"),
    "bool_type": _wanted("true or false", "write true or false without quotes"),
    "tuple_type": _wanted("a list", None),
    "dict_type": _wanted("a table", None),
    "model_type": _wanted("a table", None),
}
