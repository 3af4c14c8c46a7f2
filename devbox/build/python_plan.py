"""From `packages.python` and the manifests to what the Python step installs. Pure."""

from collections.abc import Collection
from posixpath import normpath

from devbox.build.inputs import Inputs
from devbox.build.manifests import EDITABLE, PYTHON
from devbox.build.recipe import ContextFile
from devbox.build.requirements import PYPROJECT, read_pyproject, read_requirements, split_reference
from devbox.build.steps.python import PythonPlan
from devbox.profile.model import Python

# Variables that the tools read by themselves; other secrets are handed over where a manifest names them.
_OWN_PREFIXES = ("PIP_", "UV_", "NETRC")


def plan_python(wanted: Python, inputs: Inputs, secrets: Collection[str]) -> PythonPlan:
    """Return the plan for `wanted`, given manifests that `read_inputs` has accepted."""
    files: list[str] = []
    requirements: list[str] = []
    projects: set[str] = set()
    for name in wanted.requirements:
        reference = split_reference(name)
        if reference is None:
            files.append(normpath(name))
        else:
            projects.add(normpath(reference[0]))
            requirements += _of_project(inputs, PYTHON, normpath(reference[0]), reference[1])
    if wanted.editable and static_project(inputs):
        requirements += _of_project(inputs, EDITABLE, PYPROJECT, None)
    context = tuple(file for file in inputs.group(PYTHON) if file.path not in projects)
    return PythonPlan(
        version=wanted.version,
        files=tuple(dict.fromkeys(files)),
        hashed=any(read_requirements(_text(inputs, file)).hashed for file in context),
        requirements=tuple(dict.fromkeys(requirements)),
        context=context,
        secrets=_secrets(inputs, context, requirements, secrets),
    )


def static_project(inputs: Inputs) -> bool:
    """Whether an editable project's dependencies can be read without building it."""
    text = inputs.text(EDITABLE, PYPROJECT)
    return text is not None and read_pyproject(text).static


def _of_project(inputs: Inputs, group: str, path: str, extra: str | None) -> tuple[str, ...]:
    text = inputs.text(group, path)
    return read_pyproject(text).requirements(extra) if text is not None else ()


def _text(inputs: Inputs, file: ContextFile) -> str:
    return inputs.contents[file.digest].decode("utf-8", "replace")


def _secrets(
    inputs: Inputs, context: tuple[ContextFile, ...], requirements: list[str], secrets: Collection[str]
) -> tuple[str, ...]:
    texts = [*requirements, *(_text(inputs, file) for file in context)]
    return tuple(
        name
        for name in sorted(secrets)
        if name.startswith(_OWN_PREFIXES) or any("${" + name + "}" in text for text in texts)
    )
