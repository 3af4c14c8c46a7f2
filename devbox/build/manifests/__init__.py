"""Which files a profile's build needs: the one place that knows manifests by name, a module per language."""

from pathlib import Path

from devbox.build.inputs import Collector, Inputs
from devbox.build.manifests.c import C, read_c
from devbox.build.manifests.go import GO, read_go
from devbox.build.manifests.java import JAVA, read_java
from devbox.build.manifests.node import NODE, NODE_LOCKS, NODE_SETTINGS, read_node
from devbox.build.manifests.php import PHP, read_php
from devbox.build.manifests.python import EDITABLE, EDITABLE_FILES, PYTHON, read_python
from devbox.build.manifests.ruby import RUBY, read_ruby
from devbox.build.manifests.rust import RUST, read_rust
from devbox.profile.model import Profile

__all__ = [
    "EDITABLE",
    "EDITABLE_FILES",
    "GO",
    "JAVA",
    "NODE",
    "NODE_LOCKS",
    "NODE_SETTINGS",
    "PHP",
    "PYTHON",
    "RUBY",
    "RUST",
    "C",
    "read_inputs",
]

_READERS = {
    "go": read_go,
    "rust": read_rust,
    "java": read_java,
    "ruby": read_ruby,
    "php": read_php,
    "c": read_c,
}


def read_inputs(profile: Profile, directory: Path) -> Inputs:
    """Read what the build of `profile` needs from the project at `directory`.

    Raises `ProfileError` with every problem: missing files, links that lead out of the project, manifests that
    cannot be read.
    """
    collector = Collector(directory)
    if profile.packages.python is not None:
        read_python(collector, profile.packages.python)
    if profile.packages.node is not None:
        read_node(collector, profile.packages.node)
    for name, read in _READERS.items():
        if getattr(profile.packages, name) is not None:
            read(collector)
    for index, step in enumerate(profile.provision):
        key = f"provision[{index}]"
        if step.script is not None:
            collector.manifest(key, step.script, key=f"{key}.script")
        if step.copy_ is not None:
            collector.tree(key, step.copy_.source, key=f"{key}.copy.from")
    return collector.finish()
