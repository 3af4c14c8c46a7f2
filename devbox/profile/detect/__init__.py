"""What is this project made of? A careful look at well-known files: evidence with its place, nothing is run."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from devbox.profile.detect.c import c
from devbox.profile.detect.dotnet import dotnet
from devbox.profile.detect.elixir import elixir
from devbox.profile.detect.evidence import Detection, Evidence, Stack
from devbox.profile.detect.go import go
from devbox.profile.detect.java import java
from devbox.profile.detect.node import node
from devbox.profile.detect.others import members, others
from devbox.profile.detect.php import php
from devbox.profile.detect.pythons.stack import python
from devbox.profile.detect.render import render, render_for
from devbox.profile.detect.ruby import ruby
from devbox.profile.detect.rust import rust
from devbox.profile.detect.static import static
from devbox.profile.detect.verdict import require_clear
from devbox.profile.detect.view import View
from devbox.values import slug

__all__ = ["Detection", "Evidence", "Stack", "detect", "render", "render_for", "require_clear"]

_DETECTORS: Final[tuple[Callable[[View], Stack | None], ...]] = (
    python, node, go, rust, java, ruby, php, c, dotnet, elixir,
)  # fmt: skip


def detect(directory: Path, *, wanted: Mapping[str, str] | None = None) -> Detection:
    """Return what the project in `directory` is made of; without a sign of anything, no stacks.

    `wanted`: by language, the version that goes before what the project's files say.
    """
    directory = directory.resolve()
    view = View(directory, wanted=wanted)
    stacks = [stack for look in _DETECTORS if (stack := look(view)) is not None]
    site = static(view)
    if site is not None and (not stacks or "hugo" in {one.name for one in site.system}):
        stacks.append(site)
    seen = (*others(view), *members(view))
    return Detection(name=slug(directory.name), stacks=tuple(stacks), others=seen, problems=tuple(view.problems))
