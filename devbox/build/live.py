"""What brings a running environment from one state of the Lock to another, as its image gets there. Pure."""

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from devbox.build.layout import asked_for
from devbox.build.recipe import VENV
from devbox.build.steps.apt import install_live, plain, remove_live
from devbox.build.steps.script import quoted
from devbox.profile.lock import Platform
from devbox.values import GuestUser

PYTHON = "python.packages"
_NAME = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)==")


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveScript:
    """One script to run inside, and as whom: "uid:gid"."""

    script: str
    user: str


def live_scripts(before: Platform, after: Platform, user: GuestUser) -> tuple[LiveScript, ...]:
    """Return what has to run in an environment that was made from `before` so that it is as one made from `after`."""
    return (*_system(before, after), *_python(before, after, user))


def _system(before: Platform, after: Platform) -> list[LiveScript]:
    installed = {one.name for group in before.groups for one in group.packages}
    gone = sorted(asked_for(before.groups) - asked_for(after.groups))
    removed = [name for name in gone if plain(name) in installed]
    scripts = [remove_live(removed)] if removed else []
    scripts += [install_live(group) for group in after.groups if group not in before.groups and not group.removed]
    return [LiveScript(script=script, user="0:0") for script in scripts]


def _python(before: Platform, after: Platform, user: GuestUser) -> list[LiveScript]:
    old, new = (_lines(platform) for platform in (before, after))
    if old == new:
        return []
    pip = f"{VENV}/bin/python -m pip --disable-pip-version-check"
    gone = sorted(_names(old) - _names(new))
    lines = ["set -eu", *([f"{pip} uninstall -y {quoted(gone)}"] if gone else [])]
    wanted = [line for line in new if line not in old]
    if wanted:
        lines += [f"printf '%s\\n' {shlex.join(wanted)} > /tmp/devbox-packages.txt"]
        lines += [f"{pip} install --no-deps -r /tmp/devbox-packages.txt", "rm -f /tmp/devbox-packages.txt"]
    return [LiveScript(script="\n".join(lines) + "\n", user=f"{user.uid}:{user.gid}")]


def _lines(platform: Platform) -> Sequence[str]:
    answer = platform.answers.get(PYTHON)
    return answer.lines if answer else ()


def _names(lines: Sequence[str]) -> set[str]:
    return {match[1].lower() for line in lines if (match := _NAME.match(line))}
