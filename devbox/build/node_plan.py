"""From `packages.node` and the lock file to the command that installs the packages. Pure."""

import json
import re
from collections.abc import Collection

from devbox.build.inputs import Inputs
from devbox.build.manifests import NODE
from devbox.build.recipe import BaseImage, ContextFile
from devbox.build.steps.node import NodePlan
from devbox.build.toolchains import held
from devbox.errors import Problem, ProfileError
from devbox.profile.model import Node

_OWN_PREFIXES = ("NPM_", "npm_config_", "NODE_AUTH_TOKEN", "YARN_")
_MANAGER = re.compile(r"(?P<name>npm|yarn|pnpm)@(?P<version>[0-9]+(?:\.[0-9A-Za-z-]+)*)(?:\+[0-9A-Za-z.]+)?\Z")
_COMMANDS = {
    "package-lock.json": "npm ci",
    "npm-shrinkwrap.json": "npm ci",
    "pnpm-lock.yaml": "pnpm install --frozen-lockfile",
    "yarn.lock": "yarn install --frozen-lockfile --non-interactive",
}
_BERRY = "__metadata:"  # begins the lock file of Yarn 2 and newer
# The newest major of pnpm that runs on a major of Node.js (source: pnpm's table of compatibility).
_PNPM = {"12": "6", "14": "7", "16": "8"}


def plan_node(wanted: Node, base: BaseImage, inputs: Inputs, secrets: Collection[str]) -> NodePlan:
    """Return the plan for `wanted`; `ProfileError` for a lock file that this version cannot install."""
    context = inputs.group(NODE)
    if not context:
        return NodePlan(version=wanted.version)
    names = {file.path for file in context}
    lock = next((name for name in _COMMANDS if name in names), None)
    if lock == "yarn.lock" and wanted.install is None:
        _refuse_berry(inputs)
    return NodePlan(
        version=wanted.version,
        manager=_manager(lock, base, inputs),
        install=wanted.install or _COMMANDS.get(lock or "", "npm install"),
        context=context,
        secrets=_secrets(inputs, context, secrets),
    )


def _manager(lock: str | None, base: BaseImage, inputs: Inputs) -> str:
    """Return the package manager that npm has to install first, as "name@version"."""
    declared = _MANAGER.match(str(json.loads(inputs.text(NODE, "package.json") or "{}").get("packageManager", "")))
    if declared and declared["name"] != "npm":
        return f"{declared['name']}@{declared['version']}"
    if lock == "pnpm-lock.yaml":
        node = (held(base, "node") or "").split(".")[0]
        return f"pnpm@{_PNPM.get(node, '9')}"
    return "yarn@1" if lock == "yarn.lock" else ""


def _refuse_berry(inputs: Inputs) -> None:
    if _BERRY in (inputs.text(NODE, "yarn.lock") or ""):
        message = "yarn.lock is of Yarn 2 or newer, which this version of devbox cannot install by itself"
        hint = "say how in packages.node.install, or keep a package-lock.json"
        raise ProfileError(message, hint=hint, problems=[Problem(message=message, key="packages.node", hint=hint)])


def _secrets(inputs: Inputs, context: tuple[ContextFile, ...], secrets: Collection[str]) -> tuple[str, ...]:
    texts = [inputs.contents[file.digest].decode("utf-8", "replace") for file in context]
    return tuple(
        name
        for name in sorted(secrets)
        if name.startswith(_OWN_PREFIXES) or any("${" + name + "}" in text for text in texts)
    )
