"""Node.js: the packages of the lock file, into the image at the place where the repo will appear. Pure.

Only `node_modules` stays. At run time a volume is mounted there, which the engine fills from the image.
"""

import shlex
from dataclasses import dataclass

from devbox.build.recipe import CACHE_DIRECTORY, CONTEXT_DIRECTORY, BaseImage, ContextFile, Step
from devbox.build.steps.script import refuse, script
from devbox.build.steps.version import not_the_one, version_check
from devbox.profile.toolchains.constraint import parse
from devbox.values import GuestUser

KEY = "packages.node"


@dataclass(frozen=True, slots=True, kw_only=True)
class NodePlan:
    """What is installed with Node.js."""

    version: str | None = None
    manager: str = ""  # "pnpm@9", "yarn@1.22.22": installed beside npm, which comes with Node.js
    install: str = ""  # the command; empty: Node.js alone
    context: tuple[ContextFile, ...] = ()
    secrets: tuple[str, ...] = ()


def system_needs(base: BaseImage) -> tuple[str, ...]:
    """Return the system packages that Node.js and npm need on `base`."""
    return {"debian": ("nodejs", "npm"), "alpine": ("nodejs", "npm"), "fedora": ("nodejs", "npm")}.get(base.family, ())


def node_packages(base: BaseImage, plan: NodePlan, user: GuestUser, *, directory: str) -> Step:
    """Return the step that checks Node.js and installs the packages into `directory`/node_modules."""
    lines = [*_check(plan.version), *_settings()]
    if plan.manager:
        lines.append(f"npm install --global -- {shlex.quote(plan.manager)}")
    if plan.install:
        lines += _install(plan.install, user, directory)
    return Step(
        name="node packages" if plan.install else "node",
        key=KEY,
        script=script(base.epoch, lines),
        caches=("npm",),
        context=plan.context,
        secrets=plan.secrets,
    )


def _check(version: str | None) -> list[str]:
    missing = refuse("this base has no Node.js, and devbox does not know how to install it here")
    lines = [f"command -v node >/dev/null || {missing}"]
    if version is None:
        return lines
    asked = parse(version)
    return [*lines, "have=$(node --version)", "have=${have#v}", *version_check(asked, not_the_one("Node.js", asked))]


def _settings() -> list[str]:
    cache = f"{CACHE_DIRECTORY}/npm"
    return [
        f"export npm_config_cache={cache} npm_config_store_dir={cache}/pnpm YARN_CACHE_FOLDER={cache}/yarn",
        "export npm_config_update_notifier=false npm_config_fund=false npm_config_audit=false",
        "export npm_config_progress=false CI=true",
        # npm's own patience is ten minutes for one package; a cut network is to be said sooner
        "export npm_config_fetch_retries=2 npm_config_fetch_timeout=60000 npm_config_fetch_retry_maxtimeout=20000",
    ]


def _install(command: str, user: GuestUser, directory: str) -> list[str]:
    place = shlex.quote(directory)
    return [
        f"mkdir -p {place}",
        f"cd {place}",
        f"cp -R -P {CONTEXT_DIRECTORY}/. .",
        f"( {command}\n)",
        "mkdir -p node_modules",
        "find . -mindepth 1 -maxdepth 1 ! -name node_modules -exec rm -rf {} +",
        f"chown -R {user.uid}:{user.gid} .",
    ]
