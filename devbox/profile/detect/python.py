"""Python, by pyproject.toml, requirements files or setup.py."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import tomli

from devbox.profile.detect.stack import Evidence, Stack, first_numbers, frameworks, line_of, text_of

_REQUIREMENTS: Final = (
    "requirements.txt",
    "requirements-dev.txt",
    "requirements-test.txt",
    "dev-requirements.txt",
    "test-requirements.txt",
    "requirements_dev.txt",
    "requirements/dev.txt",
)
_FRAMEWORKS: Final = {
    "flask": ("Flask", 5000),
    "django": ("Django", 8000),
    "fastapi": ("FastAPI", 8000),
}
_EXTRAS: Final = ("dev", "test", "tests", "testing")  # where a project keeps its test tools


def python(directory: Path) -> Stack | None:
    """Return the Python stack of a project, or None."""
    files = {name: text for name in _REQUIREMENTS if (text := text_of(directory, name)) is not None}
    project = text_of(directory, "pyproject.toml")
    tree = _tree(project)
    table = tree.get("project")
    package = table if isinstance(table, Mapping) else None
    setup = text_of(directory, "setup.py") is not None
    if not files and project is None and not setup:
        return None
    evidence = [Evidence(file=name, line=None, what="requirements") for name in files]
    if project is not None:
        what = "a Python package" if package is not None else "a Python project"
        evidence.append(Evidence(file="pyproject.toml", line=line_of(project, r"^\[project\]"), what=what))
    if setup:
        evidence.append(Evidence(file="setup.py", line=None, what="a Python package"))
    found = [hit for name, text in files.items() for hit in frameworks(text, name, _FRAMEWORKS, r"^\s*{}\b(?![-.])")]
    if package is not None and project is not None:
        found += frameworks(project, "pyproject.toml", _FRAMEWORKS, r"""["']{}\b(?![-.])""")
    ports = tuple(dict.fromkeys(port for _, port in found))
    return Stack(
        profile="python",
        packages=_packages(files, tree),
        evidence=(*evidence, *(hit for hit, _ in found)),
        ports=ports[:1],
        provision=_provision(files, tree, setup=setup),
        newer=first_numbers(str((package or {}).get("requires-python", ""))) > (3, 11),
    )


def _tree(text: str | None) -> Mapping[str, object]:
    try:
        return tomli.loads(text or "")
    except (ValueError, RecursionError):
        return {}


def _is_package(tree: Mapping[str, object]) -> bool:
    return isinstance(tree.get("project"), Mapping)


def _packages(files: Mapping[str, str], tree: Mapping[str, object]) -> str:
    names = list(files) or (["pyproject.toml"] if _is_package(tree) else [])
    parts = []
    if names:
        quoted = ", ".join(f'"{name}"' for name in names)
        parts.append(f"requirements = [{quoted}]")
    if _is_package(tree) and "build-system" in tree:
        parts.append("editable = true")
    return f"python = {{ {', '.join(parts)} }}" if parts else "python = {}"


def _provision(files: Mapping[str, str], tree: Mapping[str, object], *, setup: bool) -> tuple[tuple[str, str], ...]:
    """Return the steps for what requirement files do not say: the extras, and projects of an older form."""
    project = tree.get("project")
    if isinstance(project, Mapping):
        extras = project.get("optional-dependencies")
        extra = next((name for name in _EXTRAS if isinstance(extras, Mapping) and name in extras), None)
        if extra is not None and "build-system" in tree and not any("dev" in name for name in files):
            return (("test tools", f"pip install -e '.[{extra}]'"),)
        return ()
    if setup or "build-system" in tree:
        return (("project", "pip install -e ."),)
    return ()
