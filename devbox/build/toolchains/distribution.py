"""A toolchain from the distribution: its packages, where they put it, and a look at what came. Pure."""

from collections.abc import Mapping
from typing import Final

from devbox.build.languages.base import Part
from devbox.build.recipe import BaseImage, Step
from devbox.build.steps.script import refuse, script
from devbox.build.steps.version import not_the_one, version_check
from devbox.profile.toolchains.constraint import Constraint
from devbox.profile.toolchains.releases import TITLES, Held

# Packages by the base's package manager; where {n} stands, the number that is in the name of Debian's package goes.
_PACKAGES: Final[Mapping[str, Mapping[str, tuple[str, ...]]]] = {
    "debian": {
        "python": ("python3", "python3-venv"),
        "node": ("nodejs", "npm"),
        "go": ("golang-go",),
        "rust": ("rustc", "cargo"),
        "java": ("default-jdk-headless",),
        "ruby": ("ruby-full",),
        "php": ("php-cli",),
        "c": ("gcc", "g++", "libc6-dev", "make"),
    },
    "alpine": {
        "python": ("python3", "py3-pip"),
        "node": ("nodejs", "npm"),
        "go": ("go",),
        "rust": ("rust", "cargo"),
        "ruby": ("ruby", "ruby-dev"),
        "c": ("gcc", "g++", "musl-dev", "make"),
    },
    "fedora": {
        "python": ("python3",),
        "node": ("nodejs", "npm"),
        "go": ("golang",),
        "rust": ("rust", "cargo"),
        "java": ("java-latest-openjdk-devel",),
        "ruby": ("ruby", "ruby-devel"),
        "php": ("php-cli",),
        "c": ("gcc", "gcc-c++", "make"),
    },
}
_BESIDE: Final[Mapping[str, tuple[str, ...]]] = {  # another version than Debian's default; {n}: its number
    "python": ("python{n}", "python{n}-venv"),
    "go": ("golang-{n}-go",),
    "rust": ("rustc-web", "cargo-web"),
    "java": ("openjdk-{n}-jdk-headless",),
    "c": ("gcc-{n}", "g++-{n}", "libc6-dev", "make"),
}
_NUMBERS: Final = {"python": 2, "go": 2, "java": 1, "c": 1}  # how many parts of the version are in the name
PYTHON_LINKS: Final = "/opt/python/bin"  # a Python beside the default one is called python3 here

# What prints the version, and what says it wrong: Java 8 calls itself 1.8.
_VERSIONS: Final[Mapping[str, tuple[str, str]]] = {
    "python": ("python3", "python3 --version 2>&1"),
    "node": ("node", "node --version"),
    "go": ("go", "go version"),
    "rust": ("rustc", "rustc --version"),
    "java": ("java", "java -version 2>&1 | sed -n '1s/\"1[.]/\"/p;1p' | head -n 1"),
    "ruby": ("ruby", "ruby --version"),
    "php": ("php", "php -r 'echo PHP_VERSION;'"),
    "c": ("gcc", '"${CC:-gcc}" -dumpfullversion'),
}


def packages(family: str, tool: str) -> tuple[str, ...]:
    """Return the packages with the version of `tool` that is a distribution's own; none if devbox knows none."""
    return _PACKAGES.get(family, {}).get(tool, ())


def share(base: BaseImage, tool: str, wanted: Constraint, found: Held | None, *, key: str) -> Part:
    """Return the share of a toolchain of the distribution. `found`: which of several, None for its default."""
    number = _number(tool, found) if found is not None else ""
    system = packages(base.family, tool)
    beside = found is not None and found.package not in system
    if beside:
        system = tuple(name.format(n=number) for name in _BESIDE[tool])
    path, env, lines = _placed(base, tool, number, beside=beside)
    check = _look(base, tool, wanted, key=key, path=path, env=env, lines=lines)
    return Part(system=system, path=path, env=env, chain=(check,) if check is not None else ())


def _number(tool: str, found: Held) -> str:
    return ".".join(found.version.split(".")[: _NUMBERS.get(tool, 0)])


def _placed(
    base: BaseImage, tool: str, number: str, *, beside: bool
) -> tuple[tuple[str, ...], tuple[tuple[str, str], ...], list[str]]:
    """Return where it lies if not on PATH already, its variables, and lines that put it there."""
    if tool == "java" and number:
        home = f"/usr/lib/jvm/java-{number}-openjdk-{base.architecture}"
        return (f"{home}/bin",), (("JAVA_HOME", home),), []
    if tool == "go" and beside:
        return (f"/usr/lib/go-{number}/bin",), (), []
    if tool == "c" and beside:
        return (), (("CC", f"gcc-{number}"), ("CXX", f"g++-{number}")), []
    if tool == "python" and beside:
        links = [f"ln -sf /usr/bin/python{number} {PYTHON_LINKS}/{name}" for name in ("python3", "python")]
        return (PYTHON_LINKS,), (), [f"mkdir -p {PYTHON_LINKS}", *links]
    return (), (), []


def _look(
    base: BaseImage,
    tool: str,
    wanted: Constraint,
    *,
    key: str,
    path: tuple[str, ...],
    env: tuple[tuple[str, str], ...],
    lines: list[str],
) -> Step | None:
    """Return the step that looks whether it is there and `wanted`; None where both are sure."""
    if wanted.anything and packages(base.family, tool) and not lines:
        return None
    program, version = _VERSIONS[tool]
    title = TITLES[tool]
    missing = refuse(f"this base has no {title}, and devbox does not know how to install it here")
    return Step(
        name=f"{title} {wanted.text}",
        key=key,
        script=script(
            base.epoch,
            [
                *lines,
                *(f"export {name}={value}" for name, value in env),
                f"export PATH={':'.join([*path, '$PATH'])}",
                f"command -v {program} >/dev/null || {missing}",
                f"have=$({version})",
                *version_check(wanted, not_the_one(title, wanted)),
            ],
        ),
        network=False,
    )
