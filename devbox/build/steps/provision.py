"""Provision steps of the profile that run at build. They run as root, in /, with the profile's [env]. Pure."""

import shlex
from dataclasses import dataclass
from posixpath import normpath

from devbox.build.recipe import CONTEXT_DIRECTORY, BaseImage, ContextFile, Step
from devbox.build.steps.copy import copy_lines
from devbox.build.steps.script import quoted, script
from devbox.values import GuestUser

RUN_LIMIT = 96 * 1024  # bytes; a kernel takes no argument above 128 KiB


@dataclass(frozen=True, slots=True, kw_only=True)
class ProvisionPlan:
    """One provision step. Exactly one of `run`, `script`, `source` (with `target`) is set."""

    name: str
    key: str
    run: str = ""
    script: str = ""  # path in the project
    interpreter: tuple[str, ...] = ("/bin/sh", "-e")  # of the script
    source: str = ""
    target: str = ""
    directory: bool = False  # the source is one
    context: tuple[ContextFile, ...] = ()
    secrets: tuple[str, ...] = ()


def provision_step(base: BaseImage, plan: ProvisionPlan, user: GuestUser) -> Step:
    """Return the build step of `plan`."""
    if plan.source:
        origin = shlex.quote(f"{CONTEXT_DIRECTORY}/{normpath(plan.source)}")
        lines = copy_lines(origin, plan.target, user, directory=plan.directory)
        text = script(base.epoch, lines)
    else:
        text = script(base.epoch, ["export DEBIAN_FRONTEND=noninteractive", "cd /", _command(plan)], strict=False)
    return Step(
        name=plan.name,
        key=plan.key,
        script=text,
        context=plan.context,
        secrets=() if plan.source else plan.secrets,
        network=not plan.source,
    )


def _command(plan: ProvisionPlan) -> str:
    if plan.run:
        return plan.run
    return f"{quoted(plan.interpreter)} {shlex.quote(f'{CONTEXT_DIRECTORY}/{plan.script}')}"


def interpreter(content: bytes) -> tuple[str, ...]:
    """Return the command that a script's first line names; `sh -e` if it names none."""
    first = content.split(b"\n", 1)[0]
    if not first.startswith(b"#!"):
        return ("/bin/sh", "-e")
    words = first[2:].decode("utf-8", "replace").strip().split(None, 1)
    if not words:
        return ("/bin/sh", "-e")
    if words[0].endswith("/env") and len(words) == 2:  # env splits what the kernel passes as one argument
        return (words[0], *words[1].removeprefix("-S ").split())
    return tuple(words)
