"""The layers that lie outside the project: the user's own, DEVBOX_* variables, and flags."""

from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from typing import Final

from devbox.errors import Problem
from devbox.profile.layers import Layer
from devbox.profile.linemap import child
from devbox.values import printable

# Variable to key. What is set but empty counts as unset.
VARIABLES: Final[Mapping[str, str]] = {
    "DEVBOX_RUNTIME": "runtime",
    "DEVBOX_ISOLATION": "isolation",
    "DEVBOX_IMAGE": "base.image",
    "DEVBOX_CPUS": "resources.cpus",
    "DEVBOX_MEMORY": "resources.memory",
    "DEVBOX_PIDS": "resources.pids",
    "DEVBOX_CA_BUNDLE": "network.ca_bundle",
}
# By language: the variable that goes before all places which ask for a version of it, and the key that it sets.
VERSIONS: Final[Mapping[str, str]] = {
    name: f"DEVBOX_{name.upper()}_VERSION" for name in ("python", "node", "go", "rust", "java", "ruby", "php", "c")
}
_NUMBERS: Final[Mapping[str, type[int] | type[float]]] = {"resources.cpus": float, "resources.pids": int}
# What a user may set for all projects: nothing that a project's other users would miss, nothing that reaches the host.
USER_KEYS: Final = (
    "runtime",
    "packages.system",
    "user.shell",
    "env",
    "resources.cpus",
    "resources.memory",
    "resources.pids",
    "network.ca_bundle",
)


def variable_layers(environ: Mapping[str, str], layers: Iterable[Layer] = ()) -> Iterator[Layer]:
    """Yield a layer for each DEVBOX_* variable that is set; a language's version where one of `layers` asks for it."""
    asked = {language for layer in layers for language in VERSIONS if _asks_for(layer, language)}
    versions = {VERSIONS[language]: f"packages.{language}.version" for language in VERSIONS if language in asked}
    for variable, key in {**VARIABLES, **versions}.items():
        if environ.get(variable):
            tree: dict[str, object] = {}
            _put(tree, key, _number(key, environ[variable]))
            yield Layer(source=variable, tree=tree)


def wanted_versions(environ: Mapping[str, str]) -> Mapping[str, str]:
    """Return the versions that variables ask for, by language."""
    return {language: environ[name] for language, name in VERSIONS.items() if environ.get(name)}


def _asks_for(layer: Layer, language: str) -> bool:
    packages = layer.tree.get("packages")
    return isinstance(packages, Mapping) and language in packages


def variable_problems(environ: Mapping[str, str]) -> Iterator[Problem]:
    """Yield a problem for each variable that looks like a misspelt one of `VARIABLES`."""
    known = (*VARIABLES, *VERSIONS.values())
    for name in sorted(environ):
        if name.startswith("DEVBOX_") and name not in known and environ[name]:
            near = get_close_matches(name, known, n=1, cutoff=0.88)
            if near:
                yield Problem(
                    message=f"unknown variable {printable(name)} in the environment", hint=f"did you mean {near[0]}?"
                )


def flag_layer(flags: Mapping[str, object]) -> Layer:
    """Return the layer of values from the command line, given by key; None counts as not given."""
    tree: dict[str, object] = {}
    for key, value in flags.items():
        if value is not None:
            _put(tree, key, value)
    return Layer(source="flag", tree=tree)


def user_problems(layer: Layer) -> Iterator[Problem]:
    """Yield a problem for each key of the user's layer that one project's profile alone may set."""
    for key in _keys(layer.tree, ""):
        if not any(key == allowed or key.startswith(allowed + ".") for allowed in USER_KEYS) or key == "env.from_host":
            yield Problem(
                message="cannot be set for all projects",
                key=printable(key),
                file=layer.file,
                line=layer.lines.get(key),
                hint=f"write it in a project's devbox.toml; allowed here: {', '.join(USER_KEYS)}",
            )


def _keys(tree: Mapping[str, object], path: str) -> Iterator[str]:
    for name, value in tree.items():
        key = child(path, name)
        if isinstance(value, Mapping) and any(allowed.startswith(key + ".") for allowed in USER_KEYS):
            yield from _keys(value, key)
        elif isinstance(value, Mapping) and key == "env":
            yield from (child(key, inner) for inner in value)
        else:
            yield key


def _number(key: str, text: str) -> object:
    """Return the number that `text` is, where `key` wants one; otherwise the text, for the model to refuse."""
    try:
        return _NUMBERS[key](text)
    except (KeyError, ValueError):
        return text


def _put(tree: dict[str, object], key: str, value: object) -> None:
    *tables, last = key.split(".")
    for name in tables:
        inner = tree.setdefault(name, {})
        assert isinstance(inner, dict)
        tree = inner
    tree[last] = value
