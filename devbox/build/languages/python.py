"""Python: a virtual environment outside the repo, with what lock files name or what manifests resolve to. Pure."""

from collections.abc import Collection

from devbox.build.inputs import Inputs
from devbox.build.languages.base import Part, Setting, joined
from devbox.build.languages.shared import with_toolchain
from devbox.build.manifests.python import PROJECT, PYTHON, UV
from devbox.build.python_sources import Sources, entry_sources, gathered, project_sources
from devbox.build.recipe import VENV, ContextFile, Question, Step, asked
from devbox.build.requirements import UnusableError, read_requirements
from devbox.build.steps import python as steps
from devbox.build.toolchains import declared, toolchain
from devbox.errors import Problem, ProfileError
from devbox.profile.model import Python

# Variables that the tools read by themselves; other secrets are handed over where a manifest names them.
_OWN_PREFIXES = ("PIP_", "UV_", "NETRC")


def python(setting: Setting) -> Part | None:
    """Return Python's share: the virtual environment with its packages; None if the profile asks for no Python."""
    wanted = setting.profile.packages.python
    if wanted is None:
        return None
    first = Part(path=(f"{VENV}/bin",), env=(("VIRTUAL_ENV", VENV),))  # `python3` is the environment's
    packages = _packages(setting, wanted, toolchain(setting, "python"))
    own = Part(chain=(steps.environment(setting.base, setting.user), *packages))
    return joined(first, with_toolchain(setting, "python", own))


def _packages(setting: Setting, wanted: Python, tool: Part) -> tuple[Step | Question, ...]:
    found = planned(wanted, setting.inputs)
    files = {file.path: _text(setting.inputs, file) for file in setting.inputs.group(PYTHON)}
    read = {path: read_requirements(text) for path, text in files.items()}
    hashed = any(file.hashed for file in read.values())  # then every file has hashes, or pip would refuse it as well
    options = tuple(dict.fromkeys([
        *(option for file in read.values() for option in file.options),
        *(f"--extra-index-url {address}" for address in found.indexes),
    ]))  # fmt: skip
    answer: tuple[str, ...] = ()
    if found.requirements or (found.files and not hashed):
        question = _question(setting, found, tool, hashed=hashed, options=options)
        known = setting.answer(question)
        if known is None:
            return (question,)
        answer = known
    exact = steps.Exact(
        files=found.files if hashed else (),
        lines=(*found.lines, *answer),
        options=options,
        projects=found.projects,
        context=_context(setting.inputs, files=hashed),
        secrets=_secrets(setting, [*found.lines, *options]),
    )
    return () if exact.empty else (steps.packages(setting.base, exact, setting.user),)


def _question(setting: Setting, found: Sources, tool: Part, *, hashed: bool, options: tuple[str, ...]) -> Question:
    base, inputs = setting.base, setting.inputs
    files = inputs.group(PYTHON)
    older = setting.lock.answers.get(steps.RESOLVED)
    wanted = steps.Open(
        files=() if hashed else found.files,
        requirements=found.requirements,
        constraints=found.files if hashed else (),
        options=options,
        known=older.lines if older is not None else (),
        context=files,
        secrets=_secrets(setting, [*found.requirements, *options]),
    )
    depends = [
        *(wanted.files, wanted.requirements, wanted.constraints, wanted.options),
        [[file.path, file.digest] for file in files],
        *(base.distribution, base.version, base.architecture, declared(base, "python")),
        *(tool.system, [link.name for link in tool.chain]),
    ]
    return steps.resolve(base, wanted, digest=asked(*depends))


def planned(wanted: Python, inputs: Inputs) -> Sources:
    """Return what `wanted` comes to, given manifests that `read_inputs` has accepted."""

    def read(path: str) -> str | None:
        return inputs.text(PROJECT, path)

    try:
        parts = [entry_sources(name, wanted, read) for name in wanted.requirements]
        if wanted.editable and is_static(wanted, inputs):
            parts.append(project_sources(".", wanted, read))
    except UnusableError as error:  # the Lock of another devbox, or a file that changed in between
        problem = Problem(message=str(error), key="packages.python", hint=error.hint)
        raise ProfileError("the project's files cannot be used as the profile asks", problems=[problem]) from error
    return gathered(parts)


def is_static(wanted: Python, inputs: Inputs) -> bool:
    """Whether an editable project's dependencies can be read without running its own program."""
    try:
        project_sources(".", wanted, lambda path: inputs.text(PROJECT, path))
    except UnusableError:
        return False
    return True


def _context(inputs: Inputs, *, files: bool) -> tuple[ContextFile, ...]:
    return (*(inputs.group(PYTHON) if files else ()), *inputs.group(UV))


def _text(inputs: Inputs, file: ContextFile) -> str:
    return inputs.contents[file.digest].decode("utf-8", "replace")


def _secrets(setting: Setting, texts: Collection[str]) -> tuple[str, ...]:
    inputs = setting.inputs
    everything = [*texts, *(_text(inputs, file) for group in (PYTHON, UV) for file in inputs.group(group))]
    return tuple(
        name
        for name in sorted(setting.profile.secrets)
        if name.startswith(_OWN_PREFIXES) or any("${" + name + "}" in text for text in everything)
    )
