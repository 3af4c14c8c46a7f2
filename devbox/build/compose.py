"""From a Profile to a Recipe. Pure: what the repo's files say is in `Inputs`, what the base is in `BaseImage`.

Order of the layers, from what changes least: the base, /run/devbox, system packages with the toolchains, the user,
Python, Node.js, provision steps with `when = "build"`, which variables come before; last, for a machine, its kernel and
system.
"""

import hashlib
import json
import re
import shlex
from collections.abc import Sequence
from dataclasses import asdict, replace
from posixpath import normpath

from devbox.build.inputs import Inputs
from devbox.build.languages.base import Part, Setting, joined
from devbox.build.languages.registry import LANGUAGES
from devbox.build.layout import Layout, Link, Storeys, lay_out
from devbox.build.recipe import BaseImage, ContextFile, Question, Recipe, Step
from devbox.build.steps.finalize import variables as variables_step
from devbox.build.steps.provision import RUN_LIMIT, ProvisionPlan, interpreter, provision_step
from devbox.build.steps.rundir import run_directory
from devbox.build.steps.system import system_packages
from devbox.build.steps.user import user_account
from devbox.build.steps.vm import vm_links
from devbox.errors import BaseImageError, Problem, ProfileError
from devbox.profile.lock import Platform
from devbox.profile.model import Packages, Profile, Provision
from devbox.values import GuestUser

__all__ = ["compose", "secret_names"]

_DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_SHELL_PACKAGES = {"debian": {"zsh", "fish"}, "alpine": {"bash", "zsh", "fish"}, "fedora": {"zsh", "fish"}}
_LANGUAGES = tuple(name for name in Packages.model_fields if name != "system")
_LOCKABLE = ("debian",)  # families of which the Lock can name every package


def compose(
    profile: Profile,
    *,
    base: BaseImage,
    inputs: Inputs,
    user: GuestUser,
    project_name: str,
    lock: Platform | None = None,
) -> Recipe:
    """Return the Recipe of `profile` on `base`, as far as `lock` answers what has to be known. Pure.

    `project_name`: name of the project's directory. Raises `ToolchainError` for a version that the base is known
    not to hold, `ProfileError` for manifests that contradict each other, `BaseImageError` if the base has no package
    manager that devbox knows; all before anything is made.
    """
    known = lock or Platform()
    directory = f"/workspaces/{project_name}"
    setting = Setting(profile=profile, base=base, inputs=inputs, user=user, directory=directory, lock=known)
    parts = [part for language in LANGUAGES if (part := language(setting)) is not None]
    if not base.shell:
        return _bare(profile, base)
    part = joined(*parts)
    layout = _layout(setting, part)
    recipe = Recipe(
        base=base.id,
        base_layers=base.layers,
        epoch=base.epoch,
        steps=layout.steps,
        env=base.env,
        open=layout.open,
        pending=layout.pending,
        lock=layout.lock,
        variables=_variables(profile),
    )
    if layout.open is not None:
        return recipe
    whole = replace(recipe, volumes=_volumes(recipe, parts))
    return _machine(whole, setting) if profile.runtime == "vm" else whole


def _machine(recipe: Recipe, setting: Setting) -> Recipe:
    """Return `recipe` with what makes a machine of the environment. The Lock's `steps` stay those of the container."""
    vm = setting.profile.vm
    links = vm_links(setting.base, vm.init, recipe.lock, sshd=vm.sshd)
    if isinstance(links, Question):
        return replace(recipe, open=links)
    return replace(recipe, steps=(*recipe.steps, *links))


def _layout(setting: Setting, part: Part) -> Layout:
    base, profile = setting.base, setting.profile
    wanted = _system(profile, base, setting.user, part)
    lockable = base.family in _LOCKABLE
    bottom = [run_directory(base), None if lockable else system_packages(base, wanted)]
    path = ":".join((*part.path, dict(base.env).get("PATH") or _DEFAULT_PATH))
    provision = _provisions(setting)
    # A provision step may want to see the variables; without one they are none of the image's business.
    env = [step for step in (variables_step(profile.env.values),) if step is not None] if provision else []
    links = (*part.chain, *env, *provision)
    storeys = Storeys(
        bottom=tuple(step for step in bottom if step is not None),
        user=user_account(base, setting.user, path=path, env=part.env),
        links=links,
        names=tuple(_name(link, setting) for link in links),
    )
    return lay_out(base, storeys, wanted=wanted if lockable else (), lock=setting.lock)


def _name(link: Link, setting: Setting) -> str:
    """Return 12 hex digits for what a link does, without what differs between people: directory, home and ids."""
    values = asdict(link)
    del values["name"], values["key"]
    text = json.dumps(values, sort_keys=True)
    for own in (setting.directory, setting.user.home, f"{setting.user.uid}:{setting.user.gid}"):
        quoted = shlex.quote(own).removeprefix("'").removesuffix("'")
        for written in (quoted, own):
            text = text.replace(json.dumps(written)[1:-1], "%")
    text = re.sub(r"'(%[\w/.:-]*)'", r"\1", text)  # whether a shell's word needs quotes hangs on the directory's name
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:12]


def _provisions(setting: Setting) -> list[Step]:
    profile, base = setting.profile, setting.base
    return [
        provision_step(base, _provision(step, index, setting.inputs, profile), setting.user)
        for index, step in enumerate(profile.provision)
        if step.when == "build"
    ]


def _variables(profile: Profile) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(profile.env.values.items()))


def _volumes(recipe: Recipe, parts: Sequence[Part]) -> tuple[tuple[str, str], ...]:
    """Return the directories that stay inside, each with the digest of the last step of its language."""
    digests = dict(zip(recipe.steps, recipe.digests(), strict=True))
    found = []
    for part in parts:
        steps = [link for link in part.chain if isinstance(link, Step)]
        digest = digests[steps[-1]] if steps else recipe.digest
        found += [(directory, digest) for directory in part.volumes]
    return tuple(found)


def _bare(profile: Profile, base: BaseImage) -> Recipe:
    """Return the Recipe on a base of the application's own files alone: no step, since none could run."""
    packages = profile.packages
    wanted = {
        "packages.system": bool(packages.system),
        **{f"packages.{name}": getattr(packages, name) is not None for name in _LANGUAGES},
        "provision": bool(profile.provision),
        "runtime": profile.runtime == "vm",
    }
    problems = [Problem(key=key, message="needs a shell in the base") for key, is_there in wanted.items() if is_there]
    if problems:
        raise BaseImageError(
            f"the image {base.reference} has no shell (/bin/sh), so nothing can be built on it",
            hint="choose a base with a shell, as debian:12; for a Dockerfile, an earlier stage as base.target",
            problems=problems,
        )
    variables = _variables(profile)
    return Recipe(base=base.id, base_layers=base.layers, epoch=base.epoch, steps=(), env=base.env, variables=variables)


def secret_names(recipe: Recipe) -> tuple[str, ...]:
    """Return the names of the secrets that the steps need, sorted."""
    return tuple(sorted({name for step in recipe.steps for name in step.secrets}))


def _system(profile: Profile, base: BaseImage, user: GuestUser, part: Part) -> list[str]:
    names = [*profile.packages.system, *part.system]
    if user.shell in _SHELL_PACKAGES.get(base.family, ()):
        names.append(user.shell)
    return sorted(set(names))


def _provision(step: Provision, index: int, inputs: Inputs, profile: Profile) -> ProvisionPlan:
    key = f"provision[{index}]"
    if step.run is not None and len(step.run.encode()) > RUN_LIMIT:
        problem = Problem(message=f"more than {RUN_LIMIT} bytes", key=f"{key}.run", hint="put it into a script")
        raise ProfileError("a provision step is too long", problems=[problem])
    files = inputs.group(key)
    script = step.script or ""
    return ProvisionPlan(
        name=step.name or provision_title(step),
        key=key,
        run=step.run or "",
        script=files[0].path if script else "",
        interpreter=interpreter(inputs.contents[files[0].digest]) if script else (),
        source=step.copy_.source if step.copy_ else "",
        target=step.copy_.target if step.copy_ else "",
        directory=step.copy_ is not None and not _is_file(step.copy_.source, files),
        context=files,
        secrets=tuple(sorted(profile.secrets)),
    )


def provision_title(step: Provision) -> str:
    """Return what a provision step without a name is called."""
    if step.run is not None:
        first = step.run.strip().split("\n", 1)[0]
        return first if len(first) <= 40 else first[:39] + "…"
    if step.copy_ is not None:
        return f"copy {step.copy_.source}"
    return step.script or step.ansible or "provision"


def _is_file(source: str, files: tuple[ContextFile, ...]) -> bool:
    return len(files) == 1 and files[0].path == normpath(source)
