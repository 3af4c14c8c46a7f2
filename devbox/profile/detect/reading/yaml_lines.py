"""The little of YAML that manifests of environments use: keys and lists by indentation, each with its line.

No YAML: no anchors, no flow collections, no text over several lines. What is written otherwise is not seen.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

_ITEM: Final = re.compile(
    r"(?P<indent> *)(?P<dash>- +|-\Z)?(?:(?P<key>[A-Za-z0-9_./@\"'-]+) *:(?= |\Z))? *(?P<value>.*)\Z"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line. `path`: the keys above it and its own, of a list item those of the list."""

    line: int
    path: tuple[str, ...]
    value: str
    item: bool


def read_yaml(text: str) -> Iterator[Entry]:
    """Yield what each line says."""
    above: list[tuple[float, str]] = []
    for number, raw in enumerate(text.splitlines(), start=1):
        line = re.sub(r"(?:\A|\s)#.*", "", raw).rstrip()
        match = _ITEM.match(line)
        if not line.strip() or line.startswith(("---", "%")) or match is None:
            continue
        dash = match["dash"]
        indent = len(match["indent"]) + (0.5 if dash else 0)  # a list may stand as far left as its key
        while above and above[-1][0] >= indent:
            above.pop()
        keys = tuple(key for _, key in above)
        key = (match["key"] or "").strip("\"'")
        if key:
            above.append((len(match["indent"]) + len(dash or ""), key))
        yield Entry(
            line=number,
            path=(*keys, key) if key else keys,
            value=match["value"].strip().strip("\"'"),
            item=dash is not None,
        )
