"""`devbox.lock` as text: TOML in a fixed order, a line for each package, so that a diff can be reviewed.

Reading takes nothing for granted: the file comes with somebody's repository.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import tomli

from devbox.errors import LockInvalidError, Problem
from devbox.profile.linemap import linemap
from devbox.profile.lock import SCHEMA, Answer, Group, Lock, LockedBase, LockedPackage, Platform
from devbox.values import printable

NAME = "devbox.lock"
_HEAD = (
    "# What the environment of this project is made of, exactly. Written by devbox and meant to be committed.",
    "# To change it: devbox add, devbox remove, devbox lock --update.",
)
_PACKAGE = re.compile(
    r"(?P<name>[a-z0-9][a-z0-9+.-]*)=(?P<version>[A-Za-z0-9.+:~-]+) (?P<architecture>[a-z0-9-]+)"
    r" (?P<sha256>[0-9a-f]{64}) (?P<archive>[A-Za-z0-9._/-]+) (?P<file>pool/[A-Za-z0-9._+~/-]+\.deb)\Z"
)
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}\Z")
_AGAIN = "take the file from version control again, or write it anew: devbox lock --update"
_BARE = re.compile(r"[A-Za-z0-9_-]+\Z")


def render(lock: Lock) -> str:
    """Return the text of `lock`. The same Lock gives the same bytes."""
    lines = [*_HEAD, f"schema = {SCHEMA}", *_body("", lock)]
    for name, machine in sorted(lock.machines.items()):
        place = f"machine.{_key(name)}"
        lines += ["", f"[{place}]", *_body(f"{place}.", machine)]
    return "\n".join(lines) + "\n"


def _body(place: str, lock: Lock) -> Iterator[str]:
    yield f"profile = {_text(lock.profile)}"
    if lock.inputs:
        yield from ("", f"[{place}inputs]")
        yield from (f"{_key(name)} = {_text(value)}" for name, value in sorted(lock.inputs.items()))
    for name, platform in sorted(lock.platforms.items()):
        yield from _platform(f"{place}platform.{_key(name)}", platform)


def _platform(place: str, platform: Platform) -> Iterator[str]:
    yield from ("", f"[{place}]")
    if platform.content:
        yield f"content = {_text(platform.content)}"
    yield f"steps = {_list(platform.steps)}"
    if platform.base is not None:
        base = platform.base
        yield from ("", f"[{place}.base]", f"reference = {_text(base.reference)}", f"digest = {_text(base.digest)}")
        yield f"date = {_date(base.epoch)}"
    for group in platform.groups:
        yield from ("", f"[[{place}.system]]")
        if group.removed:
            yield f"removed = {_list(group.removed)}"
        else:
            yield from (f"asked = {_list(group.asked)}", f"date = {_date(group.epoch)}")
        if group.after:
            yield f"after = {_list(group.after)}"
        if group.packages:
            yield from ("packages = [", *(f"  {_text(_row(one))}," for one in group.packages), "]")
    for key, answer in sorted(platform.answers.items()):
        yield from ("", f"[{place}.answers.{_key(key)}]", f"asked = {_text(answer.asked)}", "lines = [")
        yield from (f"  {_text(line)}," for line in answer.lines)
        yield "]"


def _row(one: LockedPackage) -> str:
    return f"{one.name}={one.version} {one.architecture} {one.sha256} {one.archive} {one.file}"


def _text(value: str) -> str:
    """Return a TOML string: JSON's escapes are among TOML's, but for DEL."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007F")


def _key(value: str) -> str:
    return value if _BARE.match(value) else _text(value)


def _list(values: Sequence[str]) -> str:
    return f"[{', '.join(map(_text, values))}]"


class _Wrong(Exception):
    """A value that cannot be, and where it stands."""

    def __init__(self, path: str, why: str) -> None:
        super().__init__(why)
        self.path = path
        self.why = why


def parse(text: str, *, shown: str = NAME) -> Lock:
    """Return the Lock that `text` holds. Raises `LockInvalidError` that names what it cannot be."""
    try:
        tree = tomli.loads(text)
    except (ValueError, RecursionError) as error:  # no ValueError alone is tomli's: a number may be too long
        said = re.search(r"at line (\d+)", str(error))
        line = int(said[1]) if said else text.rstrip("\n").count("\n") + 1
        raise _invalid(shown, f"is no TOML: {printable(str(error))}", line=line) from error
    schema = tree.get("schema")
    if schema != SCHEMA:
        raise _other_schema(shown, schema)
    try:
        machines = {name: _machine(name, one) for name, one in _machines(tree)}
        return replace(_lock(tree), machines=machines)
    except _Wrong as wrong:
        why = f"is not as devbox writes it: {printable(wrong.why)}"
        raise _invalid(shown, why, line=_line(text, wrong.path), key=wrong.path or None) from wrong


def _line(text: str, path: str) -> int | None:
    """Return the line of `path`, or of what it stands in."""
    lines = linemap(text)
    while path and path not in lines:
        path = re.sub(r"(\[[0-9]+\]|\.?[^.\[]*)\Z", "", path)
    return lines.get(path)


@contextmanager
def _at(path: str) -> Iterator[None]:
    """Say of what goes wrong within that it stands at `path`."""
    try:
        yield
    except KeyError as error:
        raise _Wrong(path, f"{error.args[0]} is missing") from error
    except (TypeError, ValueError, AttributeError, OverflowError) as error:
        raise _Wrong(path, str(error)) from error


def _machines(tree: Mapping[str, Any]) -> Iterable[tuple[str, Any]]:
    with _at("machine"):
        return _table(tree.get("machine", {}))


def _machine(name: str, tree: object) -> Lock:
    place = f"machine.{_key(name)}"
    with _at(place):
        table = dict(_table(tree))
    return _lock(table, f"{place}.")


def _lock(tree: Mapping[str, Any], place: str = "") -> Lock:
    with _at(f"{place}profile"):
        profile = _string(tree["profile"])
    with _at(f"{place}inputs"):
        inputs = {_string(name): _string(value) for name, value in _table(tree.get("inputs", {}))}
    with _at(f"{place}platform"):
        platforms = {
            name: _read_platform(f"{place}platform.{_key(name)}", one) for name, one in _table(tree.get("platform", {}))
        }
    return Lock(profile=profile, inputs=inputs, platforms=platforms)


def _read_platform(place: str, tree: Mapping[str, Any]) -> Platform:
    with _at(place):
        base = tree.get("base")
        steps, content = _strings(tree.get("steps", ())), _string(tree.get("content", ""))
        groups = [_read_group(f"{place}.system[{index}]", one) for index, one in enumerate(tree.get("system", ()))]
        answers = {
            key: _read_answer(f"{place}.answers.{_key(key)}", one) for key, one in _table(tree.get("answers", {}))
        }
    return Platform(
        base=None if base is None else _read_base(f"{place}.base", base),
        groups=tuple(groups),
        answers=answers,
        steps=steps,
        content=content,
    )


def _read_answer(place: str, tree: Mapping[str, Any]) -> Answer:
    with _at(place):
        return Answer(asked=_string(tree["asked"]), lines=_strings(tree["lines"]))


def _read_base(place: str, tree: Mapping[str, Any]) -> LockedBase:
    with _at(place):
        digest = _string(tree["digest"])
        if digest and not _DIGEST.match(digest):
            raise ValueError(f"{digest[:80]!r} is no digest")
        return LockedBase(reference=_string(tree["reference"]), digest=digest, epoch=_seconds(tree.get("date")))


def _read_group(place: str, tree: Mapping[str, Any]) -> Group:
    with _at(place):
        rows = _strings(tree.get("packages", ()))
        return Group(
            asked=_strings(tree.get("asked", ())),
            packages=tuple(_read_package(f"{place}.packages[{index}]", row) for index, row in enumerate(rows)),
            epoch=_seconds(tree.get("date")),
            removed=_strings(tree.get("removed", ())),
            after=_strings(tree.get("after", ())),
        )


def _read_package(place: str, row: str) -> LockedPackage:
    match = _PACKAGE.match(row)
    if match is None or ".." in row:
        raise _Wrong(place, f"{row[:80]!r} is no package")
    return LockedPackage(**match.groupdict())


def _table(value: object) -> Iterable[tuple[str, Any]]:
    if not isinstance(value, dict):
        raise TypeError(f"{value!r} is no table")
    return value.items()


def _string(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value


def _strings(value: object) -> tuple[str, ...]:
    if not isinstance(value, list | tuple):
        raise TypeError(f"{value!r} is no list")
    return tuple(map(_string, value))


def _date(epoch: int) -> str:
    return datetime.fromtimestamp(epoch, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _seconds(value: object) -> int:
    if value is None:
        return 0
    if not isinstance(value, datetime) or value.tzinfo is None:
        raise TypeError(f"{value!r} is no date with a time zone")
    return max(0, int(value.timestamp()))


def _other_schema(shown: str, schema: object) -> LockInvalidError:
    if isinstance(schema, int) and schema > SCHEMA:
        hint = "upgrade devbox"
        error = _invalid(shown, f"is of a newer devbox (schema {schema})", key="schema", hint=hint)
        error.newer = True
        return error
    return _invalid(shown, "has no schema that this devbox knows", key="schema")


def _invalid(
    shown: str, why: str, *, line: int | None = None, key: str | None = None, hint: str = _AGAIN
) -> LockInvalidError:
    problem = Problem(message=f"the file {why}", file=shown, line=line, key=key)
    return LockInvalidError(f"{shown} cannot be used", hint=hint, problems=[problem])
