"""What says something of the environment and is not used: other tools' files, and projects further down."""

import re
from collections.abc import Iterator
from typing import Final

from devbox.profile.detect.evidence import Evidence
from devbox.profile.detect.parts import targets
from devbox.profile.detect.sources import tool_files
from devbox.profile.detect.view import View

_COMPOSE: Final = ("compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml")
_PLAIN: Final = {
    ".devcontainer/devcontainer.json": "a dev container, which is not used",
    ".devcontainer.json": "a dev container, which is not used",
    "flake.nix": "an environment of Nix, which is not used",
    "shell.nix": "an environment of Nix, which is not used",
    "devenv.nix": "an environment of Nix, which is not used",
}
_MANIFESTS: Final = {
    "pyproject.toml": "a Python project", "setup.py": "a Python project", "requirements.txt": "a Python project",
    "package.json": "a Node.js project", "go.mod": "a Go module", "Cargo.toml": "a Rust crate",
    "pom.xml": "a project of Maven", "build.gradle": "a project of Gradle", "build.gradle.kts": "a project of Gradle",
    "Gemfile": "a Ruby project", "composer.json": "a PHP project", "CMakeLists.txt": "built by CMake",
    "meson.build": "built by Meson", "mix.exs": "an Elixir project",
}  # fmt: skip
_SKIPPED: Final = re.compile(
    r"\.|_|(?:node_modules|vendor|third_party|venv|env|target|build|dist|out|bin|obj|testdata|fixtures|site-packages"
    r"|tests?|examples?|samples?|demos?|docs?|benchmarks?)\Z"
)
_MOST: Final = 200  # directories that are looked into
_SHOWN: Final = 40


def others(view: View) -> Iterator[Evidence]:
    """Yield the evidence of other tools' files, of services of compose, and of version managers."""
    yield from (Evidence(file=name, line=None, what=what) for name, what in _PLAIN.items() if view.has(name))
    for name in (
        name for name in view.names() if name == "Dockerfile" or name.startswith(("Dockerfile.", "Containerfile"))
    ):
        if view.has(name):
            yield from _dockerfile(view, name)
    for name in _COMPOSE:
        if view.has(name):
            yield from _compose(view, name)
    if view.has("Vagrantfile"):
        yield from _vagrant(view)
    for number, line in view.lines("Procfile") if view.has("Procfile") else ():
        if re.match(r"\w+:", line):
            yield Evidence(file="Procfile", line=number, what=f"process {line.partition(':')[0]}")
    found = targets(view)
    if found:
        first = next(iter(found.values()))
        yield Evidence(file=first.file, line=first.line, what=f"targets of make: {', '.join(list(found)[:8])}")
    yield from tool_files(view)


def members(view: View) -> Iterator[Evidence]:
    """Yield the projects one or two levels down; a root that is a project decides without them."""
    first = [name for name in view.names() if _is_looked_into(view, name)]
    second = [
        f"{name}/{inner}"
        for name in first[:_MOST]
        for inner in view.names(name)
        if _is_looked_into(view, f"{name}/{inner}")
    ]
    found = 0
    for directory in [*first, *second][:_MOST]:
        for name, what in _MANIFESTS.items():
            if name in view.names(directory) and found < _SHOWN:
                found += 1
                yield Evidence(file=f"{directory}/{name}", line=None, what=f"{what} below")


def _is_looked_into(view: View, path: str) -> bool:
    name = path.rpartition("/")[2]
    return not _SKIPPED.match(name) and not (view.directory / path).is_symlink() and view.has_directory(path)


def _dockerfile(view: View, name: str) -> Iterator[Evidence]:
    for number, line in view.lines(name):
        match = re.match(r"\s*(FROM|EXPOSE)\s+(.{1,80})", line, re.IGNORECASE)
        if match:
            yield Evidence(file=name, line=number, what=f"{match[1].upper()} {match[2].strip()}, which is not used")


def _compose(view: View, name: str) -> Iterator[Evidence]:
    yield Evidence(file=name, line=None, what="services of compose, which are not started")
    for number, line in view.lines(name):
        match = re.match(r"\s+image:\s*[\"']?([^\s\"'#]+)", line)
        if match:
            yield Evidence(file=name, line=number, what=f"image {match[1]}")


def _vagrant(view: View) -> Iterator[Evidence]:
    for number, line in view.lines("Vagrantfile"):
        match = re.search(r"""vm\.box\s*=\s*["']([^"']+)""", line)
        if match:
            yield Evidence(file="Vagrantfile", line=number, what=f"box {match[1]} of Vagrant, which is not used")
            return
    yield Evidence(file="Vagrantfile", line=None, what="a machine of Vagrant, which is not used")
