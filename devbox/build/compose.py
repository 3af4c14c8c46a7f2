"""From a Profile to a Recipe. Pure: what the repo's files say is in `Inputs`, what the base is in `BaseImage`.

Order of the layers, from what changes least: the base, /run/devbox, system packages with the toolchains, the user,
Python, Node.js, variables, provision steps with `when = "build"`.
"""

from posixpath import normpath

from devbox.build.inputs import Inputs
from devbox.build.manifests import EDITABLE, NODE, PYTHON
from devbox.build.node_plan import plan_node
from devbox.build.python_plan import plan_python
from devbox.build.recipe import VENV, BaseImage, ContextFile, Recipe, Step
from devbox.build.steps import node, python
from devbox.build.steps.finalize import variables
from devbox.build.steps.provision import RUN_LIMIT, ProvisionPlan, interpreter, provision_step
from devbox.build.steps.rundir import run_directory
from devbox.build.steps.system import system_packages
from devbox.build.steps.user import user_account
from devbox.build.toolchains import check_version, declared
from devbox.errors import BaseImageError, Problem, ProfileError
from devbox.profile.model import Profile, Provision
from devbox.values import GuestUser

__all__ = ["EDITABLE", "NODE", "PYTHON", "compose", "modules_digest", "secret_names"]

_DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_SHELL_PACKAGES = {"debian": {"zsh", "fish"}, "alpine": {"bash", "zsh", "fish"}, "fedora": {"zsh", "fish"}}


def compose(profile: Profile, *, base: BaseImage, inputs: Inputs, user: GuestUser, project_name: str) -> Recipe:
    """Return the Recipe of `profile` on `base`. The same arguments give the same Recipe.

    `project_name`: name of the project's directory. Raises `ToolchainError` for a version that the base is known
    not to hold, `ProfileError` for manifests that contradict each other, `BaseImageError` if the base has no package
    manager that devbox knows; all before anything is made.
    """
    check_version(base, "python", profile.packages.python.version if profile.packages.python else None)
    check_version(base, "node", profile.packages.node.version if profile.packages.node else None)
    if not base.shell:
        return _bare(profile, base)
    directory = f"/workspaces/{project_name}"
    path = _path(profile, base, directory)
    steps = [
        run_directory(base),
        system_packages(base, _system(profile, base, user)),
        user_account(base, user, path=path),
        _python(profile, base, inputs, user, path),
        _node(profile, base, inputs, user, directory, path),
        variables(profile.env.values),
        *(
            provision_step(base, _provision(step, index, inputs, profile), user)
            for index, step in enumerate(profile.provision)
            if step.when == "build"
        ),
    ]
    return Recipe(
        base=base.id,
        base_layers=base.layers,
        epoch=base.epoch,
        steps=tuple(step for step in steps if step is not None),
        env=base.env,
    )


def _bare(profile: Profile, base: BaseImage) -> Recipe:
    """Return the Recipe on a base of the application's own files alone: variables, and nothing that runs."""
    packages = profile.packages
    wanted = {
        "packages.system": bool(packages.system),
        "packages.python": packages.python is not None,
        "packages.node": packages.node is not None,
        "provision": bool(profile.provision),
    }
    problems = [Problem(key=key, message="needs a shell in the base") for key, is_there in wanted.items() if is_there]
    if problems:
        raise BaseImageError(
            f"the image {base.reference} has no shell (/bin/sh), so nothing can be built on it",
            hint="choose a base with a shell, as debian:12; for a Dockerfile, an earlier stage as base.target",
            problems=problems,
        )
    step = variables(profile.env.values)
    steps = (step,) if step else ()
    return Recipe(base=base.id, base_layers=base.layers, epoch=base.epoch, steps=steps, env=base.env)


def modules_digest(recipe: Recipe) -> str | None:
    """Return the digest of the step that fills node_modules, or None; another digest wants a fresh volume."""
    for step, digest in zip(recipe.steps, recipe.digests(), strict=True):
        if step.key == node.KEY and step.name == "node packages":
            return digest
    return None


def secret_names(recipe: Recipe) -> tuple[str, ...]:
    """Return the names of the secrets that the steps need, sorted."""
    return tuple(sorted({name for step in recipe.steps for name in step.secrets}))


def _path(profile: Profile, base: BaseImage, directory: str) -> str:
    parts = [dict(base.env).get("PATH") or _DEFAULT_PATH]
    if profile.packages.node is not None:
        parts.insert(0, f"{directory}/node_modules/.bin")
    if profile.packages.python is not None:
        parts.insert(0, f"{VENV}/bin")
    return ":".join(parts)


def _system(profile: Profile, base: BaseImage, user: GuestUser) -> list[str]:
    names = list(profile.packages.system)
    if user.shell in _SHELL_PACKAGES.get(base.family, ()):
        names.append(user.shell)
    if profile.packages.python is not None and declared(base, "python") is None:
        names += python.system_needs(base)
    if profile.packages.node is not None and declared(base, "node") is None:
        names += node.system_needs(base)
    return names


def _python(profile: Profile, base: BaseImage, inputs: Inputs, user: GuestUser, path: str) -> Step | None:
    wanted = profile.packages.python
    if wanted is None:
        return None
    return python.python_packages(base, plan_python(wanted, inputs, profile.secrets), user, path=path)


def _node(profile: Profile, base: BaseImage, inputs: Inputs, user: GuestUser, directory: str, path: str) -> Step | None:
    wanted = profile.packages.node
    if wanted is None:
        return None
    plan = plan_node(wanted, base, inputs, profile.secrets)
    return node.node_packages(base, plan, user, directory=directory, path=path)


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
