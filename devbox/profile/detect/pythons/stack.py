"""The Python stack of a project."""

import re
from collections.abc import Iterator
from typing import Final

from devbox.profile.detect.evidence import Evidence, Named, Port, Stack, Step, Task
from devbox.profile.detect.parts import first_of_each, frameworks, line_of, make_tasks, needs
from devbox.profile.detect.pythons.files import Dependency, Files, read_files
from devbox.profile.detect.pythons.tests import Needs, test_needs, test_task
from devbox.profile.detect.sources import PYTHON, agree, version_claims
from devbox.profile.detect.tables import python as tables
from devbox.profile.detect.view import View

LOCKS: Final = {
    "uv.lock": "uv", "poetry.lock": "Poetry", "pdm.lock": "PDM", "Pipfile.lock": "Pipenv", "pylock.toml": "pylock",
    "conda-lock.yml": "conda", "pixi.lock": "pixi",
}  # fmt: skip
_GROUP: Final = re.compile(r"(?!tests_require)(?:dev|test)[a-z]*")
_RIVALS: Final = ("uv.lock", "poetry.lock", "pdm.lock", "Pipfile.lock")


def python(view: View) -> Stack | None:
    """Return the Python stack of a project, or None."""
    files = read_files(view)
    claims = [*version_claims(view, PYTHON), *files.claims]
    if not files.evidence and not _scripts(view):
        return None
    _check_locks(view)
    known, version = agree(view, PYTHON, claims)
    wanted = test_needs(view, files)
    dependencies = list(_named(files))
    task, pytest_step, seen = test_task(view, files)
    hits, ports = frameworks(dependencies, tables.FRAMEWORKS)
    start = _start(view, dependencies, ports)
    has_lock = any(view.has(name) for name in ("uv.lock", "poetry.lock", "Pipfile.lock", "pdm.lock"))
    compiler = tuple(_compiler(view, files))
    return Stack(
        name="python",
        profile="python",
        key="python",
        evidence=(*files.evidence, *_scripts(view), *_locks(view), *_backend(files), *hits, *seen, *files.foreign),
        claims=known,
        version=version,
        settings=_settings(view, files, wanted, has_lock=has_lock),
        system=_once((*needs(dependencies, tables.SYSTEM), *_from_source(view, dependencies), *compiler)),
        tasks=first_of_each([*([task] if task else []), *([start] if start else []), *_lint(files, wanted)]),
        ports=ports if start or not files.package else ports[:1],
        services=tuple(needs(dependencies, tables.SERVICES)),
        steps=tuple(_steps(files, wanted, pytest_step, has_lock=has_lock)),
    )


def _scripts(view: View) -> list[Evidence]:
    """Return what makes a Python project of a directory without any manifest."""
    found = []
    if view.has("manage.py"):
        found.append(Evidence(file="manage.py", line=None, what="a Django project"))
    return found


def _named(files: Files) -> Iterator[tuple[str, Evidence]]:
    """Yield each dependency by its name, and once more with each of its extras."""
    for one in files.dependencies:
        if one.group == "optional":
            continue
        yield one.name, one.at
        yield from ((f"{one.name}[{extra}]", one.at) for extra in one.extras)


def _locks(view: View) -> Iterator[Evidence]:
    for name, tool in LOCKS.items():
        if view.has(name):
            yield Evidence(file=name, line=None, what=f"a lock file of {tool}")


def _check_locks(view: View) -> None:
    found = [name for name in _RIVALS if view.has(name)]
    for name in found if len(found) > 1 else ():
        others = ", ".join(other for other in found if other != name)
        at = Evidence(file=name, line=None, what="")
        view.complain(f"is the lock file of {LOCKS[name]}, and {others} is there too", at=at, hint="keep one of them")


def _backend(files: Files) -> Iterator[Evidence]:
    if files.backend is not None:
        yield Evidence(file=files.backend.file, line=files.backend.line, what=f"built by {files.backend.what}")


def _settings(view: View, files: Files, wanted: Needs, *, has_lock: bool) -> dict[str, str]:
    """Return the keys of packages.python beside the version."""
    names = [*wanted.requirements, *_manifests(view, files)]
    own = has_lock or any(not one.group for one in files.dependencies)
    if (files.static or has_lock) and not files.package and "Pipfile" not in names and (own or not names):
        names.append("pyproject.toml")
    lists = {
        "requirements": names,
        "extras": [_name(one) for one in wanted.extras],
        "groups": list(_groups(files, wanted, has_lock=has_lock)),
    }
    settings = {key: f"[{', '.join(map(_quoted, dict.fromkeys(values)))}]" for key, values in lists.items() if values}
    if files.package:
        settings["editable"] = "true"
    return settings


def _manifests(view: View, files: Files) -> Iterator[str]:
    """Yield the manifests without a [project] table of which the build reads what pip is to install."""
    listed = {one.group for one in files.dependencies}
    if listed & {"Pipfile", "Pipfile dev"} or view.has("Pipfile.lock"):
        yield "Pipfile"
    yield from (name for name in ("environment.yml", "environment.yaml") if view.has(name) and "conda pip" in listed)


def _groups(files: Files, wanted: Needs, *, has_lock: bool) -> Iterator[str]:
    """Yield the dependency groups that the build installs: those of a lock file, and those that stand in a manifest."""
    for one in wanted.groups:
        if has_lock or not files.static or _name(one) not in files.poetry:
            yield _name(one)
    listed = {one.group for one in (wanted.names if has_lock else ())}
    yield from sorted(group for group in listed if _GROUP.fullmatch(group))
    if any(one.group == "Pipfile dev" for one in files.dependencies):
        yield "dev"


def _name(one: Evidence) -> str:
    return one.what.partition(" ")[2]


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _steps(files: Files, wanted: Needs, pytest: Step | None, *, has_lock: bool) -> Iterator[Step]:
    """Yield what no key of the profile installs: files with paths in them, extras of older projects, loose names."""
    for name in files.local:
        if not re.search(r"doc|lint|prod|deploy", name):
            at = Evidence(file=name, line=None, what="it names paths of the project")
            yield Step(name=name, run=f"pip install -r {name}", at=at)
    loose = [] if has_lock else [*_unlocked(files, {_name(one) for one in wanted.groups}), *wanted.names]
    if loose:
        texts = dict.fromkeys(one.text.partition(";")[0].strip() for one in loose)
        words = " ".join(f"'{text}'" for text in texts if "'" not in text)
        yield Step(name="packages", run=f"pip install {words}", at=loose[0].at)
        if any(one.name == "pytest" for one in loose):
            return
    if pytest is not None:
        yield pytest


def _unlocked(files: Files, groups: set[str]) -> Iterator[Dependency]:
    """Yield Poetry's `groups` beside a [project] table, which the build does not look for there."""
    yield from (one for one in files.dependencies if files.static and one.group in groups & files.poetry)


def _compiler(view: View, files: Files) -> Iterator[Named]:
    """Yield what the project itself needs to be built, if it is not of Python alone."""
    why = [one for one in files.built if one.what in (*tables.COMPILED_BY, "ext_modules", "rust_extensions")]
    extra = ""
    if files.backend is not None:
        module = files.backend.what.partition(":")[0]
        if module in tables.BACKENDS:
            why.append(files.backend)
            extra = tables.BACKENDS[module]
    if not why:
        return
    if "cargo" in extra and view.has("Cargo.toml"):
        extra = ""  # the Rust stack has it
    for name in f"{tables.COMPILER} {extra}".split():
        yield Named(name=name, at=Evidence(file=why[0].file, line=why[0].line, what=f"native code ({why[0].what})"))


def _from_source(view: View, dependencies: list[tuple[str, Evidence]]) -> Iterator[Named]:
    """Yield what is needed by dependencies that a requirement file has built from source."""
    named = dict(dependencies)
    for file in {at.file for _, at in dependencies if at.file.endswith(".txt")}:
        for number, line in view.lines(file):
            match = re.match(r"\s*--no-binary[\s=]+(\S+)", line)
            for name in match[1].split(",") if match else ():
                chosen = named if name == ":all:" else {name.lower(): None}
                at = Evidence(file=file, line=number, what="--no-binary")
                yield from needs([(one, at) for one in chosen], tables.FROM_SOURCE)


def _once(found: tuple[Named, ...]) -> tuple[Named, ...]:
    by_name: dict[str, Named] = {}
    for one in found:
        by_name.setdefault(one.name, one)
    return tuple(by_name.values())


def _start(view: View, dependencies: list[tuple[str, Evidence]], ports: tuple[Port, ...]) -> Task | None:
    """Return what starts the project, where a file says so."""
    names = {name for name, _ in dependencies}
    if view.has("manage.py"):
        return Task(
            name="start", run="python manage.py runserver", at=Evidence(file="manage.py", line=None, what="Django")
        )
    if view.has("mkdocs.yml") and "mkdocs" in names:
        return Task(name="start", run="mkdocs serve", at=Evidence(file="mkdocs.yml", line=None, what="MkDocs"))
    for name in ("app.py", "wsgi.py", "main.py"):
        if not view.has(name):
            continue
        at = Evidence(file=name, line=line_of(view, name, r"\b(?:Flask|FastAPI)\("), what="the application")
        if "flask" in names and name != "main.py":
            return Task(name="start", run="flask run", at=at)
        made = re.search(r"^(\w+)\s*=\s*FastAPI\(", view.text(name) or "", re.MULTILINE)
        if made and names & {"uvicorn", "uvicorn[standard]", "fastapi[standard]"}:
            return Task(name="start", run=f"uvicorn {name[:-3]}:{made[1]} --reload", at=at)
    return next((task for task in make_tasks(view) if task.name == "start" and ports), None)


def _lint(files: Files, wanted: Needs) -> Iterator[Task]:
    groups = {"", *wanted.requirements, *(_name(one) for one in (*wanted.extras, *wanted.groups))}
    for one in files.dependencies:
        if one.group in groups and one.name in ("ruff", "flake8", "pylint"):
            run = {"ruff": "ruff check .", "flake8": "flake8", "pylint": "pylint ."}[one.name]
            yield Task(name="lint", run=run, at=one.at)
            return
