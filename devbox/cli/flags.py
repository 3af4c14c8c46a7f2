"""`--set KEY=VALUE`: profile keys on the command line, the last layer of all."""

from collections.abc import Sequence
from typing import Annotated

import typer

from devbox.errors import Problem, UsageError

Settings = Annotated[
    list[str],
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        default_factory=list,
        show_default=False,
        help="A profile key for this once, as base.image=debian:13; may be repeated.",
    ),
]  # the type of a verb's parameter `settings`


Locked = Annotated[
    bool, typer.Option("--locked", help="Exactly what devbox.lock says; fail if that cannot be, or does not fit.")
]  # the type of a verb's parameter `locked`


RuntimeName = Annotated[
    str | None,
    typer.Option(
        "--runtime", metavar="container|vm", show_default=False, help="What runs it, for this once: --set runtime=..."
    ),
]  # the type of a verb's parameter `runtime`


def parse_flags(settings: Sequence[str], *, runtime: str | None = None) -> dict[str, object]:
    """Return `settings` by key, values as TOML reads them, a bare word as text; `UsageError` names all mistakes."""
    settings = [*settings, *([f"runtime={runtime}"] if runtime else [])]
    flags: dict[str, object] = {}
    problems: list[Problem] = []
    for entry in settings:
        key, equals, text = entry.partition("=")
        if not equals or not key or not all(part.strip() == part != "" for part in key.split(".")):
            problems.append(
                Problem(key=f"--set {entry}", message='not a key and a value; write "base.image=debian:13"')
            )
        elif any(key.startswith(f"{other}.") or other.startswith(f"{key}.") for other in flags):
            problems.append(Problem(key=f"--set {entry}", message="contradicts another --set; keep one of them"))
        else:
            flags[key] = _value(text)
    if problems:
        raise UsageError("cannot set that", problems=problems, hint="devbox config --explain lists the keys")
    return flags


def _value(text: str) -> object:
    import tomli

    try:
        document = tomli.loads(f"value = {text}")
    except (tomli.TOMLDecodeError, RecursionError, ValueError):
        return text
    return document["value"] if list(document) == ["value"] else text
