"""The grammar of the policy: a rule looks at one value of a request body and yields what is wrong with it. Pure."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from devbox.engine.base import Allowance
from devbox.errors import Problem
from devbox.values import LABEL_OWNER, LABEL_ROLE


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What the rules go by: the user's consent, further engine sockets, and how to follow symbolic links."""

    allowance: Allowance
    sockets: frozenset[str]
    resolve: Callable[[str], str]


Rule = Callable[[str, object, Context], Iterator[Problem]]
Rules = Mapping[str, Rule]


def check_object(
    prefix: str, value: object, rules: Rules, context: Context, *, required: tuple[str, ...] = ()
) -> Iterator[Problem]:
    """Check every key of `value`, a JSON object, by its rule; a key without one is refused.

    A `required` key that is missing is checked as if it were null.
    """
    if not isinstance(value, dict):
        yield Problem(key=prefix or "body", message="must be an object")
        return
    for key, item in value.items():
        path = f"{prefix}.{key}" if prefix else key
        rule = rules.get(key)
        if rule is None:
            yield Problem(key=path, message="not a key that devbox uses")
        else:
            yield from rule(path, item, context)
    for key in required:
        if key not in value:
            yield from rules[key](f"{prefix}.{key}" if prefix else key, None, context)


def object_of(rules: Rules, *, required: tuple[str, ...] | None = None) -> Rule:
    """Return the rule for an object whose keys keep `rules`; null passes unless `required` is given."""

    def rule(key: str, value: object, context: Context) -> Iterator[Problem]:
        if value is not None or required is not None:
            yield from check_object(key, value, rules, context, required=required or ())

    return rule


def list_of(item_rule: Rule) -> Rule:
    """Return the rule for a list, or nothing, whose items keep `item_rule`."""

    def rule(key: str, value: object, context: Context) -> Iterator[Problem]:
        if value is None:
            return
        if not isinstance(value, list):
            yield Problem(key=key, message="must be a list")
            return
        for index, item in enumerate(value):
            yield from item_rule(f"{key}[{index}]", item, context)

    return rule


def one_of(*allowed: object) -> Rule:
    """Return the rule for a value that is one of `allowed`; True is not 1."""

    def rule(key: str, value: object, context: Context) -> Iterator[Problem]:  # noqa: ARG001
        if not any(type(value) is type(item) and value == item for item in allowed):
            words = ", ".join(repr(item) for item in allowed if item not in ("", None))
            yield Problem(key=key, message=f"{value!r} is not allowed" + (f", only {words}" if words else ""))

    return rule


def nothing(key: str, value: object, context: Context) -> Iterator[Problem]:  # noqa: ARG001
    """Refuse all but an empty value."""
    if value:
        yield Problem(key=key, message=f"{value!r} is not allowed")


def text(key: str, value: object, context: Context) -> Iterator[Problem]:  # noqa: ARG001
    """Allow any text without NUL, or nothing."""
    if value is not None and (not isinstance(value, str) or "\0" in value):
        yield Problem(key=key, message="must be text")


def number(key: str, value: object, context: Context) -> Iterator[Problem]:  # noqa: ARG001
    """Allow a number of zero or more, or nothing."""
    if value is not None and (not isinstance(value, int | float) or isinstance(value, bool) or value < 0):
        yield Problem(key=key, message="must be a number of zero or more")


_YES, _NO = True, False
flag = one_of(_YES, _NO, None)
texts = list_of(text)


def labels(key: str, value: object, context: Context) -> Iterator[Problem]:  # noqa: ARG001
    """Want devbox's own labels, without which nothing that was made could be found and removed again."""
    if not isinstance(value, dict) or not all(isinstance(item, str) for item in value.values()):
        yield Problem(key=key, message="must be an object of texts")
        return
    for name in (LABEL_ROLE, LABEL_OWNER):
        if not value.get(name):
            yield Problem(key=key, message=f"the label {name} is missing")
