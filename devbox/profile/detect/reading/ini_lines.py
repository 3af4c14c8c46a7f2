"""The files of setuptools, tox and pytest: sections, keys, and values over several lines, each with its line."""

import re
from collections.abc import Mapping
from typing import Final

_SECTION: Final = re.compile(r"\[([^\]]+)\]")
_KEY: Final = re.compile(r"([^\s=:#;\[][^=:]*?)\s*[=:]\s*(.*)\Z")

Value = tuple[tuple[int, str], ...]  # (line, text) of each line of a value that holds something
Ini = Mapping[str, Mapping[str, Value]]


def read_ini(text: str) -> Ini:
    """Return the values of `text` by section and key (in lower case); what is neither counts for nothing."""
    found: dict[str, dict[str, list[tuple[int, str]]]] = {}
    section: dict[str, list[tuple[int, str]]] = {}
    value: list[tuple[int, str]] | None = None
    for number, raw in enumerate(text.splitlines(), start=1):
        line = re.sub(r"(?:\A|\s)[#;].*", "", raw).rstrip()
        if not line.strip():
            continue
        if line[0].isspace() and value is not None:
            value.append((number, line.strip()))
        elif match := _SECTION.match(line):
            section = found.setdefault(match[1].strip(), {})
            value = None
        elif match := _KEY.match(line):
            value = section.setdefault(match[1].strip().lower(), [])
            if match[2]:
                value.append((number, match[2].strip()))
    return {name: {key: tuple(lines) for key, lines in keys.items()} for name, keys in found.items()}
