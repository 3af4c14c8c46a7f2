"""Node.js, by package.json and its lock file."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from devbox.profile.detect.stack import Evidence, Stack, first_numbers, frameworks, text_of

_LOCKS: Final = ("package-lock.json", "npm-shrinkwrap.json")
_FRAMEWORKS: Final = {
    "express": ("Express", 3000),
    "next": ("Next.js", 3000),
    "fastify": ("Fastify", 3000),
    "vite": ("Vite", 5173),
}


def node(directory: Path) -> Stack | None:
    """Return the Node.js stack of a project, or None."""
    text = text_of(directory, "package.json")
    if text is None:
        return None
    tree = _tree(text)
    lock = next((name for name in _LOCKS if (directory / name).is_file()), None)
    evidence = [Evidence(file="package.json", line=None, what="a Node.js project")]
    if lock is not None:
        evidence.append(Evidence(file=lock, line=None, what="a lock file"))
    found = list(frameworks(text, "package.json", _FRAMEWORKS, r'^\s*"{}"\s*:'))
    needs_install = lock is None and any(tree.get(key) for key in ("dependencies", "devDependencies"))
    engines = tree.get("engines")
    wanted = str(engines.get("node", "")) if isinstance(engines, Mapping) else ""
    return Stack(
        profile="node",
        packages='node = { install = "npm ci" }' if lock else "node = {}",
        evidence=(*evidence, *(hit for hit, _ in found)),
        ports=tuple(port for _, port in found)[:1],
        provision=(("packages", "npm install"),) if needs_install else (),
        newer=first_numbers(wanted)[:1] > (18,),
    )


def _tree(text: str) -> Mapping[str, object]:
    try:
        tree = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return tree if isinstance(tree, Mapping) else {}
