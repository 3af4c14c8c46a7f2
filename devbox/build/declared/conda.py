"""conda's environment.yml: its pip section. What conda alone has is not taken. Pure."""

import re
from collections.abc import Iterator

_DEPENDENCIES = re.compile(r"dependencies:\s*(#.*)?\Z")
_ITEM = re.compile(r"(?P<indent>\s*)-\s+(?P<value>.+?)\s*\Z")


def read_environment(text: str) -> tuple[str, ...]:
    """Return the requirements that stand below "- pip:" in an environment.yml, in their order."""
    return tuple(_pip(text))


def _pip(text: str) -> Iterator[str]:
    inside, indent = False, -1  # within "dependencies:"; the indent of "- pip:"
    for raw in text.splitlines():
        line = re.sub(r"(^|\s)#.*\Z", "", raw).rstrip()
        if not line:
            continue
        if not line.startswith((" ", "-")):
            inside, indent = bool(_DEPENDENCIES.match(line)), -1
            continue
        match = _ITEM.match(line)
        if not inside or match is None:
            continue
        value = match["value"].strip("'\"")
        if value == "pip:":
            indent = len(match["indent"])
        elif indent >= 0 and len(match["indent"]) > indent:
            yield value
        else:
            indent = -1
