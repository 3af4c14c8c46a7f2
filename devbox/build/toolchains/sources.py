"""What the sources of toolchains share: where they work, what they answer, how an answer is checked. Pure."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from devbox.build.languages.base import Part, Setting
from devbox.build.recipe import CACHE_DIRECTORY, Question, Step, asked
from devbox.build.steps.script import quoted, script
from devbox.build.steps.version import version_check
from devbox.profile.toolchains.constraint import Constraint

WORK = "/var/tmp/devbox-toolchain"  # not below /run/devbox, where nothing can be executed
_TRIPLES = {"amd64": "x86_64", "arm64": "aarch64"}
_VERSION = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,9}){0,3}\Z")
_VALUE = re.compile(r"[A-Za-z0-9+/=:._-]{1,200}\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A toolchain to be fetched. `key`: where the profile asks for it; `said`: what its distribution has instead."""

    tool: str
    title: str
    constraint: Constraint
    key: str
    said: str


def processor(setting: Setting) -> str:
    """Return the processor as the names of downloads have it: "x86_64", "aarch64"."""
    return _TRIPLES.get(setting.base.architecture, setting.base.architecture)


def variables(setting: Setting, *prefixes: str) -> list[str]:
    """Return lines that set the profile's own variables with these prefixes: a mirror, a proxy for modules."""
    return [
        f"export {quoted([f'{name}={value}'])}"
        for name, value in sorted(setting.profile.env.values.items())
        if name.startswith(prefixes)
    ]


def secrets(setting: Setting, *prefixes: str) -> tuple[str, ...]:
    """Return the names of the profile's secrets with these prefixes, sorted."""
    return tuple(sorted(name for name in setting.profile.secrets if name.startswith(prefixes)))


def question(
    setting: Setting, wanted: Wanted, lines: Sequence[str], *, caches: tuple[str, ...], secrets: tuple[str, ...] = ()
) -> Question:
    """Return the question which exact version `wanted` comes to; `lines` write "name=value" lines to descriptor 3."""
    head = ["exec 3>&1 >&2", f"rm -rf {WORK}", f"mkdir -p {WORK}"]  # what programs say is no answer
    return Question(
        key=f"{wanted.tool}.toolchain",
        name=f"find {wanted.title} {wanted.constraint.text}",
        asked=asked(1, wanted.tool, str(wanted.constraint.spans), setting.base.architecture),
        script=script(setting.base.epoch, [*head, *lines]),
        caches=caches,
        secrets=secrets,
    )


def fetched(setting: Setting, wanted: Wanted, found: Question, *names: str) -> dict[str, str] | None:
    """Return the Lock's answer by name, if it has one with a version that is asked for and with all of `names`."""
    lines = setting.answer(found)
    values = dict(line.partition("=")[::2] for line in lines or ())
    if not all(_VALUE.match(values.get(name, "")) for name in names) or not _VERSION.match(values.get("version", "")):
        return None
    return values if wanted.constraint.includes(values["version"]) else None


def step(
    setting: Setting,
    wanted: Wanted,
    version: str,
    lines: Sequence[str],
    *,
    caches: tuple[str, ...],
    secrets: tuple[str, ...] = (),
) -> Step:
    """Return the step that installs exactly `version` by `lines`, and leaves nothing where it worked."""
    return Step(
        name=f"{wanted.title} {version}",
        key=wanted.key,
        script=script(setting.base.epoch, [f"rm -rf {WORK}", f"mkdir -p {WORK}", *lines, f"cd / && rm -rf {WORK}"]),
        caches=caches,
        secrets=secrets,
    )


def part(
    chain: Sequence[Step | Question],
    *,
    system: tuple[str, ...],
    path: str,
    env: tuple[tuple[str, str], ...] = (),
) -> Part:
    """Return the share of a toolchain that is fetched."""
    return Part(system=system, path=(path,), env=env, chain=tuple(chain))


def newest(constraint: Constraint, *, of: str) -> list[str]:
    """Return lines that set `$version` to the newest of the versions in the file `of`; empty if none is asked for."""
    return [
        f": > {WORK}/fitting",
        f"for have in $(cat {of}); do",
        *version_check(constraint, "continue"),
        f'  echo "$have" >> {WORK}/fitting',
        "done",
        f"version=$(sort -V {WORK}/fitting | tail -n 1)",
    ]


def python_client(name: str) -> list[str]:
    """Return lines that install the program `name` from PyPI for the time being; it is then in $client/bin.

    `name` may be pinned, as "uv==0.5.1". Needs `CLIENT_PACKAGES`, and the cache mount "pip".
    """
    return [
        f"client={WORK}/client",
        "export PYTHONDONTWRITEBYTECODE=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1 PIP_ROOT_USER_ACTION=ignore",
        f"export PIP_CACHE_DIR={CACHE_DIRECTORY}/pip PIP_PROGRESS_BAR=off PIP_ONLY_BINARY=:all:",
        'python3 -m venv "$client"',
        f'"$client/bin/python" -m pip install --quiet --no-compile {quoted([name])}',
    ]


CLIENT_PACKAGES = ("ca-certificates", "python3", "python3-venv")


# Hashes names and contents, so that the same files at the same places are the same tree.
TREE = """\
tree() { (cd "$1" && find . -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum | cut -c 1-64); }"""
