"""How a Python project's tests are run, and what they need beside what the project itself needs."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from devbox.profile.detect.evidence import Evidence, Step, Task
from devbox.profile.detect.parts import line_of, make_tasks, table
from devbox.profile.detect.pythons.files import Dependency, Files, includes
from devbox.profile.detect.reading.ini_lines import Value, read_ini
from devbox.profile.detect.view import View

TEST_NAMES: Final = ("test", "tests", "testing", "unittest", "unittests")
DEV_NAMES: Final = ("dev", "develop", "development", "all-dev")
_RUNNERS: Final = ("pytest", "nose2", "pytest-django", "pytest-asyncio", "pytest-cov")
_NOT_FOR_TESTS: Final = re.compile(r"doc|lint|typ|mypy|release|build|bench|prod|deploy|optional|min|style|format")
_FOR_TESTS: Final = re.compile(r"dev|test|ci\b|local")
_POSARGS: Final = re.compile(r"\{posargs(?::[^{}]*)?\}|\{\[?[^{}]*\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """What the tests need. `extras` and `groups`: by name; `names`: requirements that no file of pip's has."""

    requirements: tuple[str, ...] = ()
    extras: tuple[Evidence, ...] = ()
    groups: tuple[Evidence, ...] = ()
    names: tuple[Dependency, ...] = ()


def test_needs(view: View, files: Files) -> Needs:
    """Return what has to be installed for the tests: requirement files, the extra or group of that name, tox's deps."""
    requirements = _requirement_files(view, files)
    extras = _chosen(files, files.extras)
    groups = _chosen(files, files.groups)
    known = {(one.group, one.name) for one in files.dependencies}
    has_runner = any(
        name in _RUNNERS and (group in ("", *requirements, *files.local) or _among(group, (*extras, *groups)))
        for group, name in known
    )
    names: tuple[Dependency, ...] = ()
    if not has_runner:
        names = tuple(_loose(files))
        if not any(one.name in _RUNNERS for one in names):
            more, listed = _tox_deps(view)
            requirements = tuple(dict.fromkeys((*requirements, *(name for name in listed if view.has(name)))))
            names = (*names, *more)
    return Needs(requirements=requirements, extras=extras, groups=groups, names=names)


def _requirement_files(view: View, files: Files) -> tuple[str, ...]:
    """Return the requirement files to install: the main one, and those for tests, else those for development."""
    bare = {name: name.lower().replace("requirements", "").removesuffix(".txt") for name in files.requirements}
    chosen = [
        name
        for name, rest in bare.items()
        if not _NOT_FOR_TESTS.search(rest) and (_FOR_TESTS.search(rest) or rest.strip("/-_.") in ("", "base", "main"))
    ]
    for_tests = {name for name in chosen if "test" in bare[name]}
    if any(one.name in _RUNNERS for one in files.dependencies if one.group in for_tests):
        chosen = [name for name in chosen if name in for_tests or not _FOR_TESTS.search(bare[name])]
    included = {inner for name in chosen for inner in includes(view, name)}
    return tuple(name for name in chosen if name not in included)


def _chosen(files: Files, where: dict[str, Evidence]) -> tuple[Evidence, ...]:
    """Return the extra or group for tests; that for development too where it alone has a test runner."""
    with_runner = {one.group for one in files.dependencies if one.name in _RUNNERS}
    lower = {name.lower(): name for name in where}
    test = next((lower[name] for name in TEST_NAMES if name in lower), None)
    dev = next((lower[name] for name in DEV_NAMES if name in lower), None)
    if test is None:
        return (where[dev],) if dev else ()
    if dev and dev in with_runner and test not in with_runner:
        return (where[test], where[dev])
    return (where[test],)


def _among(group: str, chosen: tuple[Evidence, ...]) -> bool:
    return any(one.what in (f"extra {group}", f"group {group}") for one in chosen)


def _loose(files: Files) -> Iterator[Dependency]:
    """Yield what is listed for tests where pip does not look: in tables of tools, and in tests_require."""
    for one in files.dependencies:
        if one.group in files.extras or one.group in files.groups or one.group.endswith(".txt"):
            continue
        if one.group == "tests_require" or re.search(r"\A(?:hatch-)?test|\Adev\Z|\Atesting\Z", one.group):
            yield one


def _tox_deps(view: View) -> tuple[tuple[Dependency, ...], tuple[str, ...]]:
    """Return the names and the requirement files of [testenv] deps."""
    scratch = Files()
    listed = []
    for line, text in _tox(view, "deps"):
        bare = text.rpartition(": ")[2].strip()  # "py311: pytest" is for one environment alone
        file = re.match(r"-r\s*(?:\{toxinidir\}/)?(\S+)", bare)
        if file:
            listed.append(file[1])
        elif "{" not in bare:
            scratch.add(bare, group="tox", at=Evidence(file="tox.ini", line=line, what=bare))
    return tuple(scratch.dependencies), tuple(listed)


def _tox(view: View, key: str) -> Value:
    if not view.has("tox.ini"):
        return ()
    return read_ini(view.text("tox.ini") or "").get("testenv", {}).get(key, ())


def test_task(view: View, files: Files) -> tuple[Task | None, Step | None, tuple[Evidence, ...]]:
    """Return the test task, the step that gets pytest where nothing names it, and the evidence for both."""
    seen = tuple(_signs(view))
    at = next(_pytest(view, files), None)
    if at is not None:
        return Task(name="test", run=_pytest_command(files), at=at), None, seen
    if view.has("manage.py"):
        at = Evidence(file="manage.py", line=None, what="Django's own test runner")
        return Task(name="test", run="python manage.py test", at=at), None, seen
    if command := _tox_command(view):
        return command, None, seen
    made = [task for task in make_tasks(view) if task.name == "test"]
    where = _test_files(view)
    if where is None:
        return (made[0] if made else None), None, seen
    step = Step(name="pytest", run="pip install pytest", at=where)
    return Task(name="test", run=_pytest_command(files), at=where), step, (*seen, where)


def _pytest_command(files: Files) -> str:
    return "pytest" if files.package else "python -m pytest"  # which has the project itself on the path


def _pytest(view: View, files: Files) -> Iterator[Evidence]:
    """Yield the places that say the tests are pytest's."""
    document = view.toml("pyproject.toml") if view.has("pyproject.toml") else None
    tools = table(document.tree.get("tool")) if document else {}
    if "pytest" in tools and document:
        line = document.lines.get("tool.pytest.ini_options") or document.lines.get("tool.pytest")
        yield Evidence(file="pyproject.toml", line=line, what="settings of pytest")
    for name, section in (
        ("pytest.ini", "pytest"),
        (".pytest.ini", "pytest"),
        ("tox.ini", "pytest"),
        ("setup.cfg", "tool:pytest"),
    ):
        if view.has(name) and section in read_ini(view.text(name) or ""):
            line = line_of(view, name, re.escape(f"[{section}]"))
            yield Evidence(file=name, line=line, what="settings of pytest")
    for name in ("conftest.py", "tests/conftest.py", "test/conftest.py"):
        if view.has(name):
            yield Evidence(file=name, line=None, what="fixtures of pytest")
    for one in files.dependencies:
        if one.name in ("pytest", "pytest-django", "pytest-cov", "pytest-asyncio"):
            yield one.at
    for line, text in (*_tox(view, "deps"), *_tox(view, "commands")):
        if re.search(r"(?:\A|\s|:)pytest\b", text):
            yield Evidence(file="tox.ini", line=line, what="pytest")


def _tox_command(view: View) -> Task | None:
    for line, text in _tox(view, "commands"):
        if "unittest" in text or "nose" in text:
            command = " ".join(_POSARGS.sub("", text).split())
            return Task(name="test", run=command, at=Evidence(file="tox.ini", line=line, what="the command of tox"))
    return None


def _test_files(view: View) -> Evidence | None:
    """Return where the tests are, by the names that pytest looks for."""
    for directory in ("tests", "test", "."):
        if directory != "." and not view.has_directory(directory):
            continue
        for name in view.names(directory):
            if re.match(r"test_.*\.py\Z|.*_test\.py\Z", name):
                path = name if directory == "." else f"{directory}/{name}"
                return Evidence(file=path, line=None, what="a test that pytest runs")
    return None


def _signs(view: View) -> Iterator[Evidence]:
    if view.has("tox.ini"):
        yield Evidence(
            file="tox.ini", line=line_of(view, "tox.ini", r"^\[testenv\]"), what="tests in environments of tox"
        )
    if view.has("noxfile.py"):
        line = line_of(view, "noxfile.py", r"^def\s+\w*test")
        yield Evidence(file="noxfile.py", line=line, what="tests in sessions of Nox")
    if view.has(".pre-commit-config.yaml"):
        yield Evidence(file=".pre-commit-config.yaml", line=None, what="hooks of pre-commit")
