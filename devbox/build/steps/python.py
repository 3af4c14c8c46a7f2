"""Python: a virtual environment at a fixed path outside the repo, and what the manifests ask for. Pure."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from devbox.build.recipe import CACHE_DIRECTORY, CONTEXT_DIRECTORY, VENV, BaseImage, ContextFile, Step
from devbox.build.steps.script import quoted, refuse, script
from devbox.build.steps.version import not_the_one, version_check
from devbox.profile.toolchains.constraint import parse
from devbox.values import GuestUser

KEY = "packages.python"
_GENERATED = "/run/devbox/pyproject-requirements.txt"


@dataclass(frozen=True, slots=True, kw_only=True)
class PythonPlan:
    """What goes into the virtual environment."""

    version: str | None = None
    files: tuple[str, ...] = ()  # requirement files, relative to the project
    hashed: bool = False  # one of the files has hashes, so pip wants one for everything in the same call
    requirements: tuple[str, ...] = ()  # read from pyproject.toml
    context: tuple[ContextFile, ...] = ()
    secrets: tuple[str, ...] = ()


def system_needs(base: BaseImage) -> tuple[str, ...]:
    """Return the system packages that a virtual environment needs on `base`."""
    return {"debian": ("python3", "python3-venv"), "alpine": ("python3", "py3-pip"), "fedora": ("python3",)}.get(
        base.family, ()
    )


def python_packages(base: BaseImage, plan: PythonPlan, user: GuestUser) -> Step:
    """Return the step that makes the virtual environment and fills it."""
    lines = [
        *_interpreter(plan.version),
        f'"$python" -m venv {VENV} || {refuse("this Python cannot make a virtual environment (module venv)")}',
        "export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1 PIP_ROOT_USER_ACTION=ignore PIP_PROGRESS_BAR=off",
        f"export PIP_CACHE_DIR={CACHE_DIRECTORY}/pip",
        *_installs(plan),
        f"chown -R {user.uid}:{user.gid} {VENV}",
    ]
    return Step(
        name="python packages" if plan.files or plan.requirements else "python",
        key=KEY,
        script=script(base.epoch, lines),
        caches=("pip",),
        context=plan.context,
        secrets=plan.secrets,
    )


def _interpreter(version: str | None) -> list[str]:
    plain = version is not None and re.fullmatch(r"3\.[0-9]+(\.[0-9]+)?", version)
    wanted = [f"python{'.'.join(version.split('.')[:2])}"] if version and plain else []
    names = quoted([*wanted, "python3", "python"])
    lines = [
        "python=",
        f"for name in {names}; do",
        '  if [ -z "$python" ]; then python=$(command -v "$name" || true); fi',
        "done",
        f'[ -n "$python" ] || {refuse("this base has no Python, and devbox does not know how to install it here")}',
    ]
    if version is None:
        return lines
    asked = parse(version)
    return [
        *lines,
        """have=$("$python" -c 'import sys; print("%d.%d.%d" % sys.version_info[:3])')""",
        *version_check(asked, not_the_one("Python", asked)),
    ]


def _installs(plan: PythonPlan) -> list[str]:
    files = [word for name in plan.files for word in ("-r", f"{CONTEXT_DIRECTORY}/{name}")]
    generated = ["-r", _GENERATED] if plan.requirements else []
    calls = [files, generated] if plan.hashed else [[*files, *generated]]
    return [
        *_heredoc(plan.requirements),
        *(f"{VENV}/bin/python -m pip install {quoted(call)}" for call in calls if call),
    ]


def _heredoc(requirements: Sequence[str]) -> list[str]:
    if not requirements:
        return []
    return [f"cat > {_GENERATED} <<'devbox-end'", *requirements, "devbox-end"]
