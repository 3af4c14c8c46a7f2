"""What the Supervisor is told of the SyncSession that it is to have: a value, and as a message."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, Final

from devbox.supervisor.protocol import ControlError

DEEDS: Final = ("rebuild", "restart", "run")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What is done when files of the host change: `do` is one of `DEEDS`; `task`: the one that runs."""

    paths: tuple[str, ...]
    do: str
    task: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncOrder:
    """One SyncSession. `host`, `guest`: the two directories; `user`: "uid:gid" inside, whose files they are.

    `allow`: patterns of protected files that the guest may change; `protect`: paths that are protected beside those
    that always are. `machine`: which of several of the project the guest is. All else is as in the profile.
    """

    host: str
    guest: str
    user: str
    mode: str
    git: str
    ignore: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()
    allow: tuple[str, ...] = ()
    protect: tuple[str, ...] = ()
    rules: tuple[Rule, ...] = ()
    machine: str = ""


def order_document(order: SyncOrder) -> dict[str, Any]:
    """Return `order` as a message."""
    return asdict(order)


def parse_order(values: object) -> SyncOrder:
    """Return the `SyncOrder` that `values` stand for; `ControlError` unless every part of it is right."""
    given = _texts(values, {field.name: field.type for field in fields(SyncOrder) if field.name != "rules"})
    rules = values.get("rules", ()) if isinstance(values, Mapping) else ()
    if not isinstance(rules, list | tuple):
        raise ControlError("no list of rules")
    return SyncOrder(**given, rules=tuple(map(_rule, rules)))


def _rule(values: object) -> Rule:
    rule = Rule(**_texts(values, {field.name: field.type for field in fields(Rule)}))
    if rule.do not in DEEDS:
        raise ControlError(f"no such deed: {rule.do!r}")
    return rule


def _texts(values: object, types: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parts of `values` that are named in `types`: texts, and lists of them."""
    if not isinstance(values, Mapping):
        raise ControlError("not an object")
    found = {name: _checked(values[name], many=kind is not str) for name, kind in types.items() if name in values}
    missing = sorted({"host", "guest", "user", "mode", "git", "do", "paths"} & set(types) - set(found))
    if missing:
        raise ControlError(f"an order without {missing[0]!r}")
    return found


def _checked(value: object, *, many: bool) -> str | tuple[str, ...]:
    if not many and isinstance(value, str):
        return value
    if many and isinstance(value, Sequence) and not isinstance(value, str):
        items = tuple(value)
        if all(isinstance(item, str) for item in items):
            return items
    raise ControlError(f"{value!r} cannot stand in an order")
