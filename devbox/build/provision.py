"""Provision steps of the create stage: what runs once the environment is there. Values; the workspace runs them.

They run as the user, in the project's directory, but for `copy`, which needs root to write anywhere.
"""

import hashlib
import json
import shlex
from dataclasses import dataclass
from posixpath import basename, normpath
from typing import Literal

from devbox.build.compose import provision_title
from devbox.build.inputs import Inputs
from devbox.build.languages.python import is_static, planned
from devbox.build.manifests import EDITABLE
from devbox.build.recipe import VENV
from devbox.build.steps.copy import copy_lines
from devbox.build.steps.provision import interpreter
from devbox.build.steps.script import quoted
from devbox.profile.model import Profile, Provision
from devbox.values import GuestUser

MARKERS = "/var/lib/devbox/provision"  # in the environment: what ran there, and with which content


@dataclass(frozen=True, slots=True, kw_only=True)
class ProvisionStep:
    """One step: `script` is for `/bin/sh -c`, run as `user` in `workdir`.

    `marker` is a file inside that holds the `digest` of what ran last; root writes it after a success.
    """

    name: str
    key: str
    script: str
    user: str
    workdir: str
    repeat: Literal["once", "always", "on-change"]
    digest: str
    marker: str

    def wanted(self, found: str | None) -> bool:
        """Whether it is to run, given the content of its marker; None if there is no marker."""
        match self.repeat:
            case "always":
                return True
            case "once":
                return found is None
            case "on-change":
                return found is None or found.strip() != self.digest


def create_steps(profile: Profile, *, inputs: Inputs, user: GuestUser, project_name: str) -> tuple[ProvisionStep, ...]:
    """Return the steps of the create stage in order: the project's editable install first. Pure."""
    directory = f"/workspaces/{project_name}"
    steps = [
        _step(step, index, inputs, user, directory)
        for index, step in enumerate(profile.provision)
        if step.when == "create"
    ]
    editable = _editable(profile, inputs, user, directory)
    return (*([editable] if editable else []), *steps)


def _step(step: Provision, index: int, inputs: Inputs, user: GuestUser, directory: str) -> ProvisionStep:
    key = f"provision[{index}]"
    files = inputs.group(key)
    content = [[file.path, file.digest] for file in files]
    script, as_root = _script(step, key, inputs, user, directory)
    title = step.name or provision_title(step)
    return ProvisionStep(
        name=title,
        key=key,
        script=script,
        user="root" if as_root else user.name,
        workdir="/" if as_root else directory,
        repeat=step.repeat,
        digest=_digest(script, content),
        marker=f"{MARKERS}/{_digest(step.name or script)[:16]}",
    )


def _script(step: Provision, key: str, inputs: Inputs, user: GuestUser, directory: str) -> tuple[str, bool]:
    """Return the script, and whether it needs root."""
    if step.run is not None:
        return f"set -e\n{step.run}\n", False
    files = inputs.group(key)
    if step.copy_ is not None:
        source, target = step.copy_.source, step.copy_.target
        is_directory = not (len(files) == 1 and files[0].path == normpath(source))
        return _copy(source, target, user, is_directory=is_directory, directory=directory), True
    assert step.script is not None, "ansible is refused before this"
    command = interpreter(inputs.contents[files[0].digest])
    return f"exec {quoted([*command, f'{directory}/{step.script}'])}\n", False


def _copy(source: str, target: str, user: GuestUser, *, is_directory: bool, directory: str) -> str:
    """Copy by way of a private directory: the owner of the project's own files must not change."""
    staged = f'"$staged"/{shlex.quote(basename(normpath(source)))}'
    return "\n".join(
        [
            "set -e",
            "umask 022",
            "staged=$(mktemp -d)",
            """trap 'rm -rf "$staged"' EXIT""",
            f"cp -R -P {shlex.quote(normpath(f'{directory}/{source}'))} {staged}",
            *copy_lines(staged, target, user, directory=is_directory),
            "",
        ]
    )


def _editable(profile: Profile, inputs: Inputs, user: GuestUser, directory: str) -> ProvisionStep | None:
    python = profile.packages.python
    if python is None or not python.editable:
        return None
    # Dependencies that cannot be read from the manifests are found by pip now that the sources are there.
    static = is_static(python, inputs)
    whole = "." if static or not python.extras else f".[{','.join(python.extras)}]"
    words = [word for place in (whole, *planned(python, inputs).local) for word in ("-e", place)]
    flags = ["--no-deps"] if static else []
    script = f"exec {quoted([f'{VENV}/bin/python', '-m', 'pip', 'install', '-q', *flags, *words])}\n"
    content = [[file.path, file.digest] for file in inputs.group(EDITABLE)]
    return ProvisionStep(
        name="install the project (editable)",
        key=EDITABLE,
        script="export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1\n" + script,
        user=user.name,
        workdir=directory,
        repeat="on-change",
        digest=_digest(script, content),
        marker=f"{MARKERS}/editable",
    )


def _digest(*values: object) -> str:
    return hashlib.sha256(json.dumps(values).encode("utf-8", "surrogateescape")).hexdigest()
