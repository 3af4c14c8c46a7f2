"""setup.cfg and setup.py: what setuptools reads without running anything. Pure."""

import ast
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from devbox.build.locks.exact import table, texts
from devbox.build.requirements import UnusableError


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """The dependencies of a project, and its extras by name."""

    requirements: tuple[str, ...] = ()
    extras: Mapping[str, tuple[str, ...]]

    def wanted(self, extras: Collection[str]) -> tuple[str, ...]:
        """Return the dependencies with those of `extras`; `UnusableError` for one that there is not."""
        for extra in extras:
            if extra not in self.extras:
                known = ", ".join(sorted(self.extras)) or "none"
                raise UnusableError(f"there is no extra {extra}; there are: {known}")
        return tuple(dict.fromkeys([*self.requirements, *(each for extra in extras for each in self.extras[extra])]))


def read_setup_cfg(text: str) -> Declared | None:
    """Return what setup.cfg declares; None if it leaves the dependencies to setup.py or to a file."""
    import configparser  # lazy: few projects have a setup.cfg

    parser = configparser.RawConfigParser()
    try:
        parser.read_string(text)
    except configparser.Error as error:
        raise UnusableError(f"is not valid: {str(error).splitlines()[0]}") from error
    if not parser.has_option("options", "install_requires"):
        return None
    extras = parser["options.extras_require"] if parser.has_section("options.extras_require") else {}
    found = {name: _lines(value) for name, value in extras.items()}
    declared = Declared(requirements=_lines(parser["options"]["install_requires"]), extras=found)
    return declared if _is_plain(declared) else None


def _lines(value: str) -> tuple[str, ...]:
    written = value.replace(";\n", ";").splitlines() if "\n" in value else [value]
    lines = (line.split(" #")[0].strip() for line in written)
    return tuple(line for line in lines if line and not line.startswith("#"))


def _is_plain(declared: Declared) -> bool:
    """Whether nothing is taken from elsewhere: "file: requirements.txt", "%(other)s"."""
    everything = [*declared.requirements, *(each for extra in declared.extras.values() for each in extra)]
    return not any(each.startswith(("file:", "attr:")) or "%(" in each for each in everything)


def read_setup_py(text: str) -> Declared | None:
    """Return what the call of setup() declares as plain lists; None if a program has to run to know it."""
    try:
        module = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    names = _constants(module)
    calls = [node for node in ast.walk(module) if isinstance(node, ast.Call) and _is_setup(node.func)]
    if len(calls) != 1 or any(keyword.arg is None for keyword in calls[0].keywords):
        return None
    values = {str(keyword.arg): keyword.value for keyword in calls[0].keywords}
    if "setup_requires" in values or "install_requires" not in values:
        return None
    try:
        requirements = _value(values["install_requires"], names)
        extras = _value(values["extras_require"], names) if "extras_require" in values else {}
    except ValueError:
        return None
    if not isinstance(extras, dict) or not all(map(_is_list, [requirements, *extras.values()])):
        return None
    return Declared(
        requirements=texts(requirements), extras={str(name): texts(value) for name, value in extras.items()}
    )


def _constants(module: ast.Module) -> dict[str, ast.expr]:
    """Return what is assigned once, at the top, and never touched again."""
    found: dict[str, ast.expr] = {}
    touched = [
        node.id for node in ast.walk(module) if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load)
    ]
    used = {
        node.value.id
        for node in ast.walk(module)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)
    }  # names.append(...) changes what was assigned
    for node in module.body:
        if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            name = node.targets[0].id
            if touched.count(name) == 1 and name not in used:
                found[name] = node.value
    return found


def _is_setup(function: ast.expr) -> bool:
    return (isinstance(function, ast.Name) and function.id == "setup") or (
        isinstance(function, ast.Attribute) and function.attr == "setup"
    )


def _value(node: ast.expr, names: Mapping[str, ast.expr], depth: int = 0) -> object:
    """Return what a literal of lists, dictionaries, constants and sums of them is; `ValueError` if it is none."""
    if depth > 20:
        raise ValueError(depth)
    match node:
        case ast.Constant(value=value):
            return value
        case ast.List(elts=parts) | ast.Tuple(elts=parts):
            return [_value(part, names, depth + 1) for part in parts]
        case ast.Dict(keys=keys, values=values) if None not in keys:
            return {
                str(_value(key, names, depth + 1)): _value(value, names, depth + 1)
                for key, value in zip(keys, values, strict=True)
                if key is not None
            }
        case ast.Name(id=name) if name in names:
            return _value(names[name], names, depth + 1)
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            first, second = _value(left, names, depth + 1), _value(right, names, depth + 1)
            if isinstance(first, list) and isinstance(second, list):
                return [*first, *second]
        case _:
            pass
    raise ValueError(ast.dump(node)[:80])


def _is_list(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(each, str) and "\n" not in each for each in value)


def dynamic_files(pyproject: Mapping[str, object], extras: Collection[str]) -> tuple[str, ...] | None:
    """Return the requirement files that [tool.setuptools.dynamic] names for a project; None if it names none."""
    dynamic = table(table(table(pyproject.get("tool")).get("setuptools")).get("dynamic"))
    optional = table(dynamic.get("optional-dependencies"))
    if "dependencies" not in dynamic:
        return None
    parts = [table(dynamic["dependencies"]), *(table(optional.get(extra)) for extra in extras)]
    found = [part.get("file", []) for part in parts]
    files = [[each] if isinstance(each, str) else each for each in found]
    return tuple(str(name) for names in files if isinstance(names, list) for name in names)
