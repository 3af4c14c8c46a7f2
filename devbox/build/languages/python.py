"""Python: a virtual environment outside the repo with what the manifests ask for. Pure."""

from devbox.build.languages.base import Part, Setting
from devbox.build.python_plan import plan_python
from devbox.build.recipe import VENV
from devbox.build.steps.python import python_packages, system_needs
from devbox.build.toolchains import check_version, declared

_ENV = (("VIRTUAL_ENV", VENV),)


def python(setting: Setting) -> Part | None:
    """Return Python's share: the virtual environment with its packages; None if the profile asks for no Python."""
    wanted = setting.profile.packages.python
    if wanted is None:
        return None
    base = setting.base
    check_version(base, "python", wanted.version)
    plan = plan_python(wanted, setting.inputs, setting.profile.secrets)
    return Part(
        system=system_needs(base) if declared(base, "python") is None else (),
        path=(f"{VENV}/bin",),
        env=_ENV,
        chain=(python_packages(base, plan, setting.user),),
    )
