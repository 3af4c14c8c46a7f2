"""JSON with the line of each key."""

import json
import re
from collections.abc import Mapping
from typing import Final

from devbox.profile.linemap import child

_TOKEN: Final = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\]:,]|[^\s{}\[\]:,"]+', re.DOTALL)


class JsonError(ValueError):
    """What is no JSON object; `line` counts from 1."""

    def __init__(self, message: str, line: int | None) -> None:
        super().__init__(message)
        self.line = line


def read_json(text: str) -> tuple[Mapping[str, object], Mapping[str, int]]:
    """Return the JSON object `text` and the line of each of its key paths; `JsonError` for anything else."""
    try:
        tree = json.loads(text)
    except json.JSONDecodeError as error:
        raise JsonError(f"not JSON: {error.msg[:1].lower()}{error.msg[1:]}", error.lineno) from error
    except RecursionError as error:
        raise JsonError("is nested too deep", None) from error
    except ValueError as error:  # a number beyond Python's limit of digits
        raise JsonError("a number is too large", None) from error
    if not isinstance(tree, dict):
        raise JsonError("is no JSON object", 1)
    return tree, _lines(text)


def _lines(text: str) -> dict[str, int]:
    """Return the line of each key path and list item; `text` is known to be JSON."""
    lines: dict[str, int] = {}
    stack: list[tuple[str, int | None]] = []  # path of the container, index of the next item of a list
    path, line, at = "", 1, 0
    tokens = list(_TOKEN.finditer(text))
    for number, token in enumerate(tokens):
        line += text.count("\n", at, token.start())
        at = token.start()
        value = token.group()
        is_key = value[0] == '"' and number + 1 < len(tokens) and tokens[number + 1].group() == ":"
        if stack and stack[-1][1] is not None and value not in ",]":
            index = stack[-1][1]
            if tokens[number - 1].group() in "[,":
                path = child(stack[-1][0], index)
                lines.setdefault(path, line)
                stack[-1] = (stack[-1][0], index + 1)
        if is_key and stack and stack[-1][1] is None:
            path = child(stack[-1][0], str(json.loads(value)))
            lines.setdefault(path, line)
        elif value in "{[":
            stack.append((path, 0 if value == "[" else None))
        elif value in "}]" and stack:
            stack.pop()
    return lines
