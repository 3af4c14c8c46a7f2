"""Node.js: what the lock file names, into the image at the place where the repo will appear. Pure."""

from devbox.build.inputs import Inputs
from devbox.build.languages.base import Part, Setting, joined
from devbox.build.languages.shared import with_toolchain
from devbox.build.manifests import NODE
from devbox.build.node_plan import Manager, Wanted, plan_node
from devbox.build.recipe import ContextFile, Question, Step, asked
from devbox.build.steps import node as steps

# Variables that the tools read by themselves; other secrets are handed over where a manifest names them.
_OWN_PREFIXES = ("NPM_", "npm_config_", "NODE_AUTH_TOKEN", "YARN_")


def node(setting: Setting) -> Part | None:
    """Return Node.js's share: its packages in volumes; None if the profile asks for no Node.js."""
    profile = setting.profile.packages.node
    if profile is None:
        return None
    first = Part(path=(f"{setting.directory}/{steps.MODULES}/.bin",))
    base = setting.base
    wanted = plan_node(profile, base, setting.inputs)
    places = (steps.MODULES, *(f"{member}/{steps.MODULES}" for member in wanted.members))
    secrets = _secrets(setting)
    manager = wanted.manager.package if wanted.manager is not None else ""
    install = (steps.manager(base, manager, secrets=secrets),) if manager else ()
    chain = (*install, *_packages(setting, wanted, secrets))
    own = Part(chain=chain, volumes=places if wanted.manager is not None else ())
    return joined(first, with_toolchain(setting, "node", own))


def _packages(setting: Setting, wanted: Wanted, secrets: tuple[str, ...]) -> tuple[Step | Question, ...]:
    manager = wanted.manager
    if manager is None:
        return ()
    texts: tuple[tuple[str, str], ...] = ()
    if not (wanted.locked or wanted.command or wanted.empty):
        question = _question(setting, manager, secrets)
        answer = setting.answer(question)
        if answer is None:
            return (question,)
        texts = ((manager.lock, "".join(f"{line}\n" for line in answer)),)
    made = steps.Installation(
        command=wanted.command or ("" if wanted.empty else manager.install),
        directory=setting.directory,
        members=wanted.members,
        context=setting.inputs.group(NODE),
        texts=texts,
        secrets=secrets,
    )
    return (steps.packages(setting.base, made, setting.user),)


def _question(setting: Setting, manager: Manager, secrets: tuple[str, ...]) -> Question:
    base, files = setting.base, setting.inputs.group(NODE)
    older = setting.lock.answers.get(steps.RESOLVED)
    known = older.lines if older is not None else ()
    wanted = steps.Open(
        command=manager.resolve,
        lock=manager.lock,
        known=known if any(line.startswith(manager.mark) for line in known) else (),
        context=files,
        secrets=secrets,
    )
    depends = [manager.package, manager.lock, manager.resolve, [[file.path, file.digest] for file in files]]
    return steps.resolve(base, wanted, digest=asked(*depends))


def _secrets(setting: Setting) -> tuple[str, ...]:
    inputs = setting.inputs
    texts = [_text(inputs, file) for file in inputs.group(NODE)]
    return tuple(
        name
        for name in sorted(setting.profile.secrets)
        if name.startswith(_OWN_PREFIXES) or any("${" + name + "}" in text for text in texts)
    )


def _text(inputs: Inputs, file: ContextFile) -> str:
    return inputs.contents[file.digest].decode("utf-8", "replace")
