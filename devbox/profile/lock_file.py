"""`devbox.lock` as text: TOML in a fixed order, a line for each package, so that a diff can be reviewed.

Reading takes nothing for granted: the file comes with somebody's repository.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import tomli

from devbox.errors import LockInvalidError, Problem
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
_BARE = re.compile(r"[A-Za-z0-9_-]+\Z")


def render(lock: Lock) -> str:
    """Return the text of `lock`. The same Lock gives the same bytes."""
    lines = [*_HEAD, f"schema = {SCHEMA}", f"profile = {_text(lock.profile)}"]
    if lock.inputs:
        lines += ["", "[inputs]", *(f"{_key(name)} = {_text(value)}" for name, value in sorted(lock.inputs.items()))]
    for name, platform in sorted(lock.platforms.items()):
        lines += _platform(f"platform.{_key(name)}", platform)
    return "\n".join(lines) + "\n"


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


def parse(text: str, *, shown: str = NAME) -> Lock:
    """Return the Lock that `text` holds. Raises `LockInvalidError` that names what it cannot be."""
    try:
        tree = tomli.loads(text)
    except (tomli.TOMLDecodeError, RecursionError) as error:
        line = re.search(r"at line (\d+)", str(error))
        raise _invalid(shown, f"is no TOML: {error}", line=int(line[1]) if line else None) from error
    schema = tree.get("schema")
    if schema != SCHEMA:
        newer = isinstance(schema, int) and schema > SCHEMA
        raise _invalid(shown, "is of a newer devbox" if newer else "has no schema that this devbox knows", key="schema")
    try:
        return _lock(tree)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _invalid(shown, f"is not as devbox writes it: {printable(str(error))}") from error


def _lock(tree: Mapping[str, Any]) -> Lock:
    platforms = {_string(name): _read_platform(value) for name, value in tree.get("platform", {}).items()}
    inputs = {_string(name): _string(value) for name, value in tree.get("inputs", {}).items()}
    return Lock(profile=_string(tree["profile"]), inputs=inputs, platforms=platforms)


def _read_platform(tree: Mapping[str, Any]) -> Platform:
    base = tree.get("base")
    answers = {
        _string(key): Answer(asked=_string(value["asked"]), lines=_strings(value["lines"]))
        for key, value in tree.get("answers", {}).items()
    }
    return Platform(
        base=None if base is None else _read_base(base),
        groups=tuple(map(_read_group, tree.get("system", ()))),
        answers=answers,
        steps=_strings(tree.get("steps", ())),
        content=_string(tree.get("content", "")),
    )


def _read_base(tree: Mapping[str, Any]) -> LockedBase:
    return LockedBase(
        reference=_string(tree["reference"]), digest=_string(tree["digest"]), epoch=_seconds(tree.get("date"))
    )


def _read_group(tree: Mapping[str, Any]) -> Group:
    return Group(
        asked=_strings(tree.get("asked", ())),
        packages=tuple(map(_read_package, _strings(tree.get("packages", ())))),
        epoch=_seconds(tree.get("date")),
        removed=_strings(tree.get("removed", ())),
        after=_strings(tree.get("after", ())),
    )


def _read_package(row: str) -> LockedPackage:
    match = _PACKAGE.match(row)
    if match is None or ".." in row:
        raise ValueError(f"{row[:80]!r} is no package")
    return LockedPackage(**match.groupdict())


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


def _invalid(shown: str, why: str, *, line: int | None = None, key: str | None = None) -> LockInvalidError:
    hint = "take the file from version control again, or write it anew: devbox lock --update"
    problem = Problem(message=f"the file {why}", file=shown, line=line, key=key, hint=hint)
    return LockInvalidError(f"{shown} cannot be used", hint=hint, problems=[problem])
