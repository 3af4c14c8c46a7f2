"""`config`: the effective profile and where each of its values comes from. Runs nothing."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import tomlkit

from devbox.profile.explain import effective, explain
from devbox.workspace.context import Host, Workspace
from devbox.workspace.effective import load_profile


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """One effective value and where it was set; `file` is None for what no file says."""

    value: Any
    source: str
    file: str | None
    line: int | None

    def document(self) -> dict[str, Any]:
        """Return it as the command line's contract has it."""
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Effective:
    """The effective profile: as plain values, as TOML, and key by key."""

    values: Mapping[str, object]
    toml: str
    explained: Mapping[str, Explained]


def config(host: Host, workspace: Workspace, *, flags: Mapping[str, object] | None = None) -> Effective:
    """Return the effective profile; `ProfileError` with everything that is wrong in any layer."""
    loaded = load_profile(host, workspace, flags=flags)
    values = effective(loaded.profile)
    explained = {key: Explained(**entry) for key, entry in explain(loaded).items()}  # type: ignore[arg-type]
    return Effective(values=values, toml=_toml(values), explained=explained)


def toml_value(value: object) -> str:
    """Return one value as TOML has it, on one line."""
    if value is None:
        return '""'
    if isinstance(value, dict) and not value:
        return "{}"
    return tomlkit.item(value).as_string().replace("\n", "\\n")


def _toml(values: Mapping[str, object]) -> str:
    """Return `values` as a document that could be a devbox.toml, empty tables and lists left out."""
    kept = {key: value for key, value in values.items() if value not in ({}, [])}
    return tomlkit.dumps(kept)
