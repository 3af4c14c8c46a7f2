"""The meaning of each key, from the docstring below it in the model; read only when the schema is asked for.

pydantic can do this itself (`use_attribute_docstrings`), but then at every start: 60 ms of reading source.
"""

import ast
import inspect
import textwrap
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any

from pydantic import BaseModel


def describe(body: dict[str, Any], model: type[BaseModel]) -> None:
    """Add to the JSON Schema `body` of `model` the meaning of each property of it and of the models it names."""
    _fill(body, model)
    for name, definition in body.get("$defs", {}).items():
        known = {part.__name__: part for part in _parts(BaseModel)}
        if name in known:
            _fill(definition, known[name])


def _fill(definition: Mapping[str, Any], model: type[BaseModel]) -> None:
    properties = definition.get("properties", {})
    meanings = dict(meaning for part in reversed(model.__mro__) for meaning in _meanings(part))
    for attribute, field in model.model_fields.items():
        key = field.alias or attribute
        if key in properties and attribute in meanings:
            properties[key].setdefault("description", meanings[attribute])


def _meanings(part: type) -> Iterator[tuple[str, str]]:
    if part is BaseModel or not issubclass(part, BaseModel):
        return
    (body,) = ast.parse(textwrap.dedent(inspect.getsource(part))).body
    assert isinstance(body, ast.ClassDef)  # getsource gave a class
    for field, after in pairwise(body.body):
        match field, after:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                yield name, inspect.cleandoc(text)
            case _:
                pass


def _parts(part: type[BaseModel]) -> Iterator[type[BaseModel]]:
    for below in part.__subclasses__():
        if below.__module__.startswith("devbox."):
            yield below
        yield from _parts(below)
