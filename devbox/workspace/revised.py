"""A kept plan whose profile has changed since in nothing but the values of variables: the same plan with these values.

A variable is given to the container when that is made, and no Image is made from it. So nothing has to be worked out
anew but the spec, and that without the profile's model. Whatever is not plainly such a change is somebody else's.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from devbox.paths import PROFILE
from devbox.profile.digest import digest_of
from devbox.profile.tokens import has_token
from devbox.runtimes.base import InstanceSpec

if TYPE_CHECKING:  # an `up` that has nothing to revise comes by here as well
    from devbox.build.recipe import Step
    from devbox.profile.layers import Origin

_PLAIN: Final = re.compile(r"[ -~]{0,1000}")  # whatever else a value may be is for the model to say


@dataclass(frozen=True, slots=True, kw_only=True)
class Revisable:
    """What of a profile may change. `names`: the variables; `rest`: digest of all else in it; `values`: as JSON."""

    names: tuple[str, ...]
    rest: str
    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """The outcome: what the Environment is made from now, and the digest of the profile."""

    spec: InstanceSpec
    profile: str
    revisable: Revisable


def revisable(
    directory: Path,
    *,
    values: Mapping[str, Any],
    origins: "Mapping[str, Origin]",
    spec: InstanceSpec,
    steps: "Iterable[Step]",
) -> Revisable | None:
    """Return what may change in the project's profile; None if nothing, or if the profile has changed by now.

    A variable may if the project's own profile has the last word on it, it gets into the container as it is, and no
    step of the build names it.
    """
    given, known = dict(values["env"]), dict(spec.env)
    del given["from_host"]
    named = [
        name
        for name, value in given.items()
        if known.get(name) == value and f"env.{name}" in origins and origins[f"env.{name}"].source == PROFILE
    ]
    texts = [f"{step.script}\0{step.env}\0{step.texts}" for step in steps]
    names = tuple(sorted(name for name in named if not any(name in text for text in texts)))
    tree = _read(directory)
    if not names or tree is None or any(_variables(tree).get(name) != given[name] for name in names):
        return None
    return Revisable(names=names, rest=_rest(tree, names), values=values)


def revise(directory: Path, plan: Revisable, spec: InstanceSpec) -> Revision | None:
    """Return what `spec` comes to by the profile as it is now; None if more has changed than the values of variables.

    `plan`: what was said of the profile that `spec` was made from.
    """
    tree = _read(directory)
    if tree is None or _rest(tree, plan.names) != plan.rest:
        return None
    written = _variables(tree)
    given = {name: written.get(name) for name in plan.names}
    if not all(isinstance(value, str) and _PLAIN.fullmatch(value) and not has_token(value) for value in given.values()):
        return None
    changed = {name: str(value) for name, value in given.items()}
    values = {**plan.values, "env": {**plan.values["env"], **changed}}
    return Revision(
        spec=replace(spec, env=tuple(sorted((dict(spec.env) | changed).items()))),
        profile=digest_of(values),
        revisable=replace(plan, values=values),
    )


def _read(directory: Path) -> dict[str, Any] | None:
    """Return the project's profile as TOML has it; None if there is none that can be read."""
    import tomli  # lazy: an `up` of the same profile reads none

    from devbox.profile.source import Refused, decode, read_file

    try:
        content = read_file(directory / PROFILE, shown=PROFILE, below=directory)
        return tomli.loads(decode(content, shown=PROFILE))
    except (Refused, OSError, ValueError, RecursionError):
        return None


def _variables(tree: Mapping[str, Any]) -> Mapping[str, Any]:
    table = tree.get("env")
    return table if isinstance(table, dict) else {}


def _rest(tree: Mapping[str, Any], names: tuple[str, ...]) -> str:
    """Return the digest of all but the values of the variables `names`; that they are there counts."""
    table = {name: 0 if name in names else value for name, value in _variables(tree).items()}
    text = json.dumps({**tree, "env": table}, sort_keys=True, default=repr)
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()
