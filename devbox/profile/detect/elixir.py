"""Elixir: mix.exs. The distribution's packages, since no key of the profile is Elixir's."""

import re
from collections.abc import Iterator
from typing import Final

from devbox.profile.detect.evidence import Claim, Evidence, Named, Stack, Step, Task
from devbox.profile.detect.grammars import hex_pm
from devbox.profile.detect.parts import first_of_each, frameworks, make_tasks, needs
from devbox.profile.detect.sources import ELIXIR, agree, claim, version_claims
from devbox.profile.detect.tables import others as tables
from devbox.profile.detect.view import View

_WANTED: Final = re.compile(r'\s*elixir:\s*"([^"]+)"')
_DEPENDENCY: Final = re.compile(r"\s*\{\s*:(\w+)\s*,")
_FETCH: Final = "mix local.hex --force && mix local.rebar --force && mix deps.get"
# What the distributions hold. Source: their package indexes.
HELD: Final = {"debian:12": "1.14.0", "debian:13": "1.18.3"}


def elixir(view: View) -> Stack | None:
    """Return the Elixir stack of a project, or None."""
    if not view.has("mix.exs"):
        return None
    evidence = [Evidence(file="mix.exs", line=None, what="a project of Mix")]
    if view.has("mix.lock"):
        evidence.append(Evidence(file="mix.lock", line=None, what="a lock file of Mix"))
    claims = [*version_claims(view, ELIXIR), *_claims(view)]
    known, version = agree(view, ELIXIR, claims)
    dependencies = list(_dependencies(view))
    hits, ports = frameworks(dependencies, tables.ELIXIR_FRAMEWORKS)
    at = evidence[0]
    packages = [Named(name=name, at=at) for name in ("elixir", "erlang-dev", "erlang-xmerl")]
    commands = {"test": "mix test", "lint": "mix format --check-formatted"}
    tasks = [Task(name=name, run=run, at=at) for name, run in commands.items()]
    if ports:
        tasks.append(Task(name="start", run="mix phx.server", at=ports[0].at))
    return Stack(
        name="elixir",
        profile="base",
        evidence=(*evidence, *hits),
        claims=known,
        version=version,
        system=(*packages, *needs(dependencies, tables.ELIXIR_SYSTEM)),
        tasks=first_of_each([*tasks, *make_tasks(view)]),
        ports=ports,
        services=tuple(needs(dependencies, tables.ELIXIR_SERVICES)),
        steps=(Step(name="dependencies", run=_FETCH, at=dependencies[0][1]),) if dependencies else (),
        image=_image(view, known),
    )


def _claims(view: View) -> Iterator[Claim | None]:
    for number, line in view.lines("mix.exs"):
        match = _WANTED.match(line)
        if match:
            yield claim(view, ELIXIR, match[1], file="mix.exs", line=number, grammar=hex_pm)
            return


def _dependencies(view: View) -> Iterator[tuple[str, Evidence]]:
    for number, line in view.lines("mix.exs"):
        match = _DEPENDENCY.match(line)
        if match:
            yield match[1], Evidence(file="mix.exs", line=number, what=match[1])


def _image(view: View, claims: tuple[Claim, ...]) -> Named | None:
    """Return the base whose Elixir satisfies all claims; a problem if none does."""
    fitting = [image for image, held in HELD.items() if all(one.wanted.includes(held) for one in claims)]
    if fitting:
        return Named(name=fitting[0], at=claims[0].at) if fitting[0] != next(iter(HELD)) else None
    have = ", ".join(f"{held} ({image})" for image, held in HELD.items())
    for one in claims:
        if not any(one.wanted.includes(held) for held in HELD.values()):
            view.complain(
                f"asks for {one.at.what}; the distributions hold {have}", at=one.at, hint="write a devbox.toml by hand"
            )
    return None
