"""What Python's manifests say: dependencies by group, versions, and who builds the project. Runs nothing."""

import ast
import re
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from devbox.profile.detect.evidence import Claim, Evidence
from devbox.profile.detect.grammars import pep440, poetry
from devbox.profile.detect.parts import strings, table
from devbox.profile.detect.reading.ini_lines import Ini, read_ini
from devbox.profile.detect.reading.yaml_lines import read_yaml
from devbox.profile.detect.sources import FILE, PYTHON, claim
from devbox.profile.detect.view import View
from devbox.profile.linemap import child
from devbox.profile.toolchains.constraint import overlap

REQUIREMENT: Final = re.compile(
    r"\s*(?P<name>[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)\s*(?:\[(?P<extras>[^\]]*)\])?"
)
_REQUIREMENT_FILE: Final = re.compile(
    r"(?:.*[-_.])?requirements(?:[-_.].*)?\.txt\Z|(?:dev|test|tests|base|main)\.txt\Z"
)
_LOCAL: Final = re.compile(r"\s*(?:(?:-e|--editable)\b|\.{1,2}(?:/|\[|\s*\Z)|file:)")
_INCLUDE: Final = re.compile(r"\s*(?:-r|--requirement)[\s=]*(\S+)")
CONDA: Final = ("environment.yml", "environment.yaml", "conda.yml", "conda.yaml")


@dataclass(frozen=True, slots=True, kw_only=True)
class Dependency:
    """One requirement. `group`: "" for what the project itself needs, else the extra, group or file's name."""

    name: str  # normalised
    text: str  # as pip takes it
    group: str
    at: Evidence
    extras: tuple[str, ...] = ()


@dataclass(slots=True, kw_only=True)
class Files:
    """Everything that the manifests say."""

    evidence: list[Evidence] = field(default_factory=list)
    claims: list[Claim | None] = field(default_factory=list)
    dependencies: list[Dependency] = field(default_factory=list)
    requirements: list[str] = field(
        default_factory=list
    )  # requirement files that pip can read before the sources are there
    local: list[str] = field(default_factory=list)  # requirement files that name paths of the project
    extras: dict[str, Evidence] = field(default_factory=dict)
    groups: dict[str, Evidence] = field(default_factory=dict)
    poetry: set[str] = field(default_factory=set)  # those of `groups` that stand in Poetry's own tables
    backend: Evidence | None = None  # `what` is its module
    built: list[Evidence] = field(default_factory=list)  # why it needs a compiler
    static: bool = False  # [project] has its dependencies
    package: bool = False  # it can be installed
    foreign: list[Evidence] = field(default_factory=list)  # what is asked for and not installed

    def add(self, text: str, *, group: str, at: Evidence) -> None:
        """Add the requirement `text`, if it is one by name."""
        match = REQUIREMENT.match(text)
        if match:
            extras = tuple(part.strip().lower() for part in (match["extras"] or "").split(",") if part.strip())
            what = Evidence(file=at.file, line=at.line, what=match["name"])
            self.dependencies.append(
                Dependency(name=normal(match["name"]), text=text.strip(), group=group, at=what, extras=extras)
            )


def normal(name: str) -> str:
    """Return a project's name as PEP 503 normalises it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def read_files(view: View) -> Files:
    """Return what the manifests of the project say; without one, no evidence."""
    files = Files()
    for read in (_pyproject, _setup_cfg, _setup_py, _requirements, _pipfile, _conda):
        read(view, files)
    return files


def _pyproject(view: View, files: Files) -> None:
    name = "pyproject.toml"
    document = view.toml(name) if view.has(name) else None
    if document is None:
        return
    tree, lines = document.tree, document.lines
    project, tools = table(tree.get("project")), table(tree.get("tool"))
    what = "a Python package" if project or "poetry" in tools else "a Python project"
    first = lines.get("project") or lines.get("tool.poetry")
    files.evidence.append(Evidence(file=name, line=first, what=what))
    if isinstance(project.get("requires-python"), str):
        line = lines.get("project.requires-python")
        wanted = str(project["requires-python"])
        files.claims.append(claim(view, PYTHON, wanted, file=name, line=line, grammar=pep440))
    _listed(files, name, lines, project.get("dependencies"), "project.dependencies", "")
    for title, key, where in (
        ("extra", "project.optional-dependencies", files.extras),
        ("group", "dependency-groups", files.groups),
    ):
        groups = project.get("optional-dependencies") if title == "extra" else tree.get("dependency-groups")
        for group, entries in table(groups).items():
            path = child(key, group)
            where[group] = Evidence(file=name, line=lines.get(path), what=f"{title} {group}")
            _listed(files, name, lines, entries, path, group)
    files.static = bool(project) and "dependencies" not in strings(project.get("dynamic"))
    _build_system(files, name, lines, table(tree.get("build-system")))
    _poetry(view, files, lines, table(tools.get("poetry")))
    _tools(files, name, lines, tools)


def _listed(files: Files, name: str, lines: Mapping[str, int], entries: object, path: str, group: str) -> None:
    for index, entry in enumerate(entries if isinstance(entries, list) else ()):
        if isinstance(entry, str):
            at = Evidence(file=name, line=lines.get(child(path, index), lines.get(path)), what=entry)
            files.add(entry, group=group, at=at)


def _build_system(files: Files, name: str, lines: Mapping[str, int], build: dict[str, object]) -> None:
    if not build:
        return
    files.package = True
    backend = str(build.get("build-backend") or "setuptools.build_meta")
    line = lines.get("build-system.build-backend") or lines.get("build-system")
    files.backend = Evidence(file=name, line=line, what=backend)
    for index, entry in enumerate(strings(build.get("requires"))):
        match = REQUIREMENT.match(entry)
        if match:
            at = lines.get(child("build-system.requires", index), lines.get("build-system.requires"))
            files.built.append(Evidence(file=name, line=at, what=normal(match["name"])))


def _poetry(view: View, files: Files, lines: Mapping[str, int], tool: dict[str, object]) -> None:
    """Read [tool.poetry], the form before [project] and that of groups."""
    name = "pyproject.toml"
    tables = [("tool.poetry.dependencies", tool.get("dependencies"), "")]
    tables.append(("tool.poetry.dev-dependencies", tool.get("dev-dependencies"), "dev"))
    for group, entries in table(tool.get("group")).items():
        path = child("tool.poetry.group", group)
        files.poetry.add(group)
        files.groups.setdefault(group, Evidence(file=name, line=lines.get(path), what=f"group {group}"))
        tables.append((f"{path}.dependencies", table(entries).get("dependencies"), group))
    if isinstance(tool.get("dev-dependencies"), dict):
        line = lines.get("tool.poetry.dev-dependencies")
        files.poetry.add("dev")
        files.groups.setdefault("dev", Evidence(file=name, line=line, what="group dev"))
    for path, entries, group in tables:
        for key, wanted in table(entries).items():
            at = Evidence(file=name, line=lines.get(child(path, key)), what=key)
            version = wanted.get("version") if isinstance(wanted, dict) else wanted
            if key == "python" and isinstance(version, str):
                files.claims.append(claim(view, PYTHON, version, file=name, line=at.line, grammar=poetry))
            elif key != "python":
                optional = isinstance(wanted, dict) and wanted.get("optional") is True
                files.add(_for_pip(key, wanted, version), group="optional" if optional else group, at=at)
    extras = table(tool.get("extras"))
    for extra in extras:
        line = lines.get(child("tool.poetry.extras", extra))
        files.extras.setdefault(extra, Evidence(file=name, line=line, what=f"extra {extra}"))


def _for_pip(name: str, wanted: object, version: object) -> str:
    """Return what Poetry or Pipenv ask for as pip takes it; without a version where that cannot be said to pip."""
    extras = strings(wanted.get("extras")) if isinstance(wanted, dict) else []
    bare = f"{name}[{','.join(extras)}]" if extras else name
    try:
        together = overlap([poetry(version)]) if isinstance(version, str) else None
    except ValueError:
        return bare
    if together is None or together.anything or len(together.spans) != 1:
        return bare
    text = together.text
    return f"{bare}{text}" if text[0] in "<>" else f"{bare}=={text}.*"


def _tools(files: Files, name: str, lines: Mapping[str, int], tools: dict[str, object]) -> None:
    """Read the development dependencies of uv, PDM and Hatch, which stand in tables of their own."""
    _listed(files, name, lines, table(tools.get("uv")).get("dev-dependencies"), "tool.uv.dev-dependencies", "dev")
    for group, entries in table(table(tools.get("pdm")).get("dev-dependencies")).items():
        _listed(files, name, lines, entries, child("tool.pdm.dev-dependencies", group), group)
    for env, settings in table(table(tools.get("hatch")).get("envs")).items():
        for key in ("dependencies", "extra-dependencies"):
            path = f"{child('tool.hatch.envs', env)}.{key}"
            _listed(files, name, lines, table(settings).get(key), path, "dev" if env == "default" else env)


def _setup_cfg(view: View, files: Files) -> None:
    name = "setup.cfg"
    ini: Ini = read_ini(view.text(name) or "") if view.has(name) else {}
    options = ini.get("options", {})
    metadata = ini.get("metadata", {})
    if not options and not metadata:
        return
    files.package = files.package or view.has("setup.py") or bool(options)
    files.evidence.append(Evidence(file=name, line=None, what="a Python package"))
    for line, text in options.get("python_requires", ())[:1]:
        files.claims.append(claim(view, PYTHON, text, file=name, line=line, grammar=pep440))
    for line, text in options.get("install_requires", ()):
        files.add(text, group="", at=Evidence(file=name, line=line, what=text))
    for extra, values in ini.get("options.extras_require", {}).items():
        files.extras.setdefault(
            extra, Evidence(file=name, line=values[0][0] if values else None, what=f"extra {extra}")
        )
        for line, text in values:
            files.add(text, group=extra, at=Evidence(file=name, line=line, what=text))


def _setup_py(view: View, files: Files) -> None:
    name = "setup.py"
    text = view.text(name) if view.has(name) else None
    if text is None:
        return
    files.package = True
    files.evidence.append(Evidence(file=name, line=None, what="a Python package"))
    for keyword, value in _setup_arguments(text):
        at = Evidence(file=name, line=value.lineno, what=keyword)
        if keyword == "ext_modules" or keyword == "rust_extensions":
            files.built.append(at)
        elif keyword == "python_requires" and isinstance(value, ast.Constant) and isinstance(value.value, str):
            files.claims.append(claim(view, PYTHON, value.value, file=name, line=value.lineno, grammar=pep440))
        elif keyword in ("install_requires", "tests_require"):
            _literals(files, value, "" if keyword == "install_requires" else "tests_require")
        elif keyword == "extras_require" and isinstance(value, ast.Dict):
            for key, entries in zip(value.keys, value.values, strict=True):
                if isinstance(key, ast.Constant) and isinstance(key.value, str):
                    what = Evidence(file=name, line=key.lineno, what=f"extra {key.value}")
                    files.extras.setdefault(key.value, what)
                    _literals(files, entries, key.value)


def _setup_arguments(text: str) -> Iterator[tuple[str, ast.expr]]:
    """Yield the keywords of the call of setup(), names replaced by the literals that they stand for; runs nothing."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            module = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return  # Python 2's, or none at all; only running it would tell
    known = {
        target.id: node.value
        for node in module.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for node in ast.walk(module):
        if isinstance(node, ast.Call) and _called(node.func) == "setup":
            for keyword in node.keywords:
                value = keyword.value
                found = known.get(value.id, value) if isinstance(value, ast.Name) else value
                if keyword.arg:
                    yield keyword.arg, found


def _called(function: ast.expr) -> str:
    return function.id if isinstance(function, ast.Name) else getattr(function, "attr", "")


def _literals(files: Files, value: ast.expr, group: str) -> None:
    for element in value.elts if isinstance(value, ast.List | ast.Tuple) else [value]:
        if isinstance(element, ast.Constant) and isinstance(element.value, str):
            for line in element.value.splitlines():
                files.add(line, group=group, at=Evidence(file="setup.py", line=element.lineno, what=line))


def _requirements(view: View, files: Files) -> None:
    below = (
        [f"requirements/{name}" for name in view.names("requirements")] if view.has_directory("requirements") else []
    )
    found = [name for name in view.names() if "requirements" in name and _REQUIREMENT_FILE.match(name)]
    found += [name for name in below if name.endswith(".txt")]
    for name in found:
        if not view.has(name):
            continue
        files.evidence.append(Evidence(file=name, line=None, what="requirements"))
        local = False
        for number, line in view.lines(name):
            bare = re.sub(r"(?:\A|\s)#.*", "", line)
            local = local or bool(_LOCAL.match(bare))
            if bare.strip() and not bare.lstrip().startswith("-"):
                files.add(bare, group=name, at=Evidence(file=name, line=number, what=bare))
        (files.local if local else files.requirements).append(name)


def includes(view: View, name: str) -> set[str]:
    """Return the requirement files that the file `name` includes, as paths of the project."""
    parent = name.rpartition("/")[0]
    found = (_INCLUDE.match(line) for _, line in view.lines(name))
    return {f"{parent}/{match[1]}".lstrip("/").removeprefix("./") for match in found if match}


def _pipfile(view: View, files: Files) -> None:
    name = "Pipfile"
    document = view.toml(name) if view.has(name) else None
    if document is None:
        return
    files.evidence.append(Evidence(file=name, line=None, what="requirements of Pipenv"))
    requires = table(document.tree.get("requires"))
    for key in ("python_full_version", "python_version"):
        if isinstance(requires.get(key), str):
            line = document.lines.get(f"requires.{key}")
            files.claims.append(claim(view, PYTHON, str(requires[key]), file=name, line=line, rank=FILE))
            break
    for section, group in (("packages", "Pipfile"), ("dev-packages", "Pipfile dev")):
        for key, wanted in table(document.tree.get(section)).items():
            at = Evidence(file=name, line=document.lines.get(child(section, key)), what=key)
            version = wanted.get("version") if isinstance(wanted, dict) else wanted
            files.add(_for_pip(key, wanted, version), group=group, at=at)


def _conda(view: View, files: Files) -> None:
    name = view.first(CONDA)
    entries = (
        [entry for entry in read_yaml(view.text(name) or "") if entry.path[:1] == ("dependencies",)] if name else []
    )
    if name is None or not entries:
        return
    files.evidence.append(Evidence(file=name, line=entries[0].line, what="an environment of conda"))
    for entry in entries:
        at = Evidence(file=name, line=entry.line, what=entry.value)
        if entry.path == ("dependencies", "pip") and entry.value:
            if entry.value.startswith("-"):
                files.foreign.append(Evidence(file=name, line=entry.line, what=f"pip {entry.value}"))
            files.add(entry.value, group="conda pip", at=at)
        elif entry.item and entry.path == ("dependencies",) and entry.value:
            _conda_package(view, files, entry.value, at)


def _conda_package(view: View, files: Files, text: str, at: Evidence) -> None:
    match = re.match(r"(?:[\w-]+::)?(?P<name>[\w.-]+)\s*(?P<wanted>.*)", text)
    package, wanted = (match["name"], match["wanted"].strip()) if match else (text, "")
    if package == "python" and wanted:
        bare = wanted.lstrip("=").split("=")[0] if wanted[0] == "=" else wanted
        grammar = None if wanted[0] == "=" else pep440
        files.claims.append(claim(view, PYTHON, bare, file=at.file, line=at.line, rank=FILE, grammar=grammar))
    elif package not in ("python", "pip"):
        files.foreign.append(Evidence(file=at.file, line=at.line, what=f"{package} from conda, which is not installed"))
