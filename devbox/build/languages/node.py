"""Node.js: what the lock file names, into the image at the place where the repo will appear. Pure."""

from devbox.build.languages.base import Part, Setting
from devbox.build.node_plan import plan_node
from devbox.build.steps.node import node_packages, system_needs
from devbox.build.toolchains import check_version, declared

MODULES = "node_modules"


def node(setting: Setting) -> Part | None:
    """Return Node.js's share: its packages in a volume; None if the profile asks for no Node.js."""
    wanted = setting.profile.packages.node
    if wanted is None:
        return None
    base = setting.base
    check_version(base, "node", wanted.version)
    plan = plan_node(wanted, base, setting.inputs, setting.profile.secrets)
    step = node_packages(base, plan, setting.user, directory=setting.directory)
    return Part(
        system=system_needs(base) if declared(base, "node") is None else (),
        path=(f"{setting.directory}/{MODULES}/.bin",),
        chain=(step,),
        volumes=(MODULES,) if plan.install else (),
    )
